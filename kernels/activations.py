"""The activation functions sigma(z), each beside its derivatives sigma'(z) and sigma''(z).

All take and give vectors (simd.py). A derivative sees both z and a = sigma(z), and uses the one
that costs less. Layers name their function by its number in ACTIVATIONS, and `activate_layer`,
`derivative` and `second_derivative` switch on it: one compiled kernel serves every network. At 0,
where sigma' of relu, leaky_relu and selu jumps, and sigma'' of elu, sigma'' is that of the left
side.

Softmax is no function of one z: losses.py treats it, and it may stand in the last layer only.
"""

from .elementary import exp, expm1, log1p, sigmoid, tanh
from .jit import inlined, kernel
from .normal import normal_cdf
from .simd import (
    absolute,
    broadcast,
    broadcast_like,
    fma,
    lanes,
    load,
    load_first,
    select,
    store,
)

NAMES = (
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "linear",
    "softmax",
    "exponential",
)
ACTIVATIONS = {name: number for number, name in enumerate(NAMES)}
SIGMOID, TANH, RELU, LEAKY_RELU, ELU, SELU, GELU, SILU, SOFTPLUS, LINEAR, SOFTMAX, EXPONENTIAL = (
    range(len(NAMES))
)

# Those whose derivative can be had from a alone: where z > 0, a > 0.
FROM_A = {SIGMOID, TANH, RELU, LEAKY_RELU, ELU, SELU, LINEAR, EXPONENTIAL}

LEAKY_SLOPE = 0.01
# Klambauer and others, "Self-Normalizing Neural Networks" (2017), equation 14.
SELU_SCALE = 1.0507009873554804934
SELU_ALPHA = 1.6732632423543772848


@inlined
def sigmoid_prime(z, a):
    """sigma (1 - sigma); sigma is 1 / (1 + e^-z): book, chapter 1, equation 3."""
    return a * (1 - a)


@inlined
def sigmoid_second(z, a):
    """sigma (1 - sigma) (1 - 2 sigma)."""
    return a * (1 - a) * (1 - (a + a))


@inlined
def tanh_prime(z, a):
    """1 - sigma^2; sigma is tanh: book, chapter 3, equations 109 to 111."""
    return fma(-a, a, 1)


@inlined
def tanh_second(z, a):
    """-2 sigma (1 - sigma^2)."""
    return a * -2 * fma(-a, a, 1)


@inlined
def relu(z):
    """max(0, z). NaN stays NaN, so that it is noticed."""
    return select(z < 0, broadcast_like(z, 0), z)


@inlined
def relu_prime(z, a):
    """1 above 0, else 0."""
    return select(z > 0, broadcast_like(z, 1), broadcast_like(z, 0))


@inlined
def leaky_relu(z):
    """z, or LEAKY_SLOPE z below 0."""
    return select(z > 0, z, z * LEAKY_SLOPE)


@inlined
def leaky_relu_prime(z, a):
    """1, or LEAKY_SLOPE below 0 and at 0."""
    return select(z > 0, broadcast_like(z, 1), broadcast_like(z, LEAKY_SLOPE))


@inlined
def elu(z):
    """z, or e^z - 1 below 0 (Clevert and others 2015, alpha = 1)."""
    return select(z > 0, z, expm1(z))


@inlined
def elu_prime(z, a):
    """1, or e^z below 0."""
    return select(z > 0, broadcast_like(z, 1), a + 1)


@inlined
def elu_second(z, a):
    """0, or e^z below 0."""
    return select(z > 0, broadcast_like(z, 0), a + 1)


@inlined
def selu(z):
    """SELU_SCALE times z, or times SELU_ALPHA (e^z - 1) below 0."""
    return select(z > 0, z, expm1(z) * SELU_ALPHA) * SELU_SCALE


@inlined
def selu_prime(z, a):
    """SELU_SCALE times 1, or times SELU_ALPHA e^z below 0."""
    return select(z > 0, broadcast_like(z, SELU_SCALE), a + SELU_SCALE * SELU_ALPHA)


@inlined
def selu_second(z, a):
    """0, or SELU_SCALE SELU_ALPHA e^z below 0."""
    return select(z > 0, broadcast_like(z, 0), a + SELU_SCALE * SELU_ALPHA)


@inlined
def gelu(z):
    """z Phi(z), the exact form (Hendrycks and Gimpel 2016)."""
    return z * normal_cdf(z)


@inlined
def _normal_density(z):
    """phi(z) = e^(-z^2 / 2) / sqrt(2 pi)."""
    return exp(z * z * -0.5) * 0.3989422804014327


@inlined
def gelu_prime(z, a):
    """Phi(z) + z phi(z), phi = Phi'."""
    return fma(z, _normal_density(z), normal_cdf(z))


@inlined
def gelu_second(z, a):
    """phi(z) (2 - z^2), since phi' = -z phi."""
    return _normal_density(z) * fma(-z, z, 2)


@inlined
def silu(z):
    """z s(z) with the sigmoid s (also called swish)."""
    return z * sigmoid(z)


@inlined
def silu_prime(z, a):
    """s + z s (1 - s)."""
    s = sigmoid(z)
    return fma(a, 1 - s, s)


@inlined
def silu_second(z, a):
    """s (1 - s) (2 + z (1 - 2 s))."""
    s = sigmoid(z)
    return s * (1 - s) * fma(z, 1 - (s + s), 2)


@inlined
def softplus(z):
    """ln(1 + e^z) = max(0, z) + ln(1 + e^-|z|)."""
    return relu(z) + log1p(exp(-absolute(z)))


@inlined
def softplus_prime(z, a):
    """The sigmoid."""
    return sigmoid(z)


@inlined
def softplus_second(z, a):
    """s (1 - s)."""
    return sigmoid_prime(z, sigmoid(z))


@inlined
def _linear(z):
    return z


@inlined
def is_column(layer):
    """Whether rows of a layer lie side by side, as those of a single output do."""
    return layer.row_step == 1


@kernel
def rows_at_once(layer, arena):
    """A column is gone through by vectors of rows, other layers row by row.

    Padded rows of one number each took ten of the 230 us of a gradient of [2, 64, 64, 1].
    """
    return lanes(arena) if is_column(layer) else 1


@kernel
def biases(parameters, layer, j):
    """A vector of biases from neuron j on; in a column, where one is all, that one everywhere."""
    if is_column(layer):
        return broadcast(parameters, parameters[layer.biases])
    return load_first(parameters, layer.biases + j, layer.neurons - j)


@inlined
def _add_biases(sigma, net, layer, rows, first, last):
    """z += b, a = sigma(z)."""
    arena = net.arena
    for j in range(first, last, lanes(arena)):
        b = biases(net.parameters, layer, j)
        for r in range(0, rows, rows_at_once(layer, arena)):
            at = r * layer.row_step + j
            z = load(arena, layer.z + at) + b
            store(arena, layer.z + at, z)
            store(arena, layer.a + at, sigma(z))


@kernel
def activate_layer(net, layer, rows, first, last):
    """Make z = a W^T of neurons first .. last-1 complete, z += b, and a = sigma(z).

    Every function has a loop of its own: a switch inside the loop cost half of the time.
    """
    if layer.activation == SIGMOID:
        _add_biases(sigmoid, net, layer, rows, first, last)
    elif layer.activation == TANH:
        _add_biases(tanh, net, layer, rows, first, last)
    elif layer.activation == RELU:
        _add_biases(relu, net, layer, rows, first, last)
    elif layer.activation == LEAKY_RELU:
        _add_biases(leaky_relu, net, layer, rows, first, last)
    elif layer.activation == ELU:
        _add_biases(elu, net, layer, rows, first, last)
    elif layer.activation == SELU:
        _add_biases(selu, net, layer, rows, first, last)
    elif layer.activation == GELU:
        _add_biases(gelu, net, layer, rows, first, last)
    elif layer.activation == SILU:
        _add_biases(silu, net, layer, rows, first, last)
    elif layer.activation == SOFTPLUS:
        _add_biases(softplus, net, layer, rows, first, last)
    elif layer.activation == EXPONENTIAL:
        _add_biases(exp, net, layer, rows, first, last)
    else:  # LINEAR, and SOFTMAX before losses.py takes it on
        _add_biases(_linear, net, layer, rows, first, last)


@inlined
def _multiply_by_derivative_of(activation, arena, layer, rows, first, last):
    """delta *= sigma'(z), of the numbered activation."""
    for r in range(rows):
        row = r * layer.row_step
        for at in range(row + first, row + last, lanes(arena)):
            z, a = load(arena, layer.z + at), load(arena, layer.a + at)
            delta = load(arena, layer.delta + at)
            store(arena, layer.delta + at, delta * derivative(activation, z, a))


@kernel
def multiply_by_derivative(arena, layer, rows, first, last):
    """delta *= sigma'(z), the second half of BP2, of neurons first .. last-1.

    What most hidden layers have has a loop of its own, as above.
    """
    if layer.activation == SIGMOID:
        _multiply_by_derivative_of(SIGMOID, arena, layer, rows, first, last)
    elif layer.activation == TANH:
        _multiply_by_derivative_of(TANH, arena, layer, rows, first, last)
    elif layer.activation == RELU:
        _multiply_by_derivative_of(RELU, arena, layer, rows, first, last)
    else:
        _multiply_by_derivative_of(layer.activation, arena, layer, rows, first, last)


@inlined
def derivative(activation, z, a):
    """sigma'(z) of the numbered activation, given a = sigma(z); 1 for softmax and linear.

    What most output layers have stands where it is asked for: a call there takes 25 cycles.
    """
    if activation == SIGMOID:
        slope = sigmoid_prime(z, a)
    elif activation == TANH:
        slope = tanh_prime(z, a)
    elif activation == RELU:
        slope = relu_prime(z, a)
    elif activation == LINEAR:
        slope = broadcast_like(z, 1)
    else:
        slope = _other_derivative(activation, z, a)
    return slope


@kernel
def _other_derivative(activation, z, a):
    """sigma'(z) of the functions that `derivative` leaves."""
    if activation == LEAKY_RELU:
        return leaky_relu_prime(z, a)
    if activation == ELU:
        return elu_prime(z, a)
    if activation == SELU:
        return selu_prime(z, a)
    if activation == GELU:
        return gelu_prime(z, a)
    if activation == SILU:
        return silu_prime(z, a)
    if activation == SOFTPLUS:
        return softplus_prime(z, a)
    if activation == EXPONENTIAL:
        return a
    return broadcast_like(z, 1)


@kernel
def second_derivative(activation, z, a):
    """sigma''(z) of the numbered activation, given a = sigma(z); 0 where it is piecewise linear."""
    if activation == SIGMOID:
        return sigmoid_second(z, a)
    if activation == TANH:
        return tanh_second(z, a)
    if activation == ELU:
        return elu_second(z, a)
    if activation == SELU:
        return selu_second(z, a)
    if activation == GELU:
        return gelu_second(z, a)
    if activation == SILU:
        return silu_second(z, a)
    if activation == SOFTPLUS:
        return softplus_second(z, a)
    if activation == EXPONENTIAL:
        return a
    return broadcast_like(z, 0)
