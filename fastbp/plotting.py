"""Figures of a training: learning curves, and a page to judge a trained classifier by.

Figures are made without pyplot, so that neither a display nor any global state is involved. They
show themselves in notebooks, and `figure.savefig(path)` writes them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastbp.augment import checked_shape
from fastbp.data import class_indices
from fastbp.validation import array, message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Okabe and Ito's palette, which colour-blind readers can tell apart; and dashes for those without
# any colour.
_TRAINING: dict[str, Any] = {"color": "#0072B2", "linestyle": "-", "label": "training"}
_VALIDATION: dict[str, Any] = {"color": "#D55E00", "linestyle": "--", "label": "validation"}

_MAX_WEIGHT_IMAGES = 32
_MAX_MISTAKES = 12
_MAX_NUMBERED_CLASSES = 12


def plot_history(
    history: Mapping[str, Sequence[float]], path: str | os.PathLike[str] | None = None
) -> Figure:
    """Plot loss and accuracy by epoch, for training and validation.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One number an epoch, by name: loss, val_loss, accuracy, val_accuracy. Names may be missing,
        and other names are ignored.
    path : str or path-like, optional
        File to write the figure to; its suffix tells the format (png, pdf, svg, ...).

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the history has none of these names.

    Examples
    --------
    >>> from fastbp.plotting import plot_history
    >>> figure = plot_history({"loss": [0.7, 0.4, 0.3], "val_loss": [0.6, 0.5, 0.5]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss']
    """
    quantities = _quantities(history)
    figure = _new_figure(width=5.0 * len(quantities), height=3.8)
    _draw_curves(figure, history, quantities)
    if path is not None:
        figure.savefig(path)
    return figure


def plot_training_report(
    history: Mapping[str, Sequence[float]],
    first_layer_weights: ArrayLike,
    image_shape: tuple[int, int],
    confusion: ArrayLike,
    images: ArrayLike,
    labels: ArrayLike,
    predictions: ArrayLike,
    probabilities: ArrayLike,
) -> Figure:
    """Plot a page about a trained image classifier.

    Learning curves; the first hidden neurons' weights as images; the confusion matrix; and the
    worst mistakes, which are the images whose wrong prediction had the highest probability.

    Parameters
    ----------
    history : mapping of str to sequence of float
        As in `plot_history`.
    first_layer_weights : array_like, shape (n_hidden, rows * columns)
        W^1: one row of weights for each neuron of the first hidden layer.
    image_shape : (int, int)
        Rows and columns of an image.
    confusion : array_like of int, shape (n_classes, n_classes)
        How many images of each class (row) were taken for each class (column).
    images : array_like, shape (n, rows * columns)
        The images of the test.
    labels, predictions : array_like of int, shape (n,)
        Their classes, and the predicted ones.
    probabilities : array_like, shape (n, n_classes)
        The network's output for each image.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError, TypeError
        If shapes do not agree, a class or a number is none, or the history has no curve to draw.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp.plotting import plot_training_report
    >>> figure = plot_training_report(
    ...     {"loss": [1.0, 0.5]},
    ...     first_layer_weights=np.eye(4),
    ...     image_shape=(2, 2),
    ...     confusion=[[1, 1], [0, 1]],
    ...     images=np.eye(4)[:3],
    ...     labels=[0, 0, 1],
    ...     predictions=[0, 1, 1],
    ...     probabilities=[[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]],
    ... )
    """
    quantities = _quantities(history)
    rows, columns = checked_shape(image_shape, "image_shape")
    weights = _array("first_layer_weights", first_layer_weights, (None, rows * columns))
    pixels = _array("images", images, (None, rows * columns))
    counts = _array("confusion", confusion, (None, None))
    n, n_classes = len(pixels), len(counts)
    counts = _array("confusion", counts, (n_classes, n_classes))
    truth = class_indices(_array("labels", labels, (n,)), n_classes, "labels")
    predicted = class_indices(_array("predictions", predictions, (n,)), n_classes, "predictions")
    outputs = _array("probabilities", probabilities, (n, n_classes))

    figure = _new_figure(width=12.0, height=8.6)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.0, 1.15), hspace=0.04)
    curves, matrix = parts[0].subfigures(1, 2, width_ratios=(1.55, 1.0), wspace=0.02)
    neurons, mistakes = parts[1].subfigures(1, 2, width_ratios=(1.25, 1.0), wspace=0.02)

    curves.suptitle("Learning curves")
    _draw_curves(curves, history, quantities)
    _draw_confusion(matrix, counts)
    _draw_weights(neurons, weights, image_shape)
    _draw_mistakes(mistakes, pixels.reshape(n, rows, columns), truth, predicted, outputs)
    return figure


def require_matplotlib() -> type[Figure]:
    """Return matplotlib's Figure, or raise an ImportError that says how to get it."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('figures need matplotlib: pip install "fastbp[plot]"') from error
    return Figure


def _new_figure(width: float, height: float) -> Figure:
    return require_matplotlib()(figsize=(width, height), dpi=120, layout="constrained")


def _quantities(history: Mapping[str, Sequence[float]]) -> list[str]:
    found = [
        name
        for name in ("loss", "accuracy")
        if len(history.get(name, ())) or len(history.get(f"val_{name}", ()))
    ]
    if not found:
        expected = "at least one epoch of loss, val_loss, accuracy or val_accuracy"
        raise ValueError(message("history", f"the names {', '.join(history) or 'none'}", expected))
    return found


def _draw_curves(
    figure: Figure | SubFigure, history: Mapping[str, Sequence[float]], quantities: Sequence[str]
) -> None:
    from matplotlib.ticker import MaxNLocator

    all_axes = figure.subplots(1, len(quantities), squeeze=False)[0]
    for axes, quantity in zip(all_axes, quantities, strict=True):
        for name, style in ((quantity, _TRAINING), (f"val_{quantity}", _VALIDATION)):
            values = history.get(name, ())
            if len(values):
                axes.plot(range(1, len(values) + 1), values, marker=_marker(values), **style)
        axes.set_xlabel("epoch")
        axes.set_ylabel(quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)


def _marker(values: Sequence[float]) -> str:
    # A line does not show a single epoch, nor one between two that are not finite.
    return "." if len(values) < 60 else ""


def _draw_confusion(figure: SubFigure, counts: NDArray[Any]) -> None:
    errors = int(counts.sum() - np.trace(counts))
    figure.suptitle(f"Confusion matrix ({errors} mistakes in {int(counts.sum())})")
    axes = figure.subplots()
    # The diagonal holds nearly everything; colours are for what is off it.
    off_diagonal = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    axes.imshow(off_diagonal, cmap="Oranges", vmin=0, vmax=max(1, off_diagonal.max()))
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(counts) > _MAX_NUMBERED_CLASSES:
        return
    axes.set_xticks(range(len(counts)))
    axes.set_yticks(range(len(counts)))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            is_dark = off_diagonal[row, column] > 0.6 * off_diagonal.max()
            axes.text(
                column,
                row,
                str(int(count)),
                ha="center",
                va="center",
                fontsize=7,
                fontweight="bold" if row == column else "normal",
                color="white" if is_dark else "black",
            )


def _draw_weights(figure: SubFigure, weights: NDArray[Any], image_shape: tuple[int, int]) -> None:
    shown = weights[:_MAX_WEIGHT_IMAGES]
    which = "" if len(shown) == len(weights) else f"the first {len(shown)} of "
    figure.suptitle(f"Weights of {which}{len(weights)} hidden neurons")
    # One scale for all, with zero at its middle; its ends leave out the extreme 1 %.
    limit = float(np.percentile(np.abs(shown), 99)) or 1.0
    grid = _image_grid(figure, len(shown), columns=8)
    for axes, row in zip(grid, shown, strict=True):
        picture = axes.imshow(row.reshape(image_shape), cmap="RdBu", vmin=-limit, vmax=limit)
    bar = figure.colorbar(picture, ax=grid, shrink=0.7, aspect=30, pad=0.02)
    bar.set_label("weight")


def _draw_mistakes(
    figure: SubFigure,
    images: NDArray[Any],
    labels: NDArray[np.int64],
    predictions: NDArray[np.int64],
    probabilities: NDArray[Any],
) -> None:
    figure.suptitle("Worst mistakes")
    confidence = probabilities[np.arange(len(labels)), predictions]
    wrong = np.flatnonzero(labels != predictions)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MAX_MISTAKES]
    if len(worst) == 0:
        figure.text(0.5, 0.5, "none", ha="center", va="center")
        return
    for axes, index in zip(_image_grid(figure, len(worst), columns=4), worst, strict=True):
        axes.imshow(images[index], cmap="gray_r")
        axes.set_title(
            f"{labels[index]} taken for {predictions[index]}\np = {confidence[index]:.3f}",
            fontsize=8,
        )


def _image_grid(figure: SubFigure, count: int, columns: int) -> list[Axes]:
    """Return `count` axes without ticks, in rows of `columns`."""
    rows = math.ceil(count / columns)
    grid: NDArray[Any] = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes in grid.flat[count:]:
        axes.set_axis_off()
    return list(grid.flat[:count])


def _array(name: str, values: ArrayLike, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Convert to an array of numbers of this shape, where None is any length but 0."""
    numbers = array(name, values, None)
    fits = numbers.ndim == len(shape) and all(
        found == wanted if wanted is not None else found > 0
        for found, wanted in zip(numbers.shape, shape, strict=True)
    )
    if not fits:
        lengths = ", ".join("n" if length is None else str(length) for length in shape)
        raise ValueError(message(name, f"shape {numbers.shape}", f"({lengths})"))
    return numbers
