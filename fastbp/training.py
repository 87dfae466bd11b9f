"""The loop over epochs behind MLP.fit and MLP.partial_fit.

An epoch is a few calls of the kernel epoch.train, each of so many steps that it lasts some 40 to
80 ms (pace.py), so that Ctrl-C is heard and the progress bar moves in between. How the steps are
divided into calls changes no bit of the result. Nothing is allocated between them.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TYPE_CHECKING

import numpy as np

from fastbp.augment import Expansion
from fastbp.checkpoint import Snapshot, write_checkpoints
from fastbp.data import (
    dataset,
    is_mostly_zero,
    refuse_not_finite,
    require_finite,
    require_finite_parameters,
    validation_dataset,
)
from fastbp.errors import DivergenceError
from fastbp.evaluation import (
    ClassifierScores,
    counts_hits,
    evaluate,
    recorded,
    RegressionScores,
)
from fastbp.history import History
from fastbp.interrupts import Interrupts
from fastbp.kernels import epoch as epoch_kernel
from fastbp.memory import Memory, Scratch
from fastbp.monitor import require_recorded
from fastbp.pace import BRIEF
from fastbp.progress import Progress
from fastbp.resuming import restore, resumption
from fastbp.settings import Settings
from fastbp.validation import all_finite, Array, read_only

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["train"]


class Training:
    """One call of fit or partial_fit, all of whose arguments have been checked."""

    def __init__(
        self,
        net: MLP,
        memory: Memory,
        scratch: Scratch,
        data: Any,
        validation: Any,
        settings: Settings,
        interrupts: Interrupts,
    ) -> None:
        self.net, self.memory, self.scratch = net, memory, scratch
        self.interrupts = interrupts
        self.data, self.validation, self.settings = data, validation, settings
        self.history = History()
        self.described: dict[str, str] = {}  # of a training with checkpoints
        self.rows = len(data.X)
        self.steps = -(-self.rows // settings.batch_size)
        self.is_sparse = int(is_mostly_zero(data.X, self.steps))
        self.natural = np.arange(self.rows, dtype=np.int64)
        self.order = self.natural.copy()
        self.report = np.zeros((1, 4))
        self.schedule = settings.optimizer.schedule
        self.expansion: Expansion | None = None
        if settings.augment is not None:
            threads = settings.asked_threads or settings.threads
            self.expansion = Expansion(settings.augment, data.X, memory.seed, threads)
            self.data = data._replace(X=read_only(self.expansion.out))

    def run(self, epochs: int) -> None:
        """Train until the epochs are over or a callback says so."""
        done = self.history.epochs
        progress = Progress(self.settings.progress, epochs, self.rows, done)
        try:
            for epoch in range(done + 1, epochs + 1):
                progress.begin(epoch)
                self.keep()
                self.interrupts.check()  # the first time, a large net takes tenths of a second
                logs = self.train_epoch(progress)
                if self.validation is not None:
                    logs |= self.validate(logs["learning_rate"])
                self.memory.schedule = self.schedule.observe(self.memory.schedule, logs)
                self.memory.epochs += 1
                self.history.append(logs)
                progress.show(logs)
                logs["epoch"] = self.memory.epochs
                stops = False
                if self.settings.callbacks:
                    with self.interrupts.at_once():
                        stops = self.settings.callbacks.epoch_end(self.net, logs)
                write_checkpoints(
                    self.settings.callbacks.checkpoints,
                    epoch,
                    stops or epoch == epochs,
                    self.snapshot,
                    self.interrupts.check,
                )
                self.interrupts.check()
                if stops:
                    break
        finally:
            progress.close()

    def snapshot(self) -> Snapshot:
        """Return what is known after an epoch."""
        net, memory = self.net, self.memory
        return Snapshot(
            net.architecture,
            net.parameters,
            memory.slots,
            epoch=memory.epochs,
            steps=memory.steps,
            seed=memory.seed,
            schedule=memory.schedule,
            random_state=dict(net._rng.bit_generator.state),
            history=self.history.to_dict(),
            settings=self.described,
            callbacks=self.settings.callbacks.states(),
        )

    def train_epoch(self, progress: Progress) -> dict[str, float]:
        """Make one pass over the rows, and return what it measured."""
        memory, size = self.memory, self.settings.batch_size
        rates = read_only(self.schedule.rates(memory.epochs, self.steps, memory.schedule))
        steps_before = memory.steps
        self.report[:] = 0
        start = time.perf_counter()
        if self.expansion is not None:
            for _ in self.expansion.draw(memory.epochs):
                self.interrupts.check()
        if self.settings.shuffle and self.steps > 1:
            # From the natural order, so that an epoch depends on the random state alone.
            self.order[:] = self.natural
            self.net._rng.shuffle(self.order)
        for first, last in self.scratch.stepper.pace.calls(self.steps):
            status = self.make_steps(first, last, rates, steps_before)
            if status == epoch_kernel.INPUT_NOT_FINITE:
                raise NotFinite
            if status == epoch_kernel.COST_NOT_FINITE:
                self.diverge("the loss", int(self.report[0, epoch_kernel.FAILED_STEP]) + 1, rates)
            memory.steps = steps_before + last
            progress.advance(min(last * size, self.rows) - first * size)
            self.interrupts.check()
        seconds = time.perf_counter() - start
        # The last update has had no cost computed after it.
        if not all_finite(self.net.parameters):
            self.diverge("a parameter", self.steps, rates)
        cost, weight, hits = self.report[0, :3].tolist()
        logs = {"loss": cost / weight}
        if counts_hits(self.net.architecture, self.data):
            logs["accuracy"] = hits / weight
        logs["learning_rate"] = float(rates[0])
        logs["seconds"] = seconds
        logs["examples_per_second"] = self.rows / seconds
        return logs

    def make_steps(self, first: int, last: int, rates: Array, steps_before: int) -> int:
        """Make steps first..last-1 of a pass; return the kernel's status."""
        settings, changed = self.settings, (self.net.parameters, self.memory.slots)
        passes = epoch_kernel.Passes(
            read_only(self.order[np.newaxis]),
            settings.batch_size,
            rates[np.newaxis],
            settings.dropout,
            steps_before,
            self.memory.seed,
            is_sparse=self.is_sparse,
        )
        return self.scratch.stepper.make(
            first, last, self.data, passes, settings.rule, changed, self.report, self.interrupts
        )

    def validate(self, rate: float) -> dict[str, float]:
        """Score the net on the validation data."""
        net = self.net

        def score() -> ClassifierScores | RegressionScores:
            return evaluate(net.architecture, net._workspace, net._frozen, self.validation)

        scores = self.interrupts.run(2.0 * net.n_parameters * len(self.validation.X), score)
        if not math.isfinite(scores.loss):
            self.diverge("the loss on validation_data", self.steps, np.array([rate]))
        return {f"val_{name}": value for name, value in scores._asdict().items()}

    def keep(self) -> None:
        """Copy what an epoch changes."""
        np.copyto(self.scratch.parameters, self.net.parameters)
        np.copyto(self.scratch.slots, self.memory.slots)
        self.kept_steps = self.memory.steps
        self.kept_random_state = self.net._rng.bit_generator.state

    def restore(self) -> None:
        """Go back to the beginning of the epoch."""
        np.copyto(self.net.parameters, self.scratch.parameters)
        np.copyto(self.memory.slots, self.scratch.slots)
        self.memory.steps = self.kept_steps
        self.net._rng.bit_generator.state = self.kept_random_state

    def diverge(self, what: str, step: int, rates: Array) -> NoReturn:
        """Go back to the beginning of the epoch, and raise."""
        self.restore()
        if not all_finite(self.net.parameters):
            raise NotFinite
        rate = float(rates[min(step, len(rates)) - 1])
        raise DivergenceError(what, self.memory.epochs + 1, step, rate, self.history)


class NotFinite(Exception):
    """A row of X, or the net before, held NaN or infinity; inside this module only."""


@contextmanager
def unchanged_without_a_step(net: MLP) -> Iterator[None]:
    """Put memory and random state back where an error comes before a step has been made."""
    memory, random_state = net._memory, net._rng.bit_generator.state
    steps = 0 if memory is None else memory.steps
    try:
        yield
    except Exception:
        now = net._memory
        if now is None or now.steps == (steps if now is memory else 0):
            net._memory, net._rng.bit_generator.state = memory, random_state
        raise


def train(
    net: MLP,
    X: object,
    y: object,
    *,
    epochs: int,
    carry_over: bool,
    validation_data: object,
    sample_weight: object,
    class_weight: object,
    resume: object = None,
    **settings: object,
) -> History:
    """Do what MLP.fit says, or, where the optimizer's state carries over, MLP.partial_fit."""
    with net._guard:
        architecture = net.architecture
        data = dataset(architecture, X, y, sample_weight, class_weight)
        validation = validation_dataset(architecture, validation_data)
        chosen = Settings.checked(architecture, len(data.X), **settings)
        if carry_over:
            chosen.callbacks.refuse_checkpoints("partial_fit, which cannot be resumed")
        # What is not finite may be moved out of an image, and be found some epochs later; and
        # nothing goes back to what was before a checkpoint was read.
        looks_first = chosen.augment is not None or resume is not None
        if looks_first:
            require_finite(data.X)
        names = recorded(architecture, data, validation)
        if (monitor := chosen.optimizer.schedule.monitored) is not None:
            require_recorded(monitor, names)
        snapshot, told = resumption(
            architecture, data, validation, chosen.told(), chosen.callbacks, resume, epochs
        )
        chosen.callbacks.begin(net, names)
        # One call of the kernel, in this thread, can be interrupted as any other function.
        is_brief = carry_over and validation is None and chosen.threads == 1
        is_brief = is_brief and len(data.X) * (500 + architecture.n_parameters) <= BRIEF
        with Interrupts(is_brief) as interrupts, unchanged_without_a_step(net):
            for checkpoint in chosen.callbacks.checkpoints:
                checkpoint.prepare()
            memory, scratch, is_over = net._memory, net._scratch, False
            if snapshot is not None:
                memory = Memory.resumed(chosen.optimizer, snapshot)
                is_over = restore(net, snapshot, chosen.callbacks)
            elif not carry_over or memory is None or memory.optimizer != chosen.optimizer:
                memory = Memory.fresh(chosen.optimizer, architecture, net._rng)
            if scratch is None or scratch.key != Scratch.needs(chosen, memory):
                scratch = Scratch(architecture, chosen, memory)
            training = Training(net, memory, scratch, data, validation, chosen, interrupts)
            training.described = told
            if snapshot is not None:
                training.history = History(snapshot.history)
            net._memory, net._scratch = memory, None  # a step that is left alone goes on in it
            interrupted = False
            try:
                if not is_over:
                    training.run(epochs)
                if carry_over:
                    net._scratch = scratch
            except NotFinite:
                training.restore()
                require_finite_parameters(net.parameters)
                refuse_not_finite(data.X)
            except KeyboardInterrupt:
                if carry_over:  # or a loop over partial_fit could not be left
                    raise
                interrupted = True
            if chosen.callbacks:
                with interrupts.at_once():
                    chosen.callbacks.end(net)
        if interrupted:
            warnings.warn(
                f"training was interrupted in epoch {memory.epochs + 1}; the net keeps what it "
                f"has learned so far",
                stacklevel=3,
            )
        return training.history
