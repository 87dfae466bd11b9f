"""The arena in which kernels keep activations and errors, for one thread at a time."""

import threading
from collections.abc import Callable
from typing import Any

from fastbp.architecture import Architecture
from fastbp.kernels import layout
from fastbp.validation import Array

__all__ = ["RWorkspace", "Workspace"]


class Workspace:
    """A net's plan, and one arena that fits it.

    Kernels overwrite the whole arena, so two threads must not share it: the second one gets one of
    its own, for that call.
    """

    __slots__ = ("_busy", "_size", "arena", "rows", "table")

    def __init__(
        self,
        net: Architecture,
        rows: int = layout.BLOCK_ROWS,
        threads: int = 1,
        *,
        trains: bool = False,
        keeps_z: bool = False,
    ) -> None:
        plan = net.plan(rows, threads, trains=trains, keeps_z=keeps_z)
        self.rows, self._size = plan.rows, plan.size
        self.table: Array = layout.plan_table(plan)
        self.arena: Array = self._new_arena(net.dtype)
        self._busy = threading.Lock()

    def _new_arena(self, dtype: Any) -> Array:
        arena: Array = layout.aligned_zeros(self._size, dtype)
        return arena

    def run(self, kernel: Callable[..., Any], parameters: Array, *arguments: Any) -> Any:
        """Call an inference or gradient kernel: kernel(table, parameters, arena, ...)."""
        if not self._busy.acquire(blocking=False):
            return kernel(self.table, parameters, self._new_arena(self.arena.dtype), *arguments)
        try:
            return kernel(self.table, parameters, self.arena, *arguments)
        finally:
            self._busy.release()


class RWorkspace(Workspace):
    """A workspace with a second arena, for R of what is in the first (kernels/hessian.py).

    Only one thread may use it.
    """

    __slots__ = ("r_arena",)

    def __init__(self, net: Architecture) -> None:
        super().__init__(net, keeps_z=True)
        self.r_arena: Array = self._new_arena(net.dtype)

    def run(self, kernel: Callable[..., Any], parameters: Array, *arguments: Any) -> Any:
        """Call a kernel of the R-operator: kernel(table, parameters, arena, v, r_arena, ...)."""
        v, *others = arguments
        return super().run(kernel, parameters, v, self.r_arena, *others)
