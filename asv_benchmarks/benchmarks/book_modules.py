"""An epoch of network2.Network.SGD, beside the book's loop over examples.

The loop is tests/book_loop.py, which the tests hold equal to SGD. Clocks are the thread's own, and
NumPy's BLAS has one thread, as everywhere in this suite.
"""

import contextlib
import io
import sys
import time
from pathlib import Path

import numpy as np

from .cells import CELLS, examples

ROUNDS, EPOCHS = 5, 5
LOOP_ROWS = 1000  # a second and more would pass on all
ETA = 0.5


class Ticks(io.StringIO):
    """A place to print to that notes when each line of an epoch's end came."""

    def __init__(self):
        super().__init__()
        self.ticks = []

    def write(self, text):
        """Note the time."""
        if text.startswith("Epoch"):
            self.ticks.append(time.thread_time())
        return len(text)


class BookModules:
    """[784, 30, 10], batches of 10, 50,000 examples as the book's list of columns."""

    timeout = 600

    def setup_cache(self):
        """Measure once: the two by turns, the best of as many of each."""
        from fastbp.nndl import network2
        from fastbp.nndl.examples import Examples

        sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
        import book_loop

        X, y = examples(CELLS["A"])
        pairs = [(x, network2.vectorized_result(j)) for x, j in zip(X[:, :, None], y, strict=True)]
        net = network2.Network([784, 30, 10])
        with contextlib.redirect_stdout(Ticks()):
            net.SGD(pairs[:20], 1, 10, ETA)  # compiles
        conversions, epochs, loops = [], [], []
        few = pairs[:LOOP_ROWS]
        for _ in range(ROUNDS):
            start = time.thread_time()
            converted = Examples(pairs)
            assert len(converted.used_inputs) == len(converted.targets)
            conversions.append(time.thread_time() - start)
            with contextlib.redirect_stdout(Ticks()) as printed:
                net.SGD(pairs, 1 + EPOCHS, 10, ETA)
            epochs += np.diff(printed.ticks).tolist()
            for _ in range(EPOCHS):
                start = time.thread_time()
                book_loop.train(net.weights, net.biases, few, 1, 10, ETA)
                loops.append((time.thread_time() - start) * len(pairs) / len(few))
        return {"conversion": min(conversions), "epoch": min(epochs), "loop": min(loops)}

    def track_conversion(self, seconds):
        return seconds["conversion"]

    def track_epoch(self, seconds):
        return seconds["epoch"]

    def track_loop_over_examples(self, seconds):
        return seconds["loop"]

    def track_times_faster_than_the_loop(self, seconds):
        return seconds["loop"] / seconds["epoch"]

    track_conversion.unit = track_epoch.unit = track_loop_over_examples.unit = "s"
    track_times_faster_than_the_loop.unit = "times"
