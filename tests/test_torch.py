"""Against PyTorch, where it is installed (conftest.py): derivatives, optimizers and Hessians."""

import naive
import naive_optimizers as optimizers
import numpy as np
import pytest
import test_hessian
import test_naive
import torch
from networks import max_error, Network
from numpy.testing import assert_allclose
from test_naive_optimizers import W
from test_training_kernels import (
    DOUBLE,
    make_data,
    OPTIMIZERS,
    orders,
    RATES,
    STEPS,
    train_by_kernel,
)

from fastbp.kernels.layout import parameter_slices


def torch_output(z, output):
    F = torch.nn.functional
    return {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky_relu": F.leaky_relu,
        "elu": F.elu,
        "selu": F.selu,
        "gelu": F.gelu,
        "silu": F.silu,
        "softplus": F.softplus,
        "linear": lambda z: z,
        "exponential": torch.exp,
        "softmax": lambda z: torch.softmax(z, dim=1),
    }[output](z)


def torch_cost(z, y, output, loss):
    F = torch.nn.functional
    if loss == "cross_entropy":
        if output == "softmax":
            return F.cross_entropy(z, y, reduction="sum")
        return F.binary_cross_entropy_with_logits(z, y, reduction="sum")
    a = torch_output(z, output)
    if loss == "poisson":  # torch's has no constant; at a = y it is y - y log y
        perfect = y - torch.xlogy(y, y)
        cost = F.poisson_nll_loss(a, y, log_input=False, eps=0, reduction="none")
        return (cost - perfect).sum()
    return {
        "quadratic": lambda: 0.5 * F.mse_loss(a, y, reduction="sum"),
        "absolute": lambda: F.l1_loss(a, y, reduction="sum"),
        "huber": lambda: F.huber_loss(a, y, reduction="sum"),
    }[loss]()


@pytest.mark.parametrize("activation", naive.ACTIVATIONS)
@pytest.mark.parametrize(("loss", "output"), naive.VALID_PAIRS)
def test_torch_autograd_agrees(activation, loss, output):
    weights, biases, X, y = test_naive.problem(loss, output, seed=4)
    leaves = [torch.tensor(v, requires_grad=True) for v in (*weights, *biases, X)]
    n = len(weights)
    a = leaves[-1]
    for layer in range(n):
        z = a @ leaves[layer].T + leaves[n + layer]
        a = torch_output(z, activation)
    cost = torch_cost(z, torch.tensor(y), output, loss) / test_naive.BATCH
    cost.backward()

    names = (activation, output, loss)
    value, gradient = naive.value_and_grad(weights, biases, X, y, *names)
    theirs = [leaf.grad.numpy() for leaf in leaves]
    assert_allclose(value, cost.item(), rtol=1e-12)
    assert_allclose(gradient, naive.flatten(theirs[:n], theirs[n:-1]), rtol=1e-11, atol=1e-13)
    nabla_x = naive.input_gradient(weights, biases, X, y, *names)
    assert_allclose(nabla_x, theirs[-1], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_torch_optimizers(name):
    ours, theirs, options = {
        "SGD": (optimizers.SGD(0.1, 0.9), torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
        "Adam": (optimizers.Adam(), torch.optim.Adam, {}),
        "AdamW": (optimizers.AdamW(np.ones(4, dtype=bool)), torch.optim.AdamW, {}),
        "RMSprop": (optimizers.RMSprop(), torch.optim.RMSprop, {}),
        "Adagrad": (optimizers.Adagrad(), torch.optim.Adagrad, {}),
    }[name]
    rng = np.random.default_rng(6)
    w = W
    leaf = torch.tensor(W, requires_grad=True)
    optimizer = theirs([leaf], **options)
    for _ in range(20):
        g = rng.normal(size=4) * [1, 10, 1e-3, 1e-7]
        w = ours.step(w, g)
        leaf.grad = torch.tensor(g)
        optimizer.step()
    assert_allclose(w, leaf.detach().numpy(), rtol=1e-13)


def torch_optimizer(name, weights, biases, rate):
    everything = [*weights, *biases]
    return {
        "sgd": lambda: torch.optim.SGD(everything, rate),
        "momentum": lambda: torch.optim.SGD(everything, rate, momentum=0.9),
        "nesterov": lambda: torch.optim.SGD(everything, rate, momentum=0.9, nesterov=True),
        "adam": lambda: torch.optim.Adam(everything, rate),
        "adamw": lambda: torch.optim.AdamW(
            [{"params": weights}, {"params": biases, "weight_decay": 0.0}], rate, weight_decay=0.1
        ),
        "rmsprop": lambda: torch.optim.RMSprop(everything, rate),
        "adagrad": lambda: torch.optim.Adagrad(everything, rate),
    }[name]()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fifty_steps_of_torch(optimizer):
    """A shallow net and a constant rate.

    So gradients stay away from 0, where a division by sqrt(v) would amplify their rounding; and
    PyTorch's momentum, which keeps v without eta, is ours.
    """
    sizes, batch_size = [13, 17, 3], 7
    vector, X, y, _ = make_data(sizes, 33)
    rate = RATES.get(optimizer, 0.003)
    network = Network(sizes, "tanh", "linear", "quadratic", vector, np.float64, rows=batch_size)
    rule, rates = OPTIMIZERS[optimizer][0], np.full(STEPS, rate)
    trained, _ = train_by_kernel(network, network.data(X, y), rule, rates, batch_size)

    weights, biases = (
        [torch.tensor(v.copy(), requires_grad=True) for v in part]
        for part in naive.unflatten(vector, sizes)
    )
    theirs = torch_optimizer(optimizer, weights, biases, rate)
    for _, steps, order in orders(len(X), batch_size):
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            a = torch.tanh(torch.tensor(X[rows]) @ weights[0].T + biases[0])
            a = a @ weights[1].T + biases[1]
            cost = 0.5 * ((a - torch.tensor(y[rows])) ** 2).sum() / len(rows)
            theirs.zero_grad()
            cost.backward()
            theirs.step()
    numpy = [[v.detach().numpy() for v in part] for part in (weights, biases)]
    assert max_error(trained.parameters, naive.flatten(*numpy)) < DOUBLE


@pytest.mark.parametrize(
    ("loss", "output", "hidden"),
    [(*pair, "tanh") for pair in test_hessian.PAIRS]
    + [("cross_entropy", "softmax", name) for name in test_hessian.HIDDEN],
)
def test_the_full_hessian_of_torch(loss, output, hidden):
    net, X, y, _ = test_hessian.problem(loss, output, hidden)

    def cost(w):
        a = torch.tensor(X)
        for weights, biases in parameter_slices(net.sizes):
            n = biases.stop - biases.start
            z = a @ w[weights].reshape(n, -1).T + w[biases]
            a = torch_output(z, hidden)
        return torch_cost(z, torch.tensor(y), output, loss) / len(X)

    H = torch.autograd.functional.hessian(cost, torch.tensor(net.parameters)).numpy()
    columns = [net.hessian_vector_product(X, y, v) for v in np.eye(net.n_parameters)]
    assert_allclose(np.array(columns), H, rtol=1e-8, atol=1e-8)
