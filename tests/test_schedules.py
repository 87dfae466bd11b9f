"""Schedules: the equations of their docstrings, step by step."""

import math

import numpy as np
import pytest
from api_problems import blobs
from numpy.testing import assert_allclose, assert_array_equal

from fastbp import (
    Adam,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    MLP,
    ReduceOnPlateau,
    SGD,
    Step,
    Warmup,
)
from fastbp.schedules import Schedule


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (Constant(0.3), lambda t: 0.3),
        (Step(0.3, every=2, factor=0.5), lambda t: 0.3 * 0.5 ** math.floor(t / 2)),
        (Exponential(0.3, decay=0.7), lambda t: 0.3 * 0.7**t),
        (
            Cosine(0.3, epochs=3, minimum=0.1),
            lambda t: 0.1 + 0.2 * (1 + math.cos(math.pi * min(t / 3, 1))) / 2,
        ),
        (InverseScaling(0.3, power=0.7), lambda t: 0.3 / (1 + t) ** 0.7),
        (Warmup(0.3, epochs=2.5, start_fraction=0.2), lambda t: 0.3 * min(0.2 + 0.8 * t / 2.5, 1)),
        (
            Warmup(Exponential(0.3, decay=0.7), epochs=2),
            lambda t: 0.3 * 0.7**t * min(0.1 + 0.9 * t / 2, 1),
        ),
    ],
)
@pytest.mark.parametrize("steps", [1, 4, 7])
def test_rates_follow_the_equation(schedule, formula, steps):
    for epoch in range(5):
        rates = schedule.rates(epoch, steps)
        assert rates.dtype == np.float64
        assert_allclose(rates, [formula(epoch + i / steps) for i in range(steps)], rtol=1e-12)


def watch(schedule, values):
    """The rate in force after each of these values."""
    memory, rates = schedule.start(), []
    for epoch, value in enumerate(values, start=1):
        memory = schedule.observe(memory, {schedule.monitored: value})
        rates.append(float(schedule.rates(epoch, 1, memory)[0]))
    return rates


def test_a_plateau_reduces_the_rate_after_patience_epochs_and_counts_anew():
    schedule = ReduceOnPlateau(8.0, patience=2, factor=0.5, minimum=1.0)
    losses = [5.0, 4.0, 4.0, 4.5, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    assert watch(schedule, losses) == [8, 8, 8, 4, 4, 4, 2, 2, 1, 1, 1]


def test_a_plateau_of_a_score_and_small_improvements():
    schedule = ReduceOnPlateau(8.0, "val_accuracy", patience=1, factor=0.5, min_delta=0.1)
    assert watch(schedule, [0.5, 0.55, 0.7]) == [8, 4, 4]


def test_a_warmed_up_plateau_is_a_plateau():
    schedule = Warmup(ReduceOnPlateau(8.0, "loss", patience=1, factor=0.5), epochs=1)
    assert schedule.monitored == "loss"
    assert watch(schedule, [1.0, 2.0, 3.0]) == [8, 4, 2]


def test_schedules_are_values():
    assert Cosine(0.1, 5) == Cosine(0.1, 5) != Cosine(0.1, 6)
    with pytest.raises(AttributeError):
        Constant(0.1).learning_rate = 0.2


def test_fit_steps_with_the_rates_of_the_schedule():
    X, y = blobs(rows=20)
    schedule = Exponential(0.5, decay=0.25)
    one, other = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    options = {"batch_size": 10, "shuffle": False}
    history = one.fit(X, y, epochs=2, optimizer=SGD(schedule), **options)
    for t in (0, 0.5, 1, 1.5):
        rows = slice(0, 10) if t in (0, 1) else slice(10, 20)
        other.fit(X[rows], y[rows], epochs=1, optimizer=SGD(0.5 * 0.25**t), **options)
    assert_array_equal(one.parameters, other.parameters)
    assert history.learning_rate == [0.5, 0.125]


def test_fit_tells_a_plateau_what_it_measured():
    X, y = blobs()
    schedule = ReduceOnPlateau(0.1, "loss", patience=1, factor=0.5, min_delta=100.0)
    history = MLP([4, 5, 3], seed=0).fit(X, y, epochs=4, optimizer=Adam(schedule))
    assert history.learning_rate == [0.1, 0.1, 0.05, 0.025]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Constant(-1), "learning_rate"),
        (lambda: Constant("fast"), "learning_rate"),
        (lambda: Constant(math.nan), "learning_rate"),
        (lambda: Step(0.1, every=0), "every"),
        (lambda: Step(0.1, every=2.5), "every"),
        (lambda: Step(0.1, factor=1.5), "factor"),
        (lambda: Exponential(0.1, decay=0), "decay"),
        (lambda: Cosine(0.1, epochs=0), "epochs"),
        (lambda: Cosine(0.1, epochs=5, minimum=0.2), "minimum"),
        (lambda: InverseScaling(0.1, power=-1), "power"),
        (lambda: Warmup("fast"), "after"),
        (lambda: Warmup(Constant), "after"),
        (lambda: Warmup(0.1, epochs=0), "epochs"),
        (lambda: Warmup(0.1, start_fraction=2), "start_fraction"),
        (lambda: ReduceOnPlateau(0.1, "val_los"), "monitor.*'val_loss'"),
        (lambda: ReduceOnPlateau(0.1, patience=0), "patience"),
        (lambda: ReduceOnPlateau(0.1, factor=1.0), "factor"),
        (lambda: ReduceOnPlateau(0.1, min_delta=-1), "min_delta"),
        (lambda: ReduceOnPlateau(0.1, minimum=0.5), "minimum"),
    ],
)
def test_arguments_are_checked_at_construction(make, name):
    with pytest.raises((ValueError, TypeError), match=rf"^{name}"):
        make()


class Own(Schedule):
    """A user's, that returns whatever it was given."""

    def __init__(self, returned):
        self.returned = returned

    def rate(self, time, memory):
        return self.returned


def test_what_a_schedule_of_ones_own_returns_is_checked():
    """It went to the kernel as it was, which read past its end."""
    X, y = blobs(rows=6)
    for wrong in (0.1, np.full(1, 0.1), np.full((3, 1), 0.1), [0.1, -0.1, 0.1], [0.1, np.nan, 0.1],
                  [0.1, np.inf, 0.1]):  # fmt: skip
        net = MLP([4, 3], seed=0)
        before = net.parameters.tobytes()
        with pytest.raises(ValueError, match=r"learning_rate: got .* from Own.rate, expected"):
            net.fit(X, y, epochs=1, batch_size=2, optimizer=SGD(Own(wrong)))
        assert net.parameters.tobytes() == before
    bits = set()
    for right in ([0.1] * 3, np.full(3, 0.1), np.full(6, 0.1)[::2]):
        net = MLP([4, 3], seed=0)
        net.fit(X, y, epochs=2, batch_size=2, optimizer=SGD(Own(right)))
        bits.add(net.parameters.tobytes())
    assert len(bits) == 1
