"""Parts of a training step, each alone, repeated in compiled code as training would call it.

Everything is made as fastbp.training makes it: a plan, an arena, aligned arrays. The part that is
looked at is layer 2 of a net [1, n_below, n], so that there is a layer below to send errors to.
"""

from itertools import pairwise

import numpy as np

from fastbp.data import is_mostly_zero, SPARSE_STEPS
from fastbp.kernels import epoch, layout
from fastbp.kernels.activations import activate_layer, ACTIVATIONS
from fastbp.kernels.backward import error_below, weight_gradient
from fastbp.kernels.forward import forward_layer
from fastbp.kernels.jit import kernel
from fastbp.kernels.losses import LOSSES
from fastbp.kernels.net import a_matrix, layer_of, open_net
from fastbp.kernels.simd import pointer
from fastbp.kernels.updates import begin_step, OPTIMIZERS, Rule, Slice, state_slots, update

from .cells import Cell, examples

PRODUCTS = {"forward": 0, "delta back": 1, "weight gradient": 2}
SMALL_STEP, SAMPLE_FLOPS = 2e7, 1e8  # some 0.2 and 1 ms
FORWARD, DELTA_BACK = PRODUCTS["forward"], PRODUCTS["delta back"]


@kernel
def repeat_product(product, table, parameters, arena, gradient, rows, count):
    """Do one of the products of layer 2 so often, with what goes with it at write-out."""
    net = open_net(table, parameters, arena, 0, 0)
    n_below, n = layer_of(net, 1).neurons, layer_of(net, 2).neurons
    for _ in range(count):
        if product == FORWARD:
            forward_layer(net, a_matrix(net, 1, rows), 2, rows, 0, n)
        elif product == DELTA_BACK:
            error_below(net, 2, rows, 0, n_below, False)
        else:
            nabla_w = pointer(gradient, 0)
            weight_gradient(net, a_matrix(net, 1, rows), 2, rows, 0, n, nabla_w, False)


@kernel
def repeat_activation(table, parameters, arena, rows, count):
    """z += b, which is 0, and a = sigma(z), of all rows of layer 2, so often."""
    net = open_net(table, parameters, arena, 0, 0)
    for _ in range(count):
        activate_layer(net, layer_of(net, 2), rows, 0, layer_of(net, 2).neurons)


@kernel
def repeat_update(rule, parameters, gradient, state, count):
    """Update all parameters as one block, so often, by a rate of 0: nothing drifts."""
    step = begin_step(rule, 0.0, 1, 1.0, True)
    m, v = pointer(state, 0), pointer(state, state.shape[1])
    where = Slice(pointer(parameters, 0), pointer(gradient, 0), m, v)
    n = parameters.size
    for _ in range(count):
        update(rule, step, where, 1, n, n)


class Part:
    """Layer 2 of a net [1, n_below, n], filled with random numbers."""

    def __init__(self, n_below: int, n: int, rows: int, activation: str, dtype: str) -> None:
        rng, sizes = np.random.default_rng(0), (1, n_below, n)
        codes = [ACTIVATIONS[activation]] * 2
        self.rows, self.flops = rows, 2 * rows * n_below * n
        plan = layout.plan(sizes, codes, LOSSES["quadratic"], rows, dtype, trains=True)
        self.table = layout.plan_table(plan)
        self.arena = layout.aligned_zeros(plan.size, dtype)
        self.arena[:] = rng.uniform(-1, 1, self.arena.size)
        self.parameters = layout.aligned_zeros(layout.n_parameters(sizes), dtype)
        weights, _ = layout.parameter_slices(sizes)[1]
        self.parameters[weights] = rng.uniform(-1, 1, n * n_below) / n_below
        self.gradient = layout.aligned_zeros(n * n_below, dtype)

    def product(self, name: str, count: int) -> None:
        """Do a product of PRODUCTS so often."""
        arrays = self.parameters, self.arena, self.gradient
        repeat_product(PRODUCTS[name], self.table, *arrays, self.rows, count)

    def activate(self, count: int) -> None:
        """Apply the activation so often."""
        repeat_activation(self.table, self.parameters, self.arena, self.rows, count)


def rule_of(optimizer: str, momentum: float = 0.0, l2: float = 0.0) -> Rule:
    """Return an optimizer as kernels want it: adam with beta 0.9 and 0.999."""
    first = 0.9 if optimizer == "adam" else momentum
    return Rule(OPTIMIZERS[optimizer], first, 0, 0.999, 1e-8, 0.0, 0.0, l2, 0.0, 0.0)


class Update:
    """A block of parameters of the size that training updates at a time, and its optimizer."""

    size = layout.BLOCK_SIZE

    def __init__(self, optimizer: str, momentum: float, dtype: str) -> None:
        rng = np.random.default_rng(0)
        self.rule = rule_of(optimizer, momentum)
        self.parameters = layout.aligned_zeros(self.size, dtype)
        self.gradient = layout.aligned_zeros(self.size, dtype)
        self.parameters[:], self.gradient[:] = rng.uniform(-1, 1, (2, self.size))
        slots = state_slots(self.rule.optimizer, self.rule.momentum)
        self.state = layout.aligned_zeros((slots, self.size) if slots else (1, 0), dtype)

    def run(self, count: int) -> None:
        """Update so often."""
        repeat_update(self.rule, self.parameters, self.gradient, self.state, count)


class Steps:
    """Training steps of a cell in the kernel `train`, without the Python around it.

    Over and over the same few batches, so that rows come from the cache; at a learning rate of 0,
    at which all is computed and nothing changes. `threads` is 1. Small steps are made so many
    together that what a call does before the first (kernels/sparse_rows.py) is a tenth at most.
    """

    batches = 8

    def __init__(self, cell: Cell) -> None:
        self.together = 1
        if cell.step_flops < SMALL_STEP:
            self.together = max(SPARSE_STEPS, round(SAMPLE_FLOPS / cell.step_flops))
        self.flops = self.together * cell.step_flops
        cell = cell._replace(rows=self.batches * cell.batch)
        X, y = examples(cell)
        layers = [cell.hidden] * (len(cell.sizes) - 2) + [cell.output]
        codes = [ACTIVATIONS[name] for name in layers]
        plan = layout.plan(cell.sizes, codes, LOSSES[cell.loss], cell.batch, "float32", trains=True)
        self.table = layout.plan_table(plan)
        parameters = layout.aligned_zeros(cell.n_parameters, "float32")
        rng = np.random.default_rng(0)
        for (weights, _), (n_below, n) in zip(
            layout.parameter_slices(cell.sizes), pairwise(cell.sizes), strict=True
        ):
            parameters[weights] = rng.standard_normal(n * n_below) / n_below**0.5
        self.rule = rule_of(cell.optimizer, cell.momentum, cell.l2)
        slots = state_slots(self.rule.optimizer, self.rule.momentum)
        state = layout.aligned_zeros((slots, cell.n_parameters) if slots else (1, 0), "float32")
        arena = layout.aligned_zeros(plan.size, "float32")
        gradient = layout.aligned_zeros(0, "float32")
        self.model = epoch.Model(parameters, state, gradient, arena)
        labels, targets = y, np.empty((0, cell.sizes[-1]), np.float32)
        if y.ndim == 2:
            labels, targets = np.empty(0, np.int64), y.astype(np.float32)
        weights = np.empty(0, np.float32)
        self.data = layout.Data(*map(read_only, (X, labels, targets, weights)))
        self.cell, self.report = cell, np.zeros((1, 4))
        self.is_sparse = int(is_mostly_zero(X, self.together))
        self.team = epoch.Team(layout.aligned_zeros(16, np.int64), 0, 1)

    def run(self, count: int) -> None:
        """Make so many times `together` steps."""
        cell, steps = self.cell, count * self.together
        order = np.resize(np.arange(cell.rows), (1, steps * cell.batch))
        rates, no_dropout = np.zeros((1, steps)), np.zeros(len(cell.sizes))
        passes = epoch.Passes(
            read_only(order), cell.batch, read_only(rates), read_only(no_dropout), 0, 0,
            is_sparse=self.is_sparse,
        )  # fmt: skip
        arguments = self.table, self.model, self.data, passes, self.rule, 0, steps
        status = epoch.train(*arguments, self.report, self.team)
        assert status == epoch.OK


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a view that cannot be written, the type for which the API has kernels compiled."""
    view = array.view()
    view.flags.writeable = False
    return view
