"""The recipes whose sources do not say what they drew: Mazur's example; chapters 1, 3 and 5.

Each states its source's numbers once, in its outcomes or beside them. Accuracies are the best over
the epochs, as in the book, unless they belong to an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastbp.book import best, Lab, mean, Outcome, recipe, Run
from fastbp.layer_errors import LayerErrors
from fastbp.mlp import MLP
from fastbp.optimizers import SGD

STARTS = 8  # seeds, where a spread is shown


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


def accuracy(lab: Lab, source: float, hidden: Sequence[int], **options: Any) -> Outcome:
    """Train a net with these hidden layers; its best accuracy, beside the source's."""
    run = lab.keep(lab.train([784, *hidden, 10], **options))
    return Outcome(run.label, source, best(run.history))


def thirty_epochs(lab: Lab, sources: Mapping[int, float], **options: Any) -> list[Outcome]:
    """Train a net for each number of hidden neurons."""
    return [
        accuracy(lab, source, [hidden], label=f"{hidden} hidden", epochs=30, **options)
        for hidden, source in sources.items()
    ]


@recipe("quadratic", "Chapter 1: quadratic cost, eta 3", "30 hidden 95.42 %, 100 hidden 96.59 %")
def quadratic(lab: Lab) -> list[Outcome]:
    """30 epochs."""
    return thirty_epochs(lab, {30: 95.42, 100: 96.59}, loss="quadratic", eta=3.0)


@recipe("cross-entropy", "Chapter 3: cross-entropy, eta 0.5", "30 hidden 95.49 %, 100: 96.82 %")
def cross_entropy(lab: Lab) -> list[Outcome]:
    """30 epochs."""
    return thirty_epochs(lab, {30: 95.49, 100: 96.82}, eta=0.5)


@recipe(
    "regularization",
    "Chapter 3: cross-entropy with lambda 5",
    "30 hidden 96.49 %, 100 hidden 97.92 %, with eta 0.1 and 60 epochs 98.04 %",
)
def regularization(lab: Lab) -> list[Outcome]:
    """30 hidden on the test set, 100 on the validation set."""
    return [
        accuracy(lab, 96.49, [30], label="30 hidden", eta=0.5, lmbda=5.0, epochs=30),
        accuracy(
            lab, 97.92, [100], label="100 hidden", eta=0.5, lmbda=5.0, epochs=30,
            watch="validation",
        ),
        accuracy(
            lab, 98.04, [100], label="100 hidden, eta 0.1, 60 epochs", eta=0.1, lmbda=5.0,
            epochs=60, watch="validation",
        ),
    ]  # fmt: skip


@recipe(
    "depth",
    "Chapter 5: two, three and four hidden layers of 30, eta 0.1, lambda 5",
    "96.90 %, 96.57 %, 96.53 %",
)
def depth(lab: Lab) -> list[Outcome]:
    """30 epochs, N(0,1/n) weights, validation set."""
    return [
        accuracy(
            lab, source, [30] * layers, label=f"{layers} hidden layers", init="book", eta=0.1,
            lmbda=5.0, epochs=30, watch="validation",
        )
        for layers, source in ((2, 96.90), (3, 96.57), (4, 96.53))
    ]  # fmt: skip


@recipe(
    "layer-speeds",
    "Chapter 5: the mean error of each hidden layer, before and while training",
    "2: 0.066 0.309; 3: 0.012 0.060 0.283; 4: 0.003 0.017 0.070 0.285",
)
def layer_speeds(lab: Lab) -> list[Outcome]:
    """The first 1,000 images, N(0,1/n) weights; the source has one start, here are eight.

    Then a training from the first of them: full batches, eta 0.1, lambda 5, 500 epochs.
    """
    sources = ([0.066, 0.309], [0.012, 0.060, 0.283], [0.003, 0.017, 0.070, 0.285])
    outcomes = []
    for lengths in sources:
        layers = len(lengths)
        sizes, label = [784, *[30] * layers, 10], f"{layers} hidden layers"
        errors = LayerErrors(*lab.data("training", 1000))
        before = [
            errors.measure(
                MLP(sizes, activation="sigmoid", output="sigmoid", init="book", seed=seed)
            )
            for seed in lab.starts(STARTS)
        ]
        lab.train(
            sizes, label=label, init="book", eta=0.1, lmbda=5.0, epochs=500, images=1000,
            batch_size=1000, watch=None, callbacks=[errors],
        )  # fmt: skip
        lab.notes.setdefault("layer-speeds", {})[label] = [before[0], *errors.lengths]
        for l, source in enumerate(lengths):
            here = [of_layers[l] for of_layers in before]
            outcomes.append(mean(f"{label}, layer {l + 1}", source, here, "length"))
        for l in range(1, layers):
            what = f"{label}, layer {l + 1} / layer {l}"
            ratios = [of_layers[l] / of_layers[l - 1] for of_layers in before]
            outcomes.append(mean(what, lengths[l] / lengths[l - 1], ratios, "ratio"))
    return outcomes


@recipe(
    "spread",
    "Chapter 3: eight other seeds, where the seed matters most",
    "overfitting 82.27 and 87.10 %; N(0,1) weights after epoch 1 86.4 %; 1,000 images 88.9 %",
)
def spread(lab: Lab) -> list[Outcome]:
    """Runs of `overfitting`, `initialization` and `training-set-size` by MLP.fit.

    The mean over eight seeds, from the one given on, with the least and the greatest: how far from
    a source's single run another may land.
    """

    def runs(**options: Any) -> list[Run]:
        seeds = lab.starts(STARTS)
        return [lab.train([784, 30, 10], label="", seed=seed, **options) for seed in seeds]

    def bests(**options: Any) -> list[float]:
        return [best(run.history) for run in runs(**options)]

    few = {"eta": 0.5, "images": 1000}
    at_end = runs(**few, lmbda=0.1, epochs=1500, watch=None)
    validation = lab.data("validation")
    return [
        mean("1,000 images, lambda 0", 82.27, bests(**few, epochs=400)),
        mean("1,000 images, lambda 0.1", 87.10, bests(**few, lmbda=0.1, epochs=400)),
        mean(
            "1,000 images, lambda 0.1, after 1,500 epochs",
            88.9,
            [100 * run.net.evaluate(*validation).accuracy for run in at_end],
        ),
        mean(
            "N(0,1) weights, epoch 1",
            86.4,
            bests(eta=0.1, lmbda=5.0, epochs=1, watch="validation"),
        ),
    ]
