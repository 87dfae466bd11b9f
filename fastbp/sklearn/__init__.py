"""scikit-learn's multi-layer perceptrons, trained by fastbp's kernels.

    from fastbp.sklearn import MLPClassifier, MLPRegressor

instead of ``from sklearn.neural_network import ...`` is the only edit that a program needs; with
`patch_sklearn`, or run as ``python -m fastbp.sklearn script.py``, it needs none.
"""

from importlib.util import find_spec

if find_spec("sklearn") is None:
    raise ImportError('fastbp.sklearn needs scikit-learn: pip install "fastbp[sklearn]"')

from fastbp.sklearn.estimators import MLPClassifier, MLPRegressor
from fastbp.sklearn.patching import patch_sklearn, unpatch_sklearn

__all__ = ["MLPClassifier", "MLPRegressor", "patch_sklearn", "unpatch_sklearn"]
