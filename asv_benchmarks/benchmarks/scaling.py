"""One thread against two: large nets should gain, and small ones not lose."""

import os
from functools import cache

from .cells import Cell, CELLS, examples
from .peers import FastBP
from .sampling import OneCall


@cache
def trainer(cell: Cell, threads: int | None) -> FastBP:
    """Return a net whose next epoch compiles nothing."""
    net = FastBP(cell, *examples(cell), threads=threads)
    net.warm_up()
    return net


class Threads(OneCall):
    """An epoch by so many threads; `auto` is threads=None, which chooses by the work."""

    params = (("A", "C", "D", "E", "F", "H"), (1, 2, "auto"))
    param_names = ("cell", "threads")
    repeat = (2, 5, 3.0)

    def setup(self, cell, threads):
        if len(os.sched_getaffinity(0)) < 2:
            raise NotImplementedError("one core cannot tell")  # asv skips it
        self.trainer = trainer(CELLS[cell], None if threads == "auto" else threads)
        self.trainer.restore()

    def time_epoch(self, cell, threads):
        self.trainer.epoch()
