"""What zeros in the inputs save: the same net on digits, and on rows without a zero."""

from functools import cache

import numpy as np

from .cells import Cell, CELLS, examples, INFERENCE_ROWS
from .peers import FastBP
from .sampling import OneCall

INPUTS = ("digits", "no zeros")


@cache
def trainer(cell: Cell, inputs: str) -> FastBP:
    """Return a net whose next epoch compiles nothing."""
    X, y = examples(cell)
    if inputs == "no zeros":
        X = np.where(X == 0, np.float32(0.1), X)
    net = FastBP(cell, X, y)
    net.warm_up()
    return net


class Epochs(OneCall):
    """An epoch. The zeros of hidden layers, which relu makes, are left out in both."""

    params = (("A", "B", "C", "D", "E", "F", "H"), INPUTS)
    param_names = ("cell", "inputs")
    repeat = (2, 5, 3.0)

    def setup(self, cell, inputs):
        self.trainer = trainer(CELLS[cell], inputs)
        self.trainer.restore()

    def time_epoch(self, cell, inputs):
        self.trainer.epoch()


class Rows(OneCall):
    """Output activations of 10,000 rows."""

    params = (("A", "E"), INPUTS)
    param_names = ("net", "inputs")
    repeat = (5, 20, 2.0)

    def setup(self, net, inputs):
        self.trainer = trainer(CELLS[net]._replace(rows=INFERENCE_ROWS), inputs)
        self.trainer.outputs(self.trainer.X)

    def time_10000_rows(self, net, inputs):
        self.trainer.outputs(self.trainer.X)
