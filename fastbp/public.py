"""The names that `fastbp` offers, from the modules that define them; `as` exports them again."""

from fastbp.augment import Distortions as Distortions
from fastbp.augment import expand_shifts as expand_shifts
from fastbp.checkpoint import Checkpoint as Checkpoint
from fastbp.early_stopping import EarlyStopping as EarlyStopping
from fastbp.errors import DivergenceError as DivergenceError
from fastbp.history import History as History
from fastbp.layer_errors import LayerErrors as LayerErrors
from fastbp.lbfgs import LBFGS as LBFGS
from fastbp.mlp import MLP as MLP
from fastbp.newton_cg import NewtonCG as NewtonCG
from fastbp.optimizers import Adagrad as Adagrad
from fastbp.optimizers import Adam as Adam
from fastbp.optimizers import AdamW as AdamW
from fastbp.optimizers import RMSprop as RMSprop
from fastbp.optimizers import SGD as SGD
from fastbp.plateau import ReduceOnPlateau as ReduceOnPlateau
from fastbp.schedules import Constant as Constant
from fastbp.schedules import Cosine as Cosine
from fastbp.schedules import Exponential as Exponential
from fastbp.schedules import InverseScaling as InverseScaling
from fastbp.schedules import Step as Step
from fastbp.schedules import Warmup as Warmup
