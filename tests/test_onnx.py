"""What docs/sklearn.md says of ONNX, where skl2onnx and a runtime are installed (conftest.py)."""

import doctest
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp.sklearn import MLPClassifier, MLPRegressor

PAGE = Path(__file__).parents[1] / "docs" / "sklearn.md"
pytestmark = pytest.mark.filterwarnings("ignore")  # of tools of other people
X, y = load_iris(return_X_y=True)


@pytest.fixture(scope="module", autouse=True)
def registered():
    page = doctest.testfile(str(PAGE), module_relative=False)
    assert page.failed == 0
    assert page.attempted > 5


def outputs(model, rows, **options):
    converted = to_onnx(model, rows[:1], **options)
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: rows})


def test_classifiers_and_pipelines():
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    for targets in (y, labels, y == 1):
        model = MLPClassifier((9,), random_state=0, max_iter=40).fit(X, targets)
        for each in (model, make_pipeline(StandardScaler(), model).fit(X, targets)):
            classes, probabilities = outputs(each, X, options={"zipmap": False})
            assert_array_equal(classes, each.predict(X))
            assert_allclose(probabilities, each.predict_proba(X), atol=1e-6)


def test_regressors_and_scikit_learns_own():
    rows, targets = load_diabetes(return_X_y=True)
    model = MLPRegressor(hidden_layer_sizes=(9,), random_state=0).fit(rows, targets)
    for each in (model, model.to_sklearn()):
        assert_allclose(outputs(each, rows)[0].ravel(), model.predict(rows), rtol=1e-5)
