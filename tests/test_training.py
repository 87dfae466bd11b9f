"""fit and partial_fit: the steps they make, what they return, and how they end."""

import os
import subprocess
import sys

import naive
import naive_optimizers
import numpy as np
import pytest
from api_problems import blobs, line
from numpy.testing import assert_allclose, assert_array_equal

from fastbp import Adam, AdamW, Exponential, MLP, pace, RMSprop, SGD, training


def test_a_classifier_learns():
    X, y = blobs(rows=300)
    net = MLP([4, 16, 3], seed=0)
    history = net.fit(X, y, epochs=40, optimizer=Adam(0.01))
    assert history.loss[-1] < history.loss[0] / 4
    assert net.evaluate(X, y).accuracy > 0.95


def test_a_regression_learns():
    X, y = line()
    net = MLP([3, 1], output="linear", loss="quadratic", seed=0)
    net.fit(X, y[:, 0], epochs=200, optimizer=SGD(0.1))
    assert_allclose(net.weights[0], [[1, 2, 3]], atol=1e-3)
    assert_allclose(net.biases[0], [0.5], atol=1e-3)


@pytest.mark.parametrize(
    ("optimizer", "reference"),
    [
        (SGD(0.3, momentum=0.8), naive_optimizers.SGD(0.3, 0.8)),
        (SGD(0.3, momentum=0.8, nesterov=True), naive_optimizers.SGD(0.3, 0.8, True)),
        (RMSprop(0.01), naive_optimizers.RMSprop(0.01)),
        (Adam(0.01), naive_optimizers.Adam(0.01)),
    ],
)
def test_epochs_are_the_reference_steps_in_order(optimizer, reference):
    sizes, kind = [4, 5, 3], ("tanh", "softmax", "cross_entropy")
    X, y = blobs(rows=25)
    net = MLP(sizes, activation="tanh", dtype="float64", seed=0)
    w = net.parameters.copy()
    costs = []
    for _ in range(3):
        for first in range(0, 25, 10):  # batches of 10, 10 and 5
            rows = slice(first, first + 10)
            views = naive.unflatten(w, sizes)
            _, gradient = naive.value_and_grad(*views, X[rows], y[rows], *kind, l1=1e-3, l2=0.02)
            data_cost, _ = naive.value_and_grad(*views, X[rows], y[rows], *kind)
            costs.append(data_cost * len(X[rows]))
            w = reference.step(w, gradient)
    history = net.fit(
        X, y, epochs=3, batch_size=10, optimizer=optimizer, shuffle=False, l1=1e-3, l2=0.02
    )
    assert_allclose(net.parameters, w, rtol=1e-9, atol=1e-12)
    assert_allclose(history.loss, np.sum(np.reshape(costs, (3, 3)), axis=1) / 25, rtol=1e-10)


def test_history_holds_one_number_an_epoch():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    history = net.fit(X, y, epochs=3, validation_data=(X[:30], y[:30]))
    assert set(history) == {
        "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds",
        "examples_per_second",
    }  # fmt: skip
    assert {len(values) for values in history.to_dict().values()} == {3}
    assert history.epochs == 3
    assert (history.val_loss[-1], history.val_accuracy[-1]) == net.evaluate(X[:30], y[:30])
    assert history.learning_rate == [0.001] * 3
    assert all(seconds > 0 for seconds in history.seconds)
    assert_allclose(np.multiply(history.seconds, history.examples_per_second), 90)


def test_a_regression_records_r2_of_its_validation_data_and_no_accuracy():
    X, y = line()
    net = MLP([3, 1], output="linear", loss="huber", seed=0)
    history = net.fit(X, y, epochs=2, validation_data=(X, y))
    assert history.val_r2[-1] == net.evaluate(X, y).r2
    assert "accuracy" not in history
    with pytest.raises(AttributeError, match="val_r2"):
        _ = history.accuracy


# Same seed, same bits

SCRIPT = """
import sys; sys.path.insert(0, {tests!r})
from api_problems import blobs
from fastbp import MLP
X, y = blobs(rows=100)
net = MLP([4, 9, 3], seed=11)
net.fit(X, y, epochs=3, batch_size=7, dropout=0.3, threads={threads})
print(net.parameters.tobytes().hex())
"""


def test_same_seed_same_bits_in_other_processes_and_with_other_numbers_of_threads():
    here = os.path.dirname(__file__)
    bits = set()
    for n_threads in (1, 2, 3):
        code = SCRIPT.format(tests=here, threads=n_threads)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        bits.add(done.stdout)
    X, y = blobs(rows=100)
    net = MLP([4, 9, 3], seed=11)
    net.fit(X, y, epochs=3, batch_size=7, dropout=0.3)
    bits.add(net.parameters.tobytes().hex().encode() + b"\n")
    assert len(bits) == 1


def test_the_division_into_kernel_calls_changes_no_bit(monkeypatch):
    X, y = blobs()
    one, other = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    one.fit(X, y, epochs=3, batch_size=8, dropout=0.2)
    monkeypatch.setattr(pace, "FLOPS_PER_CALL", 1)
    other.fit(X, y, epochs=3, batch_size=8, dropout=0.2)
    assert_array_equal(one.parameters, other.parameters)


def test_shuffling_draws_another_order_for_every_epoch():
    X, y = blobs()
    plain, shuffled = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    plain.fit(X, y, epochs=1, shuffle=False)
    shuffled.fit(X, y, epochs=1)
    assert not np.array_equal(plain.parameters, shuffled.parameters)


def test_every_order_is_a_new_permutation(monkeypatch):
    orders, make_steps = [], training.Training.make_steps

    def record(self, *arguments):
        orders.append(self.order.tolist())
        return make_steps(self, *arguments)

    monkeypatch.setattr(training.Training, "make_steps", record)
    X, y = blobs()
    MLP([4, 5, 3], seed=0).fit(X, y, epochs=3)
    assert [sorted(order) for order in orders] == [list(range(90))] * 3
    assert len({tuple(order) for order in orders}) == 3
    orders.clear()
    MLP([4, 5, 3], seed=0).fit(X, y, epochs=3, shuffle=False)
    assert orders == [list(range(90))] * 3


def test_a_second_fit_goes_on_from_the_parameters_with_a_fresh_optimizer():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    net.fit(X, y, epochs=2, shuffle=False)
    other = MLP([4, 5, 3], seed=0)
    other.parameters = net.parameters
    net.fit(X, y, epochs=2, shuffle=False)
    other.fit(X, y, epochs=2, shuffle=False)
    assert_array_equal(net.parameters, other.parameters)


# partial_fit


@pytest.mark.parametrize(
    "optimizer", ["adam", SGD(0.1, momentum=0.9), AdamW(Exponential(0.01, decay=0.5))]
)
def test_partial_fit_carries_optimizer_schedule_and_random_state_over(optimizer):
    X, y = blobs()
    whole, parts = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    history = whole.fit(X, y, epochs=4, batch_size=8, optimizer=optimizer, dropout=0.1)
    rates = []
    for _ in range(4):
        part = parts.partial_fit(X, y, batch_size=8, optimizer=optimizer, dropout=0.1)
        rates += part.learning_rate
    assert_array_equal(whole.parameters, parts.parameters)
    assert rates == history.learning_rate


def test_an_equal_optimizer_goes_on_and_another_begins_anew():
    X, y = blobs()
    same, equal, other, fresh = (MLP([4, 5, 3], seed=0) for _ in range(4))
    adam = Adam(0.01)
    for net in (same, equal, other):
        net.partial_fit(X, y, optimizer=adam, shuffle=False)
    fresh.parameters = same.parameters
    same.partial_fit(X, y, optimizer=adam, shuffle=False)
    equal.partial_fit(X, y, optimizer=Adam(0.01), shuffle=False)
    other.partial_fit(X, y, optimizer=Adam(0.02), shuffle=False)
    fresh.partial_fit(X, y, optimizer=Adam(0.02), shuffle=False)
    assert_array_equal(same.parameters, equal.parameters)
    assert_array_equal(other.parameters, fresh.parameters)
    assert not np.array_equal(same.parameters, fresh.parameters)


def test_partial_fit_may_change_batch_size_threads_and_clipping_from_call_to_call():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    for batch_size, clip_norm, n_threads in (
        (8, None, 1),
        (32, 1.0, 2),
        (90, None, 1),
        (8, 2.0, 1),
    ):
        net.partial_fit(X, y, batch_size=batch_size, clip_norm=clip_norm, threads=n_threads)
    assert net._memory.steps == 12 + 3 + 1 + 12


# Weights


def test_a_row_of_weight_2_counts_as_two_rows():
    X, y = blobs(rows=20)
    weights = np.ones(20)
    weights[:5] = 2
    one, other = (MLP([4, 5, 3], dtype="float64", seed=0) for _ in range(2))
    options = {"epochs": 5, "batch_size": 100, "optimizer": SGD(0.1)}
    history = one.fit(X, y, sample_weight=weights, **options)
    doubled = other.fit(np.vstack([X, X[:5]]), np.hstack([y, y[:5]]), **options)
    assert_allclose(one.parameters, other.parameters, rtol=1e-10)
    assert_allclose(history.loss, doubled.loss, rtol=1e-12)
    assert_allclose(history.accuracy, doubled.accuracy, rtol=1e-12)


def test_class_weights_multiply_sample_weights():
    X, y = blobs(rows=20)
    s = np.linspace(0.5, 1.5, 20)
    one, other = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    one.fit(X, y, epochs=2, sample_weight=s, class_weight={0: 3.0, 2: 0.5})
    other.fit(X, y, epochs=2, sample_weight=s * np.array([3.0, 1.0, 0.5])[y])
    assert_array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_balanced_classes_weigh_the_same(n_outputs):
    X, _ = blobs(rows=40)
    y = (np.arange(40) < 8).astype(int)
    output = "sigmoid" if n_outputs == 1 else "softmax"
    one, other = (MLP([4, 5, n_outputs], output=output, seed=0) for _ in range(2))
    one.fit(X, y, epochs=2, class_weight="balanced")
    other.fit(X, y, epochs=2, sample_weight=np.where(y == 1, 40 / (2 * 8), 40 / (2 * 32)))
    assert_array_equal(one.parameters, other.parameters)


def test_a_batch_without_weight_teaches_nothing():
    X, y = blobs(rows=20)
    weights = (np.arange(20) >= 10).astype(float)
    one, other = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    options = {"epochs": 1, "batch_size": 10, "optimizer": SGD(0.1), "shuffle": False}
    one.fit(X, y, sample_weight=weights, **options)
    other.fit(X[10:], y[10:], **options)
    assert_array_equal(one.parameters, other.parameters)
