"""Cost and gradient as a vector, for optimizers of one's own (cell I)."""

from .cells import GRADIENT_CELL
from .peers import PEERS, prepared
from .sampling import OneCall


class ValueAndGrad(OneCall):
    """1,000 rows of [2, 64, 64, 1], no update."""

    params = tuple(PEERS)
    param_names = ("peer",)
    repeat = (5, 20, 2.0)

    def setup(self, peer):
        self.net = prepared(peer, GRADIENT_CELL)
        self.net.value_and_grad()

    def time_value_and_grad_10_times(self, peer):
        for _ in range(10):
            self.net.value_and_grad()
