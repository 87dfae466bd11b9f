"""The call of the kernel `train`: the arrays it works in, its threads, and how many steps it makes.

MLP.fit, the drop-in for scikit-learn and the book's networks all train by it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastbp.architecture import Architecture
from fastbp.interrupts import Interrupts
from fastbp.kernels import epoch, layout
from fastbp.pace import Pace
from fastbp.threads import Crew
from fastbp.validation import Array
from fastbp.workspace import Workspace

__all__ = ["Stepper"]


class Stepper:
    """Arrays whose contents no step leaves to the next, and the threads that work in them.

    Parameters
    ----------
    net : Architecture
    batch_size : int
    threads : int
        As many as there may be.
    is_free : bool
        Whether fewer may do.
    clips : bool
        Whether the rule clips by norm, for which the whole gradient is stored.
    most : float
        Steps that a call may make.

    Attributes
    ----------
    pace : Pace
        Of the calls of `make`.
    workspace : Workspace
        Of as many rows as a batch has, and of all threads.
    """

    def __init__(
        self,
        net: Architecture,
        batch_size: int,
        threads: int = 1,
        *,
        is_free: bool = False,
        clips: bool = False,
        most: float = math.inf,
    ) -> None:
        self.pace = Pace(net, batch_size, most)
        self._crew = Crew(threads, is_free)
        self.workspace = Workspace(net, batch_size, threads, trains=True)
        self._gradient = layout.aligned_zeros(net.n_parameters if clips else 0, net.dtype)
        self._barrier = layout.aligned_zeros(16, np.int64)

    def make(
        self,
        first: int,
        last: int,
        data: Any,
        passes: Any,
        rule: Any,
        changed: tuple[Array, Array],
        reports: Array,
        interrupts: Interrupts,
    ) -> int:
        """Make steps first..last-1 of the passes, and return the kernel's status.

        What changes is the parameters and the optimizer's state, and the reports of the passes.
        """

        def call(parameters: Array, state: Array) -> int:
            table, arena = self.workspace.table, self.workspace.arena
            model = epoch.Model(parameters, state, self._gradient, arena)
            self._barrier[:] = 0

            def on_thread(thread: int, threads: int) -> int:
                team = epoch.Team(self._barrier, thread, threads)
                answer = epoch.train(table, model, data, passes, rule, first, last, reports, team)
                return int(answer)

            return self._crew.run(on_thread)

        return interrupts.step(self.pace.is_long, changed, call)
