"""A training step of each cell in compiled code: no Python, rows of X in the cache."""

from functools import cache

from .cells import CELLS
from .sampling import ThreadTime


class Steps:
    """From gathering the rows to the update."""

    params = tuple(CELLS)
    param_names = ("cell",)
    timeout = 600

    def setup_cache(self):
        """Measure a step of every cell."""
        from .kernel_loops import Steps as Loop
        from .measure import measured, Work

        loops = {name: Loop(cell) for name, cell in CELLS.items()}
        rates = measured({name: Work(loop.run, loop.flops) for name, loop in loops.items()})
        return {name: (rates[name], loop.together) for name, loop in loops.items()}

    def track_microseconds(self, rates, cell):
        rate, steps = rates[cell]
        return rate.seconds / steps * 1e6

    track_microseconds.unit = "us"

    def track_fraction_of_peak(self, rates, cell):
        rate, _ = rates[cell]
        return rate.fraction_of_peak

    track_fraction_of_peak.unit = "of the FMA peak"


@cache
def loop_of(cell):
    """Return the steps of a cell."""
    from .kernel_loops import Steps as Loop

    return Loop(CELLS[cell])


class StepTimes(ThreadTime):
    """The same as times."""

    params = Steps.params
    param_names = Steps.param_names

    def setup(self, cell):
        self.loop = loop_of(cell)
        self.loop.run(1)

    def time_steps(self, cell):
        self.loop.run(1)
