"""Programs that import scikit-learn's MLPs get fastbp's, without an edit."""

from __future__ import annotations

import sklearn.neural_network

from fastbp.sklearn.estimators import MLPClassifier, MLPRegressor

__all__ = ["patch_sklearn", "unpatch_sklearn"]

OURS = (MLPClassifier, MLPRegressor)


def patch_sklearn() -> None:
    """Make sklearn.neural_network's MLPClassifier and MLPRegressor fastbp's.

    For imports from now on: what a module has imported by name before, it keeps. Models of
    scikit-learn's own that exist already go on working and can still be pickled.

    Examples
    --------
    >>> from fastbp.sklearn import patch_sklearn, unpatch_sklearn
    >>> patch_sklearn()
    >>> from sklearn.neural_network import MLPClassifier
    >>> MLPClassifier.__module__
    'fastbp.sklearn.estimators'
    >>> unpatch_sklearn()
    """
    for ours in OURS:
        setattr(sklearn.neural_network, ours.__name__, ours)


def unpatch_sklearn() -> None:
    """Undo patch_sklearn."""
    for ours in OURS:
        setattr(sklearn.neural_network, ours.__name__, ours._original)
