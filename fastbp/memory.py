"""What training remembers, and the arrays it works in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastbp.architecture import Architecture
from fastbp.checkpoint import Snapshot
from fastbp.kernels import layout
from fastbp.optimizers import Optimizer
from fastbp.settings import Settings
from fastbp.stepper import Stepper
from fastbp.validation import Array

__all__ = ["Memory", "Scratch", "fresh_slots", "other_memory", "resumed_slots"]


@dataclass
class Memory:
    """What training knows from the steps before: partial_fit carries it from call to call."""

    optimizer: Optimizer
    slots: Array  # the optimizer's vectors, (slots, n_parameters)
    seed: int  # key of the dropout masks
    schedule: tuple[float, ...]
    steps: int = 0
    epochs: int = 0

    @classmethod
    def fresh(cls, optimizer: Optimizer, net: Architecture, rng: np.random.Generator) -> Memory:
        """Return what is known before the first step."""
        return cls(
            optimizer=optimizer,
            slots=fresh_slots(optimizer.slots, net),
            seed=int(rng.integers(2**63 - 1)),
            schedule=optimizer.schedule.start(),
        )

    @classmethod
    def resumed(cls, optimizer: Optimizer, snapshot: Snapshot) -> Memory:
        """Return what was known when a checkpoint was written, or raise."""
        if len(snapshot.schedule) != len(optimizer.schedule.start()):
            raise other_memory()
        slots = resumed_slots(optimizer.slots, snapshot)
        return cls(
            optimizer, slots, snapshot.seed, snapshot.schedule, snapshot.steps, snapshot.epoch
        )


class Scratch:
    """What a training works in, and what it goes back to: nothing that a step leaves to the next.

    partial_fit keeps them from call to call, since fresh memory costs as much as a few steps.
    """

    def __init__(self, net: Architecture, settings: Settings, memory: Memory) -> None:
        self.key = self.needs(settings, memory)
        self.stepper = Stepper(
            net,
            settings.batch_size,
            settings.threads,
            is_free=settings.asked_threads is None,
            clips=settings.rule.clip_norm > 0,
        )
        self.parameters: Array = np.empty(net.n_parameters, net.dtype)
        self.slots: Array = np.empty_like(memory.slots)

    @staticmethod
    def needs(settings: Settings, memory: Memory) -> tuple[object, ...]:
        """Return what two trainings of a net share if they can use the same arrays."""
        clips = settings.rule.clip_norm > 0
        threads = settings.threads, settings.asked_threads
        return settings.batch_size, threads, clips, memory.slots.shape


def fresh_slots(count: int, net: Architecture) -> Array:
    """Return so many vectors of zeros; an optimizer that remembers none has one of length 0."""
    shape = (count, net.n_parameters) if count else (1, 0)
    slots: Array = layout.aligned_zeros(shape, net.dtype)
    return slots


def resumed_slots(count: int, snapshot: Snapshot) -> Array:
    """Return a checkpoint's vectors, or raise if they are not so many."""
    slots = fresh_slots(count, snapshot.net)
    if snapshot.slots.shape != slots.shape:
        raise other_memory()
    slots[:] = snapshot.slots
    return slots


def other_memory() -> ValueError:
    """Return the error of a checkpoint that another optimizer's training wrote."""
    return ValueError("resume: the checkpoint's optimizer remembers other things than this")
