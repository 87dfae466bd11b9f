"""Memory: the most that a process takes, and what an epoch allocates."""

import tracemalloc

from .cells import CELLS
from .peers import PEERS, prepared, ready_to_train, require


class Peak:
    """Everything from the data to the end of the first epoch of cell E, in one process."""

    params = tuple(PEERS)
    param_names = ("peer",)

    def setup(self, peer):
        require(*PEERS[peer].modules)

    def peakmem_epoch(self, peer):
        prepared(peer, CELLS["E"]).epoch()


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
