"""Warnings that look as if scikit-learn's module gave them."""

import warnings

from sklearn.neural_network import _multilayer_perceptron

__all__ = ["warn"]


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn from where users' filters that name a module of scikit-learn's look for it."""
    warnings.warn_explicit(
        message,
        category,
        str(_multilayer_perceptron.__file__),
        0,  # no line of it is shown
        _multilayer_perceptron.__name__,
        vars(_multilayer_perceptron).setdefault("__warningregistry__", {}),
    )
