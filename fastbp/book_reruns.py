"""The programs that drew the book's figures, run again draw for draw.

They begin with random.seed(12345678) and numpy.random.seed(12345678), and the book's numbers are
what they printed under Python 2. Its generators are those of today. Only random.shuffle was
another one: it took one random() for each position. With that one, `fastbp.nndl.network2` makes
the same nets as the book's own code, and so the same numbers, to the last digit printed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from fastbp.book import at_epoch, best, Data, Lab, Outcome, recipe, Run
from fastbp.history import History
from fastbp.nndl import mnist_loader, network2
from fastbp.validation import Array

SEED = 12345678
BATCH = 10

Pairs = list[tuple[Array, Any]]


@contextmanager
def the_books_draws() -> Iterator[None]:
    """Seed Python's and NumPy's generators as the book does; print nothing; put them back."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the book's
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 - the book's
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002 - the book's


def python2_shuffle(order: Array) -> None:
    """Shuffle an array as Python 2's random.shuffle did: the j for i is int(random() (i + 1))."""
    values = order.tolist()
    for i in range(len(values) - 1, 0, -1):
        j = int(random.random() * (i + 1))
        values[i], values[j] = values[j], values[i]
    order[:] = values


class Python2Network(network2.Network):
    """The book's network2.Network with the shuffle of its day, and a History."""

    _shuffle = staticmethod(python2_shuffle)

    def train(
        self,
        training: Pairs,
        epochs: int,
        eta: float,
        lmbda: float,
        evaluation: Pairs | None = None,
        watch: tuple[str, ...] = ("evaluation_accuracy",),
    ) -> History:
        """Run SGD in batches of 10, with the monitors named; `training` is left shuffled."""
        lists = self.SGD(
            training, epochs, BATCH, eta, lmbda, evaluation,
            **{f"monitor_{name}": True for name in watch},
        )  # fmt: skip
        counts = {"val_accuracy": len(evaluation or ()), "accuracy": len(training)}
        names = ("val_loss", "val_accuracy", "loss", "accuracy")
        return History(
            {
                name: [value / counts.get(name, 1) for value in values]
                for name, values in zip(names, lists, strict=True)
                if values
            }
        )


def pairs(data: Data, targets: str = "digits") -> Pairs:
    """Return the book's list of (x, y): y a digit, or a column for training."""
    wanted: Any = data.digits
    if targets == "columns":
        wanted = map(mnist_loader.vectorized_result, data.digits)
    return list(zip(mnist_loader.columns(data.images), wanted, strict=True))


ALL_MONITORS = (
    "evaluation_cost", "evaluation_accuracy", "training_cost", "training_accuracy",
)  # fmt: skip


@recipe(
    "overfitting",
    "Chapter 3: the first 1,000 images, 400 epochs",
    "82.27 %, with lambda 0.1 87.10 %, training accuracy 100 %",
    seed=SEED,
)
def overfitting(lab: Lab) -> list[Outcome]:
    """30 hidden, eta 0.5, N(0,1) weights, by the program fig/overfitting.py and its draws."""
    outcomes = []
    for label, lmbda, source in (("lambda 0", 0.0, 82.27), ("lambda 0.1", 0.1, 87.10)):
        with the_books_draws():
            net = Python2Network([784, 30, 10])
            net.large_weight_initializer()
            history = net.train(
                pairs(lab.data("training", 1000), "columns"),
                lab.epochs(400), 0.5, lmbda, pairs(lab.data("test")), ALL_MONITORS,
            )  # fmt: skip
        lab.keep(Run(label, net, history))
        outcomes.append(Outcome(f"test, {label}", source, best(history)))
        outcomes.append(Outcome(f"training, {label}", 100.0, 100 * history.accuracy[-1]))
    return outcomes


SIZES = {
    100: 69.1, 200: 76.4, 500: 85.3, 1000: 88.9, 2000: 91.3,
    5000: 93.2, 10_000: 94.9, 20_000: 95.9, 50_000: 96.0,
}  # fmt: skip


@recipe(
    "training-set-size",
    "Chapter 3: accuracy at the end, by the number of training images",
    ", ".join(f"{size:,}: {accuracy} %" for size, accuracy in SIZES.items()),
    seed=SEED,
)
def training_set_size(lab: Lab) -> list[Outcome]:
    """30 hidden, eta 0.5, lambda 0.0001 times the size, 1,500,000 / size epochs.

    Validation set; by the program fig/more_data.py and its draws.
    """
    validation, outcomes = pairs(lab.data("validation")), []
    with the_books_draws():
        net = Python2Network([784, 30, 10])
        for size, source in SIZES.items():
            net.large_weight_initializer()
            training = pairs(lab.data("training", size), "columns")
            net.train(training, lab.epochs(1_500_000 // size), 0.5, 0.0001 * size, watch=())
            accuracy = 100 * net.accuracy(validation) / len(validation)
            outcomes.append(Outcome(f"{size:,} images", source, accuracy))
    lab.notes["training-set-size"] = {
        size: outcome.here for size, outcome in zip(SIZES, outcomes, strict=True)
    }
    return outcomes


@recipe(
    "initialization",
    "Chapter 3: N(0,1/n) and N(0,1) weights, eta 0.1, lambda 5",
    "epochs 1, 2, 10, 30: 92.7 94.1 95.9 96.5 % and 86.4 90.4 94.5 96.4 %",
    "100 hidden, epoch 1: 93.0 % and 89.9 %",
    seed=SEED,
)
def initialization(lab: Lab) -> list[Outcome]:
    """30 epochs, validation set, by the program fig/weight_initialization.py and its draws."""
    sources: dict[int, tuple[dict[int, float], dict[int, float]]] = {
        30: ({1: 92.7, 2: 94.1, 10: 95.9, 30: 96.5}, {1: 86.4, 2: 90.4, 10: 94.5, 30: 96.4}),
        100: ({1: 93.0}, {1: 89.9}),
    }
    validation, outcomes = pairs(lab.data("validation")), []
    for hidden, both in sources.items():
        training = pairs(lab.data("training"), "columns")
        with the_books_draws():
            net = Python2Network([784, hidden, 10])
            for weights, accuracies in zip(("N(0,1/n)", "N(0,1)"), both, strict=True):
                if weights == "N(0,1)":
                    net.large_weight_initializer()
                history = net.train(training, lab.epochs(30), 0.1, 5.0, validation)
                run = lab.keep(Run(f"{hidden} hidden, {weights}", net, history))
                for epoch, source in accuracies.items():
                    what = f"{run.label}, epoch {epoch}"
                    outcomes.append(Outcome(what, source, at_epoch(history, epoch)))
    return outcomes


@recipe(
    "learning-rates", "Chapter 3: training cost at eta 0.025, 0.25 and 2.5", "a figure", seed=SEED
)
def learning_rates(lab: Lab) -> list[Outcome]:
    """30 hidden, lambda 5, 30 epochs, by the program fig/multiple_eta.py and its draws.

    The largest rate swings, the smallest crawls.
    """
    outcomes, training = [], pairs(lab.data("training"), "columns")
    with the_books_draws():
        for eta in (0.025, 0.25, 2.5):
            net = Python2Network([784, 30, 10])
            history = net.train(training, lab.epochs(30), eta, 5.0, watch=("training_cost",))
            lab.keep(Run(f"eta {eta:g}", net, history))
            what = f"training cost at eta {eta:g}"
            outcomes.append(Outcome(what, np.nan, history.loss[-1], "cost"))
    return outcomes
