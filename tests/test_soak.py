"""The short form of soak.py; CI runs two minutes of it after the tests."""

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
    samples = [(t, 200 + 0.5 * t / 60 + (-1) ** t) for t in seconds]
    assert soak.slope(samples) == pytest.approx(0.5, rel=0.02)


def test_memory_that_is_held_is_counted():
    before = soak.resident_memory()
    held = np.ones(2**23)  # 64 MB
    assert soak.resident_memory() - before == pytest.approx(held.nbytes / 2**20, rel=0.05)


@pytest.mark.parametrize(("growth", "status"), [(0.9, 0), (1.1, 1)])
def test_growth_is_a_failure(growth, status, monkeypatch, capsys):
    samples = [(t, 200 + growth * t / 60) for t in range(60, 600)]
    monkeypatch.setattr(soak, "soak", lambda *_: (Counter(fits=3), samples))
    assert soak.main([]) == status
    assert f"slope +{growth:.3f} MB a minute" in capsys.readouterr().out
