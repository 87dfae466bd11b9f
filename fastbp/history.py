"""What training recorded: one list per quantity, one number per epoch."""

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from fastbp import html

__all__ = ["History"]


class History(Mapping[str, list[float]]):
    """Lists by name, one number for each completed epoch, as items or attributes.

    ======================  ==================================================================
    loss                    mean cost of the training rows while they were trained on, without
                            the l1 and l2 penalties
    accuracy                fraction of those rows classified rightly (classifiers)
    val_loss                mean cost of validation_data after the epoch
    val_accuracy, val_r2    its accuracy (classifiers), or coefficient of determination
    learning_rate           the rate of the epoch's first step
    seconds                 time spent training, without validation and callbacks
    examples_per_second     training rows divided by those seconds
    ======================  ==================================================================

    What was not measured has no list: ``"val_loss" in history`` tells. As in a mapping,
    ``len(history)`` counts the names; ``history.epochs`` counts the epochs.

    Examples
    --------
    >>> from fastbp import History
    >>> history = History({"loss": [0.7, 0.4]})
    >>> history.loss[-1], history["loss"][-1], history.epochs
    (0.4, 0.4, 2)
    """

    def __init__(self, lists: Mapping[str, list[float]] | None = None) -> None:
        self._lists = {name: list(values) for name, values in (lists or {}).items()}

    @property
    def epochs(self) -> int:
        """The number of completed epochs."""
        return max(map(len, self._lists.values()), default=0)

    def append(self, logs: Mapping[str, float]) -> None:
        """Add one epoch: a number for every name."""
        for name, value in logs.items():
            self._lists.setdefault(name, []).append(value)

    def to_dict(self) -> dict[str, list[float]]:
        """Copy the lists into a plain dict."""
        return {name: list(values) for name, values in self._lists.items()}

    def plot(self, path: str | PathLike[str] | None = None) -> Any:
        """Plot loss and accuracy by epoch; needs matplotlib.

        Parameters
        ----------
        path : str or path-like, optional
            Where to save the figure.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError, ValueError
            As `fastbp.plotting.plot_history`.
        OSError
            If the file cannot be written.
        """
        from fastbp.plotting import plot_history

        return plot_history(self.to_dict(), path)

    def __getitem__(self, name: str) -> list[float]:
        return self._lists[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def __getattr__(self, name: str) -> list[float]:
        # Asked for what is no attribute: by pickle also before there are lists.
        lists: dict[str, list[float]] = self.__dict__.get("_lists", {})
        if name in lists:
            return lists[name]
        raise AttributeError(f"History has no {name!r}: it recorded {', '.join(lists)}")

    def _repr_html_(self) -> str:
        rows = [
            (name, f"{values[0]:.4g}", f"{values[-1]:.4g}", html.sparkline(values))
            for name, values in self.items()
            if values
        ]
        return html.table(f"History of {self.epochs} epochs", ("", "first", "last", ""), rows)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={values[-1]:.4g}" for name, values in self.items() if values)
        return f"History({self.epochs} epochs; last: {last})" if last else "History(0 epochs)"
