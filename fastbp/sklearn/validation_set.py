"""The rows that are held back from training, and what is recorded of them after each epoch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split

from fastbp.evaluation import evaluate
from fastbp.interrupts import Interrupts
from fastbp.sklearn.network import dense, forward_pass, kernel_data, Network
from fastbp.sklearn.parameters import Parameters
from fastbp.validation import Array
from fastbp.workspace import Workspace

__all__ = ["ValidationSet", "split"]


class ValidationSet:
    """Rows to score, ready for the kernels; a sparse X of them is made dense here.

    Attributes
    ----------
    score_name : str
        What callbacks and schedules know the score as.
    """

    def __init__(
        self, network: Network, X: Any, y: Array, sample_weight: Array | None, score_name: str
    ) -> None:
        if sample_weight is not None and not np.any(sample_weight):
            raise ValueError("Sample weights must contain at least one non-zero number.")
        self.X, self.y, self.weights = dense(X, network.dtype), y, sample_weight
        self.data = kernel_data(network, self.X, y, sample_weight)
        self.workspace = Workspace(network)
        self.score_name = score_name

    def score_epoch(
        self, estimator: Any, network: Network, parameters: Parameters, interrupts: Interrupts
    ) -> dict[str, float]:
        """Record loss and score."""

        def scores() -> tuple[float, float]:
            loss, score = evaluate(network, self.workspace, parameters.frozen, self.data)
            is_multilabel = network.output == "sigmoid" and network.n_outputs > 1
            if len(getattr(estimator, "classes_", ())) == 1 and not is_multilabel:
                score = 1.0  # whatever the output, that class is predicted
            elif is_classifier(estimator) and (is_multilabel or self.weights is not None):
                # Weights are summed as by scikit-learn, to the bit: epochs with as many hits tie.
                score = self.accuracy(network, parameters)
            elif self.score_name == "val_r2" and not math.isfinite(loss + score):
                # Where something overflowed, scikit-learn's answer: NaN if an output did, else of a
                # square that is infinite.
                out = forward_pass(network, self.workspace, parameters, self.X)
                if not np.isfinite(out).all():
                    score = math.nan
                elif math.isnan(score):
                    score = -math.inf
            return loss, score

        loss, score = interrupts.run(2.0 * network.n_parameters * len(self.y), scores)
        if estimator.loss == "squared_error":
            loss /= network.n_outputs  # as in the loss curve
        estimator.validation_scores_.append(score)
        estimator.validation_loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        return {"val_loss": loss, self.score_name: score}

    def accuracy(self, network: Network, parameters: Parameters) -> float:
        """Return the fraction of rows whose class, or all of whose labels, are right."""
        out = forward_pass(network, self.workspace, parameters, self.X)
        if network.output == "softmax":
            hits = out.argmax(axis=1) == self.data.labels
        else:
            hits = ((out > 0.5) == self.y).all(axis=1)
        return float(np.average(hits, weights=self.weights))

    def is_progress(self, estimator: Any, parameters: Parameters) -> bool:
        """Whether the last epoch improves on the best by tol; keep the parameters of a better one.

        Written so that NaN counts as progress, as it does in scikit-learn.
        """
        tol = estimator.tol
        if estimator.stopping_monitor == "loss":
            last, best = estimator.validation_loss_curve_[-1], estimator.best_validation_loss_
            better, improves = last < best, not last > best - tol
        else:
            last, best = estimator.validation_scores_[-1], estimator.best_validation_score_
            better, improves = last > best, not last < best + tol
        if better:
            estimator.best_validation_score_ = estimator.validation_scores_[-1]
            estimator.best_validation_loss_ = estimator.validation_loss_curve_[-1]
            kept = parameters.copy()
            estimator._best_coefs, estimator._best_intercepts = kept.coefs, kept.intercepts
        return improves


def split(
    estimator: Any, X: Any, y: Array, sample_weight: Array | None
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Return (X, y, weights) to train on and (X, y, weights) to validate, drawn as in scikit-learn.

    Two classes are kept in equal proportions in both parts; several classes, and labels that may
    hold at once, are not.
    """
    arrays = [X, y] if sample_weight is None else [X, y, sample_weight]
    stratified = is_classifier(estimator) and estimator.n_outputs_ == 1
    parts = train_test_split(
        *arrays,
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=y if stratified else None,
    )
    if parts[1].shape[0] < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    if sample_weight is None:
        parts += [None, None]
    X_train, X_val, y_train, y_val, *weights = parts
    return (X_train, y_train, weights[0]), (X_val, y_val, weights[1])
