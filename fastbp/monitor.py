"""What early stopping and ReduceOnPlateau watch: a number of each epoch, and what better means."""

import math
from collections.abc import Iterable

from fastbp.validation import choice, message

__all__ = ["MONITORS", "checked_monitor", "improves", "require_recorded", "worst"]

MONITORS = ("loss", "accuracy", "val_loss", "val_accuracy", "val_r2")


def checked_monitor(name: object) -> str:
    """Return the name of something that History records, or raise."""
    return choice("monitor", name, MONITORS)


def higher_is_better(monitor: str) -> bool:
    """Whether it is a score rather than a loss."""
    return not monitor.endswith("loss")


def worst(monitor: str) -> float:
    """Return the value that any other improves on."""
    return -math.inf if higher_is_better(monitor) else math.inf


def improves(monitor: str, value: float, best: float, min_delta: float) -> bool:
    """Whether `value` is better than `best` by more than `min_delta`; NaN never is."""
    gain = value - best if higher_is_better(monitor) else best - value
    return gain > min_delta


def require_recorded(monitor: str, recorded: Iterable[str]) -> None:
    """Raise unless training will record `monitor`."""
    names = list(recorded)
    if monitor not in names:
        rows = "pass validation_data, or X_val and y_val to an estimator"
        advice = rows if monitor.startswith("val_") else ""
        expected = f"what this training records: {', '.join(names)}"
        raise ValueError(message("monitor", repr(monitor), expected, advice))
