"""Who does the work: fastbp, and what its users would use instead, behind the same few methods.

A library is imported when its peer is made, so that asv can read these modules without it.
"""

from functools import cache
from importlib.util import find_spec

from ..cells import Cell, examples
from .fastbp_net import FastBP
from .jax_net import Jax
from .numpy_net import NumPy
from .peer import Peer
from .sklearn_net import SkLearn
from .torch_net import Torch

__all__ = ["PEERS", "FastBP", "Peer", "prepared", "ready_to_train", "require"]

PEERS: dict[str, type[Peer]] = {
    "fastbp": FastBP,
    "numpy": NumPy,
    "scikit-learn": SkLearn,
    "torch": Torch,
    "jax": Jax,
}


def require(*modules: str) -> None:
    """Raise NotImplementedError, with which a setup tells asv to skip, unless all are installed."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise NotImplementedError(f"{', '.join(missing)} not installed")


# asv calls setup before every sample, in one process for each combination of parameters: what is
# cached here is made once for all of them.


@cache
def prepared(name: str, cell: Cell) -> Peer:
    """Return a peer that holds a cell's data."""
    kind = PEERS[name]
    require(*kind.modules)
    return kind(cell, *examples(cell))


@cache
def ready_to_train(name: str, cell: Cell) -> Peer:
    """Return a peer whose next epoch compiles nothing."""
    peer = prepared(name, cell)
    peer.warm_up()
    return peer
