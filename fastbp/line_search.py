"""How far to go along a direction: a step that meets the strong Wolfe conditions.

With phi(t) = C(w + t p), the cost along a direction p that goes down, they ask for

    phi(t) <= phi(0) + c1 t phi'(0)      the cost has fallen                     (3.7a)
    |phi'(t)| <= c2 |phi'(0)|            and the slope has become less steep     (3.7b)

The search is Nocedal and Wright 2006, algorithms 3.5 and 3.6, in one loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fastbp.errors import DivergenceError
from fastbp.validation import Array

__all__ = ["Point", "dot", "line_search"]

C1, C2 = 1e-4, 0.9  # the book's, for Newton's method and its relatives
TRIALS = 20
LONGER = 4.0  # the next step, while no end of the valley is in sight
MARGIN = 0.1  # of the interval, at both of its ends, where no step is tried
# An interval so small beside its ends is not searched: it may hold a kink of relu, at which no step
# meets (3.7b) and from which no further search goes down. More and Thuente's xtol, as in L-BFGS-B.
NARROW = 0.1


@dataclass(frozen=True)
class Point:
    """A vector of parameters, and what is known there."""

    parameters: Array  # (n_parameters,)
    cost: float
    gradient: Array  # (n_parameters,)


class End(NamedTuple):
    """An end of the interval in which the step is sought."""

    step: float
    cost: float
    slope: float


def dot(v: Array, w: Array) -> float:
    """Return the sum of v * w in float64.

    Not BLAS's, which adds long vectors up in as many parts as it has threads.
    """
    return float(np.multiply(v, w, dtype=np.float64).sum())


def line_search(evaluate: Callable[[Array], Point], start: Point, direction: Array) -> Point | None:
    """Return a point along the direction that meets the conditions, or nearly; None if none falls.

    The first step is 1. After TRIALS steps, or when rounding to the net's dtype leaves nothing to
    try, the answer is the lowest point that met the first condition. A step at which `evaluate`
    raises DivergenceError was too long; where all of them were, that is raised.
    """
    slope = dot(start.gradient, direction)
    if not slope < 0:
        return None
    best, low, high = start, End(0.0, start.cost, slope), None
    step, too_far = 1.0, None
    for _ in range(TRIALS):
        try:
            trial = evaluate(start.parameters + step * direction)
        except DivergenceError as error:
            too_far, high = error, End(step, math.inf, math.nan)
            step = low.step + MARGIN * (step - low.step)
            continue
        too_far = None
        if np.array_equal(trial.parameters, best.parameters):
            break
        end = End(step, trial.cost, dot(trial.gradient, direction))
        if end.cost > start.cost + C1 * step * slope or end.cost >= low.cost:
            high = end  # there is a minimum before
        else:
            best = trial
            if abs(end.slope) <= C2 * abs(slope):
                break
            # The cost falls from the lower end towards the other one, if there is one yet.
            if end.slope * ((math.inf if high is None else high.step) - low.step) >= 0:
                high = low
            low = end
        if high is None:
            step *= LONGER
        elif abs(high.step - low.step) <= NARROW * max(high.step, low.step):
            break
        else:
            step = between(low, high)
    if too_far is not None and best is start:
        raise too_far
    return None if best is start else best


def between(low: End, high: End) -> float:
    """Return the minimizer of the cubic through both ends (3.59), and not too near to either."""
    width = high.step - low.step
    d1 = low.slope + high.slope - 3 * (low.cost - high.cost) / -width
    square = d1 * d1 - low.slope * high.slope
    part = 0.5
    if 0 <= square < math.inf:
        d2 = math.copysign(math.sqrt(square), width)
        below = high.slope - low.slope + 2 * d2
        if below != 0:
            part = 1 - (high.slope + d2 - d1) / below
    return low.step + min(max(part, MARGIN), 1 - MARGIN) * width
