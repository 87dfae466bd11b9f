"""An epoch of each cell, by fastbp and by the others: the numbers of the README's table."""

from .cells import CELLS
from .peers import PEERS, ready_to_train


class Epochs:
    """Draw an order, gather, train.

    number = 1: a sample is one epoch, from parameters that setup has put back. A slow phase of the
    machine may last half a minute, so few samples are taken at a time, in four rounds over the
    whole suite, minutes apart.
    """

    params = (tuple(CELLS), tuple(PEERS))
    param_names = ("cell", "peer")
    number = 1
    warmup_time = 0
    rounds = 4
    repeat = (2, 5, 4.0)
    timeout = 300

    def setup(self, cell, peer):
        self.trainer = ready_to_train(peer, CELLS[cell])
        self.trainer.restore()

    def time_epoch(self, cell, peer):
        self.trainer.epoch()
