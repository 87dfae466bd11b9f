"""The arguments of fit and partial_fit that are not data, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastbp.architecture import Architecture
from fastbp.augment import checked_augment, Distortions
from fastbp.callbacks import Callbacks
from fastbp.optimizers import as_optimizer, Optimizer
from fastbp.progress import checked_progress
from fastbp.threads import checked_threads, choose_threads
from fastbp.validation import Array, boolean, integer, message, number, read_only

__all__ = ["Settings", "dropout_rates"]


@dataclass(frozen=True)
class Settings:
    """How to train; every field has been checked."""

    batch_size: int  # at most the number of rows
    optimizer: Optimizer
    rule: Any  # kernels.updates.Rule
    dropout: Array  # (L + 1,), float64
    shuffle: bool
    augment: Distortions | None
    callbacks: Callbacks
    progress: bool | str
    asked_threads: int | None  # what the user said
    threads: int  # of the steps

    @classmethod
    def checked(
        cls,
        net: Architecture,
        rows: int,
        *,
        batch_size: object,
        optimizer: object,
        l1: object,
        l2: object,
        dropout: object,
        max_norm: object,
        clip_norm: object,
        shuffle: object,
        augment: object,
        callbacks: object,
        progress: object,
        threads: object,
    ) -> Settings:
        """Check the arguments for training on so many rows."""
        chosen = as_optimizer(optimizer)
        require_normal_epsilon(chosen, net)
        size = min(integer("batch_size", batch_size), rows)
        asked = checked_threads(threads)
        return cls(
            batch_size=size,
            optimizer=chosen,
            rule=chosen.rule(
                number("l1", l1),
                number("l2", l2),
                limit("max_norm", max_norm),
                limit("clip_norm", clip_norm),
            ),
            dropout=dropout_rates(dropout, net),
            shuffle=boolean("shuffle", shuffle),
            augment=checked_augment(augment, net),
            callbacks=Callbacks(callbacks),
            progress=checked_progress(progress),
            asked_threads=asked,
            threads=choose_threads(net, size, asked),
        )

    def told(self) -> dict[str, object]:
        """Return what the bits of the result depend on, by the names of fit's arguments."""
        rule = self.rule
        return {
            "optimizer": self.optimizer,
            "batch_size": self.batch_size,
            "l1": rule.l1,
            "l2": rule.l2,
            "dropout": self.dropout[1:-1].tolist(),
            "max_norm": rule.max_norm,
            "clip_norm": rule.clip_norm,
            "shuffle": self.shuffle,
            "augment": self.augment,
        }


def require_normal_epsilon(optimizer: Optimizer, net: Architecture) -> None:
    """Raise where the kernels would take epsilon for 0, and the step of an unused input be 0/0."""
    epsilon, least = optimizer.coefficients()[3], np.finfo(net.dtype).tiny
    if 0 < epsilon < least:
        expected = f"at least {least:.3g}, the least normal number of {net.dtype}"
        raise ValueError(message("epsilon", f"{epsilon:g}", expected))


def limit(name: str, value: object) -> float:
    """Return the limit of a norm, and 0, which the kernels read as no limit, for None."""
    return 0.0 if value is None else number(name, value, above=True)


def dropout_rates(dropout: object, net: Architecture) -> Array:
    """Return the rate of each a^l, l = 0..L, from one rate or one per hidden layer."""
    n_hidden = net.n_layers - 1
    rates = np.zeros(net.n_layers + 1)
    if isinstance(dropout, (list, tuple, np.ndarray)):
        if len(dropout) != n_hidden:
            expected = f"one per hidden layer ({n_hidden})"
            raise ValueError(message("dropout", f"{len(dropout)} rates", expected))
        for layer, rate in enumerate(dropout):
            rates[layer + 1] = number(f"dropout[{layer}]", rate, 0, 1, below=True)
    else:
        rates[1:-1] = rate = number("dropout", dropout, 0, 1, below=True)
        if rate and not n_hidden:
            raise ValueError(message("dropout", f"{rate}", "0 for a net without hidden layers"))
    return read_only(rates)
