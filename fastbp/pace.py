"""How much work a call of a kernel is given, so that Ctrl-C is heard in good time."""

from __future__ import annotations

from fastbp.architecture import Architecture

__all__ = ["BRIEF", "LONG", "Pace", "step_work"]

FLOPS_PER_CALL = 2e8  # 2 to 50 ms, by processor and net
# A call that took less seconds may take on twice the steps: calling costs 50 us, and with threads
# three times that. How the steps are divided into calls changes no bit.
SHORT_CALL = 0.02
BRIEF = 1e7  # rows times parameters of a training that one such call makes with ease
LONG = 2e10  # of one call for which Ctrl-C should not have to wait: a tenth of a second, or more


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
        Of the next call; one at least.
    """

    def __init__(self, net: Architecture, batch_size: int) -> None:
        self.steps = max(1, int(FLOPS_PER_CALL // step_work(net, batch_size)))

    def observe(self, steps: int, seconds: float) -> None:
        """Learn from a call. One that the end of an epoch has cut short tells nothing."""
        if steps == self.steps and seconds < SHORT_CALL:
            self.steps *= 2
