"""Optimizers, clipping and max-norm in plain NumPy, from the papers: the reference for updates.

A parameter vector w and its gradient g go in, new parameters come out; what is remembered between
steps (v, m, t) stays inside. Nothing is changed in place. `learning_rate` may be reassigned
between steps, as a schedule does. Everything is elementwise but the two norms at the end.
"""

import numpy as np
from naive import flatten, unflatten


class SGD:
    """v <- mu v - eta g;  w <- w + v.  The book, chapter 3, eq. 107 and 108.

    Nesterov: w <- w + mu v - eta g, with the new v (Sutskever and others 2013, section 2, with
    the parameters kept at the point looked ahead to, as scikit-learn does). PyTorch keeps v
    without eta, which differs only when eta changes between steps.
    """

    def __init__(self, learning_rate, momentum=0.0, nesterov=False):
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self.v = 0.0

    def step(self, w, g):
        self.v = self.momentum * self.v - self.learning_rate * g
        if self.nesterov:
            return w + self.momentum * self.v - self.learning_rate * g
        return w + self.v


class Adam:
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  w <- w - eta m_hat / (sqrt(v_hat) + eps).

    m_hat = m / (1 - b1^t), v_hat = v / (1 - b2^t). Kingma and Ba 2015, algorithm 1, and PyTorch;
    scikit-learn adds eps to sqrt(v) instead (their section 2, last paragraph).
    """

    def __init__(self, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.learning_rate, self.beta1, self.beta2 = learning_rate, beta1, beta2
        self.epsilon = epsilon
        self.m, self.v, self.t = 0.0, 0.0, 0

    def step(self, w, g):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        m_hat = self.m / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        return w - self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)


class AdamW(Adam):
    """w <- (1 - eta lambda) w for weights, not biases; then Adam's step.

    Loshchilov and Hutter 2019, algorithm 2, in PyTorch's order and with its eta lambda (the paper
    keeps lambda apart from the learning rate). `is_weight` is naive.is_weight(sizes).
    """

    def __init__(
        self,
        is_weight,
        learning_rate=1e-3,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-8,
        weight_decay=0.01,
    ):
        super().__init__(learning_rate, beta1, beta2, epsilon)
        self.is_weight, self.weight_decay = is_weight, weight_decay

    def step(self, w, g):
        decay = self.learning_rate * self.weight_decay * self.is_weight
        return super().step(w * (1 - decay), g)


class RMSprop:
    """v <- rho v + (1 - rho) g^2;  w <- w - eta g / (sqrt(v) + eps).

    Tieleman and Hinton 2012, lecture 6e, slide 29; epsilon outside the root as in PyTorch.
    """

    def __init__(self, learning_rate=1e-2, rho=0.99, epsilon=1e-8):
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.v = 0.0

    def step(self, w, g):
        self.v = self.rho * self.v + (1 - self.rho) * g * g
        return w - self.learning_rate * g / (np.sqrt(self.v) + self.epsilon)


class Adagrad:
    """v <- v + g^2;  w <- w - eta g / (sqrt(v) + eps).  Duchi, Hazan and Singer 2011, section 1."""

    def __init__(self, learning_rate=1e-2, epsilon=1e-10):
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.v = 0.0

    def step(self, w, g):
        self.v = self.v + g * g
        return w - self.learning_rate * g / (np.sqrt(self.v) + self.epsilon)


def clip_by_norm(g, clip_norm):
    """The whole gradient scaled to norm clip_norm, if it is longer.

    Pascanu, Mikolov and Bengio 2013, algorithm 1.
    """
    norm = np.sqrt(np.square(g).sum())
    return g * (clip_norm / norm) if norm > clip_norm else g


def max_norm(w, sizes, limit):
    """After an update: each neuron's incoming weights, a row of W^l, scaled to norm <= limit.

    Srivastava and others 2014 (dropout), section 5.1. Biases stay.
    """
    weights, biases = unflatten(w, sizes)
    clipped = []
    for rows in weights:
        norms = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))  # (n_out, 1)
        scale = np.divide(limit, norms, out=np.ones_like(norms), where=norms > limit)
        clipped.append(rows * scale)
    return flatten(clipped, biases)
