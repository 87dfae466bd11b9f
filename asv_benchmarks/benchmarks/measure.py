"""The clock, with the processor's peak beside it.

A machine's speed changes while one measures: its clock drifts, a neighbour takes the cache. So a
kernel and a loop of nothing but multiply-adds take turns, a fraction of a millisecond each, and the
best of both are compared. What slows both cancels out; what interrupts one is not the best.
"""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple, TypeVar

import numpy as np

from fastbp.kernels.jit import kernel
from fastbp.kernels.layout import aligned_zeros
from fastbp.kernels.simd import fma, lanes, load, store

Key = TypeVar("Key")

CHAINS = 10  # multiply-adds under way at once: two a cycle, each of at most five cycles
SAMPLE_SECONDS = 2e-4
LONG_SECONDS = 2e-2  # of a call that is seldom made without interruption on a busy machine
PEAK_TURNS = 50_000  # some 200 us
PEAKS_A_CALL = 3  # a peak's sample is short where the call's is long, so it is taken more often
LEAST_CALLS = 2


@kernel
def multiply_add(x, turns):
    """turns times CHAINS multiply-adds of vectors, x[i] = 0.5 x[i] + 1, each chain on its own."""
    w = lanes(x)
    a, b, c, d, e = load(x, 0), load(x, w), load(x, 2 * w), load(x, 3 * w), load(x, 4 * w)
    f, g, h = load(x, 5 * w), load(x, 6 * w), load(x, 7 * w)
    i, j = load(x, 8 * w), load(x, 9 * w)
    for _ in range(turns):
        a, b, c, d, e = (
            fma(a, 0.5, 1),
            fma(b, 0.5, 1),
            fma(c, 0.5, 1),
            fma(d, 0.5, 1),
            fma(e, 0.5, 1),
        )
        f, g, h, i, j = (
            fma(f, 0.5, 1),
            fma(g, 0.5, 1),
            fma(h, 0.5, 1),
            fma(i, 0.5, 1),
            fma(j, 0.5, 1),
        )
    store(x, 0, a + b + c + d + e + f + g + h + i + j)
    return w


class Rates(NamedTuple):
    """What a work took, and what the processor could do at the same time."""

    seconds: float
    gflops: float
    peak_gflops: float

    @property
    def fraction_of_peak(self) -> float:
        """1 cannot be beaten."""
        return self.gflops / self.peak_gflops


class Work(NamedTuple):
    """Something to measure: repeat(count) does it so often."""

    repeat: Callable[[int], object]
    flops: float  # of doing it once
    dtype: str = "float32"


@cache
def peak_work(dtype: str) -> Work:
    """Return the loop of multiply-adds, compiled."""
    x = aligned_zeros(16 * CHAINS, np.dtype(dtype))
    width = multiply_add(x, 1)
    return Work(partial(multiply_add, x), 2 * CHAINS * width, dtype)


def seconds_of(call: Callable[[], object]) -> float:
    """Time one call, which must do its work in this thread.

    A long one by the thread's own clock, which stands still while other programs have the core; a
    short one by the wall's, of which many are not interrupted: after a virtual machine was, its
    threads' clocks stand still for some milliseconds more.
    """
    start, own_start = time.perf_counter(), time.thread_time()
    call()
    own_seconds, seconds = time.thread_time() - own_start, time.perf_counter() - start
    return own_seconds if seconds > LONG_SECONDS else seconds


def paired(work: Work, seconds: float) -> tuple[float, float]:
    """Time a work and the peak by turns: (seconds of doing it once, peak in GFLOP/s), the best.

    The first call, which may compile, does not count.
    """
    work.repeat(1)
    once = min(seconds_of(lambda: work.repeat(1)) for _ in range(2))
    count = max(1, round(SAMPLE_SECONDS / once))
    peak = peak_work(work.dtype)
    calls, peaks = [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(calls) < LEAST_CALLS:
        peaks += [seconds_of(lambda: peak.repeat(PEAK_TURNS)) for _ in range(PEAKS_A_CALL)]
        calls.append(seconds_of(lambda: work.repeat(count)))
    return min(calls) / count, PEAK_TURNS * peak.flops / min(peaks) / 1e9


def measured(works: dict[Key, Work], rounds: int = 5, seconds: float = 0.06) -> dict[Key, Rates]:
    """Measure works in rounds over all of them, so that a slow phase meets no work in all rounds.

    `seconds` is the least that one work takes in one round.
    """
    found: dict[Key, list[tuple[float, float]]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            found[key].append(paired(work, seconds))
    rates = {}
    for key, pairs in found.items():
        best, peak = min(once for once, _ in pairs), max(peak for _, peak in pairs)
        rates[key] = Rates(best, works[key].flops / best / 1e9, peak)
    return rates
