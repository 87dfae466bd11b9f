"""All names that `fastbp` offers, from the modules that define them."""

from fastbp.augment import Distortions, expand_shifts
from fastbp.checkpoint import Checkpoint
from fastbp.early_stopping import EarlyStopping
from fastbp.errors import DivergenceError
from fastbp.history import History
from fastbp.layer_errors import LayerErrors
from fastbp.lbfgs import LBFGS
from fastbp.mlp import MLP
from fastbp.newton_cg import NewtonCG
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
