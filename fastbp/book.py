"""The book's experiments as recipes: what it reports, and how to run it again.

A recipe is a function of a `Lab`, which has the data, trains nets and keeps what was trained for
the figures; it returns outcomes, each a number of the source beside ours.

    book_recipes.py           nets trained by MLP.fit, from a seed of the user's
    book_reruns.py            the programs of the book's figures, draw for draw
    book_deformations.py      Simard's and Ciresan's nets, on distorted images
    book_differentiation.py   what a gradient costs by other ways
    book_figures.py, book_page.py, book_cli.py        figures, the page, the command

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
from fastbp.nndl.mnist_loader import pixels
from fastbp.optimizers import SGD
from fastbp.validation import Array, choice

__all__ = [
    "Data",
    "Lab",
    "Outcome",
    "Recipe",
    "Run",
    "at_epoch",
    "best",
    "mean",
    "recipe",
    "recipes",
    "shown",
]

SHORT_EPOCHS, SHORT_IMAGES, SHORT_STARTS = 2, 1000, 2
HALF_A_POINT = 0.5


class Data(NamedTuple):
    """Images float32 in [0, 1), (n, 784), and digits int64, (n,), of one of the book's sets."""

    images: Array
    digits: Array


class Outcome(NamedTuple):
    """One number of the source, and ours; NaN where the source gives none.

    Ours may be the mean over several seeds; `low` and `high` are then the least and the greatest.
    """

    what: str
    source: float
    here: float
    unit: str = "%"
    low: float = math.nan
    high: float = math.nan

    @property
    def is_off(self) -> bool:
        """Whether a percentage is more than half a point from the source's."""
        return self.unit == "%" and abs(self.here - self.source) > HALF_A_POINT


class Run(NamedTuple):
    """A training, for the figures."""

    label: str
    net: Any
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
        train, test = pixels(mnist.train_images), pixels(mnist.test_images)
        n = len(train) * 5 // 6  # as in mnist_loader
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

    def starts(self, starts: int) -> range:
        """Return so many seeds, from the lab's on."""
        return range(self.seed, self.seed + (SHORT_STARTS if self.short else starts))

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
        seed: int | None = None,
    ) -> Run:
        """Train a net of sigmoid neurons as the book's network2 does, in float32.

        L2 is lambda/(2 n) sum w^2, n the number of training images: l2 = lambda/n here.
        """
        seed = self.seed if seed is None else seed
        net = MLP(sizes, activation="sigmoid", output="sigmoid", loss=loss, init=init, seed=seed)
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
        return Run(label, net, history)

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
    function : callable
        Its docstring says how the recipe is run.
    seed : int, optional
        Of its draws, where they are the source's own, whatever the lab's seed.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    function: Callable[[Lab], list[Outcome]]
    seed: int | None = None

    def run(self, lab: Lab) -> list[Outcome]:
        """Run it in a lab."""
        lab.recipe = self.name
        lab.runs.pop(self.name, None)
        return self.function(lab)


RECIPES: dict[str, Recipe] = {}


def recipe(
    name: str, title: str, *sources: str, seed: int | None = None
) -> Callable[[Callable[[Lab], list[Outcome]]], Recipe]:
    """Register the decorated function as a recipe."""

    def register(function: Callable[[Lab], list[Outcome]]) -> Recipe:
        RECIPES[name] = Recipe(name, title, sources, function, seed)
        return RECIPES[name]

    return register


def recipes(names: Sequence[str] = ()) -> list[Recipe]:
    """Return the recipes of these names, or all, the book's first.

    Raises
    ------
    ValueError
        If there is none of a name.
    """
    from fastbp import (  # noqa: F401 - they fill RECIPES
        book_deformations,
        book_differentiation,
        book_recipes,
        book_reruns,
    )

    if names:
        return [RECIPES[choice("recipe", name, RECIPES)] for name in dict.fromkeys(names)]
    # The book's, chapter by chapter, then the others'.
    return sorted(RECIPES.values(), key=lambda it: (not it.title.startswith("Chapter"), it.title))


def best(history: History) -> float:
    """Return the best accuracy over the epochs on the data that was watched, in percent."""
    return 100 * max(history.val_accuracy)


def at_epoch(history: History, epoch: int) -> float:
    """Return the accuracy after an epoch, from 1, or after the last one, in percent."""
    return 100 * history.val_accuracy[min(epoch, history.epochs) - 1]


def mean(what: str, source: float, values: Sequence[float], unit: str = "%") -> Outcome:
    """Return the mean over several seeds, with the least and the greatest."""
    return Outcome(what, source, float(np.mean(values)), unit, min(values), max(values))


def shown(outcome: Outcome) -> tuple[str, str]:
    """Return source and ours, in as many digits as the source may give."""
    unit = outcome.unit
    source = "-" if math.isnan(outcome.source) else number(outcome.source, unit)
    here = number(outcome.here, unit)
    if not math.isnan(outcome.low):
        here += f" ({number(outcome.low, unit)} to {number(outcome.high, unit)})"
    return source, here


UNITS = {
    "%": "{:.2f} %", "times": "{:,.0f} times", "images/s": "{:,.0f}/s",
    "length": "{:.3f}", "ratio": "{:.2f}", "cost": "{:.4f}",
}  # fmt: skip


def number(value: float, unit: str) -> str:
    """Return a number with the digits that belong to its unit; nine where it has none."""
    return UNITS.get(unit, "{:.9g}").format(value)
