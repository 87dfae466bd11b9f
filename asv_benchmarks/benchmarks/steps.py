"""A training step of each cell in compiled code: no Python, rows of X in the cache."""

from .cells import CELLS


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
        return measured({name: Work(loop.run, loop.flops) for name, loop in loops.items()})

    def track_microseconds(self, rates, cell):
        return rates[cell].seconds * 1e6

    track_microseconds.unit = "us"

    def track_fraction_of_peak(self, rates, cell):
        return rates[cell].fraction_of_peak

    track_fraction_of_peak.unit = "of the FMA peak"

    def track_times_the_limit(self, rates, cell):
        return rates[cell].times_the_limit

    track_times_the_limit.unit = "times the time at the FMA peak"
