"""Kernels called as the API calls them, with guard values on both sides of every array.

A `Network` owns its parameters, arena and whatever a kernel writes. Every call checks afterwards
that the kernel wrote inside its arrays only. The arena starts as `blank`, NaN: what its padding
holds, or what a kernel has not written yet, must not reach a result. Users' arenas start as 0.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import naive
import numpy as np

from fastbp.kernels import backward, epoch, evaluate, forward, layout, losses, updates
from fastbp.kernels.activations import ACTIVATIONS

GUARD = 64  # elements on each side: more than any vector has lanes, and a multiple of a cache line


class Guarded:
    """Arrays in the middle of larger buffers, whose ends nobody may change."""

    def __init__(self, fill=1.5, shift=0):
        # A shifted array begins in the middle of a cache line.
        self.fill, self.shift, self.buffers = fill, shift, []

    def array(self, values, writeable=True):
        """A copy of `values` between guards."""
        values = np.asarray(values)
        fill = self.fill if values.dtype.kind == "f" else -(2**40)
        start = GUARD + self.shift
        buffer = layout.aligned_zeros(start + values.size + GUARD, values.dtype)
        buffer[:] = fill
        inside = buffer[start : start + values.size].reshape(values.shape)
        inside[...] = values
        inside.flags.writeable = writeable
        end = start + values.size
        self.buffers.append((buffer, start, end, buffer[:start].tobytes(), buffer[end:].tobytes()))
        return inside

    def check(self):
        for buffer, start, end, before, after in self.buffers:  # bits, so that NaN is itself
            assert buffer[:start].tobytes() == before, "a kernel wrote before its array"
            assert buffer[end:].tobytes() == after, "a kernel wrote behind its array"


def make_rule(optimizer="sgd", *, momentum=None, nesterov=False, beta2=0.999, epsilon=None,
              weight_decay=None, l1=0.0, l2=0.0, max_norm=0.0, clip_norm=0.0):  # fmt: skip
    """updates.Rule with the defaults of naive_optimizers."""
    first = {"sgd": 0.0, "adam": 0.9, "adamw": 0.9, "rmsprop": 0.99, "adagrad": 0.0}
    small = {"sgd": 0.0, "adagrad": 1e-10}
    decay = {"adamw": 0.01}
    return updates.Rule(
        updates.OPTIMIZERS[optimizer],
        float(first[optimizer] if momentum is None else momentum),
        int(nesterov),
        float(beta2),
        float(small.get(optimizer, 1e-8) if epsilon is None else epsilon),
        float(decay.get(optimizer, 0.0) if weight_decay is None else weight_decay),
        float(l1),
        float(l2),
        float(max_norm),
        float(clip_norm),
    )


class Trained(NamedTuple):
    status: int
    parameters: np.ndarray
    state: np.ndarray
    report: np.ndarray  # (report_size,)


class Network:
    """A network in guarded arrays; its methods call the entry kernels.

    `activations` is one name, or one per hidden layer; `rows` is what the arena holds at a time.
    """

    def __init__(self, sizes, activations, output, loss, vector, dtype, *,
                 rows=layout.BLOCK_ROWS, threads=1, fill=1.5, shift=0, blank=np.nan):  # fmt: skip
        n_hidden = len(sizes) - 2
        hidden = [activations] * n_hidden if isinstance(activations, str) else list(activations)
        numbers = [ACTIVATIONS[name] for name in [*hidden, output]]
        self.sizes, self.dtype, self.threads = list(sizes), np.dtype(dtype), threads
        described = sizes, numbers, losses.LOSSES[loss], rows, dtype, threads
        self.plan = layout.plan(*described)
        self.training_plan = layout.plan(*described, trains=True)
        self.guarded = Guarded(fill, shift)
        self.parameters = self.guarded.array(np.asarray(vector, dtype))
        self.frozen = self.parameters.view()
        self.frozen.flags.writeable = False
        self.arena = self.guarded.array(np.full(self.largest_plan(), blank, dtype))
        self.team = None

    @property
    def table(self):
        return layout.plan_table(self.plan)

    def largest_plan(self):
        return max(self.plan.size, self.training_plan.size)

    def array(self, values, dtype=None, writeable=False):
        return self.guarded.array(np.asarray(values, dtype or self.dtype), writeable)

    def data(self, X, y, weights=None):
        """layout.Data; integer y of one dimension are labels."""
        y = np.asarray(y)
        is_label = y.ndim == 1 and y.dtype.kind == "i"
        return layout.Data(
            self.array(X),
            self.array(y if is_label else [], np.int64),
            self.array(np.empty((0, self.sizes[-1])) if is_label else y),
            self.array([] if weights is None else weights),
        )

    def _output(self, shape):
        return self.guarded.array(np.full(shape, np.nan, self.dtype))

    def forward(self, X):
        X = self.array(X)
        out = self._output((len(X), self.sizes[-1]))
        bad_row = forward.forward(self.table, self.frozen, self.arena, X, out)
        self.guarded.check()
        return bad_row, out

    def evaluate(self, data):
        moments = self.guarded.array(np.full((4, self.sizes[-1]), np.nan))
        sums = evaluate.evaluate(self.table, self.frozen, self.arena, data, moments)
        self.guarded.check()
        return sums, moments

    def value_and_grad(self, data, l1=0.0, l2=0.0):
        gradient = self._output(self.parameters.size)
        bad_row, cost = backward.value_and_grad(
            self.table, self.frozen, self.arena, data, float(l1), float(l2), gradient
        )
        self.guarded.check()
        return bad_row, cost, gradient

    def input_gradient(self, data):
        dX = self._output(data.X.shape)
        bad_row = backward.input_gradient(self.table, self.frozen, self.arena, data, dX)
        self.guarded.check()
        return bad_row, dX

    def layer_errors(self, data):
        n_rows = len(data.X)
        flat = self._output(n_rows * sum(self.sizes[1:]))
        bad_row = backward.layer_errors(self.table, self.frozen, self.arena, data, flat)
        self.guarded.check()
        ends = np.cumsum([n_rows * n for n in self.sizes[1:-1]])
        parts = np.split(flat, ends)
        return bad_row, [p.reshape(n_rows, n) for p, n in zip(parts, self.sizes[1:], strict=True)]

    def train(self, data, rule, rates, batch_size, *, order=None, dropout=0.0, seed=0,
              steps_before=0, state=None, first_step=0, last_step=None,
              report_size=4, is_sparse=0):  # fmt: skip
        """Steps of one pass, on as many Python threads as the network was made for."""
        order = np.arange(len(data.X)) if order is None else order
        steps = -(-len(order) // batch_size)
        rates = np.broadcast_to(np.asarray(rates, float), steps)
        of_layer = np.zeros(len(self.sizes))
        of_layer[1:-1] = dropout
        if state is None:
            slots = updates.state_slots(rule.optimizer, rule.momentum)
            state = np.zeros((slots, self.parameters.size) if slots else (1, 0), self.dtype)
        state = self.array(state, writeable=True)
        n_gradient = self.parameters.size if rule.clip_norm else 0
        gradient = self.guarded.array(np.full(n_gradient, np.nan, self.dtype))
        model = epoch.Model(self.parameters, state, gradient, self.arena)
        passes = epoch.Passes(
            self.array(order[np.newaxis], np.int64),
            int(batch_size),
            self.array(rates[np.newaxis], float),
            self.array(of_layer, float),
            int(steps_before),
            int(seed),
            is_sparse=int(is_sparse),
        )
        report = self.guarded.array(np.zeros((1, report_size)))
        barrier = self.guarded.array(np.zeros(16, np.int64))
        last_step = steps if last_step is None else last_step

        def call(thread):
            team = epoch.Team(barrier, thread, self.threads)
            return epoch.train(
                layout.plan_table(self.training_plan),
                model,
                data,
                passes,
                rule,
                first_step,
                last_step,
                report,
                team,
            )

        if self.threads == 1:
            statuses = {call(0)}
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                statuses = set(pool.map(call, range(self.threads)))
        self.guarded.check()
        (status,) = statuses  # all threads say the same
        return Trained(status, self.parameters.copy(), state.copy(), report[0].copy())


def random_vector(rng, sizes, dtype=np.float64):
    """Parameters of such sizes: N(0, 1/n_in) weights keep z near 1, biases N(0, 1/4)."""
    vector = np.empty(layout.n_parameters(sizes), dtype)
    for w, b in zip(*naive.unflatten(vector, sizes), strict=True):
        w[:] = rng.normal(size=w.shape) / np.sqrt(w.shape[1])
        b[:] = 0.5 * rng.normal(size=b.shape)
    return vector


def random_targets(rng, rows, n_outputs, loss):
    """Targets that a loss may be given: counts, with zeros, for poisson; shares; numbers."""
    if loss == "poisson":
        return rng.poisson(1.0, (rows, n_outputs)).astype(float)
    if loss == "cross_entropy":
        return rng.dirichlet(np.ones(n_outputs), rows)
    return 1.5 * rng.normal(size=(rows, n_outputs))


def max_error(got, expected):
    """Largest difference, over the largest number expected."""
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    assert got.shape == expected.shape
    scale = np.abs(expected).max()
    error = np.abs(got - expected).max()
    assert not np.isnan(error)
    return 0.0 if error == 0 else error / scale if scale else np.inf
