"""scikit-learn's own tests of its MLPs, from its installed package, run on ours."""

import importlib.util
from pathlib import Path

import pytest
import sklearn.neural_network

from fastbp.sklearn import patch_sklearn, unpatch_sklearn

# Tests that reach into the implementation, each with its reason.
EXCLUDED = {
    "test_gradient": "calls the private _loss_grad_lbfgs, whose vector has scikit-learn's order",
}

# Fits that end early are no matter there, as in scikit-learn.
pytestmark = pytest.mark.filterwarnings("ignore")


def load_tests():
    path = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
    spec = importlib.util.spec_from_file_location("fastbp_runs_test_mlp", path)
    module = importlib.util.module_from_spec(spec)
    patch_sklearn()
    try:
        spec.loader.exec_module(module)
    finally:
        unpatch_sklearn()
    assert module.MLPClassifier.__module__.startswith("fastbp")
    return {name: test for name, test in vars(module).items() if name.startswith("test_")}


TESTS = load_tests()
globals().update({name: test for name, test in TESTS.items() if name not in EXCLUDED})


@pytest.fixture
def global_random_seed():
    return 42


def test_few_are_excluded_and_all_of_them_exist():
    assert len(EXCLUDED) <= 4
    assert set(EXCLUDED) <= set(TESTS)
