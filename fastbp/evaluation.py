"""Scores of a net on data: the mean cost, and accuracy or the coefficient of determination."""

from typing import Any, NamedTuple

import numpy as np

from fastbp.architecture import Architecture
from fastbp.data import refuse_not_finite
from fastbp.kernels.evaluate import evaluate as evaluate_kernel
from fastbp.validation import Array
from fastbp.workspace import Workspace

__all__ = ["ClassifierScores", "RegressionScores", "counts_hits", "evaluate", "recorded"]


class ClassifierScores(NamedTuple):
    """Mean cost, and the fraction of rows whose class is right."""

    loss: float
    accuracy: float


class RegressionScores(NamedTuple):
    """Mean cost, and R^2, averaged over the outputs."""

    loss: float
    r2: float


def counts_hits(net: Architecture, data: Any) -> bool:
    """Whether accuracy is what to measure: for classifiers, and wherever y are labels."""
    return net.is_classifier or len(data.labels) > 0


def recorded(net: Architecture, data: Any, validation: Any) -> list[str]:
    """Return the names of the losses and scores that training will record."""
    names = ["loss", "accuracy"] if counts_hits(net, data) else ["loss"]
    if validation is not None:
        names += ["val_loss", "val_accuracy" if counts_hits(net, validation) else "val_r2"]
    return names


def evaluate(
    net: Architecture, workspace: Workspace, parameters: Array, data: Any
) -> ClassifierScores | RegressionScores:
    """Score read-only parameters on layout.Data."""
    moments = np.zeros((4, net.n_outputs))
    bad_row, cost, weight, hits = workspace.run(evaluate_kernel, parameters, data, moments)
    if bad_row >= 0:
        refuse_not_finite(data.X)
    if counts_hits(net, data):
        return ClassifierScores(cost / weight, hits / weight)
    return RegressionScores(cost / weight, r2_score(moments))


def r2_score(moments: Array) -> float:
    """R^2 = 1 - sum w (y - a)^2 / sum w (y - mean)^2, averaged over the outputs.

    Row by row, `moments` (4, n_L) holds sum w, sum w d, sum w d^2 and sum w (y - a)^2, with
    d = y - y_of_the_first_row, which keeps the digits of a y far from 0. As in scikit-learn, an
    output whose y never changes scores 1 if it is met exactly, and 0 if not.
    """
    weight, first, second, residual = moments
    with np.errstate(over="ignore", invalid="ignore"):  # squares that overflowed: NaN says so
        total = second - first * (first / weight)
        varies = ~(total * np.sign(weight) <= 0)  # the drop-in takes negative weights, too
        scores = np.where(residual == 0, 1.0, 0.0)
        scores[varies] = 1 - residual[varies] / total[varies]
    return float(scores.mean())
