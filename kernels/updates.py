"""The optimizers: loops over a slice of the flat parameters, its gradient and its state.

A slice is a block of rows of W^l, whose gradient has just been computed and is still in cache,
or a stretch of b^l. Each formula is a function of vectors; `update` runs one of them along the
slice. Overwrites the parameters and the optimizer's state in place; the gradient may be, too.
"""

from typing import NamedTuple

import numpy as np

from .elementary import quotient, root
from .jit import inlined, kernel
from .simd import (
    absolute,
    advance,
    broadcast,
    broadcast_like,
    fma,
    is_double,
    lanes,
    load,
    load_first,
    select,
    store_first,
    sum_lanes,
)

OPTIMIZERS = {"sgd": 0, "adam": 1, "adamw": 2, "rmsprop": 3, "adagrad": 4}
SGD, ADAM, ADAMW, RMSPROP, ADAGRAD = range(5)


class Rule(NamedTuple):
    """An optimizer and what acts beside it; 0 switches a field off."""

    optimizer: int
    momentum: float  # mu of SGD, beta_1 of Adam and AdamW, rho of RMSprop
    nesterov: int
    beta2: float
    epsilon: float
    weight_decay: float  # AdamW's, decoupled from the gradient; weights only
    l1: float
    l2: float
    max_norm: float  # longest a neuron's incoming weight vector may be
    clip_norm: float  # longest the whole gradient may be
    # Two conventions of scikit-learn's, off elsewhere.
    epsilon_hat: int = 0  # Adam adds epsilon to sqrt(v) rather than to sqrt(v_hat)
    per_row: int = 0  # l1 and l2 are divided by the weight of the batch


class Step(NamedTuple):
    """What one optimizer step needs besides the rule."""

    rate: float  # learning rate; for Adam, over 1 - beta_1^t
    root: float  # Adam's sqrt(1 - beta_2^t)
    scale: float  # factor of the gradient, below 1 where it is clipped
    decay: float  # factor of the weights: AdamW's weight_decay, or plain SGD's l2
    l1: float  # penalties that are to be added to the gradient
    l2: float


def state_slots(optimizer: int, momentum: float) -> int:
    """How many numbers an optimizer keeps for each parameter."""
    return {SGD: int(momentum > 0), ADAM: 2, ADAMW: 2, RMSPROP: 1, ADAGRAD: 1}[optimizer]


@inlined
def is_plain(rule):
    """Whether a step of this rule is a product itself: W <- (1 - eta l2) W - eta nabla_w."""
    return rule.optimizer == SGD and rule.momentum == 0.0 and rule.l1 == 0.0


@inlined
def begin_step(rule, rate, t, scale, penalties):
    """The numbers of optimizer step t = 1, 2, ...; `penalties`: factor of l1 and l2, or 0."""
    l1, l2 = rule.l1 * penalties, rule.l2 * penalties
    if rule.optimizer == ADAM or rule.optimizer == ADAMW:
        # The bias corrections of Kingma and Ba 2015, section 3.
        decay = 1.0 - rate * rule.weight_decay
        root = np.sqrt(1.0 - rule.beta2**t)
        rate = rate / (1.0 - rule.momentum**t)
        if rule.epsilon_hat:  # the last paragraph of their section 2
            return Step(rate * root, 1.0, scale, decay, l1, l2)
        return Step(rate, root, scale, decay, l1, l2)
    if rule.optimizer == SGD and rule.momentum == 0.0:
        return Step(rate, 1.0, scale, 1.0 - rate * l2, l1, 0.0)
    return Step(rate, 1.0, scale, 1.0, l1, l2)


@inlined
def without_penalties(step):
    """The same step for biases, on which neither penalties nor decay act."""
    return Step(step.rate, step.root, step.scale, 1.0, 0.0, 0.0)


class Slice(NamedTuple):
    """Pointers to a stretch of the parameters and of what goes with them."""

    w: object
    g: object
    state: object  # first row of the optimizer's state; not read where it has none
    second_state: object


@kernel
def penalized(g, w, l1, l2):
    """Gradient of C + l2/2 w^2 + l1 |w|; the derivative of |w| is taken as 0 at 0."""
    one, zero = broadcast_like(w, 1), broadcast_like(w, 0)
    sign = select(w > 0, one, select(w < 0, -one, zero))
    return fma(w, l2, fma(sign, l1, g))


# What `_along` runs over a slice: each acts on `count` parameters, at most a vector, from
# element i on.


@inlined
def _complete(rule, step, at, i, count):
    """g' = scale g + the derivative of the penalties, where the gradient is."""
    w, g = load_first(at.w, i, count), load_first(at.g, i, count)
    store_first(at.g, i, penalized(g * step.scale, w, step.l1, step.l2), count)


@kernel
def _weight_and_gradient(step, at, i, count):
    """The weight as it shrinks, and the gradient of C + l2/2 w^2; without l2 w may be infinite."""
    w = load_first(at.w, i, count)
    counted = select(broadcast_like(w, step.l2) == 0, broadcast_like(w, 0), w)
    return w * step.decay, fma(counted, step.l2, load_first(at.g, i, count))


@inlined
def _sgd(rule, step, at, i, count):
    """w' = w - eta g (book, equation 20); l2 shrinks w before (equation 93)."""
    w, g = _weight_and_gradient(step, at, i, count)
    store_first(at.w, i, fma(g, -step.rate, w), count)


@inlined
def _momentum(rule, step, at, i, count):
    """v' = mu v - eta g, w' = w + v' (book, equations 107 and 108).

    Nesterov's form looks ahead: w' = w + mu v' - eta g (Sutskever and others 2013, section 2.1).
    """
    w, g = _weight_and_gradient(step, at, i, count)
    change = g * -step.rate
    v = fma(load_first(at.state, i, count), rule.momentum, change)
    store_first(at.state, i, v, count)
    # The small numbers are summed first: a weight is rounded once a step.
    store_first(at.w, i, w + (fma(v, rule.momentum, change) if rule.nesterov else v), count)


@inlined
def _adam(rule, step, at, i, count):
    """Kingma and Ba 2015, algorithm 1; AdamW shrinks w first (Loshchilov and Hutter 2019).

    m' = beta_1 m + (1 - beta_1) g, which is m + (1 - beta_1) (g - m)
    v' = beta_2 v + (1 - beta_2) g^2
    w' = w - eta m_hat / (sqrt(v_hat) + epsilon), m_hat = m' / (1 - beta_1^t), v_hat alike
    """
    w, g = _weight_and_gradient(step, at, i, count)
    m = load_first(at.state, i, count)
    m = fma(g - m, 1.0 - rule.momentum, m)
    v = fma(load_first(at.second_state, i, count), rule.beta2, g * g * (1.0 - rule.beta2))
    store_first(at.state, i, m, count)
    store_first(at.second_state, i, v, count)
    length = fma(root(v), 1.0 / step.root, rule.epsilon)
    store_first(at.w, i, fma(quotient(m, length), -step.rate, w), count)


@inlined
def _rmsprop(rule, step, at, i, count):
    """v' = rho v + (1 - rho) g^2, w' = w - eta g / (sqrt(v') + epsilon); Hinton 2012, lecture 6."""
    w, g = _weight_and_gradient(step, at, i, count)
    v = fma(load_first(at.state, i, count), rule.momentum, g * g * (1.0 - rule.momentum))
    store_first(at.state, i, v, count)
    store_first(at.w, i, fma(quotient(g, root(v) + rule.epsilon), -step.rate, w), count)


@inlined
def _adagrad(rule, step, at, i, count):
    """v' = v + g^2, w' = w - eta g / (sqrt(v') + epsilon) (Duchi and others 2011)."""
    w, g = _weight_and_gradient(step, at, i, count)
    v = fma(g, g, load_first(at.state, i, count))
    store_first(at.state, i, v, count)
    store_first(at.w, i, fma(quotient(g, root(v) + rule.epsilon), -step.rate, w), count)


@inlined
def _along(optimizer, rule, step, at, rows, columns, row_step):
    """Run one of the optimizers over a block: whole vectors, and what is left of each row."""
    width = lanes(at.w)
    whole = columns // width * width
    for r in range(rows):
        to = r * row_step
        state, second_state = advance(at.state, to), advance(at.second_state, to)
        row = Slice(advance(at.w, to), advance(at.g, r * columns), state, second_state)
        for i in range(0, whole, width):
            optimizer(rule, step, row, i, width)
        if whole < columns:
            optimizer(rule, step, row, whole, columns - whole)


@kernel
def update(rule, step, at, rows, columns, row_step):
    """Apply the rule to a block (rows, columns) of the parameters, `row_step` from row to row.

    The block's gradient is dense, and may be overwritten. Each optimizer has loops of its own: a
    switch inside the loop made Adam half as fast, and so did penalties.
    """
    if columns == row_step:  # rows follow each other without a gap
        rows, columns = 1, rows * columns
    if step.scale != 1.0 or step.l1 != 0.0:
        _along(_complete, rule, step, at, rows, columns, row_step)
        step = Step(step.rate, step.root, 1.0, step.decay, 0.0, 0.0)
    if rule.optimizer == SGD and rule.momentum == 0.0:
        _along(_sgd, rule, step, at, rows, columns, row_step)
    elif rule.optimizer == SGD:
        _along(_momentum, rule, step, at, rows, columns, row_step)
    elif rule.optimizer == RMSPROP:
        _along(_rmsprop, rule, step, at, rows, columns, row_step)
    elif rule.optimizer == ADAGRAD:
        _along(_adagrad, rule, step, at, rows, columns, row_step)
    else:
        _along(_adam, rule, step, at, rows, columns, row_step)


@kernel
def penalize(parameters, gradient, at, count, l1, l2):
    """Add the derivative of the penalties to a slice of a stored gradient."""
    for i in range(at, at + count, lanes(parameters)):
        left = at + count - i
        w, g = load_first(parameters, i, left), load_first(gradient, i, left)
        store_first(gradient, i, penalized(g, w, l1, l2), left)


@kernel
def penalty(parameters, at, count, l1, l2):
    """Cost of the penalties of a slice, l1 sum |w| + l2/2 sum w^2."""
    width = lanes(parameters)
    squares, others = broadcast(parameters, 0), broadcast(parameters, 0)
    lengths = broadcast(parameters, 0)
    # Two sums of squares: one alone would wait for itself, longer than for the memory.
    whole = at + count // (2 * width) * (2 * width)
    for i in range(at, whole, 2 * width):
        w, other = load(parameters, i), load(parameters, i + width)
        squares, others = fma(w, w, squares), fma(other, other, others)
        lengths = lengths + (absolute(w) + absolute(other))
    for i in range(whole, at + count, width):
        w = load_first(parameters, i, at + count - i)
        squares, lengths = fma(w, w, squares), lengths + absolute(w)
    return l2 / 2 * sum_lanes(squares + others) + l1 * sum_lanes(lengths)


@kernel
def norm(vector, count):
    """Euclidean length of `count` numbers from a pointer on, even where their squares overflow."""
    factor = 1.0
    length = _norm_of_multiple(vector, count, factor)
    if length == np.inf:
        factor = 2.0**-600 if is_double(load_first(vector, 0, count)) else 2.0**-100
        length = _norm_of_multiple(vector, count, factor)
    return length / factor


@kernel
def _norm_of_multiple(vector, count, factor):
    """Euclidean length of factor times these numbers."""
    width = lanes(vector)
    total = 0.0
    for i in range(0, count, width):
        x = load_first(vector, i, count - i) * factor
        total += sum_lanes(x * x)
    return np.sqrt(total)


@inlined
def limit_norm(weights, count, max_norm):
    """Shorten a neuron's incoming weight vector to max_norm (Srivastava and others 2014, 5.1)."""
    length = norm(weights, count)
    if length > max_norm:
        for i in range(count):
            weights[i] *= max_norm / length
