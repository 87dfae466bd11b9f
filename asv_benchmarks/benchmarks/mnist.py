"""How soon a net knows MNIST: 98 % of the 10,000 validation images.

One run of each library, all from the same weights. Another order of the rows would change the
number of epochs by one or two. Without MNIST in fastbp's cache (`fastbp mnist` puts it there) asv
skips this file.
"""

import time
from typing import NamedTuple

import numpy as np

from .cells import Cell, MODERN
from .peers import PEERS, require

BATCH, TRAINING_ROWS = 64, 49984  # of 50,000: only full batches
CELL = Cell((784, 256, 10), *MODERN, BATCH, TRAINING_ROWS)
GOAL = 0.98
MOST_EPOCHS = 20


class Race(NamedTuple):
    """When a library reached the goal; NaN where it did not."""

    seconds: float  # of training alone
    epochs: float


def run(peer: str, mnist) -> Race:
    """Train until the goal is reached."""
    X = mnist.train_images / np.float32(255)
    y, rows = mnist.train_labels, CELL.rows
    PEERS[peer](CELL, X[:rows], y[:rows]).warm_up()  # what it compiles serves the next one too
    trainer = PEERS[peer](CELL, X[:rows], y[:rows])
    seconds = 0.0
    for epoch in range(1, MOST_EPOCHS + 1):
        start = time.perf_counter()
        trainer.epoch()
        seconds += time.perf_counter() - start
        if (trainer.outputs(X[50000:]).argmax(axis=1) == y[50000:]).mean() >= GOAL:
            return Race(seconds, epoch)
    return Race(np.nan, np.nan)


class MNIST:
    """[784, 256, 10], relu, softmax, Adam, batches of 64."""

    params = tuple(PEERS)
    param_names = ("peer",)
    timeout = 900

    def setup_cache(self):
        """Let everybody run; those that are not installed are left out."""
        from fastbp.datasets import load_mnist

        races = {}
        try:
            mnist = load_mnist(sources=["cache"])
        except OSError:
            return races
        for peer, kind in PEERS.items():
            try:
                require(*kind.modules)
            except NotImplementedError:  # what `require` raises; `setup` skips this peer
                continue
            races[peer] = run(peer, mnist)
        return races

    def setup(self, races, peer):
        if peer not in races:
            # asv skips it.
            raise NotImplementedError("not installed, or MNIST is not in the cache")

    def track_seconds_to_98_percent(self, races, peer):
        return races[peer].seconds

    track_seconds_to_98_percent.unit = "s"

    def track_epochs_to_98_percent(self, races, peer):
        return races[peer].epochs

    track_epochs_to_98_percent.unit = "epochs"
