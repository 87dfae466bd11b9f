"""The loop over iterations behind MLP.fit with LBFGS or NewtonCG."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fastbp.callbacks import Callbacks
from fastbp.checkpoint import Snapshot, write_checkpoints
from fastbp.data import (
    dataset,
    require_finite,
    require_finite_parameters,
    validation_dataset,
)
from fastbp.evaluation import recorded
from fastbp.full_batch import FullBatch
from fastbp.history import History
from fastbp.interrupts import Interrupts
from fastbp.line_search import Point
from fastbp.memory import fresh_slots, other_memory, resumed_slots
from fastbp.objective import Objective
from fastbp.progress import checked_progress, Progress
from fastbp.resuming import restore, resumption
from fastbp.validation import Array, message, number

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["minimize"]


class Minimization:
    """One call of fit with such an optimizer; all arguments have been checked.

    An iteration depends on the net's parameters and the slots alone, which are what a checkpoint
    keeps: cost and gradient are computed anew where training goes on.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: FullBatch,
        slots: Array,
        callbacks: Callbacks,
        described: dict[str, str],
    ) -> None:
        self.objective, self.optimizer, self.slots = objective, optimizer, slots
        self.callbacks, self.described = callbacks, described
        self.net, self.history = objective.net, objective.history
        self.kept = self.net.parameters.copy()  # after the last complete iteration

    def run(self, epochs: int, progress: bool | str) -> None:
        """Iterate until the epochs are over, at a minimum, or when a callback says so."""
        begun, rows = self.history.epochs, len(self.objective.data.X)
        bar = Progress(progress, epochs, rows, begun)
        try:
            point = self.here()
            over = begun == epochs or self.optimizer.is_over(point)
            while not over:
                bar.begin(self.history.epochs + 1)
                start = time.perf_counter()
                after = self.iterate(point)
                seconds = time.perf_counter() - start
                over = after is None
                if after is not None:
                    logs = self.record(after, seconds)
                    bar.advance(rows)
                    bar.show(logs)
                    stops = self.call_back(logs)
                    point = self.here(after)
                    over = stops or self.history.epochs == epochs or self.optimizer.is_over(point)
                if self.history.epochs > begun:
                    write_checkpoints(
                        self.callbacks.checkpoints,
                        self.history.epochs,
                        over,
                        self.snapshot,
                        self.objective.interrupts.check,
                    )
                self.objective.interrupts.check()
        finally:
            self.net.parameters[:] = self.kept  # a line search may have ended elsewhere
            bar.close()

    def iterate(self, point: Point) -> Point | None:
        """Return the next point, None where there is none, or raise."""
        try:
            with np.errstate(over="raise", invalid="raise"):
                return self.optimizer.iterate(self.objective, point, self.slots)
        except FloatingPointError:
            self.objective.diverge("the length of the gradient")

    def here(self, known: Point | None = None) -> Point:
        """Return the net's parameters as a point, which most often is known."""
        parameters = self.net.parameters
        if known is not None and np.array_equal(parameters, known.parameters):
            return known
        require_finite_parameters(parameters)
        return self.objective.evaluate(parameters)

    def record(self, point: Point, seconds: float) -> dict[str, float]:
        """Note in the history where an iteration has led."""
        self.net.parameters[:] = point.parameters
        logs = self.objective.scores()
        rows = len(self.objective.data.X)
        logs |= {"seconds": seconds, "examples_per_second": rows / seconds}
        self.kept[:] = point.parameters
        self.net._memory = None  # of a training with another optimizer
        self.history.append(logs)
        return logs

    def call_back(self, logs: Mapping[str, float]) -> bool:
        """Call the callbacks, which may set the net's parameters; return whether to stop."""
        try:
            with self.objective.interrupts.at_once():
                return self.callbacks.epoch_end(self.net, {**logs, "epoch": self.history.epochs})
        finally:
            self.kept[:] = self.net.parameters

    def snapshot(self) -> Snapshot:
        """Return what is known after an iteration."""
        return Snapshot(
            self.net.architecture,
            self.kept,
            self.slots,
            epoch=self.history.epochs,
            steps=self.history.epochs,
            seed=0,
            schedule=(),
            random_state=dict(self.net._rng.bit_generator.state),
            history=self.history.to_dict(),
            settings=self.described,
            callbacks=self.callbacks.states(),
        )


def minimize(
    net: MLP,
    X: object,
    y: object,
    *,
    epochs: int,
    optimizer: FullBatch,
    l2: object,
    validation_data: object,
    sample_weight: object,
    class_weight: object,
    callbacks: object,
    progress: object,
    resume: object,
    unused: Mapping[str, object],
) -> History:
    """Do what MLP.fit says with a full-batch optimizer.

    `unused` are fit's other arguments: those which mean nothing to a minimizer of a smooth cost
    that does not change from step to step must be off.
    """
    for name, value in unused.items():
        is_number = isinstance(value, (int, float, np.number))
        if not (value is None or (is_number and value == 0)):
            got = f"{value!r} with {type(optimizer).__name__}"
            raise ValueError(message(name, got, "it to be off", "use SGD or Adam"))
    with net._guard:
        architecture = net.architecture
        data = dataset(architecture, X, y, sample_weight, class_weight)
        require_finite(data.X)
        validation = validation_dataset(architecture, validation_data)
        called, shown, l2 = Callbacks(callbacks), checked_progress(progress), number("l2", l2)
        settings = {"optimizer": optimizer, "l2": l2}
        snapshot, told = resumption(
            architecture, data, validation, settings, called, resume, epochs
        )
        if snapshot is None:
            require_finite_parameters(net.parameters)
            slots = fresh_slots(optimizer.slots, architecture)
        else:
            slots = resumed_slots(optimizer.slots, snapshot)
        if not optimizer.could_remember(slots):
            raise other_memory()
        called.begin(net, recorded(architecture, data, validation))
        with Interrupts() as interrupts:
            for checkpoint in called.checkpoints:
                checkpoint.prepare()
            history, is_over = History(), False
            if snapshot is not None:
                is_over = restore(net, snapshot, called)
                net._memory = None  # of other parameters
                history = History(snapshot.history)
            objective = Objective(net, data, validation, l2, interrupts, history)
            interrupted = False
            try:
                if not is_over:
                    Minimization(objective, optimizer, slots, called, told).run(epochs, shown)
            except KeyboardInterrupt:
                interrupted = True
            with interrupts.at_once():
                called.end(net)
        if interrupted:
            warnings.warn(
                f"training was interrupted in iteration {history.epochs + 1}; the net is as "
                f"after the one before",
                stacklevel=3,
            )
        return history
