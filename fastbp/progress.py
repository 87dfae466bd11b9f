"""What fit shows while it trains: a bar, drawn by tqdm on stderr, and a log.

The bar has the examples, the time left, loss and accuracy. The log has a line an epoch, at the
level DEBUG of the logger "fastbp".
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from fastbp.validation import message, shown

__all__ = ["Progress", "checked_progress"]

_log = logging.getLogger("fastbp")


def is_terminal(stream: Any) -> bool:
    """Whether a stream, which may be closed or somebody's own, is a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):
        return False


class Progress:
    """A bar over all examples of all epochs, or none, and the log.

    The time left counts validation and callbacks, which take their part of every epoch, but not the
    first call of the kernels, which may compile them.

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
        self._epoch = 0
        self._is_first_call = True
        if sys.stderr is not None and (
            show is True or (show == "auto" and is_terminal(sys.stderr))
        ):
            from tqdm import tqdm

            self._bar = tqdm(
                total=epochs * examples,
                initial=done * examples,
                unit=" examples",
                unit_scale=True,
                smoothing=0,  # the mean speed since the start
            )

    def begin(self, epoch: int) -> None:
        """Say which epoch this is, from 1."""
        self._epoch = epoch
        if self._bar is not None:
            self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)

    def advance(self, examples: int) -> None:
        """Count examples trained on."""
        if self._bar is not None:
            if self._is_first_call:
                self._is_first_call = False
                self._bar.unpause()  # the clock starts now
                self._bar.initial += examples
            self._bar.update(examples)

    def show(self, logs: Mapping[str, float]) -> None:
        """Show the losses and scores of an epoch beside the bar, and log them."""
        if self._bar is None and not _log.isEnabledFor(logging.DEBUG):
            return
        scores = {
            name: f"{value:.4g}"
            for name, value in logs.items()
            if name.removeprefix("val_") in ("loss", "accuracy", "r2")
        }
        if self._bar is not None:
            self._bar.set_postfix(scores)
        told = ", ".join(f"{name} {value}" for name, value in scores.items())
        _log.debug("epoch %d/%d: %s", self._epoch, self._epochs, told)

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
