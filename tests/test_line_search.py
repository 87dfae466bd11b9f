"""The line search meets the strong Wolfe conditions, or ends where rounding or kinks forbid it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.errors import DivergenceError
from fastbp.history import History
from fastbp.line_search import C1, C2, line_search, Point, TRIALS


class Curve:
    """A function of one parameter with its derivative, which counts how often it is asked."""

    def __init__(self, cost, slope, dtype="float64"):
        self.cost, self.slope, self.dtype, self.trials = cost, slope, dtype, 0

    def __call__(self, vector):
        self.trials += 1
        w = vector.astype(self.dtype)
        return Point(w, float(self.cost(w[0])), np.array([self.slope(w[0])], self.dtype))

    def search(self, start, direction):
        begin = self(np.array([start]))
        self.trials = 0
        found = line_search(self, begin, np.array([direction]))
        assert self.trials <= TRIALS
        return begin, found


CURVES = {
    "parabola": (lambda w: w * w, lambda w: 2 * w),
    "quartic": (lambda w: w**4 - w * w, lambda w: 4 * w**3 - 2 * w),
    "waves": (lambda w: w * w / 20 - np.cos(w), lambda w: w / 10 + np.sin(w)),
    "walls": (lambda w: np.cosh(np.clip(w, -700, 700)), lambda w: np.sinh(np.clip(w, -700, 700))),
    "bend": (lambda w: np.hypot(1, w) - w / 2, lambda w: w / np.hypot(1, w) - 0.5),
}
CONVEX = {"parabola", "walls", "bend"}


@given(
    name=st.sampled_from(sorted(CURVES)),
    start=st.floats(-30, 30).filter(lambda w: abs(w) > 1e-3),
    length=st.floats(-4, 4).map(lambda exponent: 10.0**exponent),
)
@settings(max_examples=300, deadline=None)
def test_the_strong_wolfe_conditions_are_met(name, start, length):
    curve = Curve(*CURVES[name])
    slope = CURVES[name][1](start)
    if abs(slope) < 1e-6:
        return
    begin, found = curve.search(start, -np.sign(slope) * length)
    step = (found.parameters[0] - start) / (-np.sign(slope) * length)
    assert step > 0
    assert found.cost <= begin.cost - C1 * step * abs(slope) * length
    if name in CONVEX:  # elsewhere an interval that has become narrow is given up
        assert abs(found.gradient[0]) <= C2 * abs(slope)


def test_no_step_goes_up_or_nowhere():
    up = Curve(*CURVES["parabola"])
    assert up.search(1.0, 1.0)[1] is None
    assert up.trials == 0
    assert Curve(*CURVES["parabola"]).search(1.0, 0.0)[1] is None
    assert Curve(*CURVES["parabola"]).search(1.0, np.nan)[1] is None


@pytest.mark.parametrize("limit", [1e-4, 0.3, 2.5])
def test_a_step_so_long_that_the_cost_overflows_is_shortened(limit):
    """As exp(z) of a Poisson net does, some steps before its minimum."""
    parabola = Curve(*CURVES["parabola"])

    def evaluate(vector):
        if vector[0] < 3 - limit:
            raise DivergenceError("the loss", 1, 1, 1.0, History())
        return parabola(vector)

    begin = evaluate(np.array([3.0]))
    found = line_search(evaluate, begin, np.array([-1000.0]))
    assert begin.cost > found.cost
    assert 3 - limit <= found.parameters[0] < 3


def test_an_overflow_at_every_step_is_told():
    def evaluate(vector):
        raise DivergenceError("the loss", 1, 1, 1.0, History())

    begin = Point(np.array([3.0]), 9.0, np.array([6.0]))
    with pytest.raises(DivergenceError):
        line_search(evaluate, begin, np.array([-1.0]))


def test_an_overflow_is_not_told_where_shorter_steps_do_not_fall():
    """Near a minimum, whose last digits hide that the direction goes down."""

    def evaluate(vector):
        if vector[0] < 2.5:
            raise DivergenceError("the loss", 1, 1, 1.0, History())
        return Point(vector, 9.0, np.array([6.0]))

    assert line_search(evaluate, evaluate(np.array([3.0])), np.array([-1.0])) is None


def test_a_wrong_derivative_finds_no_step():
    """As near a minimum, where the cost's last digits say otherwise than the derivative."""
    _, found = Curve(lambda w: w, lambda w: -1.0).search(1.0, 1.0)
    assert found is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_rounding_hides_takes_few_trials(dtype):
    """Trials that are the beginning, rounded, can find nothing."""
    curve = Curve(lambda w: w, lambda w: -1.0, dtype)
    assert curve.search(1.0, 64 * np.finfo(dtype).eps)[1] is None
    assert curve.trials <= 5


@pytest.mark.parametrize("kink", [0.1, 0.3, 0.7, 2.2, 30.0])
def test_a_kink_is_passed_and_not_cornered(kink):
    """There no step meets the second condition; from the kink itself no search would go on."""
    curve = Curve(lambda w: max(kink - w, 3 * (w - kink)), lambda w: 3.0 if w > kink else -1.0)
    begin, found = curve.search(0.0, 1.0)
    assert curve.trials <= 10
    assert found.cost < begin.cost
