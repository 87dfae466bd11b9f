"""Plain data and parameters are checked without scikit-learn's functions, to the same effect."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import validation

from fastbp.sklearn import checks, MLPClassifier, MLPRegressor

X, y = load_iris(return_X_y=True)


@pytest.mark.parametrize("labels", [
    y, y.astype(np.int8), y.astype(np.uint32) * 10, y - 5, np.where(y == 1, 7, -1),
    np.repeat(y, 2)[::2],
], ids=str)  # fmt: skip
def test_labels_are_binarized_as_by_scikit_learn(labels):
    binarizer, shown = checks.plain_labels(X, labels)
    theirs = LabelBinarizer().fit(labels)
    assert vars(binarizer).keys() == vars(theirs).keys()
    assert binarizer.y_type_ == theirs.y_type_
    assert_array_equal(binarizer.classes_, theirs.classes_, strict=True)
    assert_array_equal(shown, theirs.transform(labels).astype(bool), strict=True)


BAD = X.copy()
BAD[3, 1] = np.nan
UNUSUAL = {
    "NaN": (BAD, y),
    "infinity": (np.where(np.isnan(BAD), np.inf, BAD), y),
    "many classes": (X, np.arange(len(y)) // 2 + (np.arange(len(y)) % 4 == 1) * 100),
    "one class": (X, np.zeros(len(y), int)),
    "floats": (X, y.astype(float)),
    "continuous": (X, y + 0.5),
    "words": (X, np.array(["a", "b", "c"])[y]),
    "truth": (X, y == 1),
    "a column": (X, y.reshape(-1, 1)),
    "short": (X, y[1:]),
    "lists": (X.tolist(), y.tolist()),
    "float16": (X.astype(np.float16), y),
    "integers": (X.astype(int), y),
    "big-endian": (X.astype(">f8"), y),
    "Fortran order": (np.asfortranarray(X), y),
    "not aligned": (np.frombuffer(b" " + X.tobytes(), offset=1).reshape(X.shape), y),
    "sparse": (scipy.sparse.csr_array(X), y),
    "a table": (pd.DataFrame(X, columns=list("abcd")), y),
    "one-dimensional": (X[:, 0], y),
    "nothing": (X[:0], y[:0]),
    "no columns": (X[:, :0], y),
    "masked": (np.ma.masked_array(X), y),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_unusual_is_left_to_scikit_learn(name):
    rows, labels = UNUSUAL[name]
    assert checks.plain_labels(rows, labels) is None
    outcomes = []
    for kind in (MLPClassifier, MLPClassifier._original):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model = kind((3,), max_iter=2, random_state=0).fit(rows, labels)
                result = model.classes_.tolist(), model.n_features_in_
                result += (list(getattr(model, "feature_names_in_", [])),)
            except ValueError as error:
                result = str(error).replace("nan\n", "")
        outcomes.append((result, [(w.category, str(w.message)) for w in caught]))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "rows",
    [X, np.asfortranarray(X), np.hstack([X, X])[:, :4], X[::-1][::-1]],
    ids=["rows", "Fortran order", "some columns", "backwards twice"],
)
def test_what_is_plain_is_not(rows, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("scikit-learn's check was called")

    monkeypatch.setattr(validation, "check_array", refuse)
    model = MLPClassifier((3,), solver="sgd", tol=1e9, n_iter_no_change=1, random_state=0)
    assert model.fit(rows, y).n_features_in_ == 4
    with pytest.raises(AssertionError):
        model.fit(rows, y.astype(float))


def test_names_of_columns_are_forgotten_with_them():
    model = MLPClassifier((3,), solver="lbfgs", max_iter=300, random_state=0)
    model.fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert model.feature_names_in_.tolist() == list("abcd")
    assert not hasattr(model.fit(X, y), "feature_names_in_")


def test_classes_that_the_first_rows_have_not():
    model = MLPClassifier((3,)).partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X).shape == (150, 3)
    model = MLPClassifier((3,), solver="lbfgs", warm_start=True, max_iter=300, random_state=0).fit(
        X, y
    )
    del model.coefs_
    with pytest.raises(ValueError, match="same classes as in the previous call"):
        model.fit(X[:100], y[:100])


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_parameters_of_every_kind_are_checked(kind):
    wrong = object()
    for name in kind().get_params():
        if name == "learning_rate_init" or kind._parameter_constraints[name] == "no_validation":
            continue
        theirs, ours = (
            estimator().set_params(**{name: wrong}) if name in estimator().get_params() else None
            for estimator in (kind._original, kind)
        )
        assert not checks.constraints_hold(ours), name
        with pytest.raises(ValueError, match=f"The '{name}' parameter of {kind.__name__} must be"):
            ours.fit(X, y)
        if theirs is not None:
            with pytest.raises(ValueError, match=f"The '{name}' parameter"):
                theirs.fit(X, y)
    assert checks.constraints_hold(kind())


def test_constructors_of_subclasses_have_their_own_names():
    class Other(MLPClassifier):
        def __init__(self, extra=3, alpha=0.1):
            super().__init__(alpha=alpha)
            self.extra = extra

    assert MLPClassifier().get_params()["alpha"] == 1e-4
    assert Other._get_param_names() == ["alpha", "extra"]
    assert Other(extra=5).get_params() == {"alpha": 0.1, "extra": 5}
