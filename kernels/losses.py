"""The costs C_x of one example, each with its output error delta^L (BP1).

Costs are summed over the outputs. BP1: delta^L = nabla_a C * sigma'(z^L). Where the cost fits the
output function the product is a - y: cross-entropy with sigmoid (book, chapter 3, equation 66)
and with softmax (equation 84). Costs are computed from z where computing them from a would
overflow. Reads z, a and y of a row; overwrites its a (softmax only) and its delta.
"""

from .activations import derivative, EXPONENTIAL, NAMES, SOFTMAX
from .elementary import exp, log, log1p, maximum, minimum
from .jit import inlined
from .simd import (
    absolute,
    broadcast,
    broadcast_like,
    fma,
    is_double,
    lanes,
    load,
    load_first,
    select,
    store_first,
)
from .softmax import only_outputs, softmax, sum_of_outputs

LOSSES = {"quadratic": 0, "cross_entropy": 1, "absolute": 2, "huber": 3, "poisson": 4}
QUADRATIC, CROSS_ENTROPY, ABSOLUTE, HUBER, POISSON = range(5)
# The cross-entropy as scikit-learn computes it, for its drop-in: of a within [eps, 1 - eps]. Its
# output error is the cross-entropy's own.
LOG_LOSS = 5

_PLAIN = tuple(name for name in NAMES if name not in ("softmax", "exponential"))
VALID_OUTPUTS = {
    "quadratic": (*_PLAIN, "softmax"),
    "cross_entropy": ("softmax", "sigmoid"),
    "absolute": _PLAIN,
    "huber": _PLAIN,
    "poisson": ("softplus", "sigmoid", "exponential"),
}


@inlined
def positive(a):
    """a, or the smallest number whose logarithm is asked for, which is still a normal one."""
    return maximum(a, broadcast_like(a, 1e-307 if is_double(a) else 1e-37))


@inlined
def cost_of_output(loss, a, y):
    """C, per output, of the losses that are a sum over outputs of functions of a and y."""
    d = a - y
    if loss == QUADRATIC:  # (a - y)^2 / 2: book, equation 6
        return d * d * 0.5
    if loss == ABSOLUTE:  # |a - y|
        return absolute(d)
    if loss == HUBER:  # (a - y)^2 / 2, growing linearly beyond |a - y| = 1
        m = absolute(d)
        return select(m < 1, d * d * 0.5, m - 0.5)
    # POISSON: y ln(y / a) - y + a, half the deviance; y ln y is 0 at y = 0
    ratio = log(positive(y)) - log(positive(a))
    return select(y > 0, fma(y, ratio, d), a)


@inlined
def cost_derivative(loss, a, y):
    """dC/da, per output, of the same losses."""
    d = a - y
    if loss == QUADRATIC:
        return d
    if loss == ABSOLUTE:  # the sign, and 0 at 0
        one, zero = broadcast_like(d, 1), broadcast_like(d, 0)
        return select(d > 0, one, select(d < 0, -one, zero))
    if loss == HUBER:
        return minimum(maximum(d, broadcast_like(d, -1)), broadcast_like(d, 1))
    return d / positive(a)  # POISSON: 1 - y / a


@inlined
def cost_second_derivative(loss, a, y):
    """d^2 C/da^2, per output, of the same losses; 0 at the kinks of absolute and huber."""
    if loss == QUADRATIC:
        return broadcast_like(a, 1)
    if loss == ABSOLUTE:
        return broadcast_like(a, 0)
    if loss == HUBER:
        return select(absolute(a - y) < 1, broadcast_like(a, 1), broadcast_like(a, 0))
    a = positive(a)
    return y / a / a  # POISSON


@inlined
def within(a):
    """a, moved into [eps, 1 - eps]; NaN stays NaN."""
    eps = 2.220446049250313e-16 if is_double(a) else 1.1920928955078125e-07
    a = select(a < eps, broadcast_like(a, eps), a)
    return select(a > 1 - eps, broadcast_like(a, 1 - eps), a)


@inlined
def output_error(loss, output, arena, at, y_at, n, scale, apart):
    """Cost of n outputs, unscaled, in every lane; their errors times `scale` go to delta.

    `output` is the last Layer, `at` where the outputs are in its z, a and delta: those of a row. Or
    `apart`, of as many rows as there are lanes, a vector for each output, n numbers in all; then
    `scale` and the costs are vectors of these rows. Where the output is a softmax, a is computed
    here; otherwise it has been.
    """
    if output.activation == SOFTMAX:
        return softmax_error(loss, output, arena, at, y_at, n, scale, apart)
    width = lanes(arena)
    z_at, a_at, delta_at = output.z + at, output.a + at, output.delta + at
    cost = broadcast(arena, 0)
    for j in range(0, n, width):
        z, a, y = load(arena, z_at + j), load(arena, a_at + j), load(arena, y_at + j)
        if loss == CROSS_ENTROPY:  # C = -sum_j (y_j ln a_j + (1 - y_j) ln(1 - a_j))
            each = maximum(z, broadcast_like(z, 0)) - y * z + log1p(exp(-absolute(z)))
            delta = a - y
        elif loss == LOG_LOSS:
            # As scikit-learn rounds it: of 1 - p the last bit of p may be all that is left.
            p = within(1 / (1 + exp(-z)))
            each = -fma(y, log(p), (1 - y) * log(1 - p))
            delta = a - y
        else:
            each = cost_of_output(loss, a, y)
            if loss == POISSON and output.activation == EXPONENTIAL:
                # (1 - y / a) a, which is a - y where a is too small to divide by, too.
                delta = a - y
            else:
                delta = cost_derivative(loss, a, y) * derivative(output.activation, z, a)
        cost = cost + only_outputs(each, n - j)
        store_first(arena, delta_at + j, delta * scale, n - j)
    return sum_of_outputs(arena, cost, apart)


@inlined
def softmax_error(loss, output, arena, at, y_at, n, scale, apart):
    """The same for a softmax. LOG_LOSS is for one-hot y, which take one logarithm."""
    width = lanes(arena)
    z_at, a_at, delta_at = output.z + at, output.a + at, output.delta + at
    top, total = softmax(arena, z_at, a_at, n, apart)
    # Cross-entropy needs sum_j y_j; the Jacobian of softmax sum_j g_j a_j, g = nabla_a C.
    inner, likelihood = broadcast(arena, 0), broadcast(arena, 0)
    for j in range(0, n, width):
        a, y = load(arena, a_at + j), load_first(arena, y_at + j, n - j)  # a is 0 beyond n
        inner = inner + ((a - y) * a if loss == QUADRATIC else y)
        likelihood = fma(y, a, likelihood)
    inner = sum_of_outputs(arena, inner, apart)
    likelihood = sum_of_outputs(arena, likelihood, apart)
    logarithm = log(within(likelihood) if loss == LOG_LOSS else total)
    cost = broadcast(arena, 0)
    for j in range(0, n, width):
        z, a, y = load(arena, z_at + j), load(arena, a_at + j), load(arena, y_at + j)
        if loss == QUADRATIC:  # delta_j = a_j (g_j - sum_k g_k a_k)
            each = (a - y) * (a - y) * 0.5
            delta = a * (a - y - inner)
        else:  # C = -sum_j y_j ln a_j; delta = a - y where sum_j y_j = 1
            each = y * (top - z + logarithm)
            delta = fma(a, inner, -y)
        cost = cost + only_outputs(each, n - j)
        store_first(arena, delta_at + j, delta * scale, n - j)
    return -logarithm if loss == LOG_LOSS else sum_of_outputs(arena, cost, apart)
