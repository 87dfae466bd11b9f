"""Cost and gradient as a vector, for optimizers of one's own (cell I)."""

from .cells import GRADIENT_CELL
from .peers import PEERS, prepared


class ValueAndGrad:
    """1,000 rows of [2, 64, 64, 1], no update."""

    params = tuple(PEERS)
    param_names = ("peer",)
    number = 1
    warmup_time = 0
    rounds = 4
    repeat = (5, 20, 2.0)
    timeout = 300

    def setup(self, peer):
        self.net = prepared(peer, GRADIENT_CELL)
        self.net.value_and_grad()

    def time_value_and_grad_10_times(self, peer):
        for _ in range(10):
            self.net.value_and_grad()
