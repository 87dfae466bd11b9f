"""The figures: what is drawn is what was given, and what cannot be drawn is refused by name."""

import sys

import numpy as np
import pytest

from fastbp.plotting import plot_history, plot_training_report

HISTORY = {
    "loss": [1.0, 0.5, 0.25],
    "val_loss": [1.1, 0.7, 0.6],
    "accuracy": [0.5, 0.8, 0.9],
    "val_accuracy": [0.5, 0.7, 0.75],
    "seconds": [1.0, 1.0, 1.0],
}


def report(**changes):
    """Arguments of a small report: 6 images of 2 x 3 pixels, 3 classes, two mistakes."""
    rng = np.random.default_rng(0)
    labels = np.array([0, 1, 2, 0, 1, 2])
    predictions = np.array([0, 1, 2, 0, 2, 1])
    probabilities = np.full((6, 3), 0.05)
    probabilities[np.arange(6), predictions] = [0.9, 0.9, 0.9, 0.9, 0.6, 0.8]
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (labels, predictions), 1)
    arguments = {
        "history": HISTORY,
        "first_layer_weights": rng.normal(size=(5, 6)),
        "image_shape": (2, 3),
        "confusion": confusion,
        "images": rng.random((6, 6)),
        "labels": labels,
        "predictions": predictions,
        "probabilities": probabilities,
    }
    return arguments | changes


def texts(figure):
    """All titles and texts, of the figure and of the figures within it."""
    inner = [t.get_text() for axes in figure.axes for t in (*axes.texts, axes.title)]
    parts = [figure, *figure.subfigs, *(s for f in figure.subfigs for s in f.subfigs)]
    return (
        inner + [f.get_suptitle() for f in parts] + [t.get_text() for f in parts for t in f.texts]
    )


def test_history_curves_hold_the_numbers(tmp_path):
    figure = plot_history(HISTORY, tmp_path / "curves.png")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    for axes, name in zip(figure.axes, ["loss", "accuracy"], strict=True):
        training, validation = axes.lines
        np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(training.get_ydata(), HISTORY[name])
        np.testing.assert_array_equal(validation.get_ydata(), HISTORY[f"val_{name}"])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_names_that_are_missing_are_not_drawn():
    figure = plot_history({"loss": [1.0], "val_loss": []})
    assert len(figure.axes) == 1
    assert len(figure.axes[0].lines) == 1


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="history: got the names"):
        plot_history({"seconds": [1.0]})


def test_the_report_shows_counts_and_worst_mistakes_first(tmp_path):
    figure = plot_training_report(**report())
    words = texts(figure)
    assert "Confusion matrix (2 mistakes in 6)" in words
    assert "Weights of 5 hidden neurons" in words
    mistakes = [w for w in words if "taken for" in w]
    assert mistakes == ["2 taken for 1\np = 0.800", "1 taken for 2\np = 0.600"]
    figure.savefig(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 1000


def test_a_report_without_mistakes_says_so():
    right = report()["labels"]
    assert "none" in texts(plot_training_report(**report(predictions=right, confusion=np.eye(3))))


def test_of_many_neurons_some_are_shown():
    figure = plot_training_report(**report(first_layer_weights=np.ones((100, 6))))
    assert "Weights of the first 32 of 100 hidden neurons" in texts(figure)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first_layer_weights", np.ones((5, 7))),
        ("image_shape", 6),
        (r"image_shape\[0\]", (0, 6)),
        ("images", np.ones((6, 5))),
        ("images", np.full((6, 6), "x")),
        ("confusion", np.ones((3, 2))),
        ("labels", [0, 1]),
        ("labels", [0, 1, 2, 0, 1, 3]),
        ("predictions", [0.5] * 6),
        ("probabilities", np.ones((6, 2))),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, value):
    with pytest.raises((ValueError, TypeError), match=f"^{name}: got .*, expected "):
        plot_training_report(**report(**{name.partition("\\")[0]: value}))


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "fastbp\[plot\]"'):
        plot_history(HISTORY)
