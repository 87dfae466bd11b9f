"""The book's experiments as recipes: what it reports, and how to run it again.

A recipe is a function of a `Lab`, which has the data, trains nets and keeps what was trained for
the figures; it returns outcomes, each a number of the source beside ours. `book_recipes.py` and
`book_differentiation.py` hold them, `book_figures.py` draws, `book_cli.py` is the command.

In the shortened form, for tests, a recipe sees the sample of MNIST inside the package, and a few
epochs of a few images: its numbers say only that it runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from fastbp.datasets import load_mnist, load_mnist_sample
from fastbp.history import History
from fastbp.mlp import MLP
from fastbp.optimizers import SGD
from fastbp.validation import Array, choice

__all__ = ["RECIPES", "Data", "Lab", "Outcome", "Recipe", "Run", "recipe", "recipes"]

SHORT_EPOCHS, SHORT_IMAGES = 2, 1000


class Data(NamedTuple):
    """Images float32 in [0, 1), (n, 784), and digits int64, (n,), of one of the book's sets."""

    images: Array
    digits: Array


class Outcome(NamedTuple):
    """One number of the source, and ours; NaN where the source gives none."""

    what: str
    source: float
    here: float
    unit: str = "%"


class Run(NamedTuple):
    """A training, for the figures."""

    label: str
    net: MLP
    history: History


class Lab:
    """Where recipes are run.

    Parameters
    ----------
    seed : int
        Of initial weights, shuffles and distortions.
    short : bool
        Run the shortened form.

    Attributes
    ----------
    runs : dict of str to list of Run
        What each recipe has trained.
    notes : dict of str to anything
        What else a recipe leaves for its figure.
    """

    def __init__(self, seed: int = 0, short: bool = False) -> None:
        self.seed, self.short = seed, short
        self.runs: dict[str, list[Run]] = {}
        self.notes: dict[str, Any] = {}
        self.recipe = ""

    @cached_property
    def _mnist(self) -> dict[str, Data]:
        mnist = load_mnist_sample() if self.short else load_mnist()
        # The book divides by 256; its training set is the first five sixths.
        train, test = (
            images.astype(np.float32) / np.float32(256)
            for images in (mnist.train_images, mnist.test_images)
        )
        n = len(train) * 5 // 6
        return {
            "training": Data(train[:n], mnist.train_labels[:n]),
            "validation": Data(train[n:], mnist.train_labels[n:]),
            "all": Data(train, mnist.train_labels),
            "test": Data(test, mnist.test_labels),
        }

    def data(self, name: str, images: int | None = None) -> Data:
        """Return "training", "validation", "test" or "all" (the first two), or the first images."""
        images = min(images or SHORT_IMAGES, SHORT_IMAGES) if self.short else images
        return Data(*(array[:images] for array in self._mnist[name]))

    def epochs(self, epochs: int) -> int:
        """Return how many epochs to run where the source runs so many."""
        return min(epochs, SHORT_EPOCHS) if self.short else epochs

    def train(
        self,
        sizes: Sequence[int],
        *,
        label: str,
        epochs: int,
        eta: float,
        lmbda: float = 0.0,
        loss: str = "cross_entropy",
        init: str = "book_large",
        batch_size: int = 10,
        images: int | None = None,
        watch: str | None = "test",
        callbacks: Sequence[Any] = (),
    ) -> Run:
        """Train a net of sigmoid neurons as the book's network2 does, in float32.

        L2 is lambda/(2 n) sum w^2, n the number of training images: l2 = lambda/n here.
        """
        net = MLP(
            sizes, activation="sigmoid", output="sigmoid", loss=loss, init=init, seed=self.seed
        )
        training = self.data("training", images)
        history = net.fit(
            *training,
            epochs=self.epochs(epochs),
            batch_size=batch_size,
            optimizer=SGD(eta),
            l2=lmbda / len(training.digits),
            validation_data=self.data(watch) if watch else None,
            callbacks=callbacks,
            progress=False,
        )
        return self.keep(Run(label, net, history))

    def keep(self, run: Run) -> Run:
        """Keep a run for the figures."""
        self.runs.setdefault(self.recipe, []).append(run)
        return run


@dataclass(frozen=True)
class Recipe:
    """An experiment.

    Attributes
    ----------
    name, title : str
    sources : tuple of str
        What the source reports, for the list.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    function: Callable[[Lab], list[Outcome]]

    def run(self, lab: Lab) -> list[Outcome]:
        """Run it in a lab."""
        lab.recipe = self.name
        lab.runs.pop(self.name, None)
        return self.function(lab)


RECIPES: dict[str, Recipe] = {}


def recipe(
    name: str, title: str, *sources: str
) -> Callable[[Callable[[Lab], list[Outcome]]], Recipe]:
    """Register the decorated function as a recipe."""

    def register(function: Callable[[Lab], list[Outcome]]) -> Recipe:
        RECIPES[name] = Recipe(name, title, sources, function)
        return RECIPES[name]

    return register


def recipes(names: Sequence[str] = ()) -> list[Recipe]:
    """Return the recipes of these names, or all.

    Raises
    ------
    ValueError
        If there is none of a name.
    """
    from fastbp import book_differentiation, book_recipes  # noqa: F401 - they fill RECIPES

    return [RECIPES[choice("recipe", name, RECIPES)] for name in names] or list(RECIPES.values())


def best(history: History) -> float:
    """Return the best accuracy over the epochs on the data that was watched, in percent."""
    return 100 * max(history.val_accuracy)


def at_epoch(history: History, epoch: int) -> float:
    """Return the accuracy after an epoch, from 1, or after the last one, in percent."""
    return 100 * history.val_accuracy[min(epoch, history.epochs) - 1]


def shown(outcome: Outcome) -> str:
    """Return source and ours side by side, in as many digits as the source may give."""
    source = "-" if math.isnan(outcome.source) else number(outcome.source, outcome.unit)
    return f"{source:>14}  {number(outcome.here, outcome.unit):>14}"


def number(value: float, unit: str) -> str:
    """Return percentages with two decimals, factors with none, others with nine digits."""
    return {"%": f"{value:.2f} %", "times": f"{value:,.0f} times"}.get(unit, f"{value:.9g}")
