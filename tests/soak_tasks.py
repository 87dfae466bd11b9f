"""What soak.py does again and again: tasks, functions of (rng, folder) that check themselves."""

import _thread
import copy
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import naive
import naive_optimizers
import numpy as np
import pytest
from api_problems import everything
from networks import max_error, random_targets, random_vector
from numpy.testing import assert_array_equal

from fastbp import Adagrad, Adam, AdamW, DivergenceError, LBFGS, MLP, NewtonCG, RMSprop, SGD

# Ours and the reference's: (rate) -> Optimizer, (sizes, rate) -> naive_optimizers'.
OPTIMIZERS = [
    (SGD, lambda sizes, rate: naive_optimizers.SGD(rate)),
    (
        lambda rate: SGD(rate, momentum=0.9, nesterov=True),
        lambda sizes, rate: naive_optimizers.SGD(rate, 0.9, True),
    ),
    (Adam, lambda sizes, rate: naive_optimizers.Adam(rate)),
    (AdamW, lambda sizes, rate: naive_optimizers.AdamW(naive.is_weight(sizes), rate)),
    (RMSprop, lambda sizes, rate: naive_optimizers.RMSprop(rate)),
    (Adagrad, lambda sizes, rate: naive_optimizers.Adagrad(rate)),
]
# Rounding errors of some tens of steps, and of sums of some tens of numbers.
TOLERANCES = {"float64": 1e-8, "float32": 1e-3}
ENDLESS = 10**9  # epochs


class Problem:
    """A random net, with parameters of its own, and rows for it."""

    def __init__(self, rng, dtype=None):
        self.dtype = dtype or str(rng.choice(["float32", "float64"]))
        self.sizes = [int(n) for n in rng.integers(1, 40, rng.integers(2, 5))]
        hidden = [str(rng.choice(list(naive.ACTIVATIONS))) for _ in self.sizes[2:]]
        self.loss, output = naive.VALID_PAIRS[rng.integers(len(naive.VALID_PAIRS))]
        if output == "softmax":
            self.sizes[-1] += 1
        self.names = hidden, output, self.loss
        vector = random_vector(rng, self.sizes).astype(self.dtype)
        self.rows = int(rng.integers(1, 200))
        self.X = rng.standard_normal((self.rows, self.sizes[0])).astype(self.dtype)
        self.y = random_targets(rng, self.rows, self.sizes[-1], self.loss).astype(self.dtype)
        self.sample_weight = rng.uniform(0.5, 2, self.rows).astype(self.dtype)
        self.net = MLP(self.sizes, activation=hidden or "relu", output=output, loss=self.loss,
                       dtype=self.dtype, seed=int(rng.integers(1000)))  # fmt: skip
        self.net.parameters = vector

    def layers(self, vector):
        return naive.unflatten(vector, self.sizes)

    def gradient(self, vector, rows=slice(None), **options):
        weight = self.sample_weight[rows]
        X, y = self.X[rows].astype(float), self.y[rows]
        return naive.value_and_grad(
            *self.layers(vector), X, y, *self.names, sample_weight=weight, **options
        )

    def outputs(self):
        vector = self.net.parameters.astype(float)
        return naive.forward(*self.layers(vector), self.X, *self.names[:2])[1][-1]

    def check_outputs(self, net=None):
        out, expected = (net or self.net).forward(self.X), self.outputs()
        # Far left of 0, gelu and softplus are differences of nearly equal numbers.
        scale = max(0.01, np.abs(expected).max())
        assert np.abs(out - expected).max() < TOLERANCES[self.dtype] * scale


def gradients(rng, folder):
    problem = Problem(rng)
    net, tolerance = problem.net, TOLERANCES[problem.dtype]
    vector = net.parameters.astype(float)
    l1, l2 = rng.uniform(0, 0.1, 2)
    cost, gradient = net.value_and_grad(
        problem.X, problem.y, sample_weight=problem.sample_weight, l1=l1, l2=l2
    )
    expected_cost, expected = problem.gradient(vector, l1=l1, l2=l2)
    assert abs(cost - expected_cost) < tolerance * max(1, abs(expected_cost))
    assert max_error(gradient, expected) < tolerance
    errors = naive.layer_errors(*problem.layers(vector), problem.X, problem.y, *problem.names)
    for got, wanted in zip(net.layer_errors(problem.X, problem.y), errors, strict=True):
        assert max_error(got, wanted) < tolerance
    problem.check_outputs()


def predictions(rng, folder):
    problem = Problem(rng)
    net, expected = problem.net, problem.outputs()
    problem.check_outputs()
    if net.architecture.output == "softmax" and net.architecture.is_classifier:
        best = np.take_along_axis(expected, net.predict(problem.X)[:, None], axis=1)[:, 0]
        assert np.all(best > expected.max(axis=1) - TOLERANCES[problem.dtype])
        out = np.empty(expected.shape, problem.dtype)
        net.predict_proba(problem.X, out=out)
        assert_array_equal(out, net.forward(problem.X))
    zs, _ = naive.forward(
        *problem.layers(net.parameters.astype(float)), problem.X, *problem.names[:2]
    )
    cost = naive.LOSSES[problem.loss][0](zs[-1], problem.y, problem.names[1]).mean()
    loss = net.evaluate(problem.X, problem.y).loss
    assert abs(loss - cost) < TOLERANCES[problem.dtype] * max(1, cost)


def fits(rng, folder):
    problem = Problem(rng, "float64")
    net, rate = problem.net, 1e-3
    ours, reference = OPTIMIZERS[rng.integers(len(OPTIMIZERS))]
    batch, epochs = int(rng.integers(1, 60)), int(rng.integers(1, 4))
    options = {"l1": rng.uniform(0, 0.01), "l2": rng.uniform(0, 0.01)}
    limits = [None if rng.random() < 0.5 else float(rng.uniform(0.1, 2)) for _ in range(2)]
    w, optimizer = net.parameters.copy(), reference(problem.sizes, rate)
    for _ in range(epochs):
        for start in range(0, problem.rows, batch):
            g = problem.gradient(w, slice(start, start + batch), **options)[1]
            if limits[0] is not None:
                g = naive_optimizers.clip_by_norm(g, limits[0])
            w = optimizer.step(w, g)
            if limits[1] is not None:
                w = naive_optimizers.max_norm(w, problem.sizes, limits[1])
    data = {"X": problem.X, "y": problem.y, "sample_weight": problem.sample_weight}
    options |= {"clip_norm": limits[0], "max_norm": limits[1], "batch_size": batch}
    options |= {"optimizer": ours(rate), "shuffle": False, "threads": int(rng.integers(1, 3))}
    if rng.random() < 0.5:
        assert net.fit(**data, epochs=epochs, **options).epochs == epochs
    else:
        for _ in range(epochs):
            net.partial_fit(**data, **options)
    assert max_error(net.parameters, w) < TOLERANCES["float64"]


def full_batch_fits(rng, folder):
    problem = Problem(rng)
    before, _ = problem.net.value_and_grad(problem.X, problem.y)
    optimizer = [LBFGS(), NewtonCG()][rng.integers(2)]
    problem.net.fit(problem.X, problem.y, epochs=2, optimizer=optimizer)
    # Line searches never go up, but for the rounding of the cost.
    after, _ = problem.net.value_and_grad(problem.X, problem.y)
    assert after <= before + TOLERANCES[problem.dtype] * max(1, before)
    problem.check_outputs()


def files(rng, folder):
    problem = Problem(rng)
    path = folder / "net.safetensors"
    problem.net.save(path)
    loaded = MLP.load(path)
    for other in (loaded, copy.deepcopy(problem.net), pickle.loads(pickle.dumps(problem.net))):
        assert_array_equal(other.parameters, problem.net.parameters)
    problem.check_outputs(loaded)
    content = path.read_bytes()
    damaged = folder / "damaged.safetensors"
    damaged.write_bytes(content[: rng.integers(len(content))])
    with pytest.raises(ValueError, match=r"damaged\.safetensors"):
        MLP.load(damaged)


def mistakes(rng, folder):
    problem = Problem(rng)
    net, X, y = problem.net, problem.X, problem.y
    before = everything(net)
    with_nan = X.copy()
    with_nan[rng.integers(len(X)), rng.integers(X.shape[1])] = np.nan
    calls = [
        lambda: net.fit(X[:, :-1], y),
        lambda: net.fit(X, y[:-1]),
        lambda: net.fit(with_nan, y),
        lambda: net.partial_fit(X, y * np.nan),
        lambda: net.forward(with_nan),
        lambda: net.forward(X, out=np.empty((3, 4, 5), problem.dtype)),
        lambda: net.fit(X, y, batch_size=0),
        lambda: setattr(net, "parameters", net.parameters[1:]),
    ]
    with pytest.raises(ValueError, match="got"):
        calls[rng.integers(len(calls))]()
    assert everything(net) == before
    problem.check_outputs()


def divergence(rng, folder):
    net = MLP([3, int(rng.integers(1, 30)), 1], output="linear", loss="quadratic", seed=0)
    X = rng.standard_normal((50, 3))
    with pytest.raises(DivergenceError):
        net.fit(X, X.sum(axis=1), epochs=200, optimizer=SGD(1e6))
    assert np.isfinite(net.parameters).all()


def interrupts(rng, folder):
    problem = Problem(rng)
    net, threads = problem.net, int(rng.integers(1, 3))
    timer = threading.Timer(rng.uniform(0, 0.1), _thread.interrupt_main)
    try:
        timer.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the interrupt
            # At such a rate nothing diverges within a second.
            net.fit(problem.X, problem.y, epochs=ENDLESS, optimizer=SGD(1e-9), threads=threads)
    except KeyboardInterrupt:  # heard before the first epoch
        pass
    timer.join()
    assert np.isfinite(net.parameters).all()
    problem.check_outputs()
    net.fit(problem.X, problem.y, epochs=1, optimizer=SGD(1e-9))


def callback_errors(rng, folder):
    problem = Problem(rng)
    last = int(rng.integers(1, 4))

    def fail(net, logs):
        if logs["epoch"] == last:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        problem.net.fit(problem.X, problem.y, optimizer=SGD(1e-6), callbacks=[fail])
    problem.check_outputs()


def threads(rng, folder):
    problems = [Problem(rng) for _ in range(2)]

    def train(problem):
        alone = copy.deepcopy(problem.net)
        for net in (alone, problem.net):
            net.fit(problem.X, problem.y, epochs=2, optimizer=SGD(1e-6), threads=2)
        assert_array_equal(alone.parameters, problem.net.parameters)
        problem.check_outputs()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, problems))


TASKS = [gradients, predictions, fits, full_batch_fits, files, mistakes, divergence, interrupts,
         callback_errors, threads]  # fmt: skip
