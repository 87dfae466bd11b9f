"""Learning rates as functions of time, which is measured in epochs.

Step i of the n steps of epoch e (both from 0) happens at time t = e + i/n, so a schedule means the
same for every batch size. eta_0 is the argument `learning_rate`. Schedules are descriptions and
never change: what plateau.py's must remember is a tuple of floats that training keeps for it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fastbp.validation import Array, integer, message, number, set_checked, shown

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "Memory",
    "Schedule",
    "Step",
    "Warmup",
    "as_schedule",
]

Memory = tuple[float, ...]


class Schedule(ABC):
    """What all schedules can be asked."""

    @abstractmethod
    def rate(self, time: Array, memory: Memory) -> Array:
        """Return eta at each of these times, in epochs."""

    def rates(self, epoch: int, steps: int, memory: Memory = ()) -> Array:
        """Return the learning rate of each step of an epoch.

        Parameters
        ----------
        epoch : int
            The epoch, counted from 0.
        steps : int
            Its number of optimizer steps.
        memory : tuple of float
            What `observe` returned after the epoch before; `start()` before the first.

        Returns
        -------
        ndarray of float64, (steps,)

        Raises
        ------
        ValueError
            If `rate` returns something else: of one's own schedule too, nothing has been trained.
        """
        given = self.rate(epoch + np.arange(steps) / steps, memory)
        rates = np.ascontiguousarray(given, np.float64)
        if rates.shape != (steps,) or not 0 <= rates.min() <= rates.max() < np.inf:
            got = f"{shown(given)} from {type(self).__name__}.rate"
            expected = f"finite numbers of at least 0, of shape ({steps},), as the times have"
            raise ValueError(message("learning_rate", got, expected))
        return rates

    def start(self) -> Memory:
        """Return what to remember before the first epoch."""
        return ()

    def observe(self, memory: Memory, logs: Mapping[str, float]) -> Memory:
        """Return what to remember after an epoch that recorded `logs`."""
        return memory

    @property
    def monitored(self) -> str | None:
        """The name in `logs` that `observe` reads, if any."""
        return None


@dataclass(frozen=True)
class Constant(Schedule):
    """eta(t) = eta_0.

    Parameters
    ----------
    learning_rate : float
        eta_0 >= 0.

    Examples
    --------
    >>> from fastbp import Constant
    >>> Constant(0.5).rates(epoch=0, steps=3).tolist()
    [0.5, 0.5, 0.5]
    """

    learning_rate: float

    def __post_init__(self) -> None:
        set_checked(self, learning_rate=number("learning_rate", self.learning_rate))

    def rate(self, time: Array, memory: Memory) -> Array:
        return np.full(len(time), self.learning_rate)


@dataclass(frozen=True)
class Step(Schedule):
    """eta(t) = eta_0 * factor^floor(t / every): a drop every so many epochs.

    Parameters
    ----------
    learning_rate : float
        eta_0 >= 0.
    every : int
        Epochs between drops.
    factor : float
        In (0, 1].

    Examples
    --------
    >>> from fastbp import Step
    >>> [float(Step(0.8, every=2, factor=0.5).rates(epoch, 1)[0]) for epoch in range(5)]
    [0.8, 0.8, 0.4, 0.4, 0.2]
    """

    learning_rate: float
    every: int = 10
    factor: float = 0.1

    def __post_init__(self) -> None:
        set_checked(
            self,
            learning_rate=number("learning_rate", self.learning_rate),
            every=integer("every", self.every),
            factor=number("factor", self.factor, 0, 1, above=True),
        )

    def rate(self, time: Array, memory: Memory) -> Array:
        return np.asarray(self.learning_rate * self.factor ** np.floor(time / self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """eta(t) = eta_0 * decay^t: smooth, `decay` from one epoch to the next.

    Parameters
    ----------
    learning_rate : float
        eta_0 >= 0.
    decay : float
        In (0, 1].

    Examples
    --------
    >>> from fastbp import Exponential
    >>> Exponential(0.8, decay=0.25).rates(epoch=1, steps=2).tolist()
    [0.2, 0.1]
    """

    learning_rate: float
    decay: float = 0.95

    def __post_init__(self) -> None:
        set_checked(
            self,
            learning_rate=number("learning_rate", self.learning_rate),
            decay=number("decay", self.decay, 0, 1, above=True),
        )

    def rate(self, time: Array, memory: Memory) -> Array:
        return np.asarray(self.learning_rate * self.decay**time)


@dataclass(frozen=True)
class Cosine(Schedule):
    """eta(t) = minimum + (eta_0 - minimum) (1 + cos(pi t / epochs)) / 2, then `minimum`.

    Loshchilov and Hutter 2017 (SGDR), eq. 5, without restarts.

    Parameters
    ----------
    learning_rate : float
        eta_0 >= 0.
    epochs : int
        When the minimum is reached: as a rule, the epochs of `fit`.
    minimum : float
        The last rate, in [0, eta_0].

    Examples
    --------
    >>> from fastbp import Cosine
    >>> [round(float(Cosine(0.8, epochs=2).rates(epoch, 1)[0]), 3) for epoch in range(4)]
    [0.8, 0.4, 0.0, 0.0]
    """

    learning_rate: float
    epochs: int
    minimum: float = 0.0

    def __post_init__(self) -> None:
        rate = number("learning_rate", self.learning_rate)
        set_checked(
            self,
            learning_rate=rate,
            epochs=integer("epochs", self.epochs),
            minimum=number("minimum", self.minimum, 0, rate),
        )

    def rate(self, time: Array, memory: Memory) -> Array:
        angle = np.pi * np.minimum(time / self.epochs, 1)
        return self.minimum + (self.learning_rate - self.minimum) * (1 + np.cos(angle)) / 2


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """eta(t) = eta_0 / (1 + t)^power.

    Robbins and Monro 1951 ask for power in (1/2, 1]. scikit-learn's "invscaling" has the same form,
    but its t counts training rows, so that the rate drops far faster.

    Parameters
    ----------
    learning_rate : float
        eta_0 >= 0.
    power : float
        At least 0.

    Examples
    --------
    >>> from fastbp import InverseScaling
    >>> [float(InverseScaling(0.8).rates(epoch, 1)[0]) for epoch in (0, 3)]
    [0.8, 0.4]
    """

    learning_rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        set_checked(
            self,
            learning_rate=number("learning_rate", self.learning_rate),
            power=number("power", self.power),
        )

    def rate(self, time: Array, memory: Memory) -> Array:
        return np.asarray(self.learning_rate / (1 + time) ** self.power)


@dataclass(frozen=True)
class Warmup(Schedule):
    """eta(t) = after(t) (s + (1 - s) t / epochs) while t < epochs, then after(t).

    Goyal and others 2017, section 2.2 ("gradual warmup"). The time of `after` runs on during the
    warm-up.

    Parameters
    ----------
    after : Schedule or float
        What is warmed up.
    epochs : float
        How long it takes, above 0.
    start_fraction : float
        s, the part of the rate to begin with, in [0, 1].

    Examples
    --------
    >>> from fastbp import Warmup
    >>> Warmup(0.8, epochs=2, start_fraction=0.5).rates(epoch=0, steps=2).tolist()
    [0.4, 0.5]
    """

    after: Schedule | float
    epochs: float = 1.0
    start_fraction: float = 0.1

    def __post_init__(self) -> None:
        set_checked(
            self,
            after=as_schedule("after", self.after),
            epochs=number("epochs", self.epochs, above=True),
            start_fraction=number("start_fraction", self.start_fraction, 0, 1),
        )

    @property
    def _after(self) -> Schedule:
        return as_schedule("after", self.after)

    def rate(self, time: Array, memory: Memory) -> Array:
        first = self.start_fraction
        ramp = np.minimum(first + (1 - first) * time / self.epochs, 1)
        return self._after.rate(time, memory) * ramp

    def start(self) -> Memory:
        return self._after.start()

    def observe(self, memory: Memory, logs: Mapping[str, float]) -> Memory:
        return self._after.observe(memory, logs)

    @property
    def monitored(self) -> str | None:
        return self._after.monitored


def as_schedule(name: str, value: object) -> Schedule:
    """Return a schedule from a schedule or a number."""
    if isinstance(value, Schedule):
        return value
    if isinstance(value, type) and issubclass(value, Schedule):
        expected = f"an instance, such as {value.__name__}(0.1)"
        raise TypeError(message(name, f"the class {value.__name__}", expected))
    if isinstance(value, str) or not hasattr(value, "__float__"):
        raise TypeError(message(name, shown(value), "a number of at least 0, or a schedule"))
    return Constant(number(name, value))
