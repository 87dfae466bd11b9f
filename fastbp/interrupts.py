"""Ctrl-C while a net trains: noted at once, heard where nothing is half done.

Python raises KeyboardInterrupt between any two of its instructions: also between those which belong
together, such as a step and its count, or in the middle of starting a thread. While a net trains,
Ctrl-C is therefore heard at the points that training chooses, every 50 ms or so.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TypeVar

from fastbp.kernels import jit
from fastbp.pace import LONG
from fastbp.threads import start

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
        if self._installed:
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

        If that may take long, another thread calls it. At Ctrl-C it is left alone, and ends when it
        ends: so it must write only to what nobody needs then.
        """
        if work <= LONG or not self._installed:
            answer = call()
            self.check()
            return answer
        future = start(call)
        with self.at_once():
            return future.result()
