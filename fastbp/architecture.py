"""What a net is apart from its parameters: sizes, activations, loss, dtype."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fastbp.kernels import layout
from fastbp.kernels.activations import ACTIVATIONS
from fastbp.kernels.losses import LOSSES, VALID_OUTPUTS
from fastbp.validation import choice, integer, message, shown

__all__ = ["HIDDEN", "Architecture"]

OUTPUT_ONLY = ("softmax", "exponential")
HIDDEN = tuple(name for name in ACTIVATIONS if name not in OUTPUT_ONLY)
MOST_NEURONS = 2**31 - 1  # in a layer
MOST_PARAMETERS = 2**48  # beyond any machine: a message instead of an overflow in NumPy


@dataclass(frozen=True)
class Architecture:
    """A checked description of a net. Layers count from 1; the input is a^0.

    The book counts the input as layer 1, so that its w^2 is W^1 here.
    """

    sizes: tuple[int, ...]  # n_0 (inputs), n_1, ..., n_L (outputs)
    activations: tuple[str, ...]  # of the hidden layers 1..L-1
    output: str
    loss: str
    dtype: "np.dtype[Any]"

    @classmethod
    def checked(
        cls, sizes: object, activation: object, output: object, loss: object, dtype: object
    ) -> "Architecture":
        """Build one from a user's arguments to MLP, or raise."""
        sizes = checked_sizes(sizes)
        activations = checked_activations(activation, len(sizes) - 2)
        output = choice("output", output, ACTIVATIONS)
        loss = choice("loss", loss, LOSSES)
        if output not in VALID_OUTPUTS[loss]:
            losses = [name for name, outputs in VALID_OUTPUTS.items() if output in outputs]
            raise ValueError(
                message(
                    "loss",
                    f"{loss!r} with output {output!r}",
                    "a pair that makes sense",
                    f"loss {loss!r} goes with output {', '.join(VALID_OUTPUTS[loss])}; "
                    f"output {output!r} goes with loss {', '.join(losses)}",
                )
            )
        if output == "softmax" and sizes[-1] == 1:
            raise ValueError(
                message(
                    "output",
                    "'softmax' with one neuron, whose output is always 1",
                    "several neurons",
                    "use output='sigmoid' for two classes, or two neurons",
                )
            )
        return cls(sizes, activations, output, loss, checked_dtype(dtype))

    @property
    def n_layers(self) -> int:
        """L: the layers that have parameters."""
        return len(self.sizes) - 1

    @property
    def n_inputs(self) -> int:
        """n_0: the columns of X."""
        return self.sizes[0]

    @property
    def n_outputs(self) -> int:
        """n_L: the columns of the output."""
        return self.sizes[-1]

    @cached_property
    def n_parameters(self) -> int:
        """The length of the flat vector of all weights and biases."""
        return int(layout.n_parameters(self.sizes))

    @property
    def is_binary_classifier(self) -> bool:
        """Whether one sigmoid neuron says how probable class 1 is."""
        return self.n_outputs == 1 and self.output == "sigmoid" and self.loss == "cross_entropy"

    @property
    def is_classifier(self) -> bool:
        """Whether the outputs are probabilities of classes, one of which holds."""
        return self.output == "softmax" or self.is_binary_classifier

    def plan(
        self, rows: int, threads: int = 1, *, trains: bool = False, keeps_z: bool = False
    ) -> Any:
        """Return the kernels' description of this net, and of an arena (layout.plan)."""
        codes = tuple(ACTIVATIONS[name] for name in (*self.activations, self.output))
        loss = LOSSES[self.loss]
        return layout.plan(
            self.sizes, codes, loss, rows, self.dtype, threads, trains=trains, keeps_z=keeps_z
        )


def checked_sizes(sizes: object) -> tuple[int, ...]:
    """Return the number of neurons of each layer, the input first."""
    expected = "a sequence of layer sizes, inputs first, outputs last"
    example = "such as [784, 30, 10]"
    if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__iter__"):
        raise TypeError(message("sizes", shown(sizes), expected, example))
    checked = tuple(
        integer(f"sizes[{layer}]", size, 1, MOST_NEURONS) for layer, size in enumerate(sizes)
    )
    if len(checked) < 2:
        raise ValueError(message("sizes", f"{len(checked)} of them", expected, example))
    count = layout.n_parameters(checked)
    if count > MOST_PARAMETERS:
        raise ValueError(message("sizes", f"{count} parameters", f"at most {MOST_PARAMETERS}"))
    return checked


def checked_activations(activation: object, n_hidden: int) -> tuple[str, ...]:
    """Return one name per hidden layer, from a name for all of them or a sequence."""
    if isinstance(activation, str):
        return (choice("activation", activation, HIDDEN),) * n_hidden
    if not isinstance(activation, (list, tuple)):
        raise TypeError(message("activation", shown(activation), "a name, or a list of names"))
    if len(activation) != n_hidden:
        raise ValueError(
            message("activation", f"{len(activation)} names", f"one per hidden layer ({n_hidden})")
        )
    return tuple(choice(f"activation[{i}]", name, HIDDEN) for i, name in enumerate(activation))


def checked_dtype(dtype: Any) -> "np.dtype[Any]":
    """Return float32 or float64 as a NumPy dtype."""
    expected = "float32 or float64"
    if dtype is None:  # which NumPy reads as float64
        raise TypeError(message("dtype", "None", expected))
    try:
        checked = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(message("dtype", shown(dtype), expected)) from None
    if checked not in (np.float32, np.float64) or not checked.isnative:
        raise ValueError(message("dtype", repr(str(checked)), expected))
    return np.dtype(np.float32) if checked == np.float32 else np.dtype(np.float64)
