"""The progress bar of fit: examples, loss and accuracy, drawn by tqdm on stderr."""

import sys
from collections.abc import Mapping
from typing import Any

from fastbp.validation import message, shown

__all__ = ["Progress"]


class Progress:
    """A bar over all examples of all epochs, or nothing at all.

    Parameters
    ----------
    show : bool or "auto"
        "auto" draws only where stderr is a terminal.
    epochs, examples : int
        Examples are counted per epoch.
    done : int
        Epochs that an earlier process has trained.
    """

    def __init__(self, show: bool | str, epochs: int, examples: int, done: int = 0) -> None:
        self._bar: Any = None
        self._epochs = epochs
        if show is True or (show == "auto" and sys.stderr is not None and sys.stderr.isatty()):
            from tqdm import tqdm

            self._bar = tqdm(
                total=epochs * examples,
                initial=done * examples,
                unit=" examples",
                unit_scale=True,
            )

    def begin(self, epoch: int) -> None:
        """Say which epoch this is, from 1."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)

    def advance(self, examples: int) -> None:
        """Count examples trained on."""
        if self._bar is not None:
            self._bar.update(examples)

    def show(self, logs: Mapping[str, float]) -> None:
        """Show the losses and scores of an epoch beside the bar."""
        if self._bar is not None:
            scores = {
                name: f"{value:.4g}"
                for name, value in logs.items()
                if name.removeprefix("val_") in ("loss", "accuracy", "r2")
            }
            self._bar.set_postfix(scores)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def checked_progress(value: object) -> bool | str:
    """Return True, False or "auto", or raise."""
    if isinstance(value, bool) or (isinstance(value, str) and value == "auto"):
        return value
    kind = ValueError if isinstance(value, str) else TypeError
    raise kind(message("progress", shown(value), "True, False or 'auto'"))
