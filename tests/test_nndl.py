"""fastbp.nndl gives what the book's programs give: weights, printed lines, lists, files, draws."""

import contextlib
import io
import json
import random
import subprocess
import sys

import book_loop
import numpy as np
import pytest
from book_loop import next_draws, seed
from numpy.testing import assert_allclose, assert_array_equal

from fastbp.datasets import load_mnist_sample
from fastbp.nndl import mnist_loader, network, network2
from fastbp.nndl.examples import Examples
from fastbp.nndl.shuffling import shuffle

TIGHT = {"rtol": 1e-10, "atol": 1e-10}


def pairs(sizes, n, rng, targets="columns"):
    """Examples with a rule to learn: the class is where the first inputs are greatest."""
    X = rng.random((n, sizes[0]))
    labels = np.argmax(X[:, : sizes[-1]], axis=1) % sizes[-1]
    ys = np.eye(sizes[-1])[labels][:, :, None] if targets == "columns" else labels
    return [(x[:, None], y) for x, y in zip(X, ys, strict=True)]


def quietly(function, *arguments, **keywords):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = function(*arguments, **keywords)
    return result, printed.getvalue().splitlines()


def assert_same(net, weights, biases):
    for ours, theirs in zip([*net.weights, *net.biases], [*weights, *biases], strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == np.float64
        assert_allclose(ours, theirs, **TIGHT)


COSTS = {"quadratic": network2.QuadraticCost, "cross_entropy": network2.CrossEntropyCost}


def assert_same_as_the_loop(
    data, sizes, settings, cost="cross_entropy", initial="default", module="network2"
):
    """Seeded alike, both end with the same net; settings are epochs, mini-batch, eta, lambda."""
    seed(7)
    weights, biases = book_loop.draw(sizes, initial == "default")
    expected = book_loop.train(weights, biases, list(data), *settings, cost)
    expected_draws = next_draws()
    seed(7)
    if module == "network":
        net, settings = network.Network(sizes), settings[:3]
    else:
        net = network2.Network(sizes, cost=COSTS[cost])
        if initial == "large":
            seed(7)
            net.large_weight_initializer()
    quietly(net.SGD, list(data), *settings)
    assert_same(net, *expected)
    assert next_draws() == expected_draws


# module, sizes, examples, mini-batch, eta, lambda, cost, initial weights
CONFIGURATIONS = [
    ("network", [5, 4, 3], 60, 10, 3.0, 0.0, "quadratic", "large"),
    ("network", [7, 3], 41, 4, 1.0, 0.0, "quadratic", "large"),
    ("network", [4, 6, 5, 2], 50, 7, 0.5, 0.0, "quadratic", "large"),
    ("network2", [5, 4, 3], 60, 10, 0.5, 0.0, "cross_entropy", "default"),
    ("network2", [5, 4, 3], 61, 10, 0.5, 5.0, "cross_entropy", "default"),
    ("network2", [9, 30, 10], 100, 10, 0.1, 0.1, "cross_entropy", "large"),
    ("network2", [6, 5, 4, 3], 33, 3, 0.5, 1.0, "quadratic", "default"),
    ("network2", [3, 2], 10, 100, 0.5, 0.5, "cross_entropy", "default"),
    ("network2", [8, 17, 1], 29, 1, 0.2, 0.0, "cross_entropy", "large"),
    ("network2", [20, 33, 18, 10], 130, 13, 0.3, 2.0, "quadratic", "large"),
]


@pytest.mark.parametrize(
    ("module", "sizes", "n", "size", "eta", "lmbda", "cost", "initial"), CONFIGURATIONS
)
def test_parity_with_the_loop_over_examples(module, sizes, n, size, eta, lmbda, cost, initial):
    data = pairs(sizes, n, np.random.default_rng(n))
    assert_same_as_the_loop(data, sizes, (3, size, eta, lmbda), cost, initial, module)


def test_mnist_in_batches_of_ten():
    mnist = load_mnist_sample()
    X = mnist.train_images[:500].astype(np.float32) / 256
    data = [
        (np.reshape(x, (784, 1)), network2.vectorized_result(y))
        for x, y in zip(X, mnist.train_labels, strict=False)
    ]
    assert_same_as_the_loop(data, [784, 30, 10], (3, 10, 0.5, 5.0))


@pytest.mark.parametrize("n_used", [0, 1, 8, 9, 19])
def test_inputs_that_are_always_zero_change_by_the_decay_alone(n_used):
    rng, sizes = np.random.default_rng(n_used), [20, 4, 3]
    used = rng.permutation(20)[:n_used]
    data = pairs(sizes, 40, rng)
    for x, _ in data:
        x[np.setdiff1d(np.arange(20), used)] = 0
    assert set(used) <= set(Examples(data).used)
    assert_same_as_the_loop(data, sizes, (30, 7, 0.5, 0.9), initial="large")


@pytest.mark.parametrize("digit", [0.25, 0.1, 1e300])
def test_inputs_are_kept_in_float32_where_that_changes_nothing(digit):
    data = pairs([9, 4, 3], 210, np.random.default_rng(5))
    for i, (x, _) in enumerate(data):
        x[:] = i % 7 / 4
    data[-1][0][3] = digit
    examples = Examples(data)
    assert examples.used_inputs.dtype == (np.float32 if digit == 0.25 else np.float64)
    assert_array_equal(examples.used_inputs, examples.inputs[:, examples.used])
    if digit < 1:
        assert_same_as_the_loop(data, [9, 4, 3], (3, 10, 0.5, 0.5))


def test_monitors_and_printed_lines():
    sizes, rng = [6, 5, 4], np.random.default_rng(0)
    training, evaluation = pairs(sizes, 40, rng), pairs(sizes, 25, rng, "labels")
    columns = [(x, np.eye(4)[:, [y]]) for x, y in evaluation]
    lines, lists = [], ([], [], [], [])

    def after(weights, biases):
        labelled = [(x, np.argmax(y)) for x, y in training]
        numbers = (
            book_loop.total_cost(weights, biases, columns, 0.7, "cross_entropy"),
            book_loop.count_correct(weights, biases, evaluation),
            book_loop.total_cost(weights, biases, training, 0.7, "cross_entropy"),
            book_loop.count_correct(weights, biases, labelled),
        )
        for monitored, value in zip(lists, numbers, strict=True):
            monitored.append(value)
        lines.extend(
            [
                f"Epoch {len(lists[0]) - 1} training complete",
                "Cost on training data: ",
                f"Accuracy on training data: {numbers[3]} / 40",
                "Cost on evaluation data: ",
                f"Accuracy on evaluation data: {numbers[1]} / 25",
                "",
            ]
        )

    seed(3)
    weights, biases = book_loop.draw(sizes, True)
    book_loop.train(weights, biases, list(training), 3, 8, 0.5, 0.7, after=after)
    seed(3)
    net = network2.Network(sizes)
    results, printed = quietly(
        net.SGD, list(training), 3, 8, 0.5, lmbda=0.7, evaluation_data=evaluation,
        monitor_evaluation_cost=True, monitor_evaluation_accuracy=True,
        monitor_training_cost=True, monitor_training_accuracy=True,
    )  # fmt: skip
    for ours, theirs in zip(results, lists, strict=True):
        assert_allclose(ours, theirs, rtol=1e-10)
    assert [line if "Cost" not in line else line[: line.index(":") + 2] for line in printed] == (
        lines
    )
    assert printed[1] == f"Cost on training data: {results[2][0]}"


def test_lines_of_network():
    sizes, rng = [4, 3], np.random.default_rng(0)
    training, test = pairs(sizes, 20, rng), pairs(sizes, 15, rng, "labels")
    net = network.Network(sizes)
    assert quietly(net.SGD, training, 2, 5, 0.1)[1] == ["Epoch 0 complete", "Epoch 1 complete"]
    (line,) = quietly(net.SGD, training, 1, 5, 0.1, test_data=test)[1]
    assert line == f"Epoch 0: {book_loop.count_correct(net.weights, net.biases, test)} / 15"


def test_early_stopping():
    sizes, rng = [4, 3], np.random.default_rng(0)
    training, evaluation = pairs(sizes, 20, rng), pairs(sizes, 15, rng, "labels")
    net = network2.Network(sizes)
    flags = {"monitor_evaluation_accuracy": True, "early_stopping_n": 3}
    (_, accuracies, _, _), _ = quietly(
        net.SGD, training, 500, 5, 0.5, evaluation_data=evaluation, **flags
    )
    assert len(accuracies) < 500
    assert int(np.argmax(accuracies)) == len(accuracies) - 4
    with pytest.raises(ValueError, match="early_stopping_n"):
        net.SGD(training, 1, 5, 0.5, early_stopping_n=3)


def test_the_list_is_left_shuffled_as_in_the_book():
    data = pairs([3, 2], 30, np.random.default_rng(0))
    ours, theirs = list(data), list(data)
    seed(5)
    quietly(network.Network([3, 2]).SGD, ours, 2, 10, 1.0)
    seed(5)
    book_loop.draw([3, 2], False)
    random.shuffle(theirs)
    random.shuffle(theirs)
    assert [id(pair) for pair in ours] == [id(pair) for pair in theirs]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 1000, 2**16 + 1])
def test_shuffle_is_pythons_own(n):
    for start in range(20 if n < 100 else 2):
        random.seed(start)
        expected = list(range(n))
        random.shuffle(expected)
        state = random.getstate()
        random.seed(start)
        order = np.arange(n)
        shuffle(order)
        assert order.tolist() == expected
        assert random.getstate() == state


def test_assigned_weights_are_trained():
    sizes = [4, 3, 2]
    data = pairs(sizes, 20, np.random.default_rng(0))
    net = network2.Network(sizes)
    weights = [np.full((3, 4), 0.1), np.full((2, 3), 0.2)]
    net.weights, net.biases = weights, [np.zeros((3, 1)), np.ones((2, 1))]
    expected = book_loop.gradient(net.weights, net.biases, *data[0], "cross_entropy")
    for ours, theirs in zip(reversed(net.backprop(*data[0])), expected, strict=True):
        for nabla, reference in zip(ours, theirs, strict=True):
            assert_allclose(nabla, reference, **TIGHT)
    seed(0)
    expected = book_loop.train(net.weights, net.biases, list(data), 2, 5, 0.5)
    seed(0)
    quietly(net.SGD, data, 2, 5, 0.5)
    assert_same(net, *expected)
    assert_array_equal(weights[1], 0.2)  # the arrays that were assigned are left alone
    net.weights = [np.ones((3, 5)), np.ones((2, 4))]
    with pytest.raises(ValueError, match=r"weights\[1\].*\(n, 3\)"):
        net.SGD(data, 1, 5, 0.5)


class CubicCost:
    """A cost of a user's own: sum |a - y|^3 / 3."""

    @staticmethod
    def fn(a, y):
        return np.sum(np.abs(a - y) ** 3) / 3

    @staticmethod
    def delta(z, a, y):
        return (a - y) * np.abs(a - y) * network2.sigmoid_prime(z)


def test_a_cost_of_ones_own_goes_through_the_loop():
    sizes, rng = [4, 3, 2], np.random.default_rng(2)
    data = pairs(sizes, 12, rng)
    seed(2)
    net = network2.Network(sizes, cost=CubicCost)
    h, w = 1e-6, net.weights[0]
    slope = net.backprop(*data[0])[1][0][1, 2]
    costs = []
    for step in (h, -h):
        net.weights[0] = w.copy()
        net.weights[0][1, 2] += step
        costs.append(net.total_cost(data[:1], 0.0))
    assert_allclose(slope, (costs[0] - costs[1]) / (2 * h), rtol=1e-6)
    before = net.total_cost(data, 0.0)
    (_, _, cost, _), _ = quietly(net.SGD, data, 5, 4, 1.0, monitor_training_cost=True)
    assert cost[-1] < before


def test_both_roads_lead_to_the_same_weights():
    class Watched(network2.Network):
        calls = 0

        def backprop(self, x, y):
            self.calls += 1
            return super().backprop(x, y)

    sizes = [5, 4, 3]
    data = pairs(sizes, 23, np.random.default_rng(3))
    nets = []
    for kind in (network2.Network, Watched):
        seed(4)
        nets.append(kind(sizes))
        quietly(nets[-1].SGD, list(data), 2, 5, 0.5, 1.0)
    assert nets[1].calls == 46
    assert_same(nets[0], nets[1].weights, nets[1].biases)


def test_a_subclass_with_its_own_feedforward_is_asked():
    class Contrary(network.Network):
        def feedforward(self, a):
            return -super().feedforward(a)

    test = pairs([4, 2], 30, np.random.default_rng(1), "labels")
    seed(1)
    net, contrary = network.Network([4, 2]), None
    contrary = Contrary([4, 2])
    contrary.weights, contrary.biases = net.weights, net.biases
    assert net.evaluate(test) + contrary.evaluate(test) == 30


def test_files_are_the_books(tmp_path):
    net = network2.Network([3, 4, 2], cost=network2.QuadraticCost)
    net.save(tmp_path / "net.json")
    saved = json.loads((tmp_path / "net.json").read_text())
    assert list(saved) == ["sizes", "weights", "biases", "cost"]
    assert saved["sizes"] == [3, 4, 2]
    assert saved["cost"] == "QuadraticCost"
    assert saved["biases"][1] == [[b] for b in net.biases[1].ravel()]
    again = network2.load(tmp_path / "net.json")
    assert again.cost is network2.QuadraticCost
    for ours, theirs in zip(again.weights + again.biases, net.weights + net.biases, strict=True):
        assert_array_equal(ours, theirs)
    (tmp_path / "other.json").write_text('{"sizes": [1]}')
    with pytest.raises(ValueError, match="biases, cost, weights"):
        network2.load(tmp_path / "other.json")
    saved["cost"] = "sys"
    (tmp_path / "other.json").write_text(json.dumps(saved))
    with pytest.raises(ValueError, match="'sys'"):
        network2.load(tmp_path / "other.json")


def test_cost_of_saturated_outputs_is_the_books():
    net = network2.Network([1, 1])
    net.weights, net.biases = [np.array([[100.0]])], [np.zeros((1, 1))]
    assert net.total_cost([(np.ones((1, 1)), np.ones((1, 1)))], 0.0) == 0.0
    worst = net.total_cost([(np.ones((1, 1)), np.zeros((1, 1)))], 0.0)
    assert worst == np.finfo(float).max


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "no examples"),
        ([(np.zeros(4), np.zeros((2, 1)))], r"x of the examples.*\(4,\)"),
        ([(np.zeros((3, 1)), np.zeros((2, 1)))], r"x of the examples.*\(4, 1\)"),
        ([(np.zeros((4, 1)), np.zeros((3, 1)))], r"y of the examples.*\(2, 1\)"),
        ([(np.full((4, 1), np.nan), np.zeros((2, 1)))], "x of the examples.*NaN"),
        ([(np.zeros((4, 1)), 1)], r"y of the examples: got shape \(\)"),
    ],
)
def test_unusable_examples_are_refused(data, text):
    net = network.Network([4, 2])
    before = [w.copy() for w in net.weights]
    with pytest.raises(ValueError, match=text):
        net.SGD(data, 1, 10, 1.0)
    for ours, theirs in zip(net.weights, before, strict=True):
        assert_array_equal(ours, theirs)


def test_weights_that_overflow_end_nothing():
    """The book's example of a lambda that is far too large prints 10 / 100 for all 30 epochs."""

    class Loop(network2.Network):
        def backprop(self, x, y):
            return super().backprop(x, y)

    outputs = []
    for kind in (network2.Network, Loop):
        data = pairs([4, 2], 20, np.random.default_rng(0))
        evaluation = [(x, int(np.argmax(y))) for x, y in data]
        seed(0)
        net = kind([4, 2])
        output = io.StringIO()
        with contextlib.redirect_stdout(output), np.errstate(all="ignore"):
            answer = net.SGD(
                data, 30, 1, 1.0, lmbda=1e3, evaluation_data=evaluation,
                monitor_evaluation_accuracy=True,
            )  # fmt: skip
        outputs.append((output.getvalue(), answer))
        assert np.isnan(net.weights[0]).any()
    assert outputs[0] == outputs[1]


def test_loader(monkeypatch):
    monkeypatch.setattr(mnist_loader, "load_mnist", load_mnist_sample)
    sample = load_mnist_sample()
    (images, digits), validation, test = mnist_loader.load_data()
    assert images.dtype == np.float32
    assert_array_equal(images * 256, sample.train_images[: len(images)])
    assert (len(images), len(validation[0]), len(test[0])) == (4166, 834, 1000)
    training_data, validation_data, test_data = mnist_loader.load_data_wrapper()
    (x, y), (x_test, y_test) = training_data[7], test_data[7]
    assert x.shape == x_test.shape == (784, 1)
    assert_array_equal(y, network2.vectorized_result(digits[7]))
    assert y_test == sample.test_labels[7]
    assert [len(data) for data in (training_data, validation_data, test_data)] == [4166, 834, 1000]


def test_scripts_run_unedited(tmp_path):
    (tmp_path / "script.py").write_text(
        "import sys, mnist_loader, network, network2\n"
        "print(network2.Network([2, 1]).sizes, mnist_loader.vectorized_result(3)[3], sys.argv)\n"
        "print(__name__, network.Network.__module__)\n"
    )

    def run(*arguments):
        command = [sys.executable, "-W", "error", "-m", "fastbp.nndl", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    script = tmp_path / "script.py"
    done = run(script, "--fast")
    assert done.stdout.splitlines() == [
        f"[2, 1] [1.] ['{script}', '--fast']",
        "__main__ fastbp.nndl.network",
    ]
    missing = run(tmp_path / "nothing.py")
    assert missing.returncode == 2
    assert len(missing.stderr.splitlines()) == 1
