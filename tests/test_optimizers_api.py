"""Optimizers as descriptions: arguments, names, and what the kernels are told."""

import math

import pytest
from api_problems import blobs
from numpy.testing import assert_array_equal

from fastbp import Adagrad, Adam, AdamW, Constant, MLP, RMSprop, SGD
from fastbp.kernels import updates
from fastbp.optimizers import as_optimizer, BY_NAME

RULES = [
    (SGD(), "sgd", 0, {"momentum": 0.0, "nesterov": 0}),
    (SGD(0.1, momentum=0.9), "sgd", 1, {"momentum": 0.9, "nesterov": 0}),
    (SGD(0.1, momentum=0.9, nesterov=True), "sgd", 1, {"momentum": 0.9, "nesterov": 1}),
    (Adam(beta1=0.8), "adam", 2, {"momentum": 0.8, "beta2": 0.999, "epsilon": 1e-8}),
    (AdamW(), "adamw", 2, {"momentum": 0.9, "beta2": 0.999, "weight_decay": 0.01}),
    (RMSprop(rho=0.95), "rmsprop", 1, {"momentum": 0.95, "epsilon": 1e-8}),
    (Adagrad(), "adagrad", 1, {"epsilon": 1e-10}),
]


@pytest.mark.parametrize(("optimizer", "name", "slots", "fields"), RULES)
def test_the_kernels_are_told_the_rule(optimizer, name, slots, fields):
    rule = optimizer.rule(0.1, 0.2, 0.3, 0.4)
    assert rule.optimizer == updates.OPTIMIZERS[name]
    assert (rule.l1, rule.l2, rule.max_norm, rule.clip_norm) == (0.1, 0.2, 0.3, 0.4)
    assert {field: getattr(rule, field) for field in fields} == fields
    assert optimizer.slots == slots
    # One compilation serves all optimizers only if the types never vary.
    whole = ("optimizer", "nesterov", "epsilon_hat", "per_row")
    kinds = [int if field in whole else float for field in rule._fields]
    assert [type(value) for value in rule] == kinds


def test_types_do_not_vary_when_a_user_passes_ints():
    rule = Adam(1, beta1=0, beta2=0).rule(0.0, 0.0, 0.0, 0.0)
    assert type(rule.momentum) is type(rule.beta2) is float


@pytest.mark.parametrize("name", updates.OPTIMIZERS)
def test_a_name_means_the_defaults(name):
    X, y = blobs()
    one, other = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    one.fit(X, y, epochs=1, optimizer=name)
    other.fit(X, y, epochs=1, optimizer=type(BY_NAME[name])())
    assert_array_equal(one.parameters, other.parameters)


def test_optimizers_are_values():
    assert Adam(0.1) == Adam(0.1) != Adam(0.2)
    assert Adam() != AdamW()
    assert hash(SGD(1)) == hash(SGD(1.0))
    assert SGD(Constant(0.1)).schedule == SGD(0.1).schedule
    assert type(SGD(1).learning_rate) is float
    with pytest.raises(AttributeError):
        Adam().beta1 = 0.5


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD(-0.1), "learning_rate"),
        (lambda: SGD(math.inf), "learning_rate"),
        (lambda: SGD("0.1"), "learning_rate"),
        (lambda: SGD(None), "learning_rate"),
        (lambda: SGD(Constant), "learning_rate"),
        (lambda: SGD(True), "learning_rate"),
        (lambda: SGD(momentum=1.0), "momentum"),
        (lambda: SGD(momentum=-0.1), "momentum"),
        (lambda: SGD(nesterov=True), "nesterov"),
        (lambda: SGD(momentum=0.9, nesterov="yes"), "nesterov"),
        (lambda: Adam(beta1=1.0), "beta1"),
        (lambda: Adam(beta2=1.5), "beta2"),
        (lambda: Adam(epsilon=0), "epsilon"),
        (lambda: Adam(epsilon=1j), "epsilon"),
        (lambda: AdamW(weight_decay=-1), "weight_decay"),
        (lambda: RMSprop(rho=1), "rho"),
        (lambda: RMSprop(epsilon=0), "epsilon"),
        (lambda: Adagrad(epsilon=math.nan), "epsilon"),
        (lambda: as_optimizer("adamm"), "optimizer.*did you mean 'adam"),
        (lambda: as_optimizer("lbgfs"), "optimizer.*did you mean 'lbfgs"),
        (lambda: as_optimizer("lbfgs"), "optimizer.*use fit"),
        (lambda: as_optimizer(Adam), "optimizer"),
        (lambda: as_optimizer(None), "optimizer"),
    ],
)
def test_arguments_are_checked_at_construction(make, name):
    with pytest.raises((ValueError, TypeError), match=rf"^{name}"):
        make()
