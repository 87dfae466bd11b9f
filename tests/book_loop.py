"""The book's algorithm (chapters 1 to 3), one example at a time: the reference of fastbp.nndl.

Plain NumPy, from the book's equations: BP1 to BP4 for each x, summed over a mini-batch; then
w <- (1 - eta lambda/n) w - (eta/m) sum nabla_w, b <- b - (eta/m) sum nabla_b. Draws as the book's
programs do, from the global states: biases, then weights from numpy.random; each epoch's order from
random.shuffle.
"""

import random
from itertools import pairwise

import numpy as np


def seed(number):
    """Seed both states, as the book's programs do."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - the book's


def next_draws():
    """One number of each state: they tell whether two programs have drawn alike."""
    return random.random(), np.random.rand()  # noqa: NPY002 - the book's


def sigma(z):
    return 1 / (1 + np.exp(-z))


def sigma_prime(z):
    return sigma(z) * (1 - sigma(z))


def draw(sizes, scaled):
    biases = [np.random.randn(n, 1) for n in sizes[1:]]  # noqa: NPY002 - the book's
    weights = []
    for n_below, n in pairwise(sizes):
        w = np.random.randn(n, n_below)  # noqa: NPY002 - the book's
        weights.append(w / np.sqrt(n_below) if scaled else w)
    return weights, biases


def forward(weights, biases, x):
    zs, a_s = [], [x]
    for w, b in zip(weights, biases, strict=True):
        zs.append(w @ a_s[-1] + b)
        a_s.append(sigma(zs[-1]))
    return zs, a_s


def gradient(weights, biases, x, y, cost):
    zs, a_s = forward(weights, biases, x)
    delta = a_s[-1] - y
    if cost == "quadratic":
        delta = delta * sigma_prime(zs[-1])
    nabla_w, nabla_b = [delta @ a_s[-2].T], [delta]
    for l in range(len(weights) - 1, 0, -1):
        delta = (weights[l].T @ delta) * sigma_prime(zs[l - 1])
        nabla_w.insert(0, delta @ a_s[l - 1].T)
        nabla_b.insert(0, delta)
    return nabla_w, nabla_b


def add(sums, terms):
    return [s + t for s, t in zip(sums, terms, strict=True)]


def train(weights, biases, data, epochs, size, eta, lmbda=0.0, cost="cross_entropy", after=None):
    """Return the lists after so many epochs; `after(weights, biases)` is called at each one's end.

    `data` is left shuffled.
    """
    n = len(data)
    for _ in range(epochs):
        random.shuffle(data)
        for k in range(0, n, size):
            batch = data[k : k + size]
            sums_w = [np.zeros(w.shape) for w in weights]
            sums_b = [np.zeros(b.shape) for b in biases]
            for x, y in batch:
                nabla_w, nabla_b = gradient(weights, biases, x, y, cost)
                sums_w, sums_b = add(sums_w, nabla_w), add(sums_b, nabla_b)
            decay, rate = 1 - eta * lmbda / n, eta / len(batch)
            weights = [decay * w - rate * s for w, s in zip(weights, sums_w, strict=True)]
            biases = [b - rate * s for b, s in zip(biases, sums_b, strict=True)]
        if after is not None:
            after(weights, biases)
    return weights, biases


def output(weights, biases, x):
    return forward(weights, biases, x)[1][-1]


def total_cost(weights, biases, data, lmbda, cost):
    """Mean cost of (x, column) plus lambda/(2n) sum w^2."""
    total = 0.0
    for x, y in data:
        a = output(weights, biases, x)
        if cost == "quadratic":
            total += ((a - y) ** 2).sum() / 2
        else:
            total -= (y * np.log(a) + (1 - y) * np.log(1 - a)).sum()
    return total / len(data) + lmbda / (2 * len(data)) * sum((w**2).sum() for w in weights)


def count_correct(weights, biases, data):
    """How many (x, index) have their greatest output at the index."""
    return sum(int(np.argmax(output(weights, biases, x)) == y) for x, y in data)
