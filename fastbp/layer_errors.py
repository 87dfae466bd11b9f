"""The callback that records how fast each layer learns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastbp.data import dataset, require_finite

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["LayerErrors"]


class LayerErrors:
    """Record how fast each layer learns: the length of its mean error, after every epoch.

    The mean of delta^l over the rows is the gradient of b^l (BP3), and its length the book's
    measure of a layer's speed of learning (chapter 5).

    Parameters
    ----------
    X, y : array-like
        As in `MLP.layer_errors`: the rows to measure on.

    Attributes
    ----------
    lengths : list of list of float
        Of the last training: one list an epoch, one number a layer, from delta^1 to delta^L.

    Examples
    --------
    >>> from fastbp import LayerErrors, MLP
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> errors = LayerErrors(X, y)
    >>> history = MLP([2, 3, 3, 1], output="sigmoid", seed=0).fit(X, y, callbacks=[errors])
    >>> len(errors.lengths), len(errors.lengths[0])
    (10, 3)
    """

    def __init__(self, X: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self.X, self.y = X, y
        self.lengths: list[list[float]] = []

    def measure(self, net: MLP) -> list[float]:
        """Return the numbers of a net as it is."""
        deltas = net.layer_errors(self.X, self.y)
        return [float(np.linalg.norm(delta.mean(axis=0))) for delta in deltas]

    def on_fit_begin(self, net: MLP, names: Iterable[str]) -> None:
        """Forget earlier trainings; raise now what measuring would."""
        ours = ("X of LayerErrors", "y of LayerErrors")
        require_finite(dataset(net.architecture, self.X, self.y, names=ours).X, ours[0])
        self.lengths = []

    def on_epoch_end(self, net: MLP, logs: Mapping[str, float]) -> None:
        """Measure."""
        self.lengths.append(self.measure(net))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"lengths": np.array(self.lengths)}

    def restore(self, net: MLP, state: Mapping[str, Any]) -> None:
        """Take it back."""
        lengths = state["lengths"]
        if lengths.dtype != np.float64 or lengths.shape[1:] != (len(net.sizes) - 1,):
            raise ValueError(f"lengths of shape {lengths.shape}")
        self.lengths = lengths.tolist()
