"""What a user waits for before anything is trained."""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from .peers import PEERS, require
from .sampling import OneCall

FIRST_EPOCH = """
from benchmarks.cells import CELLS
from benchmarks.peers import prepared
prepared({peer!r}, CELLS["A"]).epoch()
"""


class Import:
    """What `from fastbp import MLP` imports may take 1.3 times `import numba`."""

    params = ("numpy", "numba", "fastbp.public", "sklearn.neural_network", "torch", "jax")
    param_names = ("module",)
    rounds = 4
    repeat = (2, 5, 3.0)
    timeout = 120

    def setup(self, module):
        require(module.split(".")[0])

    def timeraw_import(self, module):
        return f"import {module}"


def first_epoch(peer: str, cache_folder: str | None = None) -> None:
    """Start Python and train cell A for an epoch, with compiled kernels in this folder."""
    chosen = {"FASTBP_CACHE_DIR": cache_folder} if cache_folder else {}
    subprocess.run(
        [sys.executable, "-c", FIRST_EPOCH.format(peer=peer)],
        env={**os.environ, **chosen},
        cwd=Path(__file__).parents[1],  # from where the child imports `benchmarks`
        check=True,
        capture_output=True,  # fastbp says on stderr that it compiles
    )


@cache
def warm_cache() -> str:
    """Return a folder with all that a first epoch compiles."""
    folder = tempfile.mkdtemp(prefix="fastbp-warm-")
    first_epoch("fastbp", folder)
    return folder


class FirstEpoch(OneCall):
    """From the start of Python to the end of the first epoch of cell A.

    fastbp reads its compiled kernels from disk, but the very first time it has to compile them;
    JAX compiles every time.
    """

    params = ("fastbp, cold cache", *PEERS)
    param_names = ("peer",)
    repeat = (2, 4, 10.0)

    def setup(self, peer):
        self.cold = tempfile.TemporaryDirectory(prefix="fastbp-cold-")  # teardown always runs
        self.peer, _, is_cold = peer.partition(", ")
        require(*PEERS[self.peer].modules)
        self.folder = self.cold.name if is_cold or self.peer != "fastbp" else warm_cache()

    def teardown(self, peer):
        self.cold.cleanup()

    def time_first_epoch(self, peer):
        first_epoch(self.peer, self.folder)
