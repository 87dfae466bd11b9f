"""Random fits, saves, loads, predictions, errors and interrupts in one process, for minutes.

    python tests/soak.py --minutes 10

Every result is compared with naive.py. At the end it says how much memory each task left behind
after the first minute, and how fast the process grew, and exits with 1 if either was more than is
allowed. The first shows leaks of a few bytes; the second also memory that malloc knows nothing of.
Linux only, with glibc 2.33 or later.
"""

import argparse
import ctypes
import gc
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import numpy as np
from soak_tasks import TASKS

PAGE = os.sysconf("SC_PAGE_SIZE") / 2**20
WARM_UP = 60.0  # seconds; by then every kernel is loaded and every pool has its size
SECONDS_PER_SAMPLE = 1.0
MOST_PER_TASK = 500.0  # bytes


class Sample(NamedTuple):
    """What is known of the process at some moment."""

    seconds: float
    tasks: int  # done so far
    live: int  # bytes
    resident: float  # MB


class Allocated(ctypes.Structure):
    """struct mallinfo2 of malloc.h."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                     "uordblks", "fordblks", "keepcost")
    ]  # fmt: skip


def live_memory():
    """Bytes that are allocated and not freed; 16, the least, for a block of Python's own."""
    gc.collect()
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Allocated
    allocated = mallinfo2()
    return allocated.uordblks + allocated.hblkhd + 16 * sys.getallocatedblocks()


def share_one_arena():
    """Have all threads allocate from one arena of the C library's.

    Else a thread takes whichever arena is not in use, and some minutes pass until each of them has
    grown to its size: 7 MB in the second minute.
    """
    arena_max = -8  # M_ARENA_MAX of malloc.h
    ctypes.CDLL(None).mallopt(arena_max, 1)


def resident_memory():
    """MB of this process that are in memory, without what the C library keeps for later."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def fill_cache():
    """NumPy keeps up to 7 freed blocks of each size below 1 kB: arrays of random sizes add to it.

    Left to them it would grow for many minutes, and look like a leak of 50 bytes a task.
    """
    _ = [np.empty(size, np.uint8) for size in range(1024) for _ in range(7)]


def slope(x, y):
    """Least-squares slope of y over x."""
    x = np.asarray(x, float) - np.mean(x)
    return float(x @ y / (x @ x))


def soak(seconds, seed, warm_up):
    """Do each task once, which loads the kernels, and then any of them for so long.

    Returns how often it did each, and samples from warm_up on.
    """
    rng = np.random.default_rng(seed)
    counts, samples = Counter(), []
    with tempfile.TemporaryDirectory() as folder:

        def do(task):
            # A task has a seed of its own, so that a failure can be repeated by itself.
            task_seed = int(rng.integers(2**32))
            try:
                task(np.random.default_rng(task_seed), Path(folder))
            except BaseException as error:
                error.add_note(f"in the task {task.__name__} with the seed {task_seed}")
                raise
            counts[task.__name__] += 1

        for task in TASKS:
            do(task)
        fill_cache()
        start = monotonic()
        while (now := monotonic() - start) < seconds:
            do(TASKS[rng.integers(len(TASKS))])
            if now >= warm_up and (not samples or now - samples[-1].seconds >= SECONDS_PER_SAMPLE):
                samples.append(Sample(now, counts.total(), live_memory(), resident_memory()))
    return counts, samples


def main(arguments=None):
    """Print a report; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=1.0, help="MB a minute, after the first")
    options = parser.parse_args(arguments)
    if 60 * options.minutes <= WARM_UP:
        parser.error("--minutes: expected more than 1, since the first does not count")
    share_one_arena()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has none
    counts, samples = soak(60 * options.minutes, options.seed, WARM_UP)
    print(f"{counts.total()} tasks, all results as the reference's: {dict(counts)}")
    last = {int(sample.seconds // 60): sample for sample in samples}.values()  # of each minute
    print("MB live after each minute:", ", ".join(f"{s.live / 2**20:.2f}" for s in last))
    print("MB resident:", ", ".join(f"{s.resident:.1f}" for s in last))
    seconds, tasks, live, resident = np.transpose(samples)
    left, growth = slope(tasks, live), 60 * slope(seconds, resident)
    print(f"{left:+.1f} bytes live from each task, at most {MOST_PER_TASK:g} allowed")
    print(f"slope {growth:+.3f} MB resident a minute, at most {options.limit:g} allowed")
    return int(left > MOST_PER_TASK or growth > options.limit)


if __name__ == "__main__":
    sys.exit(main())
