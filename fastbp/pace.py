"""How much work a call of a kernel is given, so that Ctrl-C is heard in good time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from fastbp.architecture import Architecture

__all__ = ["BRIEF", "LONG", "Pace", "step_work"]

FLOPS_PER_CALL = 2e8  # 2 to 50 ms, by processor and net
# A call that took less seconds may take on twice the steps: with all that is around it a call costs
# 50 us, and with threads 700. How the steps are divided into calls changes no bit.
SHORT_CALL = 0.04
BRIEF = 1e7  # rows times parameters of a training that one such call makes with ease
# Ctrl-C should be heard within 0.2 s, so it does not wait for a call that takes so many seconds or,
# before the first one is measured, makes so many float operations, at 30 to 100 a nanosecond.
LONG_CALL = 0.15
LONG = 5e9


def step_work(net: Architecture, batch_size: int) -> float:
    """Float operations of a step, with as many as take the time of all that is not arithmetic.

    Per parameter that is the optimizer's; per row and neuron exp, gathering and costs.
    """
    neurons = sum(net.sizes[1:])
    return 2e3 + 20 * net.n_parameters + batch_size * (500 + 100 * neurons + 6 * net.n_parameters)


class Pace:
    """How many steps a call of a kernel takes on: twice as many while calls are short.

    Attributes
    ----------
    steps : int
        Of the next call; one at least, and at most `most`.
    is_long : bool
        Whether that call is of one step, and yet so long that Ctrl-C should not wait for its end.
    """

    def __init__(self, net: Architecture, batch_size: int, most: float = math.inf) -> None:
        work = step_work(net, batch_size)
        self.most = most
        self.steps = int(max(1, min(FLOPS_PER_CALL // work, most)))
        self.is_long = work > LONG

    def calls(self, steps: int) -> Iterator[tuple[int, int]]:
        """Divide the steps of a pass into calls, first..last-1, and learn from the time of each."""
        last = 0
        while last < steps:
            first, last = last, min(last + self.steps, steps)
            start = time.perf_counter()
            yield first, last
            self.observe(last - first, time.perf_counter() - start)

    def observe(self, steps: int, seconds: float) -> None:
        """Learn from a call. One that the end of an epoch has cut short by half says little."""
        self.is_long = steps == 1 and seconds > LONG_CALL
        is_short = seconds / steps * self.steps < SHORT_CALL
        if is_short and steps > self.steps / 2 and self.steps <= self.most / 2:
            self.steps *= 2
