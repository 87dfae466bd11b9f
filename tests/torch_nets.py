"""Activations and costs of PyTorch, whose derivatives ours are held against.

The module torch is an argument: who has it not can still import this.
"""


def torch_output(torch, z, output):
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


def torch_cost(torch, z, y, output, loss):
    F = torch.nn.functional
    if loss == "cross_entropy":
        if output == "softmax":
            return F.cross_entropy(z, y, reduction="sum")
        return F.binary_cross_entropy_with_logits(z, y, reduction="sum")
    a = torch_output(torch, z, output)
    if loss == "poisson":  # torch's has no constant; at a = y it is y - y log y
        perfect = y - torch.xlogy(y, y)
        cost = F.poisson_nll_loss(a, y, log_input=False, eps=0, reduction="none")
        return (cost - perfect).sum()
    return {
        "quadratic": lambda: 0.5 * F.mse_loss(a, y, reduction="sum"),
        "absolute": lambda: F.l1_loss(a, y, reduction="sum"),
        "huber": lambda: F.huber_loss(a, y, reduction="sum"),
    }[loss]()
