"""fastbp: multi-layer perceptrons, trained by backpropagation on CPUs.

Importing it takes no time and no memory: numpy and numba are imported when one of its names is
first asked for. Nothing is compiled then: kernels compile when they are first called, once for a
machine.
"""

# ruff: noqa: F403, F405 - type checkers read the same names from where they are

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastbp.public import *

__version__ = "0.1.0"

__all__ = [
    "LBFGS",
    "MLP",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Checkpoint",
    "Constant",
    "Cosine",
    "Distortions",
    "DivergenceError",
    "EarlyStopping",
    "Exponential",
    "History",
    "InverseScaling",
    "LayerErrors",
    "NewtonCG",
    "RMSprop",
    "ReduceOnPlateau",
    "Step",
    "Warmup",
    "expand_shifts",
]

if not TYPE_CHECKING:

    def __getattr__(name):  # PEP 562
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module("fastbp.public"), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
