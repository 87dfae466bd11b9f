"""JAX at its best: a whole epoch, shuffle and gather included, is one compiled scan."""

from functools import cache

import numpy as np

from ..cells import Cell, first_parameters, one_hot
from .peer import Peer


class Program:
    """What XLA compiles for a cell, with optax's optimizers: pure functions of the parameters."""

    def __init__(self, cell: Cell) -> None:
        import jax
        import optax

        self.jax, self.optax, self.cell = jax, optax, cell
        if cell.optimizer == "adam":
            optimizer = optax.adam(cell.rate)
        else:
            optimizer = optax.sgd(cell.rate, cell.momentum or None)
        if cell.l2:
            decay = optax.add_decayed_weights(
                cell.l2, mask=lambda p: jax.tree.map(lambda part: part.ndim == 2, p)
            )
            optimizer = optax.chain(decay, optimizer)
        self.optimizer = optimizer
        # The old parameters' memory is used for the new ones, as PyTorch's in-place update does.
        self.run_epoch = jax.jit(self.epoch, donate_argnums=(0, 1))
        self.run_outputs = jax.jit(self.outputs)
        self.run_gradient = jax.jit(jax.value_and_grad(self.cost))

    def logits(self, parameters, X):
        """z^L."""
        nn = self.jax.nn
        hidden = {"sigmoid": nn.sigmoid, "relu": nn.relu, "tanh": nn.tanh}[self.cell.hidden]
        *below, (W_last, b_last) = parameters
        for W, b in below:
            X = hidden(X @ W + b)
        return X @ W_last + b_last

    def outputs(self, parameters, X):
        """a^L."""
        z = self.logits(parameters, X)
        nn = self.jax.nn
        return {"sigmoid": nn.sigmoid, "softmax": nn.softmax}.get(self.cell.output, lambda z: z)(z)

    def cost(self, parameters, X, Y):
        """Mean cost of a batch."""
        if self.cell.loss == "quadratic":
            a = self.outputs(parameters, X)
            return 0.5 * ((a - Y) ** 2).sum(axis=1).mean()
        z = self.logits(parameters, X)
        if self.cell.output == "softmax":
            return self.optax.softmax_cross_entropy(z, Y).mean()
        return self.optax.sigmoid_binary_cross_entropy(z, Y).sum(axis=1).mean()

    def epoch(self, parameters, state, key, X, Y):
        """(parameters, state) after a pass over the rows in a random order."""
        jax = self.jax

        def step(carried, rows):
            parameters, state = carried
            gradient = jax.grad(self.cost)(parameters, X[rows], Y[rows])
            changes, state = self.optimizer.update(gradient, state, parameters)
            return (self.optax.apply_updates(parameters, changes), state), None

        order = jax.random.permutation(key, len(X)).reshape(-1, self.cell.batch)
        return jax.lax.scan(step, (parameters, state), order)[0]


# jit keeps what it compiled by function: another net of the cell finds it compiled.
program = cache(Program)


class Jax(Peer):
    """jit and lax.scan."""

    modules = ("jax", "optax")

    def __init__(self, cell: Cell, X: np.ndarray, y: np.ndarray) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.cell, self.program = jax, jnp, cell, program(cell)
        self.X = jnp.asarray(X)
        self.Y = jnp.asarray(one_hot(y, cell.sizes[-1]), jnp.float32)
        self.key = jax.random.key(0)
        self.restore()
        self.state = self.program.optimizer.init(self.parameters)

    def restore(self) -> None:
        # Weights are (n_below, n) here, which XLA multiplies fastest.
        jnp = self.jnp
        self.parameters = [
            (jnp.array(W.T.copy()), jnp.array(b)) for W, b in first_parameters(self.cell)
        ]

    def epoch(self) -> None:
        self.key, key = self.jax.random.split(self.key)
        self.parameters, self.state = self.program.run_epoch(
            self.parameters, self.state, key, self.X, self.Y
        )
        self.jax.block_until_ready(self.parameters)

    def outputs(self, X: np.ndarray) -> np.ndarray:
        # A compiled function takes NumPy's array itself; jnp.asarray would copy it before.
        return np.asarray(self.program.run_outputs(self.parameters, X))

    def value_and_grad(self) -> object:
        return self.jax.block_until_ready(
            self.program.run_gradient(self.parameters, self.X, self.Y)
        )
