"""Three examples of scikit-learn's gallery, unpatched and patched: what they would draw is equal.

Settings are the examples' own; data are those that come with the packages.
"""

import warnings

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_less
from sklearn.datasets import load_digits, load_iris, make_circles, make_classification, make_moons
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from fastbp.datasets import load_mnist_sample
from fastbp.sklearn import patch_sklearn, unpatch_sklearn

ALPHAS = np.logspace(-1, 1, 5)
GRID = np.stack(np.meshgrid(*[np.linspace(-3, 3, 20)] * 2), axis=-1).reshape(-1, 2)


def both_ways(example, *arguments):
    """What it returns with scikit-learn's estimators, and with ours under their names."""
    results = []
    for change in (unpatch_sklearn, patch_sklearn):
        change()
        try:
            from sklearn.neural_network import MLPClassifier

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results.append(example(MLPClassifier, *arguments))
            assert MLPClassifier.__module__.startswith("fastbp") == (change is patch_sklearn)
        finally:
            unpatch_sklearn()
    return zip(*results, strict=True)


def varying_alpha(MLPClassifier, max_iter):
    """plot_mlp_alpha: iterations, loss, score, probabilities; five alphas on three problems."""
    X, y = make_classification(
        n_features=2, n_redundant=0, n_informative=2, random_state=0, n_clusters_per_class=1
    )
    X += 2 * np.random.RandomState(2).uniform(size=X.shape)
    problems = [make_moons(noise=0.3, random_state=0), (X, y)]
    problems.append(make_circles(noise=0.2, factor=0.5, random_state=1))
    for X, y in problems:
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=42)
        for alpha in ALPHAS:
            model = make_pipeline(
                StandardScaler(),
                MLPClassifier(
                    solver="lbfgs", alpha=alpha, random_state=1, max_iter=max_iter,
                    early_stopping=True, hidden_layer_sizes=[10, 10],
                ),
            )  # fmt: skip
            model.fit(X_train, y_train)
            net = model[-1]
            yield net.n_iter_, net.loss_, model.score(X_test, y_test), model.predict_proba(GRID)


def with_rounding(seed):
    """scikit-learn's classifier, on an X whose numbers are moved by one unit in the last place."""

    class Rounded(sklearn.neural_network.MLPClassifier):
        def fit(self, X, y):
            units = np.random.default_rng(seed).integers(-1, 2, X.shape)
            return super().fit(X * (1 + units * np.finfo(X.dtype).eps), y)

    return Rounded


def differences(found, expected):
    """Of relative loss, score and probabilities, and the part of GRID with other labels."""
    probabilities, of_expected = found[3], expected[3]
    return np.array([
        abs(found[1] / expected[1] - 1),
        abs(found[2] - expected[2]),
        abs(probabilities - of_expected).max(),
        (probabilities.argmax(axis=1) != of_expected.argmax(axis=1)).mean(),
    ])  # fmt: skip


@pytest.mark.parametrize("max_iter", [50, 2000])
def test_varying_alpha(max_iter):
    """As equal as scikit-learn's models are to each other when X is rounded in another way.

    L-BFGS with relu makes of one rounding, 1e-16, up to 1e-8 in fifty iterations, and another path
    in some hundred: of numbers moved by one unit in the last place scikit-learn's own first fit
    ends after 113, 122 or 208 iterations rather than 188, and the sixth with a loss 9 % away,
    probabilities 0.7, and 3 % of its picture in the other colour.
    """
    pairs = list(both_ways(lambda *arguments: list(varying_alpha(*arguments)), max_iter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = [list(varying_alpha(with_rounding(seed), max_iter)) for seed in range(6)]
    equal = further = 0
    for (expected, found), *others in zip(pairs, *again, strict=True):
        own = np.max([differences(other, expected) for other in others], axis=0)
        difference = differences(found, expected)
        # The least amounts: where no rounding shows, one row of 40 of the score, and two points of
        # the picture.
        is_further = (difference > 5 * own + [1e-13, 0.026, 1e-13, 0.006]).any()
        if own[2] < 1e-7:
            equal += 1
            assert not is_further
            assert found[0] == expected[0]
            assert_allclose(difference, 0, atol=1e-7)
        else:
            further += is_further
            assert_array_less(difference, [0.2, 0.06, 1, 0.05])  # wherever roundings lead
    assert equal >= (15 if max_iter == 50 else 5)
    # Where paths part, six of them show how far, but not all there is: of scikit-learn's own, one
    # in a hundred is further from the first than five times the six.
    assert further <= 2


def training_curves(MLPClassifier):
    """plot_mlp_training_curves: score, loss and its curve; seven ways on four problems."""
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
    problems = [
        (15, load_digits(return_X_y=True)),
        (400, load_iris(return_X_y=True)),
        (400, make_circles(noise=0.2, factor=0.5, random_state=1)),
        (400, make_moons(noise=0.3, random_state=0)),
    ]
    results = []
    for epochs, (X, y) in problems:
        X = MinMaxScaler().fit_transform(X)
        for way in ways:
            model = MLPClassifier(random_state=0, max_iter=epochs, **way).fit(X, y)
            results += [model.score(X, y), model.loss_, model.loss_curve_]
    return results


def filters(MLPClassifier):
    """plot_mnist_filters: scores, and the weights of the first layer as images."""
    sample = load_mnist_sample()
    X_train, X_test, y_train, y_test = train_test_split(
        sample.train_images / 255, sample.train_labels, random_state=0, test_size=0.7
    )
    model = MLPClassifier(
        hidden_layer_sizes=(40,), max_iter=8, alpha=1e-4, solver="sgd", random_state=1,
        learning_rate_init=0.2,
    )  # fmt: skip
    model.fit(X_train, y_train)
    images = [coef.reshape(28, 28) for coef in model.coefs_[0].T]
    return [model.score(X_train, y_train), model.score(X_test, y_test), *images]


@pytest.mark.parametrize("example", [training_curves, filters])
def test_gallery(example):
    compared = 0
    for theirs, ours in both_ways(example):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
        compared += 1
    assert compared > 40
