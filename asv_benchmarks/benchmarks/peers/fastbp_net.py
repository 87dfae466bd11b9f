"""fastbp, through its public methods."""

import numpy as np

from ..cells import Cell, first_parameters
from .peer import Peer


class FastBP(Peer):
    """One epoch is a partial_fit."""

    modules = ("fastbp",)

    def __init__(self, cell: Cell, X: np.ndarray, y: np.ndarray, threads: int | None = 1) -> None:
        import fastbp

        self.cell, self.X, self.y, self.threads = cell, X, y, threads
        self.net = fastbp.MLP(
            cell.sizes, activation=cell.hidden, output=cell.output, loss=cell.loss, seed=0
        )
        if cell.optimizer == "adam":
            self.optimizer = fastbp.Adam(cell.rate)
        else:
            self.optimizer = fastbp.SGD(cell.rate, momentum=cell.momentum)
        self.first = np.concatenate(
            [part.ravel() for W_b in first_parameters(cell) for part in W_b]
        )
        self.restore()

    def restore(self) -> None:
        self.net.parameters = self.first

    def epoch(self) -> None:
        cell = self.cell
        self.net.partial_fit(
            self.X,
            self.y,
            batch_size=cell.batch,
            optimizer=self.optimizer,
            l2=cell.l2,
            threads=self.threads,
        )

    def outputs(self, X: np.ndarray) -> np.ndarray:
        return self.net.forward(X)

    def value_and_grad(self) -> object:
        return self.net.value_and_grad(self.X, self.y)
