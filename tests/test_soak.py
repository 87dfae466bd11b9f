"""The short form of soak.py; CI runs two minutes of it after the tests."""

import itertools
from collections import Counter

import numpy as np
import pytest
import soak
from soak_tasks import TASKS


def test_eight_seconds_of_everything_at_random():
    counts, samples = soak.soak(8, seed=1, warm_up=0)
    assert set(counts) == {task.__name__ for task in TASKS}
    assert samples


def test_the_slope_is_that_of_a_line():
    seconds = np.arange(60, 600)
    memory = 200 + 0.5 * seconds / 60 + (-1) ** seconds
    assert 60 * soak.slope(seconds, memory) == pytest.approx(0.5, rel=0.02)


def test_memory_that_is_held_is_counted():
    before = soak.resident_memory(), soak.live_memory()
    held = np.ones(2**23)  # 64 MB
    assert soak.resident_memory() - before[0] == pytest.approx(held.nbytes / 2**20, rel=0.05)
    assert soak.live_memory() - before[1] == pytest.approx(held.nbytes, rel=0.05)


def test_blocks_that_numpy_keeps_are_not_taken_for_growth():
    soak.fill_cache()
    before = soak.live_memory()
    for size in range(1024):
        arrays = [np.empty(size, np.uint8) for _ in range(7)]
        del arrays
    assert soak.live_memory() - before < 10_000  # 3.6 MB in a new process, if not filled


def in_small_objects():
    """500 tuples of one, each in the next."""
    chain = ()
    for _ in range(500):
        chain = (chain,)
    return chain


@pytest.mark.parametrize(
    ("leak", "rate", "status"),
    [(int, 2000, 0), (lambda: bytes(8000), 2000, 1), (in_small_objects, 300, 1)],
)
def test_eight_kilobytes_a_task_are_noticed(leak, rate, status, monkeypatch, capsys):
    kept, clock = [], itertools.count()

    def task(rng, folder):
        kept.append(leak())

    monkeypatch.setattr(soak, "TASKS", [task])
    monkeypatch.setattr(soak, "WARM_UP", 0)
    monkeypatch.setattr(soak, "monotonic", lambda: next(clock) / rate)  # seconds
    assert soak.main(["--minutes", "0.1", "--limit", "inf"]) == status
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "bytes live" in line]
    if status:  # else whatever is below the limit
        assert float(line.split()[0]) == pytest.approx(8000, rel=0.2)


@pytest.mark.parametrize(
    ("left", "growth", "status"), [(490, 0.9, 0), (510, 0.9, 1), (490, 1.1, 1)]
)
def test_growth_is_a_failure(left, growth, status, monkeypatch, capsys):
    samples = [
        soak.Sample(t, tasks=90 * t, live=10**8 + left * 90 * t, resident=200 + growth * t / 60)
        for t in range(60, 600)
    ]
    monkeypatch.setattr(soak, "soak", lambda *_: (Counter(fits=3), samples))
    assert soak.main([]) == status
    report = capsys.readouterr().out
    assert f"{left:+.1f} bytes live from each task" in report
    assert f"slope {growth:+.3f} MB resident a minute" in report
