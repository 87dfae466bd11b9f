"""MLP: a net that can be trained, saved and loaded."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp.architecture import Architecture
from fastbp.augment import Distortions
from fastbp.full_batch import FullBatch
from fastbp.history import History
from fastbp.initializers import initialize, INITIALIZERS
from fastbp.kernels import layout
from fastbp.lbfgs import LBFGS
from fastbp.memory import Memory, Scratch
from fastbp.minimization import minimize
from fastbp.net import Net
from fastbp.optimizers import Optimizer
from fastbp.serialization import load, save
from fastbp.summary import html_table, table
from fastbp.training import train
from fastbp.validation import choice, integer

__all__ = ["MLP"]


class MLP(Net):
    """A multi-layer perceptron, trained by backpropagation.

    a^0 = x;  z^l = W^l a^(l-1) + b^l;  a^l = sigma(z^l);  l = 1..L

    Nielsen, "Neural Networks and Deep Learning", chapter 2, eq. 25. The book counts the input as
    layer 1, so that its w^2 is W^1 here, which is ``net.weights[0]``.

    Parameters
    ----------
    sizes : sequence of int
        Neurons of each layer, n_0 (inputs) to n_L (outputs). Two sizes make a net without hidden
        layers.
    activation : str or sequence of str
        For all hidden layers, or one each: sigmoid, tanh, relu, leaky_relu (slope 0.01), elu
        (alpha 1), selu, gelu (exact, not by tanh), silu, softplus, linear.
    output : str
        Those, or softmax, or exponential (for the poisson loss).
    loss : str
        quadratic (1/2 ||y - a||^2), cross_entropy (with softmax the log-likelihood, with sigmoid
        binary and summed over outputs), absolute, huber (delta 1) or poisson. Each is summed over
        the outputs and averaged over the batch.
    init : str
        Where the parameters begin. "book": weights N(0, 1/n_in), biases N(0, 1). "book_large": both
        N(0, 1). With biases 0: "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
        "lecun_normal", "orthogonal". "auto": he_normal for layers of relu, leaky_relu, elu, gelu
        and silu, lecun_normal for selu, glorot_uniform for the others.
    dtype : {"float32", "float64"}
        Of parameters, activations and results.
    seed : int, optional
        Same seed, same bits: of the parameters, shuffles and dropout masks, for any number of
        threads. None takes fresh entropy.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp import MLP, Adam
    >>> X = np.random.default_rng(0).standard_normal((300, 2))
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> net = MLP([2, 16, 2], activation="tanh", seed=0)
    >>> history = net.fit(X, y, epochs=60, optimizer=Adam(0.01))
    >>> net.evaluate(X, y).accuracy > 0.9
    True
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        output: str = "softmax",
        loss: str = "cross_entropy",
        init: str = "auto",
        dtype: npt.DTypeLike = "float32",
        seed: int | None = None,
    ) -> None:
        architecture = Architecture.checked(sizes, activation, output, loss, dtype)
        init = choice("init", init, INITIALIZERS)
        if seed is not None:
            seed = integer("seed", seed, 0)
        self._assemble(architecture, np.random.Generator(np.random.PCG64(seed)))
        initialize(init, architecture, self._rng, self._parameters)

    def _assemble(
        self,
        architecture: Architecture,
        rng: np.random.Generator,
        memory: Memory | None = None,
    ) -> None:
        """Make a net whose parameters are all 0: __init__, load and pickle then fill them in."""
        theirs = frozenset(vars(self))  # a subclass may set its own before
        super().__init__(architecture)
        self._rng = rng
        self._memory = memory  # of the last training
        self._scratch: Scratch | None = None
        self._own = frozenset(vars(self)) - theirs | {"_own"}  # not a user's or a subclass's

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        optimizer: str | Optimizer | FullBatch = "adam",
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        validation_data: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        shuffle: bool = True,
        augment: Distortions | None = None,
        callbacks: Sequence[Any] = (),
        progress: bool | str = "auto",
        threads: int | None = None,
        resume: str | PathLike[str] | None = None,
    ) -> History:
        """Train on X and y, from the present parameters and a fresh optimizer.

        Parameters
        ----------
        X : array-like of float, (n, n_0)
        y : array-like
            Integer labels (n,), read as one-hot where there are several outputs; or targets
            (n, n_L), and (n,) for one output.
        epochs : int
            Passes over the rows, with those which an earlier process has made if this one resumes.
        batch_size : int
            Rows of a step; the last batch of an epoch may be smaller.
        optimizer : Optimizer or {"sgd", "adam", "adamw", "rmsprop", "adagrad", "lbfgs"}
            LBFGS and NewtonCG take all rows at once: an epoch is one of their iterations, and
            batch_size, shuffle and threads do not matter to them.
        l1, l2 : float
            Add l1 sum |w| + l2/2 sum w^2 to the cost of a batch, over weights, not biases.
        dropout : float or sequence of float
            The rate, in [0, 1), at which activations of hidden layers are dropped in training, for
            all of these layers or one each; those kept are divided by 1 - rate (inverted dropout).
        max_norm : float, optional
            After a step, no neuron's weights have a longer norm.
        clip_norm : float, optional
            A longer gradient is shortened to this norm.
        validation_data : (X, y), optional
            Scored after every epoch.
        sample_weight : array-like, (n,), optional
            Each row's weight in the mean cost of its batch, at least 0.
        class_weight : dict or "balanced", optional
            Each class's weight, 1 where the dict is silent; multiplies sample_weight. "balanced" is
            n / (classes * rows of the class). Needs integer labels.
        shuffle : bool
            Draw a new order for every epoch.
        augment : Distortions, optional
            Rows are images, and each epoch sees them distorted anew. Labels stay.
        callbacks : sequence
            Called after every epoch: see fastbp.callbacks.
        progress : bool or "auto"
            A progress bar, with the time left until the last epoch; "auto" draws one where stderr
            is a terminal. With a bar or without, the logger "fastbp" tells of every epoch at the
            level DEBUG.
        threads : int, optional
            At most so many; one where the net and the batch are too small for several to gain.
            None has as many as numba may, or one, and one while other programs keep cores busy.
            The result has the same bits for any number.
        resume : str or path-like, optional
            A file that `Checkpoint` wrote, to go on from: the end has the same bits as without the
            break. Net, data, callbacks with a memory and all arguments that matter to the bits must
            be as they were. Where there is no such file yet, training begins.

        Returns
        -------
        History
            Of the completed epochs. Ctrl-C ends training with a warning: the net keeps what it has
            learned, and `fit` returns.

        Raises
        ------
        ValueError, TypeError
            For an argument that cannot be used; nothing has been changed then.
        OSError
            If the file to resume from cannot be read, or the folder of a Checkpoint not be written.
        DivergenceError
            If the loss stops being finite; the net is as after the last finite epoch.
        RuntimeError
            If this net is being trained already.

        Examples
        --------
        >>> from fastbp import MLP, SGD
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = MLP([2, 8, 1], activation="tanh", output="sigmoid", seed=1)
        >>> history = net.fit(X, y, epochs=500, batch_size=4, optimizer=SGD(0.5, momentum=0.9))
        >>> net.predict(X).tolist()
        [0, 1, 1, 0]
        """
        epochs = integer("epochs", epochs)
        if isinstance(optimizer, str) and optimizer == "lbfgs":  # an array is compared by element
            optimizer = LBFGS()
        if isinstance(optimizer, FullBatch):
            off = {"l1": l1, "dropout": dropout, "max_norm": max_norm, "clip_norm": clip_norm}
            return minimize(
                self,
                X,
                y,
                epochs=epochs,
                optimizer=optimizer,
                l2=l2,
                validation_data=validation_data,
                sample_weight=sample_weight,
                class_weight=class_weight,
                callbacks=callbacks,
                progress=progress,
                resume=resume,
                unused=off | {"augment": augment},
            )
        return train(
            self,
            X,
            y,
            epochs=epochs,
            carry_over=False,
            batch_size=batch_size,
            optimizer=optimizer,
            l1=l1,
            l2=l2,
            dropout=dropout,
            max_norm=max_norm,
            clip_norm=clip_norm,
            validation_data=validation_data,
            sample_weight=sample_weight,
            class_weight=class_weight,
            shuffle=shuffle,
            augment=augment,
            callbacks=callbacks,
            progress=progress,
            threads=threads,
            resume=resume,
        )

    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        batch_size: int = 32,
        optimizer: str | Optimizer = "adam",
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        validation_data: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        shuffle: bool = True,
        augment: Distortions | None = None,
        callbacks: Sequence[Any] = (),
        progress: bool | str = False,
        threads: int | None = None,
    ) -> History:
        """Make one pass over X and y, and remember the optimizer for the next call.

        Parameters, results and errors are those of `fit`, with two differences. An optimizer equal
        to that of the last training goes on with its state, its schedule and its count of epochs;
        another one begins anew. Ctrl-C raises KeyboardInterrupt, so that it ends a loop of calls.
        There is no `resume`, and so no Checkpoint.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([1, 1], output="linear", loss="quadratic", seed=0)
        >>> for _ in range(3):
        ...     history = net.partial_fit([[0.0], [1.0]], [1.0, 3.0], optimizer="rmsprop")
        >>> history.epochs
        1
        """
        return train(
            self,
            X,
            y,
            epochs=1,
            carry_over=True,
            batch_size=batch_size,
            optimizer=optimizer,
            l1=l1,
            l2=l2,
            dropout=dropout,
            max_norm=max_norm,
            clip_norm=clip_norm,
            validation_data=validation_data,
            sample_weight=sample_weight,
            class_weight=class_weight,
            shuffle=shuffle,
            augment=augment,
            callbacks=callbacks,
            progress=progress,
            threads=threads,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write architecture and parameters to a safetensors file.

        Its tensors are weights.1, biases.1, ..., weights.L, biases.L, so other programs can read
        them too. A file that was there is replaced only when the new one is complete.

        Raises
        ------
        ValueError
            If parameters are NaN or infinite, which `load` would refuse.
        OSError
            If the file cannot be written.
        """
        reading = self._guard.check()
        save(path, self._architecture, self._parameters, lambda: self._guard.check(reading))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> MLP:
        """Read a net that `save` or `Checkpoint` wrote; its random state is fresh.

        Raises
        ------
        ValueError
            If the file is damaged, of a later version, or none of fastbp's.
        OSError
            If there is no such file, or it cannot be read.
        """
        architecture, parameters = load(path)
        net = cls.__new__(cls)
        net._assemble(architecture, np.random.Generator(np.random.PCG64()))
        net._parameters[:] = parameters
        return net

    def summary(self) -> str:
        """Return a table of the layers, with shapes and numbers of parameters.

        Examples
        --------
        >>> from fastbp import MLP
        >>> print(MLP([784, 30, 10]).summary())
        layer  activation  weights    biases  parameters
            1  relu        (30, 784)  (30,)       23,550
            2  softmax     (10, 30)   (10,)          310
        loss cross_entropy, float32, 23,860 parameters
        """
        return table(self._architecture)

    def __repr__(self) -> str:
        net = self._architecture
        return (
            f"MLP({list(net.sizes)}, activation={list(net.activations)}, output={net.output!r}, "
            f"loss={net.loss!r}, dtype={str(net.dtype)!r})  # {net.n_parameters:,} parameters"
        )

    def _repr_html_(self) -> str:
        return html_table(self._architecture)

    def __copy__(self) -> MLP:
        """Copy deeply: nets that shared a random or an optimizer's state would train each other."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickle and copy take along: no locks, views or workspaces."""
        self._guard.check()
        return {
            "architecture": self._architecture,
            "parameters": self._parameters,
            "rng": self._rng,
            "memory": self._memory,
            "others": {name: value for name, value in vars(self).items() if name not in self._own},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        memory: Memory | None = state["memory"]
        if memory is not None:  # its arrays may be somebody's file, as joblib maps them
            memory = replace(memory, slots=layout.aligned_copy(memory.slots))
        self._assemble(state["architecture"], state["rng"], memory)
        self._parameters[:] = state["parameters"]
        vars(self).update(state["others"])
