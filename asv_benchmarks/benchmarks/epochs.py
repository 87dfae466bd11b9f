"""An epoch of each cell, by fastbp and by the others: the numbers of the README's table."""

from .cells import CELLS
from .peers import PEERS, ready_to_train
from .sampling import OneCall


class Epochs(OneCall):
    """Draw an order, gather, train."""

    params = (tuple(CELLS), tuple(PEERS))
    param_names = ("cell", "peer")
    repeat = (2, 5, 4.0)

    def setup(self, cell, peer):
        self.trainer = ready_to_train(peer, CELLS[cell])
        self.trainer.restore()

    def time_epoch(self, cell, peer):
        self.trainer.epoch()
