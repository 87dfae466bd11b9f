"""Compile every kernel once, by calling all that the API does on the smallest of problems."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastbp.augment import Distortions, expand_shifts
from fastbp.data import dataset
from fastbp.kernels import backward, hessian, jit
from fastbp.mlp import MLP
from fastbp.validation import Array, read_only
from fastbp.workspace import RWorkspace

__all__ = ["TASKS", "describe_warmup", "warm_up"]


def _penalties(net: MLP, X: Array, y: Array) -> None:
    """Call what the drop-in's lbfgs adds to its gradient."""
    gradient = np.zeros(net.n_parameters, net.dtype)
    net._workspace.run(backward.add_penalties, net._frozen, 0.0, 0.0, gradient)


def _slope(net: MLP, X: Array, y: Array) -> None:
    """Call what `fastbp book differentiation` compares with backpropagation."""
    direction, data = read_only(net.parameters), dataset(net.architecture, X, y)
    RWorkspace(net.architecture).run(hessian.directional_derivative, net._frozen, direction, data)


# What each kernel is compiled for depends on the dtype alone, so one small net stands for all.
Task = Callable[[MLP, Array, Array], object]
TASKS: dict[str, Task] = {
    "fit": lambda net, X, y: net.fit(X, y, epochs=1, progress=False),
    "evaluate": lambda net, X, y: net.evaluate(X, y),
    "forward, predict": lambda net, X, y: net.forward(X),
    "value_and_grad": lambda net, X, y: net.value_and_grad(X, y),
    "input_gradient": lambda net, X, y: net.input_gradient(X, y),
    "layer_errors": lambda net, X, y: net.layer_errors(X, y),
    "hessian": lambda net, X, y: net.hessian_vector_product(X, y, net.parameters),
    "penalties": _penalties,
    "slope": _slope,
    "augment": lambda net, X, y: Distortions(shape=(1, 2), elastic=1).apply(X),
    "expand_shifts": lambda net, X, y: expand_shifts(X, y, shape=(1, 2)),
}


def warm_up(dtype: str, *tasks: str) -> None:
    """Compile, or load from disk, the kernels behind these tasks (all, if none is named)."""
    net = MLP([2, 2, 2], dtype=dtype, seed=0)
    X, y = np.zeros((2, 2), net.dtype), np.array([0, 1])
    for task in tasks or TASKS:
        TASKS[task](net, X, y)


def describe_warmup(say: Callable[[str], Any]) -> None:
    """Do each task for both dtypes; say how many kernels were compiled, and how long that took."""
    for dtype in ("float32", "float64"):
        for task in TASKS:
            before, start = jit.compilations(), time.perf_counter()
            warm_up(dtype, task)
            seconds, count = time.perf_counter() - start, jit.compilations() - before
            say(f"{dtype}  {task:<16}  {count:3} compiled  {seconds:5.1f} s")
    folder = jit.cache_folder()
    kept = f"kept in {folder}" if folder else "not kept: no folder can be written to"
    say(f"kernels: {jit.compilations()} compiled in {jit.compile_seconds():.1f} s, {kept}")
