"""Memory: the most that a process takes, and what an epoch allocates."""

import tracemalloc

import numpy as np

from .cells import CELLS, examples
from .peers import PEERS, prepared, ready_to_train, require
from .startup import first_epoch


class Peak:
    """A process's peak from the data to the end of the first epoch of cell E.

    fastbp's kernels are on disk by then: a compiler's memory would hide all else.
    """

    params = tuple(PEERS)
    param_names = ("peer",)

    def setup_cache(self):
        """Leave the data in files, from a process of its own."""
        X, y = examples(CELLS["E"])
        np.save("X.npy", X)
        np.save("y.npy", y)

    def setup(self, peer):
        require(*PEERS[peer].modules)
        if peer == "fastbp":
            first_epoch(peer)

    def peakmem_epoch(self, peer):
        """The data are made where they stay."""
        prepared(peer, CELLS["E"]).epoch()

    def peakmem_epoch_from_file(self, peer):
        """They are copied from a file, whose pages count while it is mapped."""
        X, y = (np.array(np.load(name, mmap_mode="r")) for name in ("X.npy", "y.npy"))
        PEERS[peer](CELLS["E"], X, y).epoch()


class Allocations:
    """What fastbp allocates in an epoch of 5,000 steps (cell A) after the first."""

    def setup(self):
        self.trainer = ready_to_train("fastbp", CELLS["A"])

    def track_numba_allocations(self):
        from numba.core.runtime import _nrt_python, rtsys

        _nrt_python.memsys_enable_stats()
        before = rtsys.get_allocation_stats().alloc
        self.trainer.epoch()
        return rtsys.get_allocation_stats().alloc - before

    track_numba_allocations.unit = "allocations"

    def track_python_bytes(self):
        tracemalloc.start()
        self.trainer.epoch()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    track_python_bytes.unit = "bytes"
