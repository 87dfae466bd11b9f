"""The recipes: Mazur's example; the book's chapters 1, 3 and 5; Simard's and Ciresan's MLPs.

Each states its source's numbers once, in its outcomes or beside them. Test accuracies are the best
over the epochs, as in the book, unless they belong to an epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fastbp.augment import Distortions
from fastbp.book import at_epoch, best, Lab, Outcome, recipe, Run
from fastbp.callbacks import LayerErrors
from fastbp.mlp import MLP
from fastbp.optimizers import Adam, SGD
from fastbp.schedules import Cosine

NO_SOURCE = math.nan


@recipe("mazur", "Mazur's worked example, 2-2-2", "error 0.298371109, 10,000 steps 3.51085e-05")
def mazur(lab: Lab) -> list[Outcome]:
    """Two inputs, two hidden, two outputs; eta 0.5; the biases are held."""
    net = MLP([2, 2, 2], activation="sigmoid", output="sigmoid", loss="quadratic", dtype="float64")
    net.parameters = [0.15, 0.20, 0.25, 0.30, 0.35, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.60]
    after_one: list[float] = []

    def hold_biases(net: MLP, logs: Mapping[str, float]) -> None:
        net.biases[0][:], net.biases[1][:] = 0.35, 0.60
        after_one.extend(net.parameters[[6, 7, 8, 9, 0, 1, 2, 3]] if not after_one else ())

    history = net.fit(
        [[0.05, 0.10]], [[0.01, 0.99]],
        epochs=lab.epochs(10_000), optimizer=SGD(0.5), callbacks=[hold_biases], progress=False,
    )  # fmt: skip
    names = ("w5", "w6", "w7", "w8", "w1", "w2", "w3", "w4")
    weights = (
        0.35891648, 0.408666186, 0.511301270, 0.561370121,
        0.149780716, 0.19956143, 0.24975114, 0.29950229,
    )  # fmt: skip
    outputs = net.forward([[0.05, 0.10]])[0]
    return [
        Outcome("error", 0.298371109, history.loss[0], ""),
        *(
            Outcome(f"{name} after a step", source, here, "")
            for name, source, here in zip(names, weights, after_one, strict=True)
        ),
        Outcome("error then", 0.291027774, history.loss[1], ""),
        Outcome("error at step 10,000", 0.0000351085, history.loss[-1], ""),
        Outcome("first output at last", 0.015913620, outputs[0], ""),
        Outcome("second output at last", 0.984064274, outputs[1], ""),
    ]


@recipe("quadratic", "Chapter 1: quadratic cost, eta 3", "30 hidden 95.42 %, 100 hidden 96.59 %")
def quadratic(lab: Lab) -> list[Outcome]:
    """30 epochs."""
    outcomes = []
    for hidden, source in ((30, 95.42), (100, 96.59)):
        label = f"{hidden} hidden"
        run = lab.train([784, hidden, 10], label=label, loss="quadratic", eta=3.0, epochs=30)
        outcomes.append(Outcome(label, source, best(run.history)))
    return outcomes


@recipe("cross-entropy", "Chapter 3: cross-entropy, eta 0.5", "30 hidden 95.49 %, 100: 96.82 %")
def cross_entropy(lab: Lab) -> list[Outcome]:
    """30 epochs."""
    outcomes = []
    for hidden, source in ((30, 95.49), (100, 96.82)):
        label = f"{hidden} hidden"
        run = lab.train([784, hidden, 10], label=label, eta=0.5, epochs=30)
        outcomes.append(Outcome(label, source, best(run.history)))
    return outcomes


@recipe(
    "regularization",
    "Chapter 3: the same with lambda 5",
    "30 hidden 96.49 %, 100 hidden 97.92 %, with eta 0.1 and 60 epochs 98.04 %",
)
def regularization(lab: Lab) -> list[Outcome]:
    """30 hidden on the test set, 100 on the validation set."""
    first = lab.train([784, 30, 10], label="30 hidden", eta=0.5, lmbda=5.0, epochs=30)
    outcomes = [Outcome("30 hidden", 96.49, best(first.history))]
    for label, eta, epochs, source in (
        ("100 hidden", 0.5, 30, 97.92),
        ("100 hidden, eta 0.1, 60 epochs", 0.1, 60, 98.04),
    ):
        run = lab.train(
            [784, 100, 10], label=label, eta=eta, lmbda=5.0, epochs=epochs, watch="validation"
        )
        outcomes.append(Outcome(label, source, best(run.history)))
    return outcomes


@recipe(
    "overfitting",
    "Chapter 3: the first 1,000 images, 400 epochs",
    "82.27 %, with lambda 0.1 87.10 %, training accuracy 100 %",
)
def overfitting(lab: Lab) -> list[Outcome]:
    """30 hidden, eta 0.5."""
    outcomes = []
    for label, lmbda, source in (("lambda 0", 0.0, 82.27), ("lambda 0.1", 0.1, 87.10)):
        run = lab.train([784, 30, 10], label=label, eta=0.5, lmbda=lmbda, epochs=400, images=1000)
        _, trained = run.net.evaluate(*lab.data("training", 1000))
        outcomes.append(Outcome(f"test, {label}", source, best(run.history)))
        outcomes.append(Outcome(f"training, {label}", 100.0, 100 * trained))
    return outcomes


SIZES = {
    100: 69.1, 200: 76.4, 500: 85.3, 1000: 88.9, 2000: 91.3,
    5000: 93.2, 10_000: 94.9, 20_000: 95.9, 50_000: 96.0,
}  # fmt: skip


@recipe(
    "training-set-size",
    "Chapter 3: accuracy at the end, by the number of training images",
    ", ".join(f"{size:,}: {accuracy} %" for size, accuracy in SIZES.items()),
)
def training_set_size(lab: Lab) -> list[Outcome]:
    """30 hidden, eta 0.5, lambda 0.0001 times the size, 1,500,000 / size epochs."""
    outcomes = []
    for size, source in SIZES.items():
        run = lab.train(
            [784, 30, 10],
            label=f"{size:,} images",
            eta=0.5,
            lmbda=0.0001 * size,
            epochs=1_500_000 // size,
            images=size,
            init="book",
            watch="validation",
        )
        outcomes.append(Outcome(run.label, source, at_epoch(run.history, run.history.epochs)))
    return outcomes


@recipe(
    "initialization",
    "Chapter 3: N(0,1/n) and N(0,1) weights, eta 0.1, lambda 5",
    "epochs 1, 2, 10, 30: 92.7 94.1 95.9 96.5 % and 86.4 90.4 94.5 96.4 %",
    "100 hidden, epoch 1: 93.0 % and 89.9 %",
)
def initialization(lab: Lab) -> list[Outcome]:
    """On the validation set."""
    sources = {
        (30, "book"): {1: 92.7, 2: 94.1, 10: 95.9, 30: 96.5},
        (30, "book_large"): {1: 86.4, 2: 90.4, 10: 94.5, 30: 96.4},
        (100, "book"): {1: 93.0},
        (100, "book_large"): {1: 89.9},
    }
    outcomes = []
    for (hidden, init), accuracies in sources.items():
        run = lab.train(
            [784, hidden, 10],
            label=f"{hidden} hidden, {'N(0,1/n)' if init == 'book' else 'N(0,1)'}",
            init=init,
            eta=0.1,
            lmbda=5.0,
            epochs=30,
            watch="validation",
        )
        for epoch, source in accuracies.items():
            what = f"{run.label}, epoch {epoch}"
            outcomes.append(Outcome(what, source, at_epoch(run.history, epoch)))
    return outcomes


@recipe("learning-rates", "Chapter 3: training cost at eta 0.025, 0.25 and 2.5", "a figure")
def learning_rates(lab: Lab) -> list[Outcome]:
    """30 hidden, 30 epochs: the largest rate swings, the smallest crawls."""
    outcomes = []
    for eta in (0.025, 0.25, 2.5):
        run = lab.train([784, 30, 10], label=f"eta {eta:g}", init="book", eta=eta, epochs=30)
        what = f"training cost at eta {eta:g}"
        outcomes.append(Outcome(what, NO_SOURCE, run.history.loss[-1], ""))
    return outcomes


@recipe(
    "depth",
    "Chapter 5: two, three and four hidden layers of 30, eta 0.1, lambda 5",
    "96.90 %, 96.57 %, 96.53 %",
)
def depth(lab: Lab) -> list[Outcome]:
    """30 epochs, N(0,1/n) weights, validation set."""
    outcomes = []
    for layers, source in ((2, 96.90), (3, 96.57), (4, 96.53)):
        run = lab.train(
            [784, *[30] * layers, 10],
            label=f"{layers} hidden layers",
            init="book",
            eta=0.1,
            lmbda=5.0,
            epochs=30,
            watch="validation",
        )
        outcomes.append(Outcome(run.label, source, best(run.history)))
    return outcomes


@recipe(
    "layer-speeds",
    "Chapter 5: the mean error of each hidden layer, before and while training",
    "2: 0.066 0.309; 3: 0.012 0.060 0.283; 4: 0.003 0.017 0.070 0.285",
)
def layer_speeds(lab: Lab) -> list[Outcome]:
    """Full batches of the first 1,000 images, eta 0.1, lambda 5, 500 epochs, N(0,1/n) weights."""
    sources = ([0.066, 0.309], [0.012, 0.060, 0.283], [0.003, 0.017, 0.070, 0.285])
    outcomes = []
    for lengths in sources:
        layers = len(lengths)
        sizes, label = [784, *[30] * layers, 10], f"{layers} hidden layers"
        errors = LayerErrors(*lab.data("training", 1000))
        untrained = MLP(sizes, activation="sigmoid", output="sigmoid", init="book", seed=lab.seed)
        before = errors.measure(untrained)
        lab.train(
            sizes, label=label, init="book", eta=0.1, lmbda=5.0, epochs=500, images=1000,
            batch_size=1000, watch=None, callbacks=[errors],
        )  # fmt: skip
        lab.notes.setdefault("layer-speeds", {})[label] = [before, *errors.lengths]
        for l, source in enumerate(lengths):
            what = f"{label}, layer {l + 1}"
            outcomes.append(Outcome(what, source, before[l], ""))
    return outcomes


ELASTIC = Distortions(shift=1, rotation=10, scale=0.1, elastic=34)


def distorted(lab: Lab, sizes: list[int], label: str, epochs: int, distort: bool) -> Run:
    """Train a deeper or wider net on all 60,000 images with Adam, a cosine and dropout."""
    net = MLP(sizes, seed=lab.seed)
    epochs = lab.epochs(epochs)
    history = net.fit(
        *lab.data("all"),
        epochs=epochs,
        batch_size=100,
        optimizer=Adam(Cosine(1e-3, epochs=epochs)),
        augment=ELASTIC if distort else None,
        validation_data=lab.data("test"),
        progress=False,
    )
    return lab.keep(Run(label, net, history))


@recipe(
    "simard",
    "Simard and others 2003: one hidden layer of 800, cross-entropy",
    "1.6 % error, with elastic distortions 0.7 %",
)
def simard(lab: Lab) -> list[Outcome]:
    """Best test error over the epochs."""
    outcomes = []
    for label, distort, epochs, source in (
        ("without distortions", False, 20, 1.6),
        ("with elastic distortions", True, 100, 0.7),
    ):
        run = distorted(lab, [784, 800, 10], label, epochs, distort)
        outcomes.append(Outcome(f"error {label}", source, 100 - best(run.history)))
    return outcomes


@recipe(
    "ciresan",
    "Ciresan and others 2010: 1000-500-10, far fewer epochs than theirs",
    "0.49 % error",
)
def ciresan(lab: Lab) -> list[Outcome]:
    """Best test error over the epochs."""
    run = distorted(lab, [784, 1000, 500, 10], "1000-500-10", 50, True)
    return [Outcome("error", 0.49, 100 - best(run.history))]


def wrong_digits(run: Run, lab: Lab, at_most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (images, digits, predictions) of test images that a net gets wrong."""
    images, digits = lab.data("test")
    predicted = np.argmax(run.net.forward(images), axis=1)
    wrong = np.flatnonzero(predicted != digits)[:at_most]
    return images[wrong], digits[wrong], predicted[wrong]
