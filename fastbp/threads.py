"""How many threads train, and how they run: plain Python threads around kernels without the GIL.

No threading layer of numba's is started: none of them survives a fork, or several callers at once,
on every platform.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar

import numba
from numba.np.ufunc import parallel

from fastbp.validation import integer

__all__ = ["choose_threads", "run_on_threads", "start"]

Result = TypeVar("Result")

MOST_THREADS = 256  # more than any machine can use; a typing error should not start thousands
SHARED_WORK = 5e7  # float operations a step from which a second thread pays


def thread_limit() -> int:
    """Return numba's number of threads, as the user may have set it."""
    # Only a started threading layer can have been told another number, and asking would start it.
    if parallel._is_initialized:
        return int(numba.get_num_threads())
    config: Any = numba.config  # its names are set at run time
    return int(config.NUMBA_NUM_THREADS)


def choose_threads(work: float) -> int:
    """Return the number of threads that suits so many float operations a step."""
    return thread_limit() if work >= SHARED_WORK else 1


def checked_threads(threads: object, work: float) -> int:
    """Return a user's number of threads, or for None the one that suits the work."""
    if threads is None:
        return choose_threads(work)
    return integer("threads", threads, 1, MOST_THREADS)


def start(call: Callable[[], Result]) -> Future[Result]:
    """Call in a thread of its own, and return at once with what will have the answer.

    A pool of concurrent.futures would refuse once the main thread has ended, while others train.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run).start()
    return future


def run_on_threads(call: Callable[[int], int], threads: int) -> int:
    """Call `call(thread)` for each thread in 0..threads-1 at once; return the largest answer.

    The calls wait for each other in a barrier, so all of them must start. Ctrl-C reaches the main
    thread only: for several threads it stands by, and a leader that cannot be interrupted starts
    them. No kernel runs on after an exception.
    """
    if threads == 1:
        return call(0)
    leader = start(lambda: run_together(call, threads))
    try:
        return leader.result()
    finally:
        wait([leader])


def run_together(call: Callable[[int], int], threads: int) -> int:
    """Run all calls at once, the first one in this thread and each other in one of its own."""

    def call_apart(thread: int) -> int:
        move_apart(thread, threads)
        return call(thread)

    others = [start(partial(call_apart, thread)) for thread in range(1, threads)]
    return max([call_apart(0), *(other.result() for other in others)])


def move_apart(thread: int, threads: int) -> None:
    """Move this thread to another core than its fellows', from where the system may move it on.

    Linux often begins a thread on the core of the one that starts it, and leaves both there for
    some 5 ms, a fifth of a call: with it two threads train [784, 512, 512, 10] 1.25 times as fast.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    first = os.getpid() * threads  # processes that train at once begin on different cores
    with suppress(OSError):  # where that is forbidden
        os.sched_setaffinity(0, {cores[(first + thread) % len(cores)]})
        os.sched_setaffinity(0, cores)
