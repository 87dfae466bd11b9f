"""Backpropagation in plain NumPy: the reference that every kernel is tested against.

Written from Michael Nielsen, "Neural Networks and Deep Learning", chapter 2, equations BP1 to BP4,
and from nothing else: it never imports fastbp. Always float64, never fast; it refuses to be
either clever or convenient, and checks no arguments.

    z^l = W^l a^(l-1) + b^l,  a^l = sigma(z^l)                                  (forward, eq. 25)
    BP1   delta^L  = nabla_a C * sigma'(z^L)         the error of the output layer
    BP2   delta^l  = ((W^(l+1))^T delta^(l+1)) * sigma'(z^l)       one layer back
    BP3   dC/db^l  = delta^l
    BP4   dC/dW^l  = delta^l (a^(l-1))^T

Two indices differ from the book. It writes one example as a column; here a batch is a matrix of
rows, so products are transposed: z^l = a^(l-1) W^l.T + b^l. It counts the input as layer 1; here
the input is a^0, so its w^2 is our W^1, which Python keeps at weights[0].

Letters: batch = examples; n_l = neurons of layer l; L = the output layer; y = targets;
weights[l-1] is W^l, (n_l, n_(l-1)); biases[l-1] is b^l, (n_l,); delta^l is dC/dz^l, (batch, n_l).
"""

import math
from itertools import pairwise

import numpy as np

# The parameters as one vector: W^1, b^1, W^2, b^2, ..., row by row


def flatten(weights, biases):
    return np.concatenate([v.ravel() for pair in zip(weights, biases, strict=True) for v in pair])


def unflatten(vector, sizes):
    weights, biases, start = [], [], 0
    for n_in, n_out in pairwise(sizes):
        middle, end = start + n_out * n_in, start + n_out * n_in + n_out
        weights.append(vector[start:middle].reshape(n_out, n_in))
        biases.append(vector[middle:end])
        start = end
    return weights, biases


def is_weight(sizes):
    """Which entries of the vector are weights, not biases: a vector of booleans."""
    answer = np.ones(sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes)), dtype=bool)
    for b in unflatten(answer, sizes)[1]:  # views
        b[:] = False
    return answer


# Activations: sigma(z) and sigma'(z), side by side. No exp below sees a large positive number, and
# no derivative subtracts two numbers that are nearly equal when a neuron saturates.


def sigmoid(z):  # 1 / (1 + e^-z), which is e^z / (1 + e^z) where z < 0
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def sigmoid_prime(z):  # sigma(z) (1 - sigma(z)), and 1 - sigma(z) = sigma(-z)
    return sigmoid(z) * sigmoid(-z)


def tanh_prime(z):  # 1 - tanh(z)^2, and tanh(z) = 2 sigma(2 z) - 1
    return 4 * sigmoid_prime(2 * z)


def relu(z):
    return np.maximum(z, 0)


def relu_prime(z):  # 0 at 0
    return np.where(z > 0, 1.0, 0.0)


LEAKY_SLOPE = 0.01


def leaky_relu(z):
    return np.where(z > 0, z, LEAKY_SLOPE * z)


def leaky_relu_prime(z):  # 0.01 at 0
    return np.where(z > 0, 1.0, LEAKY_SLOPE)


def elu(z):  # z, or e^z - 1 where z <= 0
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def elu_prime(z):  # 1 at 0
    return np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))


# Klambauer and others 2017, "Self-Normalizing Neural Networks", eq. 2
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def selu(z):  # scale z, or scale alpha (e^z - 1) where z <= 0
    return SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0)))


def selu_prime(z):  # scale alpha at 0
    return SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(z, 0)))


def gaussian_cdf(z):  # Phi(z) = (1 + erf(z / sqrt 2)) / 2; erfc keeps the digits where z << 0
    return np.vectorize(math.erfc, otypes=[float])(-z / math.sqrt(2)) / 2


def gelu(z):  # z Phi(z), the exact one: Hendrycks and Gimpel 2016, section 2
    return z * gaussian_cdf(z)


def gelu_prime(z):  # Phi(z) + z phi(z), phi the density of N(0, 1)
    return gaussian_cdf(z) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def silu(z):
    return z * sigmoid(z)


def silu_prime(z):  # sigma(z) + z sigma'(z)
    return sigmoid(z) * (1 + z * sigmoid(-z))


def softplus(z):  # log(1 + e^z), whose derivative is the sigmoid
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def linear(z):
    return z


def linear_prime(z):
    return np.ones_like(z)


ACTIVATIONS = {
    "sigmoid": (sigmoid, sigmoid_prime),
    "tanh": (np.tanh, tanh_prime),
    "relu": (relu, relu_prime),
    "leaky_relu": (leaky_relu, leaky_relu_prime),
    "elu": (elu, elu_prime),
    "selu": (selu, selu_prime),
    "gelu": (gelu, gelu_prime),
    "silu": (silu, silu_prime),
    "softplus": (softplus, sigmoid),
    "linear": (linear, linear_prime),
}

# The output layer: any of those; the exponential, for counts; or softmax, whose a_j depends on
# every z_k of its row

OUTPUTS = {**ACTIVATIONS, "exponential": (np.exp, np.exp)}


def log_softmax(z):  # z_j - log(sum_k e^z_k)
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def output_activation(z, output):
    return np.exp(log_softmax(z)) if output == "softmax" else OUTPUTS[output][0](z)


def output_error(nabla_a, z, output):
    """BP1: from dC/da^L to delta^L = dC/dz^L, both (batch, n_L)."""
    if output == "softmax":
        # da_k/dz_j = a_k (1[j = k] - a_j), so delta_j = a_j (nabla_j - sum_k nabla_k a_k)
        a = output_activation(z, output)
        return a * (nabla_a - (nabla_a * a).sum(axis=1, keepdims=True))
    return nabla_a * OUTPUTS[output][1](z)


# Losses: the cost of each example, (batch,), summed over outputs; and delta^L, (batch, n_L)


def quadratic(z, y, output):  # 1/2 ||y - a||^2
    return 0.5 * np.square(y - output_activation(z, output)).sum(axis=1)


def quadratic_error(z, y, output):
    return output_error(output_activation(z, output) - y, z, output)


def cross_entropy(z, y, output):
    # From z, not from a: the logarithm of a saturated output stays finite.
    if output == "softmax":  # -sum y log a, the log-likelihood
        return -(y * log_softmax(z)).sum(axis=1)
    # -sum (y log a + (1 - y) log(1 - a)), and log a = z - softplus(z), log(1 - a) = -softplus(z)
    return (np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))).sum(axis=1)


def cross_entropy_error(z, y, output):
    # sigma' cancels, which is why the book likes this cost (chapter 3)
    a = output_activation(z, output)
    if output == "softmax":  # a - y where the targets of a row sum to 1
        return a * y.sum(axis=1, keepdims=True) - y
    return a - y


def absolute(z, y, output):  # sum |a - y|
    return np.abs(output_activation(z, output) - y).sum(axis=1)


def absolute_error(z, y, output):  # its derivative at 0 is 0
    return output_error(np.sign(output_activation(z, output) - y), z, output)


def huber(z, y, output):  # 1/2 r^2 where |r| <= 1, else |r| - 1/2
    r = np.abs(output_activation(z, output) - y)
    return np.where(r <= 1, 0.5 * r * r, r - 0.5).sum(axis=1)


def huber_error(z, y, output):
    return output_error(np.clip(output_activation(z, output) - y, -1, 1), z, output)


def poisson(z, y, output):  # a - y + y log(y / a), with 0 log 0 = 0: half the Poisson deviance
    a = output_activation(z, output)
    ratio = np.divide(y, a, out=np.ones_like(a), where=y != 0)
    return (a - y + y * np.log(ratio)).sum(axis=1)


def poisson_error(z, y, output):
    a = output_activation(z, output)
    return output_error(1 - np.divide(y, a, out=np.zeros_like(a), where=y != 0), z, output)


LOSSES = {
    "quadratic": (quadratic, quadratic_error),
    "cross_entropy": (cross_entropy, cross_entropy_error),
    "absolute": (absolute, absolute_error),
    "huber": (huber, huber_error),
    "poisson": (poisson, poisson_error),
}

# (loss, output): a cross-entropy wants probabilities, a Poisson cost a positive output
VALID_PAIRS = [
    ("cross_entropy", "softmax"),
    ("cross_entropy", "sigmoid"),
    ("quadratic", "softmax"),
    *[(loss, output) for loss in ("quadratic", "absolute", "huber") for output in ACTIVATIONS],
    ("poisson", "softplus"),
    ("poisson", "sigmoid"),
    ("poisson", "exponential"),
]


def as_targets(y, n_outputs):
    """Targets as a (batch, n_outputs) matrix: labels become one-hot, or a column of 0 and 1."""
    y = np.asarray(y)
    if y.ndim == 1 and n_outputs > 1:
        return np.eye(n_outputs)[y]
    return y.astype(float).reshape(len(y), n_outputs)


# The network. `activations` is a name, or a list of names, one per hidden layer. `masks` is None,
# or one array per hidden layer, (batch, n_l), of inverted dropout: 0 or 1/(1-p), on a^l.


def hidden_activations(activations, n_hidden):
    names = [activations] * n_hidden if isinstance(activations, str) else activations
    return [ACTIVATIONS[name] for name in names]


def forward(weights, biases, X, activations, output, masks=None):
    """Two lists: z^1 ... z^L, and a^0 = X, a^1 ... a^L; each (batch, n_l)."""
    hidden = hidden_activations(activations, len(weights) - 1)
    zs, a_s = [], [np.asarray(X, dtype=float)]
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = a_s[-1] @ w.T + b  # (batch, n_in) (n_in, n_out) + (n_out,)
        if layer == len(weights) - 1:
            a = output_activation(z, output)
        else:
            a = hidden[layer][0](z)
            if masks is not None:
                a = a * masks[layer]
        zs.append(z)
        a_s.append(a)
    return zs, a_s


def backward(weights, zs, y, activations, output, loss, masks=None):
    """delta^1 ... delta^L of every example, each (batch, n_l); y is a matrix."""
    hidden = hidden_activations(activations, len(weights) - 1)
    deltas = [LOSSES[loss][1](zs[-1], y, output)]  # BP1
    for layer in reversed(range(len(weights) - 1)):
        nabla_a = deltas[0] @ weights[layer + 1]  # (batch, n_out) (n_out, n_in)
        if masks is not None:
            nabla_a = nabla_a * masks[layer]
        deltas.insert(0, nabla_a * hidden[layer][1](zs[layer]))  # BP2
    return deltas


def layer_errors(
    weights, biases, X, y, activations, output, loss, *, sample_weight=None, masks=None
):
    """delta^1 ... delta^L per example: not divided by the batch, times its weight if given."""
    zs, _ = forward(weights, biases, X, activations, output, masks)
    y = as_targets(y, len(biases[-1]))
    deltas = backward(weights, zs, y, activations, output, loss, masks)
    if sample_weight is not None:
        deltas = [delta * np.asarray(sample_weight)[:, None] for delta in deltas]
    return deltas


def value_and_grad(
    weights, biases, X, y, activations, output, loss, *, sample_weight=None, l1=0, l2=0, masks=None
):
    """C = sum_i s_i C_i / sum_i s_i + l2/2 sum w^2 + l1 sum |w|, and its flat gradient.

    s_i are the sample weights, 1 unless given; the last two sums are over weights, not biases.
    """
    zs, a_s = forward(weights, biases, X, activations, output, masks)
    y = as_targets(y, len(biases[-1]))
    s = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    s = s / s.sum()  # (batch,)

    cost = s @ LOSSES[loss][0](zs[-1], y, output)
    cost += sum(l2 / 2 * np.square(w).sum() + l1 * np.abs(w).sum() for w in weights)

    deltas = backward(weights, zs, y, activations, output, loss, masks)
    deltas = [delta * s[:, None] for delta in deltas]
    nabla_b = [delta.sum(axis=0) for delta in deltas]  # BP3, summed over examples
    nabla_w = [
        delta.T @ a + l2 * w + l1 * np.sign(w)  # BP4, likewise: (n_out, batch) (batch, n_in)
        for delta, a, w in zip(deltas, a_s[:-1], weights, strict=True)
    ]
    return float(cost), flatten(nabla_w, nabla_b)


def input_gradient(
    weights, biases, X, y, activations, output, loss, *, sample_weight=None, masks=None
):
    """d C / d X of the same C, (batch, n_0): BP2 once more, where sigma is the identity."""
    s = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    deltas = layer_errors(
        weights, biases, X, y, activations, output, loss, sample_weight=s, masks=masks
    )
    return deltas[0] @ weights[0] / s.sum()
