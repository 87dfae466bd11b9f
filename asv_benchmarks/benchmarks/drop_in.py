"""fastbp.sklearn beside scikit-learn: whole fits, of equal settings and with equal results."""

import os
import warnings
from functools import cache
from importlib import import_module
from typing import NamedTuple

import numpy as np

from .peers import require
from .sampling import OneCall

SMALL = bool(os.environ.get("FASTBP_BENCHMARKS_SMALL"))  # where they are run to see that they do
ESTIMATORS = {"fastbp": "fastbp.sklearn", "scikit-learn": "sklearn.neural_network"}


class Cell(NamedTuple):
    """A classification: data, and what is set of MLPClassifier beside random_state."""

    work: str
    data: str
    rows: int
    parameters: dict[str, object]


MNIST_ROWS = 2000 if SMALL else 60000
CELLS = {
    "MNIST": Cell(
        "MNIST, 60,000 x 784 float32, 10 epochs", "mnist", MNIST_ROWS,
        {"max_iter": 2 if SMALL else 10},
    ),
    "digits": Cell("digits, the defaults", "digits", 1797, {"max_iter": 5} if SMALL else {}),
    "iris": Cell("iris, the defaults", "iris", 150, {"max_iter": 20} if SMALL else {}),
    "batch 10": Cell(
        "MNIST, 6,000 x 784 float32, batch 10, 3 epochs", "mnist", 500 if SMALL else 6000,
        {"batch_size": 10, "max_iter": 1 if SMALL else 3},
    ),
}  # fmt: skip
SEARCH_WORK = "GridSearchCV on digits, n_jobs=2, 12 fits of 50 epochs, the workers running already"
SEARCH_ROWS, SEARCH_EPOCHS = (300, 2) if SMALL else (1797, 50)
GRID = {"alpha": [1e-4, 1e-2], "hidden_layer_sizes": [(50,), (100,)]}


@cache
def examples(data: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X and y. The 5,000 digits that are part of fastbp stand for all of MNIST, repeated."""
    from sklearn import datasets

    if data != "mnist":
        X, y = getattr(datasets, f"load_{data}")(return_X_y=True)
        return X[:rows], y[:rows]
    from fastbp.datasets import load_mnist_sample

    sample = load_mnist_sample()
    again = np.arange(rows) % len(sample.train_labels)
    return sample.train_images[again] / np.float32(255), sample.train_labels[again]


def classifier(peer: str, **parameters):
    """Return an estimator that is not fitted, and has one thread."""
    require("sklearn")
    import threadpoolctl

    threadpoolctl.threadpool_limits(1)
    if peer == "fastbp":
        parameters["n_threads"] = 1
    return import_module(ESTIMATORS[peer]).MLPClassifier(random_state=0, **parameters)


def fit(model, X, y):
    """Fit without the warning that more epochs would be better."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


@cache
def warm_up(peer: str, dtype: np.dtype) -> None:
    """Have kernels compiled, for epochs of one call and of several, and modules imported."""
    for data, rows in (("iris", 150), ("mnist", 1000)):
        X, y = examples(data, rows)
        fit(classifier(peer, max_iter=1), X.astype(dtype), y)


@cache
def search(peer: str):
    """Return a GridSearchCV whose two processes run already, with kernels loaded."""
    from sklearn.model_selection import GridSearchCV

    model = classifier(peer, max_iter=SEARCH_EPOCHS)
    found = GridSearchCV(model, GRID, n_jobs=2, cv=3, refit=False)
    return fit(found, *examples("digits", SEARCH_ROWS))


class Fit(OneCall):
    """MLPClassifier.fit: 100 hidden neurons, Adam and batches of 200, which are the defaults.

    tests/test_benchmarks.py sees that both find the same model.
    """

    params = (tuple(CELLS), tuple(ESTIMATORS))
    param_names = ("cell", "peer")
    repeat = (2, 10, 3.0)

    def setup(self, cell, peer):
        self.model = classifier(peer, **CELLS[cell].parameters)
        self.data = examples(CELLS[cell].data, CELLS[cell].rows)
        warm_up(peer, self.data[0].dtype)

    def time_fit(self, cell, peer):
        fit(self.model, *self.data)


class Search(OneCall):
    """GridSearchCV on digits, by two processes that run already."""

    params = tuple(ESTIMATORS)
    param_names = ("peer",)
    repeat = (1, 4, 3.0)

    def setup(self, peer):
        if len(os.sched_getaffinity(0)) < 2:
            raise NotImplementedError("one core cannot tell")  # asv skips it
        self.search = search(peer)
        self.data = examples("digits", SEARCH_ROWS)

    def time_search(self, peer):
        fit(self.search, *self.data)
