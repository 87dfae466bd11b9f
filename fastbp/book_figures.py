"""The book's figures, from what recipes have trained; needs matplotlib.

Each function draws on a Figure from a Lab; FIGURES says which recipe it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fastbp.book import Lab, Run
from fastbp.book_differentiation import METHODS
from fastbp.book_reruns import SIZES
from fastbp.plotting import require_matplotlib

__all__ = ["FIGURES", "draw"]


def curves(axes: Any, runs: Iterable[Run], name: str, title: str, scale: float = 1.0) -> None:
    """Draw one recorded quantity of several runs, by epoch."""
    for run in runs:
        values = scale * np.array(run.history[name])
        axes.plot(np.arange(1, len(values) + 1), values, label=run.label)
    axes.set(title=title, xlabel="epoch")
    axes.legend(fontsize="small")


def accuracies(figure: Any, lab: Lab, recipe: str) -> None:
    """Costs and accuracies while training."""
    left, right = figure.subplots(1, 2)
    curves(left, lab.runs[recipe], "loss", "cost on the training data")
    curves(right, lab.runs[recipe], "val_accuracy", "accuracy, %", 100)


def overfitting(figure: Any, lab: Lab, recipe: str) -> None:
    """Training cost falls while the cost on the test data rises (chapter 3)."""
    panels = figure.subplots(2, 2).ravel()
    runs = lab.runs[recipe]
    curves(panels[0], runs, "loss", "cost on the training data")
    curves(panels[1], runs, "val_loss", "cost on the test data")
    curves(panels[2], runs, "accuracy", "accuracy on the training data, %", 100)
    curves(panels[3], runs, "val_accuracy", "accuracy on the test data, %", 100)


def set_sizes(figure: Any, lab: Lab, recipe: str) -> None:
    """Accuracy by the number of training images (chapter 3)."""
    axes = figure.subplots()
    ours = lab.notes[recipe]
    axes.semilogx(list(ours), list(ours.values()), "o-", label="here")
    axes.semilogx(list(SIZES), list(SIZES.values()), "s:", label="the book")
    axes.set(title="accuracy on the validation data, %", xlabel="training images")
    axes.legend()


def initializations(figure: Any, lab: Lab, recipe: str) -> None:
    """N(0,1/n) weights learn from the first epoch on (chapter 3)."""
    for axes, hidden in zip(figure.subplots(1, 2), (30, 100), strict=True):
        runs = [run for run in lab.runs[recipe] if run.label.startswith(f"{hidden} ")]
        curves(axes, runs, "val_accuracy", "accuracy on the validation data, %", 100)


def rates(figure: Any, lab: Lab, recipe: str) -> None:
    """Training cost at three learning rates (chapter 3)."""
    curves(figure.subplots(), lab.runs[recipe], "loss", "cost on the training data")


def speeds(figure: Any, lab: Lab, recipe: str) -> None:
    """The vanishing gradient: the length of each layer's mean error (chapter 5)."""
    notes = lab.notes[recipe]
    for axes, (label, lengths) in zip(figure.subplots(1, len(notes)), notes.items(), strict=True):
        for l, values in enumerate(np.array(lengths).T[:-1], start=1):
            axes.semilogy(values, label=f"hidden layer {l}")
        axes.set(title=label, xlabel="epoch", ylabel="speed of learning")
        axes.legend(fontsize="small")


def weights(figure: Any, lab: Lab, recipe: str) -> None:
    """First-layer weights as images: what each hidden neuron looks for."""
    from matplotlib import colormaps

    first = lab.runs[recipe][-1].net.weights[0][:60]
    limit = np.quantile(np.abs(first), 0.998)
    colors = colormaps["RdBu_r"].resampled(15)  # few colors make a small file
    for axes, w in zip(figure.subplots(5, 12).ravel(), first, strict=False):
        axes.imshow(w.reshape(28, 28), cmap=colors, vmin=-limit, vmax=limit)
        axes.axis("off")
    for axes in figure.axes[len(first) :]:
        axes.axis("off")
    figure.suptitle("weights of hidden neurons")


def mistakes(figure: Any, lab: Lab, recipe: str) -> None:
    """Test digits that the net gets wrong: right answer, and its own."""
    panels = figure.subplots(5, 12).ravel()
    images, digits = lab.data("test")
    predicted = np.argmax(lab.runs[recipe][-1].net.forward(images), axis=1)
    for axes in panels:
        axes.axis("off")
    for axes, i in zip(panels, np.flatnonzero(predicted != digits), strict=False):
        axes.imshow(images[i].reshape(28, 28), cmap="gray_r")
        axes.set_title(f"{digits[i]}, not {predicted[i]}", fontsize="small")


def gradient_times(figure: Any, lab: Lab, recipe: str) -> None:
    """Time of a gradient by number of weights: one line is flat against the two others."""
    axes = figure.subplots()
    times = lab.notes[recipe]
    for name, seconds in zip(METHODS, np.array(list(times.values())).T, strict=True):
        axes.loglog(list(times), seconds, "o-", label=name)
    axes.set(title="seconds for one gradient", xlabel="weights and biases")
    axes.legend()


Draw = Callable[[Any, Lab, str], None]

FIGURES: dict[str, list[tuple[str, Draw]]] = {
    "quadratic": [("quadratic", accuracies)],
    "cross-entropy": [("cross-entropy", accuracies)],
    "regularization": [
        ("regularization", accuracies),
        ("first-layer-weights", weights),
        ("mistakes", mistakes),
    ],
    "overfitting": [("overfitting", overfitting)],
    "training-set-size": [("training-set-size", set_sizes)],
    "initialization": [("initialization", initializations)],
    "learning-rates": [("learning-rates", rates)],
    "depth": [("depth", accuracies)],
    "layer-speeds": [("layer-speeds", speeds)],
    "simard": [("simard", accuracies), ("simard-mistakes", mistakes)],
    "ciresan": [("ciresan", accuracies)],
    "differentiation": [("differentiation", gradient_times)],
}


def draw(lab: Lab, recipe: str, folder: Path) -> list[Path]:
    """Draw the figures of a recipe that was run; return the files, which are PNGs.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    OSError
        If the folder cannot be written to.
    """
    Figure = require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, function in FIGURES.get(recipe, []):
        figure = Figure(figsize=(10, 5), layout="constrained")
        function(figure, lab, recipe)
        files.append(folder / f"{name}.png")
        figure.savefig(files[-1], dpi=80)
    return files
