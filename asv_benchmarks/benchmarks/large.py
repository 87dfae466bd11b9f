"""Data in a file: what training on a numpy.memmap costs beside the same data in memory."""

import tempfile
from pathlib import Path

import numpy as np

from .cells import CELLS, examples
from .sampling import OneCall


class Memmap(OneCall):
    """An epoch of cell A, whose net takes the most data a second; the pages are in the cache."""

    params = ("memory", "memmap")
    param_names = ("X",)
    repeat = (2, 10, 2.0)

    def setup(self, where):
        from fastbp import MLP, SGD

        cell = CELLS["A"]
        X, self.y = examples(cell)
        self.folder = tempfile.TemporaryDirectory()
        if where == "memmap":
            path = Path(self.folder.name) / "X"
            X.tofile(path)
            X = np.memmap(path, X.dtype, "r", shape=X.shape)
        self.X = X
        self.net = MLP(
            cell.sizes, activation=cell.hidden, output=cell.output, loss=cell.loss, seed=0
        )
        self.options = {
            "epochs": 1, "batch_size": cell.batch, "optimizer": SGD(cell.rate), "threads": 1,
        }  # fmt: skip
        self.time_epoch(where)  # compiles, and maps the file

    def teardown(self, where):
        del self.X
        self.folder.cleanup()

    def time_epoch(self, where):
        self.net.fit(self.X, self.y, **self.options)
