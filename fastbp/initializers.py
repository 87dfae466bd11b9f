"""Initial weights and biases, drawn in float64 from an explicit Generator, then rounded.

Layer by layer, W^l before b^l, so that a seed gives a net the same numbers in either dtype, but for
rounding. n_in and n_out are the neurons below and above a layer's weights.
"""

import math
from collections.abc import Callable

import numpy as np

from fastbp.architecture import Architecture
from fastbp.kernels import layout
from fastbp.validation import Array

__all__ = ["INITIALIZERS", "initialize"]

Draw = Callable[[np.random.Generator, int, int], Array]


def book(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """N(0, 1/n_in): the book, chapter 3, "Weight initialization"; its network2.py's default."""
    return rng.standard_normal((n_out, n_in)) / math.sqrt(n_in)


def book_large(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """N(0, 1): the book's network.py, and large_weight_initializer of network2.py."""
    return rng.standard_normal((n_out, n_in))


def glorot_uniform(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """U(-r, r), r = sqrt(6 / (n_in + n_out)): Glorot and Bengio 2010, eq. 16."""
    bound = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-bound, bound, (n_out, n_in))


def glorot_normal(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """N(0, 2 / (n_in + n_out)): Glorot and Bengio 2010, eq. 12."""
    return rng.standard_normal((n_out, n_in)) * math.sqrt(2 / (n_in + n_out))


def he_uniform(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """U(-r, r), r = sqrt(6 / n_in), which has the variance of he_normal."""
    bound = math.sqrt(6 / n_in)
    return rng.uniform(-bound, bound, (n_out, n_in))


def he_normal(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """N(0, 2 / n_in), not truncated: He, Zhang, Ren and Sun 2015, eq. 10."""
    return rng.standard_normal((n_out, n_in)) * math.sqrt(2 / n_in)


def lecun_normal(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """N(0, 1 / n_in): LeCun, Bottou, Orr and Mueller 1998, eq. 16; what selu needs.

    The weights of `book`, whose biases differ.
    """
    return book(rng, n_out, n_in)


def orthogonal(rng: np.random.Generator, n_out: int, n_in: int) -> Array:
    """Orthonormal rows or columns, whichever are fewer: Saxe, McClelland and Ganguli 2014.

    Q of a normal matrix, with signs that make it uniform over the orthogonal matrices (Mezzadri
    2007, section 5).
    """
    q, r = np.linalg.qr(rng.standard_normal((max(n_out, n_in), min(n_out, n_in))))
    q = q * np.sign(np.diag(r))
    return q if n_out >= n_in else q.T


DRAWS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        book,
        book_large,
        glorot_uniform,
        glorot_normal,
        he_uniform,
        he_normal,
        lecun_normal,
        orthogonal,
    )
}
INITIALIZERS = ("auto", *DRAWS)
NORMAL_BIASES = ("book", "book_large")  # the book draws biases from N(0, 1); the others begin at 0
RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "silu")  # half of z is cut off


def automatic(activation: str) -> Draw:
    """Return the draw that "auto" means for a layer with this activation.

    he_normal for the family of relu, lecun_normal for selu, glorot_uniform for all others.
    """
    if activation in RELU_FAMILY:
        return he_normal
    return lecun_normal if activation == "selu" else glorot_uniform


def initialize(init: str, net: Architecture, rng: np.random.Generator, parameters: Array) -> None:
    """Fill the flat vector of parameters; `init` is one of INITIALIZERS."""
    activations = (*net.activations, net.output)
    for layer, (weights, biases) in enumerate(layout.parameter_slices(net.sizes)):
        draw = automatic(activations[layer]) if init == "auto" else DRAWS[init]
        n_in, n_out = net.sizes[layer], net.sizes[layer + 1]
        parameters[weights] = draw(rng, n_out, n_in).ravel()
        parameters[biases] = rng.standard_normal(n_out) if init in NORMAL_BIASES else 0.0
