"""How many threads train, and how they run: plain Python threads around kernels without the GIL.

No threading layer of numba's is started: none of them survives a fork, or several callers at once,
on every platform.
"""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar

import numba
from numba.np.ufunc import parallel

from fastbp.architecture import Architecture
from fastbp.validation import integer

__all__ = ["Crew", "checked_threads", "choose_threads", "run_on_threads", "start", "thread_limit"]

Result = TypeVar("Result")

MOST_THREADS = 256  # more than any machine can use; a typing error should not start thousands
# Float operations a nanosecond; nanoseconds that it takes two threads to exchange a number, and to
# wait for each other in a layer. By them 15 nets of 1 to 512 neurons a layer, in batches of 10 to
# 16,384, have two threads where these gain 1.2 to 1.6, and one where two would gain 0.7 to 1.05.
FLOPS, NUMBER, LAYER = 130.0, 2.0, 6000.0
# Two must spare so much of the time of one, half of it at best: where it is for us to choose, and
# where the user asks for several.
LEAST_GAIN, LEAST_GAIN_ASKED = 0.05, 0.02
LEAST_SHARE = 0.8  # of a core: on an idle machine a thread has 0.9 to 1
MOST_ALONE = 64  # calls, some 3 seconds


def thread_limit() -> int:
    """Return numba's number of threads, as the user may have set it."""
    # Only a started threading layer can have been told another number, and asking would start it.
    if parallel._is_initialized:
        return int(numba.get_num_threads())
    config: Any = numba.config  # its names are set at run time
    return int(config.NUMBA_NUM_THREADS)


def available_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def checked_threads(threads: object, name: str = "threads") -> int | None:
    """Return the number of threads that a user asks for, or None."""
    return None if threads is None else integer(name, threads, 1, MOST_THREADS)


def choose_threads(net: Architecture, batch_size: int, asked: int | None) -> int:
    """Return the number of threads for the steps of a net: as many as there may be, or one.

    Two halve the time of the arithmetic, but each needs what the other computes of a layer: a step
    of [784, 30, 10] with one example would take three times as long. On one core they would wait
    for each other by turns, and take up to ten times as long.
    """
    alone = 6.0 * net.n_parameters * batch_size / FLOPS
    exchange = NUMBER * batch_size * sum(net.sizes[1:]) + LAYER * net.n_layers
    most, least_gain = thread_limit(), LEAST_GAIN
    if asked is not None:
        most, least_gain = min(asked, available_cores()), LEAST_GAIN_ASKED
    return most if alone / 2 - exchange > least_gain * alone else 1


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


class Crew:
    """Threads that train together, as many as are of use; the bits of a result are always the same.

    Where nobody asked for their number, one trains alone for a while after a call in which others
    kept a core busy: two that wait for each other at every layer take up to twice as long as one
    then. After each call that shows them so again, it does so for twice as many calls.

    Parameters
    ----------
    threads : int
        As many as there may be.
    is_free : bool
        Whether fewer may do.
    """

    def __init__(self, threads: int, is_free: bool) -> None:
        # On Windows a thread's processor time is counted in ticks of 16 ms: too few in a call.
        self.threads, self.is_free = threads, is_free and sys.platform != "win32"
        self.alone, self.longer = 0, 1  # calls to be made by one thread: now, and the next time

    def run(self, call: Callable[[int, int], int]) -> int:
        """Call `call(thread, threads)` as `run_on_threads` does."""
        if self.threads == 1 or self.alone:
            self.alone = max(0, self.alone - 1)
            return call(0, 1)
        shares = [1.0] * self.threads  # of its core that each thread had

        def measured(thread: int) -> int:
            start, busy = time.perf_counter(), time.thread_time()
            answer = call(thread, self.threads)
            shares[thread] = (time.thread_time() - busy) / (time.perf_counter() - start)
            return answer

        answer = run_on_threads(measured, self.threads)
        if self.is_free and min(shares) < LEAST_SHARE:
            self.alone, self.longer = self.longer, min(2 * self.longer, MOST_ALONE)
        else:
            self.longer = 1
        return answer


def run_together(call: Callable[[int], int], threads: int) -> int:
    """Run all calls at once, the first one in this thread and each other in one of its own.

    None is called before all threads have begun: where the system refuses one, as containers do
    that limit their number, those before it would wait for it in the kernel forever.
    """
    all_began: Future[bool] = Future()

    def call_apart(thread: int) -> int:
        if not all_began.result():
            return 0
        move_apart(thread, threads)
        return call(thread)

    try:
        others = [start(partial(call_apart, thread)) for thread in range(1, threads)]
    except BaseException:
        all_began.set_result(False)
        raise
    all_began.set_result(True)
    return max([call_apart(0), *(other.result() for other in others)])


def move_apart(thread: int, threads: int) -> None:
    """Move this thread to another core than its fellows', from where the system may move it on.

    Linux often begins a thread on the core of the one that starts it, and leaves both there for
    some 5 ms, a tenth of a call: with it two threads train [784, 512, 512, 10] 1.25 times as fast.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    first = os.getpid() * threads  # processes that train at once begin on different cores
    with suppress(OSError):  # where that is forbidden
        os.sched_setaffinity(0, {cores[(first + thread) % len(cores)]})
        os.sched_setaffinity(0, cores)
