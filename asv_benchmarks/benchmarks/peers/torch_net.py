"""PyTorch as its tutorials have it: eager modules, a fused optimizer, rows gathered by index."""

import numpy as np

from ..cells import Cell, first_parameters, one_hot
from .peer import Peer


class Torch(Peer):
    """nn.Sequential, and a loop over batches."""

    modules = ("torch",)

    def __init__(self, cell: Cell, X: np.ndarray, y: np.ndarray) -> None:
        import torch
        from torch import nn

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.torch, self.cell, self.n_outputs = torch, cell, cell.sizes[-1]
        targets = y if cell.output == "softmax" else one_hot(y, self.n_outputs)
        self.X = torch.from_numpy(X)
        self.Y = torch.from_numpy(targets if cell.output == "softmax" else targets.astype("f4"))
        hidden = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}[cell.hidden]
        layers: list[nn.Module] = []
        for n_below, n in zip(cell.sizes[:-1], cell.sizes[1:], strict=True):
            layers += [nn.Linear(n_below, n), hidden()]
        layers.pop()
        if cell.output == "sigmoid" and cell.loss == "quadratic":
            layers.append(nn.Sigmoid())
        self.net = nn.Sequential(*layers)
        self.cost = self.cost_function()
        weights = [p for p in self.net.parameters() if p.ndim == 2]
        biases = [p for p in self.net.parameters() if p.ndim == 1]
        groups = [{"params": weights, "weight_decay": cell.l2}, {"params": biases}]
        if cell.optimizer == "adam":
            self.optimizer = torch.optim.Adam(groups, lr=cell.rate, fused=True)
        else:
            self.optimizer = torch.optim.SGD(
                groups, lr=cell.rate, momentum=cell.momentum, fused=True
            )
        self.first = [
            torch.from_numpy(part.copy()) for W_b in first_parameters(cell) for part in W_b
        ]
        self.restore()

    def cost_function(self):
        """Return the cell's cost; PyTorch averages over outputs, where cells add them up."""
        nn, k = self.torch.nn, self.n_outputs
        if self.cell.output == "softmax":
            return nn.CrossEntropyLoss()
        if self.cell.loss == "quadratic":
            square = nn.MSELoss()
            return lambda a, y: square(a, y) * (k / 2)
        entropy = nn.BCEWithLogitsLoss()
        return lambda z, y: entropy(z, y) * k

    def restore(self) -> None:
        with self.torch.no_grad():
            for parameter, first in zip(self.net.parameters(), self.first, strict=True):
                parameter.copy_(first)

    def warm_up(self) -> None:
        self.step(self.torch.arange(self.cell.batch))

    def epoch(self) -> None:
        for rows in self.torch.randperm(len(self.X)).split(self.cell.batch):
            self.step(rows)

    def step(self, rows) -> None:
        """Gradient and update from some rows of the data."""
        self.optimizer.zero_grad(set_to_none=True)
        X, Y = self.X.index_select(0, rows), self.Y.index_select(0, rows)
        self.cost(self.net(X), Y).backward()
        self.optimizer.step()

    def outputs(self, X: np.ndarray) -> np.ndarray:
        with self.torch.inference_mode():
            out = self.net(self.torch.from_numpy(X))
            if self.cell.output == "softmax":
                out = out.softmax(1)
            elif self.cell.output == "sigmoid" and self.cell.loss == "cross_entropy":
                out = out.sigmoid()
            return out.numpy()

    def value_and_grad(self) -> object:
        self.optimizer.zero_grad(set_to_none=True)
        cost = self.cost(self.net(self.X), self.Y)
        cost.backward()
        return cost.item()
