"""What a net is and computes, against the reference in naive.py."""

import copy
import pickle

import naive
import numpy as np
import pytest
from api_problems import blobs, line
from networks import max_error
from numpy.testing import assert_allclose, assert_array_equal

from fastbp import gradient_check, MLP


def test_attributes_describe_the_net():
    net = MLP([4, 5, 3], seed=0)
    assert net.sizes == (4, 5, 3)
    assert net.n_parameters == 4 * 5 + 5 + 5 * 3 + 3
    assert net.dtype == np.float32
    assert net.parameters.shape == (net.n_parameters,)
    assert [w.shape for w in net.weights] == [(5, 4), (3, 5)]
    assert [b.shape for b in net.biases] == [(5,), (3,)]


def test_repr_and_summary_say_what_the_net_is():
    net = MLP([4, 5, 3], activation="tanh", seed=0)
    for part in ("tanh", "softmax", "cross_entropy", "float32", "43"):
        assert part in repr(net)
        assert part in net.summary()
    assert "[4, 5, 3]" in repr(net)
    assert "(5, 4)" in net.summary()


def test_weights_and_biases_are_live_views():
    net = MLP([2, 3, 2], seed=0)
    X = [[0.3, -0.2]]
    before = net.forward(X)
    net.weights[0][:] = 0
    net.biases[1][:] = [2, -2]
    assert_array_equal(net.parameters[:6], 0)
    assert not np.array_equal(net.forward(X), before)
    assert_array_equal(net.parameters[-2:], [2, -2])
    net.parameters[:] = 0
    assert not net.biases[1].any()
    assert_array_equal(net.forward(X), [[0.5, 0.5]])


def test_assigning_parameters_copies_in():
    net = MLP([2, 3, 2], seed=0)
    vector, held = np.arange(net.n_parameters), net.parameters
    net.parameters = vector
    assert net.parameters is held
    assert_array_equal(net.weights[0], [[0, 1], [2, 3], [4, 5]])
    vector[:] = 0
    assert net.parameters[-1] == net.n_parameters - 1


NETS = [
    ([4, 6, 3], "relu", "softmax", "cross_entropy"),
    ([4, 6, 5, 3], ["tanh", "gelu"], "softmax", "cross_entropy"),
    ([4, 7, 3], "sigmoid", "sigmoid", "quadratic"),
    ([4, 6, 3], "silu", "sigmoid", "cross_entropy"),
    ([4, 3], "relu", "linear", "huber"),
    ([4, 5, 1], "elu", "sigmoid", "cross_entropy"),
]


# Less than a hundred roundings of 6e-8 or 1e-16, in sums of 300 terms at the most.
@pytest.mark.parametrize(("sizes", "activation", "output", "loss"), NETS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 5e-6), ("float64", 1e-14)])
def test_everything_computed_agrees_with_the_reference(
    sizes, activation, output, loss, dtype, tolerance
):
    net = MLP(sizes, activation=activation, output=output, loss=loss, dtype=dtype, seed=3)
    X, y = blobs(rows=300, n_classes=max(2, sizes[-1]))
    X = X.astype(dtype)
    weights = [w.astype(float) for w in net.weights]
    biases = [b.astype(float) for b in net.biases]
    kind = (activation, output, loss)

    outputs = naive.forward(weights, biases, X, activation, output)[1][-1]
    assert max_error(net.forward(X), outputs) < tolerance
    s = np.random.default_rng(0).uniform(0.1, 2, len(X)).astype(dtype)
    cost, gradient = net.value_and_grad(X, y, sample_weight=s, l1=0.01, l2=0.1)
    expected, slopes = naive.value_and_grad(
        weights, biases, X, y, *kind, sample_weight=s, l1=0.01, l2=0.1
    )
    assert cost == pytest.approx(expected, rel=tolerance)
    assert max_error(gradient, slopes) < tolerance
    dX = naive.input_gradient(weights, biases, X, y, *kind)
    assert max_error(net.input_gradient(X, y), dX) < tolerance
    errors = naive.layer_errors(weights, biases, X, y, *kind)
    for delta, reference in zip(net.layer_errors(X, y), errors, strict=True):
        assert max_error(delta, reference) < tolerance


def test_labels_and_one_hot_targets_cost_the_same():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    by_label, by_target = net.value_and_grad(X, y), net.value_and_grad(X, np.eye(3)[y])
    assert by_label[0] == by_target[0]
    assert_array_equal(by_label[1], by_target[1])


def test_a_softmax_net_predicts_class_indices():
    X, _ = blobs()
    net = MLP([4, 5, 3], seed=0)
    proba = net.predict_proba(X)
    assert net.predict(X).dtype == np.int64
    assert_array_equal(net.predict(X), proba.argmax(axis=1))
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)


def test_one_sigmoid_output_with_cross_entropy_predicts_two_classes():
    X, _ = blobs()
    net = MLP([4, 5, 1], output="sigmoid", seed=0)
    a = net.forward(X)
    assert net.predict(X).dtype == np.int64
    assert_array_equal(net.predict(X), (a[:, 0] > 0.5).astype(int))
    assert_array_equal(net.predict_proba(X), np.hstack([1 - a, a]))


@pytest.mark.parametrize(
    ("n_outputs", "output", "loss"),
    [(2, "sigmoid", "cross_entropy"), (1, "sigmoid", "quadratic"), (1, "linear", "huber")],
)
def test_other_nets_predict_what_forward_returns(n_outputs, output, loss):
    X, _ = blobs()
    net = MLP([4, 5, n_outputs], output=output, loss=loss, seed=0)
    assert_array_equal(net.predict(X), net.forward(X))
    with pytest.raises(ValueError, match="predict_proba"):
        net.predict_proba(X)


def test_evaluate_returns_the_cost_and_accuracy_of_a_classifier():
    X, y = blobs(rows=301)
    net = MLP([4, 5, 3], seed=0)
    loss, accuracy = net.evaluate(X, y)
    assert loss == pytest.approx(-np.log(net.forward(X)[np.arange(301), y]).mean(), rel=1e-5)
    assert accuracy == np.mean(net.predict(X) == y)


def test_evaluate_counts_hits_of_labels_for_any_output():
    X, y = blobs()
    net = MLP([4, 5, 3], output="sigmoid", loss="quadratic", seed=0)
    assert net.evaluate(X, y).accuracy == np.mean(net.forward(X).argmax(axis=1) == y)


def test_evaluate_returns_r2_of_a_regression():
    X, y = line()
    y = np.hstack([y, 1e4 + y**2])
    net = MLP([3, 5, 2], output="linear", loss="quadratic", dtype="float64", seed=0)
    residual = ((y - net.forward(X)) ** 2).sum(axis=0)
    y = y.astype(float)
    expected = 1 - residual / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    assert net.evaluate(X, y).r2 == pytest.approx(expected.mean(), rel=1e-6)


@pytest.mark.parametrize(("target", "r2"), [(0.5, 1.0), (0.25, 0.0)])
def test_r2_of_a_constant_target_is_1_if_it_is_met_and_else_0(target, r2):
    net = MLP([2, 1], output="sigmoid", loss="quadratic", seed=0)
    net.parameters[:] = 0
    assert net.evaluate(np.ones((4, 2)), np.full(4, target)).r2 == r2


def test_an_overflowing_loss_is_returned_as_it_is():
    net = MLP([2, 1], output="linear", loss="quadratic", seed=0)
    loss, r2 = net.evaluate(np.ones((3, 2)), [1e30, -1e30, 2e30])
    assert loss == np.inf
    assert np.isnan(r2)


def test_check_gradient_finds_backpropagation_right():
    X, y = blobs(rows=6)
    check = MLP([4, 5, 3], activation="tanh", seed=0).check_gradient(X, y)
    assert check.error < 1e-6
    assert "worst relative error" in str(check)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (0, (1, "weight", (0, 0))),
        (6, (1, "weight", (1, 2))),
        (22, (1, "bias", (2,))),
        (25 + 7, (2, "weight", (1, 2))),
        (25 + 15 + 2, (2, "bias", (2,))),
    ],
)
def test_check_gradient_says_where_the_worst_error_is(monkeypatch, entry, place):
    X, y = blobs(rows=6)
    net = MLP([4, 5, 3], activation="tanh", seed=0)
    right = gradient_check.backward.value_and_grad

    def wrong(table, parameters, arena, data, l1, l2, gradient):
        answer = right(table, parameters, arena, data, l1, l2, gradient)
        gradient[entry] += 1.0
        return answer

    monkeypatch.setattr(
        gradient_check, "backward", type("backward", (), {"value_and_grad": staticmethod(wrong)})
    )
    check = net.check_gradient(X, y)
    assert (check.layer, check.kind, check.where) == place
    assert check.error > 0.1
    assert check.backpropagated - check.difference == pytest.approx(1, abs=1e-6)


def test_asking_changes_nothing():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    before = net.parameters.tobytes()
    net.check_gradient(X[:3], y[:3])
    net.value_and_grad(X, y)
    net.layer_errors(X, y)
    net.evaluate(X, y)
    assert net.parameters.tobytes() == before


DUPLICATES = [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_copy_is_independent_and_trains_to_the_same_bits(duplicate):
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    net.partial_fit(X, y)
    twin = duplicate(net)
    assert_array_equal(twin.parameters, net.parameters)
    net.partial_fit(X, y)
    assert not np.array_equal(twin.parameters, net.parameters)
    twin.partial_fit(X, y)
    assert_array_equal(twin.parameters, net.parameters)
    twin.weights[0][:] = 0
    assert twin.parameters[0] == 0


class Named(MLP):
    """A user's, with an attribute and a private one."""

    def __init__(self, sizes, name):
        super().__init__(sizes, seed=0)
        self.name, self._notes = name, []


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_copy_has_what_users_and_subclasses_add(duplicate):
    net = Named([4, 3], "first")
    net.extra = {"run": 7}
    net.partial_fit(*blobs())
    twin = duplicate(duplicate(net))
    assert (type(twin), twin.name, twin._notes, twin.extra) == (Named, "first", [], {"run": 7})
    twin.extra["run"] = 8
    assert net.extra == {"run": 7}


def test_a_net_whose_numbers_lie_in_somebodys_file_trains_a_copy():
    """As joblib maps large arrays, and gives them to its workers: they are read-only."""
    X, y = blobs()
    net = MLP([X.shape[1], 8, 3], seed=0)
    net.partial_fit(X, y)
    state = net.__getstate__()
    state["rng"] = copy.deepcopy(state["rng"])
    slots = state["memory"].slots
    slots.flags.writeable = False
    before, other = slots.copy(), MLP.__new__(MLP)
    other.__setstate__(state)
    other.partial_fit(X, y)
    assert_array_equal(slots, before)
    slots.flags.writeable = True
    net.partial_fit(X, y)
    assert_array_equal(other.parameters, net.parameters)


def test_a_subclass_may_set_its_attributes_first():
    class Tagged(MLP):
        def __init__(self, sizes, tag):
            self.tag = tag
            super().__init__(sizes)

    assert copy.deepcopy(Tagged([2, 2], "x")).tag == "x"


def test_numbers_that_are_objects():
    """As a data frame's columns of several types are."""
    X, y = blobs()
    mixed = X.astype(object)
    mixed[:, 0] = X[:, 0] > 0
    plain = np.column_stack([X[:, 0] > 0, X[:, 1:]])
    one, other = MLP([X.shape[1], 3], seed=0), MLP([X.shape[1], 3], seed=0)
    one.fit(mixed, y.astype(object), epochs=2), other.fit(plain, y, epochs=2)
    assert_array_equal(one.parameters, other.parameters)
    mixed[0, 0] = "1"
    with pytest.raises(TypeError, match="X: got an array of dtype object"):
        one.predict(mixed)


def test_numbers_that_underflow_count_as_0_whatever_numpy_is_told():
    X = np.array([[1e-50, 1.0]])
    with np.errstate(all="raise"):
        net = MLP([2, 2], seed=0)
        net.fit(X, [1], sample_weight=[1e-60], epochs=1)
        assert_array_equal(net.forward(X), net.forward([[0.0, 1.0]]))
