"""Ctrl-C while a net trains: noted at once, heard where nothing is half done.

Python raises KeyboardInterrupt between any two of its instructions: also between those which belong
together, such as a step and its count, or in the middle of starting a thread. While a net trains,
Ctrl-C is therefore heard at the points that training chooses, every 50 ms or so.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TypeVar

import numpy as np

from fastbp.kernels import jit, layout
from fastbp.pace import LONG
from fastbp.threads import start
from fastbp.validation import Array

__all__ = ["Interrupts"]

Result = TypeVar("Result")


class Interrupts:
    """``with Interrupts() as interrupts:`` is for a training.

    Signals reach the main thread only, and a program that handles SIGINT in its own way keeps doing
    so: everywhere else this does nothing. A Ctrl-C that nobody has asked for by the end is raised
    there: the second one, as a rule.

    Parameters
    ----------
    is_brief : bool
        Do nothing here either, since that costs 10 us.
    """

    def __init__(self, is_brief: bool = False) -> None:
        self._is_brief = is_brief
        self._noted = 0
        self._at_once = False
        self._installed = False
        self._copies: list[Array] = []

    def __enter__(self) -> Interrupts:
        if not self._is_brief and threading.current_thread() is threading.main_thread():
            self._installed = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._installed:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._installed and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if error is None:
            self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        # Compiling takes long and leaves nothing half done.
        if self._at_once or jit.is_compiling():
            raise KeyboardInterrupt
        self._noted += 1

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self._noted:
            self._noted -= 1
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """In a block that may take long, and may be left anywhere, hear Ctrl-C at once."""
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def run(self, work: float, call: Callable[[], Result]) -> Result:
        """Call a kernel that makes so many float operations, and hear Ctrl-C afterwards.

        If that may take long, Ctrl-C is heard at once, and the call left alone, to end when it
        ends: so it must write only to what nobody needs then.
        """
        if work > LONG:
            return self._call_apart(call)
        answer = call()
        self.check()
        return answer

    def step(self, is_long: bool, arrays: Sequence[Array], call: Callable[..., Result]) -> Result:
        """Call a kernel that changes arrays, as call(*arrays); Ctrl-C is left to `check`.

        If that is to take long, Ctrl-C is heard at once: the call is given copies, and is left
        alone with them. The arrays change when it is over, so that no step is half made.
        """
        if not (is_long and self._installed):
            return call(*arrays)
        if not self._copies:
            self._copies = [layout.aligned_zeros(array.shape, array.dtype) for array in arrays]
        for copy, array in zip(self._copies, arrays, strict=True):
            np.copyto(copy, array)
            self.check()
        answer = self._call_apart(lambda: call(*self._copies))
        for copy, array in zip(self._copies, arrays, strict=True):
            np.copyto(array, copy)
        return answer

    def _call_apart(self, call: Callable[[], Result]) -> Result:
        """Call in another thread, where there is a Ctrl-C to hear meanwhile."""
        if not self._installed:
            return call()
        future = start(call)
        with self.at_once():
            return future.result()
