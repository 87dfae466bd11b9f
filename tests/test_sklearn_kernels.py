"""What the kernels do for the drop-in only: its Adam, penalties, losses and passes at once."""

import naive
import numpy as np
import pytest
from networks import make_rule, Network, random_vector
from numpy.testing import assert_allclose, assert_array_equal

from fastbp.kernels import epoch, layout, losses

SIZES, ROWS, BATCH = [5, 9, 3], 23, 8
KIND = ("tanh", "softmax", "cross_entropy")


def problem(dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 5)).astype(dtype)
    return X, rng.integers(0, 3, ROWS), rng.uniform(0.5, 2, ROWS).astype(dtype)


def train(rule, *, passes=1, endure=0, weights=None, at_once=False, X=None, y=None, vector=None):
    """Passes over the rows in natural order: parameters and reports (passes, 6)."""
    X, y = (problem()[0], problem()[1]) if X is None else (X, y)
    vector = random_vector(np.random.default_rng(1), SIZES) if vector is None else vector
    net = Network(SIZES, *KIND, vector, np.float64, rows=BATCH)
    data, n_steps = net.data(X, y, weights), -(-ROWS // BATCH)
    model = epoch.Model(net.parameters, np.zeros((2, len(vector))), np.empty(0), net.arena)
    reports, team = np.zeros((passes, 6)), epoch.Team(np.zeros(16, np.int64), 0, 1)
    table = layout.plan_table(net.training_plan)
    order = net.array(np.tile(np.arange(ROWS), (passes, 1)), np.int64)
    rates = net.array(np.full((passes, n_steps), 0.01))
    dropout = net.array(np.zeros(3))
    for first in range(0, passes, passes if at_once else 1):
        some = slice(first, None if at_once else first + 1)
        described = epoch.Passes(
            order[some], BATCH, rates[some], dropout, first * n_steps, 0, endure
        )
        count = len(order[some]) * n_steps
        arguments = table, model, data, described, rule, 0, count, reports[some], team
        assert epoch.train(*arguments) == epoch.OK
    return net.parameters, reports


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_penalties_over_the_weight_of_the_batch(optimizer):
    X, y, weights = problem()
    rule = make_rule(optimizer, l1=0.3, l2=0.7)._replace(epsilon_hat=1, per_row=1)
    trained, reports = train(rule, weights=weights)
    w = random_vector(np.random.default_rng(1), SIZES)
    m = v = mean_costs = penalties = 0.0
    for t, first in enumerate(range(0, ROWS, BATCH), 1):
        rows = slice(first, first + BATCH)
        each, total = weights[rows], weights[rows].sum()
        options = {"sample_weight": each, "l1": 0.3 / total, "l2": 0.7 / total}
        cost, _ = naive.value_and_grad(
            *naive.unflatten(w, SIZES), X[rows], y[rows], *KIND, sample_weight=each
        )
        whole, g = naive.value_and_grad(
            *naive.unflatten(w, SIZES), X[rows], y[rows], *KIND, **options
        )
        mean_costs += len(each) * cost
        penalties += len(each) * (whole - cost)
        if optimizer == "sgd":
            w = w - 0.01 * g
            continue
        # scikit-learn's Adam: epsilon is added to sqrt(v), and never corrected.
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w = w - rate * m / (np.sqrt(v) + 1e-8)
    assert_allclose(trained, w, rtol=1e-11, atol=1e-13)
    assert_allclose(reports[0, epoch.MEAN_COST], mean_costs, rtol=1e-12)
    assert_allclose(reports[0, epoch.PENALTY], penalties, rtol=1e-12)


def test_passes_at_once_are_passes_one_by_one():
    rule = make_rule("adam", l2=0.1)._replace(per_row=1)
    one_by_one, at_once = train(rule, passes=4), train(rule, passes=4, at_once=True)
    assert_array_equal(one_by_one[0], at_once[0])
    assert_array_equal(one_by_one[1], at_once[1])


def test_training_that_endures_goes_on_without_a_finite_cost():
    vector = random_vector(np.random.default_rng(1), SIZES)
    vector[0] = np.nan
    trained, reports = train(make_rule("sgd")._replace(per_row=1), endure=1, vector=vector)
    assert np.isnan(reports[0, epoch.MEAN_COST])
    assert np.isnan(trained).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_log_loss_is_of_probabilities_kept_off_0_and_1(output, dtype):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(ROWS, 5))
    y = np.eye(3)[rng.integers(0, 3, ROWS)]
    vector = 30 * random_vector(rng, SIZES)  # saturates
    net = Network(SIZES, "tanh", output, "cross_entropy", vector, dtype)
    expected = net.value_and_grad(net.data(X, y))
    out = net.forward(X)[1].astype(dtype)
    if output == "sigmoid":  # rounded as there: of 1 - p the last bit of p may be all that is left
        z = Network(SIZES, "tanh", "linear", "quadratic", vector, dtype).forward(X)[1]
        out = 1 / (1 + np.exp(-z.astype(dtype)))
    net.plan = net.plan._replace(loss=losses.LOG_LOSS)
    _, cost, gradient = net.value_and_grad(net.data(X, y))
    eps = np.finfo(dtype).eps
    p = np.clip(out, eps, dtype(1) - eps)
    each = y * np.log(p) + ((1 - y) * np.log(1 - p) if output == "sigmoid" else 0)
    assert_allclose(cost, -each.sum(axis=1).mean(), rtol=20 * eps)
    assert cost < expected[1]
    assert_array_equal(gradient, expected[2])


def test_poisson_error_where_the_output_underflows():
    # a - y, although y / a is more than there are numbers for.
    net = Network([1, 1], (), "exponential", "poisson", [0.0, -800.0], np.float64)
    _, _, gradient = net.value_and_grad(net.data([[1.0]], np.array([[3.0]])))
    assert_array_equal(gradient, [-3, -3])


@pytest.mark.parametrize("threads", [2, 3])
def test_reports_do_not_depend_on_threads(threads):
    X, y, weights = problem()
    results = []
    for n in (1, threads):
        vector = random_vector(np.random.default_rng(1), SIZES)
        net = Network(SIZES, *KIND, vector, np.float64, rows=BATCH, threads=n)
        rule = make_rule("adam", l1=0.1, l2=0.2)._replace(per_row=1)
        results.append(net.train(net.data(X, y, weights), rule, 0.01, BATCH, report_size=6))
    assert_array_equal(results[0].parameters, results[1].parameters)
    assert_array_equal(results[0].report, results[1].report)
