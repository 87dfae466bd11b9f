"""Other people's programs, without an edit; and three of scikit-learn's gallery, both ways."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_iris, make_circles, make_classification, make_moons
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from fastbp.datasets import load_mnist_sample
from fastbp.sklearn import MLPClassifier, MLPRegressor, patch_sklearn, unpatch_sklearn


@pytest.fixture
def patched():
    patch_sklearn()
    yield
    unpatch_sklearn()


def test_patching_and_back(patched):
    from sklearn.neural_network import MLPClassifier as named_like_theirs

    assert named_like_theirs is MLPClassifier
    assert sklearn.neural_network.MLPRegressor is MLPRegressor
    patch_sklearn()  # twice is once
    unpatch_sklearn()
    assert sklearn.neural_network.MLPClassifier is MLPClassifier._original
    assert sklearn.neural_network.MLPRegressor is MLPRegressor._original


SCRIPT = """
import sys
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
import beside_it

model = MLPClassifier((4,), solver="lbfgs", max_iter=30, random_state=0)
print(type(model).__module__.split(".")[0], __name__, sys.argv[1:], beside_it.here)
"""


def run(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_a_script_is_run_patched(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "beside_it.py").write_text("here = True")
    done = run("-m", "fastbp.sklearn", script, "--flag", "3")
    assert done.stdout == "fastbp __main__ ['--flag', '3'] True\n"
    assert run(script, "--flag", "3").stdout == done.stdout.replace("fastbp", "sklearn")


def test_mistakes_on_the_command_line(tmp_path):
    assert "usage" in run("-m", "fastbp.sklearn").stderr
    absent = run("-m", "fastbp.sklearn", tmp_path / "absent.py")
    assert "there is no file" in absent.stderr
    assert absent.returncode != 0


def varying_alpha(MLPClassifier):
    """plot_mlp_alpha: decision functions of five alphas on three problems of two features."""
    X, y = make_classification(
        n_features=2, n_redundant=0, n_informative=2, random_state=0, n_clusters_per_class=1
    )
    X += 2 * np.random.RandomState(2).uniform(size=X.shape)
    problems = [make_moons(noise=0.3, random_state=0), (X, y)]
    problems.append(make_circles(noise=0.2, factor=0.5, random_state=1))
    results = []
    for X, y in problems:
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=42)
        for alpha in np.logspace(-1, 1, 5):
            model = make_pipeline(
                StandardScaler(),
                MLPClassifier(
                    solver="lbfgs", alpha=alpha, random_state=1, max_iter=50,
                    early_stopping=True, hidden_layer_sizes=[10, 10],
                ),
            )  # fmt: skip
            model.fit(X_train, y_train)
            grid = np.stack(np.meshgrid(*[np.linspace(-3, 3, 20)] * 2), axis=-1).reshape(-1, 2)
            results += [model.score(X_test, y_test), model.predict_proba(grid)]
    return results, 1e-6  # which after 100 iterations, rather than 50, rounding has left behind


def training_curves(MLPClassifier):
    """plot_mlp_training_curves: eight ways to train on four problems."""
    sgd = {"solver": "sgd", "learning_rate_init": 0.2}
    ways = [
        {**sgd, "learning_rate": "constant", "momentum": 0},
        {**sgd, "learning_rate": "constant", "momentum": 0.9, "nesterovs_momentum": False},
        {**sgd, "learning_rate": "constant", "momentum": 0.9, "nesterovs_momentum": True},
        {**sgd, "learning_rate": "invscaling", "momentum": 0},
        {**sgd, "learning_rate": "invscaling", "momentum": 0.9, "nesterovs_momentum": True},
        {**sgd, "learning_rate": "invscaling", "momentum": 0.9, "nesterovs_momentum": False},
        {"solver": "adam", "learning_rate_init": 0.01},
    ]
    X, y = load_digits(return_X_y=True)
    problems = [load_iris(return_X_y=True), (X[:500], y[:500])]
    problems += [make_circles(noise=0.2, factor=0.5, random_state=1), make_moons(random_state=0)]
    results = []
    for number, (X, y) in enumerate(problems):
        X = MinMaxScaler().fit_transform(X)
        for way in ways:
            epochs = 15 if number == 1 else 100
            model = MLPClassifier(random_state=0, max_iter=epochs, **way).fit(X, y)
            results += [model.score(X, y), model.loss_, np.array(model.loss_curve_)]
    return results, 1e-9


def filters(MLPClassifier):
    """plot_mnist_filters: the first layer's weights after a few epochs."""
    sample = load_mnist_sample()
    X, y = sample.train_images / 255.0, sample.train_labels
    model = MLPClassifier(
        hidden_layer_sizes=(40,), max_iter=8, alpha=1e-4, solver="sgd", random_state=1,
        learning_rate_init=0.2,
    )  # fmt: skip
    model.fit(X[:3000], y[:3000])
    results = [model.score(X, y), *(coef.reshape(28, 28) for coef in model.coefs_[0].T)]
    return results, 1e-9


@pytest.mark.parametrize("example", [varying_alpha, training_curves, filters])
def test_gallery(example):
    results = {}
    for name, change in (("theirs", unpatch_sklearn), ("ours", patch_sklearn)):
        change()
        try:
            from sklearn.neural_network import MLPClassifier as Chosen

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results[name], tolerance = example(Chosen)
        finally:
            unpatch_sklearn()
    for ours, theirs in zip(results["ours"], results["theirs"], strict=True):
        assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
