"""Backpropagation against naive differentiation: the time of one gradient, by number of weights.

Backpropagation takes one forward and one backward pass for all derivatives together. Forward mode
takes a pass for each weight, and so do finite differences, which are not even exact: the comparison
of Wikipedia's article on backpropagation, and of the book, chapter 2, "In what sense is
backpropagation a fast algorithm?".
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from fastbp.book import Lab, Outcome, recipe
from fastbp.data import dataset
from fastbp.kernels import hessian
from fastbp.mlp import MLP
from fastbp.validation import Array, read_only
from fastbp.workspace import RWorkspace

METHODS = ("backpropagation", "forward mode", "finite differences")
AT_MOST = 300  # weights that are differentiated one at a time; the time of all is in proportion


def seconds(function: Callable[[], object], at_least: float = 0.02) -> float:
    """Return the time of one call: the best of several rounds that last so long together.

    By the thread's own clock, which stands still while another program has the core.
    """
    function()
    best, total = np.inf, 0.0
    while total < at_least:
        start = time.thread_time()
        function()
        elapsed = time.thread_time() - start
        best, total = min(best, elapsed), total + elapsed
    return float(best)


def gradient_seconds(net: MLP, images: Array, digits: Array) -> tuple[float, float, float]:
    """Return the seconds that each of METHODS takes for a whole gradient."""
    data = dataset(net.architecture, images, digits)
    workspace = RWorkspace(net.architecture)
    n = min(net.n_parameters, AT_MOST)
    v, parameters = np.zeros(net.n_parameters, net.dtype), net.parameters

    def forward_mode() -> None:
        for i in range(n):
            v[i] = 1
            workspace.run(hessian.directional_derivative, net._frozen, read_only(v), data)
            v[i] = 0

    def differences() -> None:
        for i in range(n):
            w = parameters[i]
            parameters[i] = w + 1e-3
            net.evaluate(images, digits)
            parameters[i] = w

    scale = net.n_parameters / n
    return (
        seconds(lambda: net.value_and_grad(images, digits)),
        scale * seconds(forward_mode),
        scale * seconds(differences),
    )


@recipe(
    "differentiation",
    "Chapter 2: a gradient by backpropagation, by forward mode, by differences",
    "a figure: two passes, against one for each weight",
)
def differentiation(lab: Lab) -> list[Outcome]:
    """One hidden layer of sigmoid neurons, ten images."""
    digits = lab.data("training", 10)
    times = {}
    for hidden in (1, 3, 10, 30) if lab.short else (1, 3, 10, 30, 100, 300):
        net = MLP([784, hidden, 10], activation="sigmoid", seed=lab.seed)
        times[net.n_parameters] = gradient_seconds(net, *digits)
    lab.notes["differentiation"] = times
    weights, (backward, *others) = list(times.items())[-1]
    return [
        Outcome(f"{name} / backpropagation, {weights:,} weights", np.nan, slow / backward, "times")
        for name, slow in zip(METHODS[1:], others, strict=True)
    ]
