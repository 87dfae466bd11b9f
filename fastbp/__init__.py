"""fastbp: multi-layer perceptrons, trained by backpropagation on CPUs.

Importing it needs numpy and numba only, and compiles nothing: kernels compile when they are first
called, once for a machine.
"""

from fastbp.augment import Distortions, expand_shifts
from fastbp.checkpoint import Checkpoint
from fastbp.early_stopping import EarlyStopping
from fastbp.errors import DivergenceError
from fastbp.full_batch import LBFGS, NewtonCG
from fastbp.history import History
from fastbp.layer_errors import LayerErrors
from fastbp.mlp import MLP
from fastbp.optimizers import Adagrad, Adam, AdamW, RMSprop, SGD
from fastbp.plateau import ReduceOnPlateau
from fastbp.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    Step,
    Warmup,
)

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
