"""scikit-learn's multi-layer perceptrons, trained by fastbp's kernels.

    from fastbp.sklearn import MLPClassifier, MLPRegressor

instead of ``from sklearn.neural_network import ...`` is the only edit that a program needs; with
`patch_sklearn`, or run as ``python -m fastbp.sklearn script.py``, it needs none.
"""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    advice = 'pip install "fastbp[sklearn]"'
    raise ImportError(f"fastbp.sklearn needs scikit-learn: {advice}") from error

from fastbp.sklearn.estimators import MLPClassifier, MLPRegressor
from fastbp.sklearn.patching import patch_sklearn, unpatch_sklearn

__all__ = ["MLPClassifier", "MLPRegressor", "patch_sklearn", "unpatch_sklearn"]
