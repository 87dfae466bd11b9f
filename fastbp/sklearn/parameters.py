"""The parameters of a net in the kernels' order, and as scikit-learn's users see them.

scikit-learn's coefs_[l] is (n_l, n_(l+1)), one column a neuron; the kernels' W^(l+1) has one row a
neuron. So coefs_ are transposed views of the flat vector W^1, b^1, W^2, ..., and intercepts_ views:
what is written into them changes the net, and no prediction copies anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastbp.architecture import Architecture
from fastbp.kernels import layout
from fastbp.validation import Array, read_only
from fastbp.workspace import Workspace

__all__ = ["Parameters"]


class Parameters:
    """A flat vector, and the views that become coefs_ and intercepts_.

    Attributes
    ----------
    vector : ndarray, (n_parameters,)
    frozen : ndarray
        The same numbers, in the read-only form that inference kernels take.
    coefs, intercepts : list of ndarray
        Views. The lists are kept apart from those of the estimator, whose elements users replace.
    """

    def __init__(self, sizes: Sequence[int], dtype: Any) -> None:
        """Make parameters that are all 0."""
        self.sizes = tuple(sizes)
        self.vector: Array = layout.aligned_zeros(layout.n_parameters(sizes), dtype)
        self.frozen = read_only(self.vector)
        self.coefs, self.intercepts = views(self.vector, sizes)
        self._kept: tuple[Architecture, Workspace] | None = None

    @classmethod
    def gathered(
        cls, coefs: Sequence[Array], intercepts: Sequence[Array], dtype: Any = None
    ) -> Parameters:
        """Copy somebody's coefs_ and intercepts_ together."""
        sizes = [coefs[0].shape[0], *(coef.shape[1] for coef in coefs)]
        if dtype is None:  # kernels have two: the narrower one that loses nothing, or the wider
            is_single = np.result_type(np.float32, *coefs) == np.float32
            dtype = np.float32 if is_single else np.float64
        parameters = cls(sizes, dtype)
        for l, (mine, given) in enumerate(zip(parameters.coefs, coefs, strict=True)):
            if mine.shape != given.shape:
                raise ValueError(f"coefs_[{l}] has shape {given.shape}, expected {mine.shape}.")
        parameters.fill(coefs, intercepts)
        return parameters

    def fill(self, coefs: Sequence[Array], intercepts: Sequence[Array]) -> None:
        """Take over numbers from arrays of scikit-learn's shapes."""
        for mine, given in zip(self.coefs + self.intercepts, [*coefs, *intercepts], strict=True):
            mine[...] = given

    def shows(self, coefs: Sequence[Array], intercepts: Sequence[Array]) -> bool:
        """Whether these are the views, and so nothing need be copied."""
        if len(coefs) != len(self.coefs) or len(intercepts) != len(self.intercepts):
            return False
        pairs = zip([*coefs, *intercepts], self.coefs + self.intercepts, strict=True)
        return all(given is mine for given, mine in pairs)

    def workspace(self, network: Architecture) -> Workspace:
        """Return an arena to predict in; it is kept for the next prediction."""
        kept = self._kept  # read and written at once: other threads may predict
        if kept is None or kept[0] != network:
            kept = self._kept = network, Workspace(network)
        return kept[1]

    def with_vector(self, vector: Array) -> Parameters:
        """Return others, of the same net, with these numbers."""
        others = Parameters(self.sizes, vector.dtype)
        others.vector[:] = vector
        return others

    def copy(self) -> Parameters:
        """Return others with the same numbers."""
        return self.with_vector(self.vector)


def views(vector: Array, sizes: Sequence[int]) -> tuple[list[Array], list[Array]]:
    """Return coefs_ and intercepts_ as views of a flat vector."""
    coefs, intercepts = [], []
    slices = layout.parameter_slices(sizes)
    for (weights, biases), n_in, n_out in zip(slices, sizes[:-1], sizes[1:], strict=True):
        coefs.append(vector[weights].reshape(n_out, n_in).T)
        intercepts.append(vector[biases])
    return coefs, intercepts
