"""MLP.fit, and what its options cost beside a plain one."""

from .cells import CELLS, examples
from .sampling import OneCall

ROWS = 9600
OPTIONS = {
    "plain": {},
    "l1 and l2": {"l1": 1e-5, "l2": 1e-4},
    "dropout": {"dropout": 0.2},
    "clip_norm": {"clip_norm": 1.0},
    "max_norm": {"max_norm": 4.0},
    "class_weight": {"class_weight": "balanced"},
    "validation": {"validation_data": True},
    "float64": {"dtype": "float64"},
}


class Fit(OneCall):
    """Two epochs of cell C's net on 9,600 rows: one call, from arguments to History."""

    params = tuple(OPTIONS)
    param_names = ("option",)
    repeat = (2, 10, 2.0)

    def setup(self, option):
        from fastbp import MLP

        self.cell = CELLS["C"]._replace(rows=ROWS)
        self.options = OPTIONS[option].copy()
        dtype = self.options.pop("dtype", "float32")
        self.X, self.y = examples(self.cell)
        self.X = self.X.astype(dtype)
        if "validation_data" in self.options:
            self.options["validation_data"] = self.X[:1000], self.y[:1000]
        self.net = MLP(self.cell.sizes, dtype=dtype, seed=0)
        self.first = self.net.parameters.copy()
        self.fit(self.cell.batch)  # compiles
        self.net.parameters = self.first

    def fit(self, rows):
        """Two epochs on the first rows."""
        X, y = self.X[:rows], self.y[:rows]
        options = {"optimizer": "adam", "epochs": 2, "threads": 1, **self.options}
        self.net.fit(X, y, batch_size=self.cell.batch, **options)

    def time_fit(self, option):
        self.fit(ROWS)
