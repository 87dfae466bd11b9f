"""Forward passes: ten thousand rows at once, and one row at a time."""

from .cells import CELLS, examples, INFERENCE_ROWS
from .peers import PEERS, prepared
from .sampling import OneCall


class Rows(OneCall):
    """Output activations of 10,000 rows by the nets of cells A and E."""

    params = (("A", "E"), tuple(PEERS))
    param_names = ("net", "peer")
    repeat = (5, 20, 2.0)

    def setup(self, net, peer):
        cell = CELLS[net]._replace(rows=INFERENCE_ROWS)
        self.net, self.X = prepared(peer, cell), examples(cell)[0]
        self.net.outputs(self.X)

    def time_10000_rows(self, net, peer):
        self.net.outputs(self.X)


class OneRow(OneCall):
    """A row by the net of cell A, for programs that see one example at a time.

    asv runs setup before every call, so a call that takes microseconds is repeated here.
    """

    params = tuple(PEERS)
    param_names = ("peer",)
    repeat = (5, 20, 2.0)

    def setup(self, peer):
        cell = CELLS["A"]._replace(rows=1)
        self.net, self.x = prepared(peer, cell), examples(cell)[0]
        self.net.outputs(self.x)

    def time_one_row_1000_times(self, peer):
        for _ in range(1000):
            self.net.outputs(self.x)
