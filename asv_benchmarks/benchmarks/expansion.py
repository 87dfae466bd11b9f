"""Distorted images: they should be made as fast as a net learns from them."""

from .cells import Cell, examples, MODERN
from .sampling import OneCall

# Simard's net and images, on one thread.
CELL = Cell((784, 800, 10), *MODERN, 100, 2000)
WHICH = {
    "affine": {"shift": 1, "rotation": 10, "scale": 0.1},
    "elastic": {"elastic": 34},
    "both": {"shift": 1, "rotation": 10, "scale": 0.1, "elastic": 34},
}


class Distort(OneCall):
    """2,000 images of 28 x 28."""

    params = tuple(WHICH)
    param_names = ("distortions",)
    repeat = (2, 10, 2.0)

    def setup(self, which):
        from fastbp import Distortions

        self.distortions, (self.X, _) = Distortions(**WHICH[which]), examples(CELL)
        self.distortions.apply(self.X[:10], threads=1)

    def time_2000_images(self, which):
        self.distortions.apply(self.X, threads=1)


class Train(OneCall):
    """An epoch of [784, 800, 10] on as many, with and without distortions."""

    params = (None, "both")
    param_names = ("distortions",)
    repeat = (2, 10, 2.0)

    def setup(self, which):
        from fastbp import Distortions, MLP

        self.options = {"epochs": 1, "batch_size": CELL.batch, "threads": 1}
        self.options["augment"] = Distortions(**WHICH[which]) if which else None
        self.net, (self.X, self.y) = MLP(CELL.sizes, seed=0), examples(CELL)
        self.net.fit(self.X[:10], self.y[:10], **self.options)

    def time_epoch_of_2000_images(self, which):
        self.net.fit(self.X, self.y, **self.options)
