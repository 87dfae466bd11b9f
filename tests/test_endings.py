"""How training ends: Ctrl-C, divergence, bad rows; and what it shows and starts meanwhile."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from api_problems import AVAILABLE_CORES, blobs, everything, LEAST_GAIN_ASKED, line
from numpy.testing import assert_array_equal
from stops import press_ctrl_c

from fastbp import DivergenceError, Exponential, MLP, pace, settings, SGD, threads, training


def test_ctrl_c_in_a_callback_ends_fit_with_a_warning():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)

    def interrupt(net, logs):
        if logs["epoch"] == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(UserWarning, match="interrupted in epoch 4"):
        history = net.fit(X, y, epochs=50, callbacks=[interrupt])
    assert history.epochs == 3
    assert np.isfinite(net.parameters).all()
    net.fit(X, y, epochs=1)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_in_the_kernels_ends_fit_soon(n_threads):
    X, y = blobs(rows=3000)
    net = MLP([4, 64, 3], seed=0)
    net.partial_fit(X, y, threads=n_threads)  # nothing compiles below
    timer = threading.Timer(0.1, press_ctrl_c)

    def start(net, logs):
        if logs["epoch"] == 1:
            timer.start()

    with pytest.warns(UserWarning, match="interrupted"):
        history = net.fit(X, y, epochs=10**6, threads=n_threads, callbacks=[start])
    timer.join()
    assert 0 < history.epochs < 10**6
    assert np.isfinite(net.parameters).all()
    assert net.evaluate(X, y).loss < 10
    net.fit(X, y, epochs=1, threads=n_threads)


def test_ctrl_c_comes_out_of_partial_fit():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)

    def interrupt(net, logs):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        net.partial_fit(X, y, callbacks=[interrupt])
    net.partial_fit(X, y)


def test_divergence_names_the_epoch_and_restores_the_last_finite_one(monkeypatch):
    monkeypatch.setattr(pace, "FLOPS_PER_CALL", 1)  # so that steps of the epoch are counted
    X, y = line()
    net = MLP([3, 8, 1], output="linear", loss="quadratic", seed=0)
    kept = {}

    def keep(net, logs):
        kept[logs["epoch"]] = everything(net)

    class Explode(Exponential):  # in the third epoch
        def rate(self, time, memory):
            return np.where(time < 2, 1e-3, 1e18)

    optimizer = SGD(Explode(1e-3), momentum=0.5)
    with pytest.raises(DivergenceError, match=r"epoch 3, step \d+.*clip_norm") as caught:
        net.fit(X, y, epochs=50, batch_size=10, optimizer=optimizer, callbacks=[keep])
    assert caught.value.epoch == 3
    assert 1 <= caught.value.step <= 6
    assert caught.value.history.epochs == 2
    assert isinstance(caught.value, ArithmeticError)
    assert everything(net) == kept[2]
    assert net._memory.steps == 12


def test_divergence_in_the_first_epoch_keeps_the_initial_parameters():
    X, y = line()
    net = MLP([3, 1], output="linear", loss="quadratic", seed=0)
    initial = net.parameters.copy()
    with pytest.raises(DivergenceError, match="epoch 1"):
        net.fit(X, y, optimizer=SGD(1e30), batch_size=5)
    assert_array_equal(net.parameters, initial)
    net.fit(X, y, epochs=1)


def test_a_validation_loss_that_is_not_finite_is_divergence_too():
    X, y = line()
    net = MLP([3, 1], output="linear", loss="quadratic", seed=0)
    initial = net.parameters.copy()
    with pytest.raises(DivergenceError, match="validation_data stopped being finite in epoch 1"):
        net.fit(X, y, validation_data=(X, 1e30 * y))
    assert_array_equal(net.parameters, initial)


def test_divergence_travels_between_processes():
    X, y = line()
    net = MLP([3, 1], output="linear", loss="quadratic", seed=0)
    with pytest.raises(DivergenceError) as caught:
        net.fit(X, y, optimizer=SGD(1e30), batch_size=5)
    copied = pickle.loads(pickle.dumps(caught.value))
    assert str(copied) == str(caught.value)
    assert (copied.epoch, copied.step) == (caught.value.epoch, caught.value.step)


def test_an_overflow_in_the_last_step_of_all_is_divergence_too():
    X, y = line()
    net = MLP([3, 1], output="linear", loss="quadratic", seed=0)
    initial = net.parameters.copy()
    with pytest.raises(
        DivergenceError, match="a parameter stopped being finite in epoch 1, step 1"
    ):
        net.fit(1e10 * X, 1e10 * y, epochs=1, batch_size=60, optimizer=SGD(1e30))
    assert_array_equal(net.parameters, initial)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_row_that_is_not_finite_is_named_and_leaves_everything_as_it_was(method, value):
    X, y = blobs(rows=70)
    net = MLP([4, 5, 3], seed=0)
    net.partial_fit(X, y, optimizer="adam")
    X = X.astype(float)
    X[43, 2] = value
    before = everything(net)
    with pytest.raises(ValueError, match=r"^X: got NaN, infinity .*row 43") as caught:
        getattr(net, method)(X, y, optimizer="sgd", batch_size=8)
    assert caught.value.__suppress_context__  # how it was found is no user's business
    assert everything(net) == before


def test_no_arrays_are_allocated_from_epoch_to_epoch():
    X, y = blobs(rows=5000)
    net = MLP([4, 64, 3], seed=0)
    peaks = []

    def measure(net, logs):
        peaks.append(tracemalloc.get_traced_memory()[1] - tracemalloc.get_traced_memory()[0])
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        net.fit(X, y, epochs=5, callbacks=[measure])
    finally:
        tracemalloc.stop()
    assert max(peaks[2:]) < 20_000  # a row index alone would take 40,000 bytes


# Threads and the progress bar


# What two threads gained, measured.
GAINS = [
    ([784, 30, 10], 10, 0.95), ([784, 30, 10], 128, 1.29), ([784, 100, 10], 32, 1.4),
    ([784, 100, 50, 10], 20, 1.28), ([784, 256, 128, 10], 64, 1.46),
    ([784, 512, 512, 10], 128, 1.6), ([256] * 4 + [10], 64, 1.25),
    ([128] * 5 + [10], 512, 1.21), ([128] * 4 + [10], 64, 0.92),
    ([64] * 6 + [10], 1024, 0.95), ([20, 20, 20, 1], 4096, 0.83), ([20, 20, 20, 1], 16384, 1.02),
    ([2, 64, 64, 1], 1000, 0.73), ([4, 32, 32, 1], 2048, 0.68), ([64, 100, 10], 200, 0.94),
]  # fmt: skip


@pytest.mark.parametrize(("sizes", "batch_size", "gain"), GAINS)
def test_threads_are_chosen_where_they_gain(sizes, batch_size, gain, monkeypatch):
    monkeypatch.setattr(threads, "thread_limit", lambda: 2)
    net = MLP(sizes, output="linear", loss="quadratic").architecture
    monkeypatch.setattr(threads, "LEAST_GAIN_ASKED", LEAST_GAIN_ASKED)
    gains = gain > 1.05
    assert threads.choose_threads(net, batch_size, None) == (2 if gains else 1)
    assert [threads.choose_threads(net, batch_size, n) for n in (1, 3)] == [1, 3 if gains else 1]


def test_a_small_net_is_not_slowed_down_by_the_threads_that_are_asked_for(monkeypatch):
    """[784, 30, 10] would take three times as long for one example by two threads."""
    teams, run = [], threads.Crew.run

    def record(crew, call):
        teams.append(crew.threads)
        return run(crew, call)

    monkeypatch.setattr(threads.Crew, "run", record)
    X, y = blobs(rows=60)
    for least_gain in (threads.LEAST_GAIN_ASKED, LEAST_GAIN_ASKED):
        monkeypatch.setattr(threads, "LEAST_GAIN_ASKED", least_gain)
        MLP([4, 5, 3], seed=0).fit(X, y, epochs=1, threads=2)
    assert teams == [2, 1]


def test_a_crew_shrinks_while_others_keep_a_core_busy(monkeypatch):
    """Threads that sleep look as if somebody else had their cores."""

    def threads_of_calls(crew, count):
        numbers = []

        def call(thread, n_threads):
            numbers.append(n_threads)
            time.sleep(0.005)
            return 0

        for _ in range(count):
            assert crew.run(call) == 0
        return "".join(map(str, numbers))

    monkeypatch.setattr(threads.sys, "platform", "linux")
    assert threads_of_calls(threads.Crew(2, is_free=True), 10) == "2212211221111"
    assert threads_of_calls(threads.Crew(2, is_free=False), 3) == "222222"
    assert threads_of_calls(threads.Crew(1, is_free=True), 2) == "11"
    monkeypatch.setattr(threads.sys, "platform", "win32")
    assert threads_of_calls(threads.Crew(2, is_free=True), 3) == "222222"


@pytest.mark.parametrize("is_free", [True, False])
def test_a_crew_that_shrinks_trains_to_the_same_bits(is_free, monkeypatch):
    X, y = blobs(rows=600)
    monkeypatch.setattr(threads, "LEAST_SHARE", 2.0)  # no thread ever has so much of a core
    monkeypatch.setattr(pace, "SHORT_CALL", 0.0)
    monkeypatch.setattr(settings, "choose_threads", lambda *_: 2)
    net = MLP([4, 30, 3], seed=0)
    net.fit(X, y, epochs=5, batch_size=100, threads=None if is_free else 2)
    alone = MLP([4, 30, 3], seed=0)
    alone.fit(X, y, epochs=5, batch_size=100, threads=1)
    assert_array_equal(net.parameters, alone.parameters)


def test_training_on_threads_starts_no_threading_layer():
    code = (
        "from api_problems import blobs; from fastbp import MLP; "
        "X, y = blobs(); MLP([4, 9, 3], seed=0).fit(X, y, threads=2); "
        "from numba.np.ufunc import parallel; print(parallel._is_initialized)"
    )
    paths = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); "
    done = subprocess.run(
        [sys.executable, "-c", paths + code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_thread_that_ctrl_c_cannot_reach_starts_the_others(monkeypatch):
    starters, run_together = [], threads.run_together

    def record(call, n_threads):
        starters.append(threading.current_thread())
        return run_together(call, n_threads)

    monkeypatch.setattr(threads, "run_together", record)
    assert threads.run_on_threads(lambda thread: thread, 3) == 2
    assert starters
    assert threading.main_thread() not in starters


@pytest.mark.parametrize("is_forbidden", [False, True])
def test_threads_begin_on_cores_of_their_own(is_forbidden, monkeypatch):
    """They may leave them at once, and stay off cores that are not the process's."""
    cores, moves = {1, 2, 5}, []

    def move(pid, to):
        moves.append((threading.get_ident(), set(to)))
        if is_forbidden:
            raise PermissionError

    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda pid: cores, raising=False)
    monkeypatch.setattr(threads.os, "sched_setaffinity", move, raising=False)
    barrier = threading.Barrier(3)
    threads.run_on_threads(lambda thread: barrier.wait() * 0, 3)
    movers = {who for who, _ in moves}
    assert len(movers) == 3
    if not is_forbidden:
        of_each = [[to for who, to in moves if who == mover] for mover in movers]
        assert {frozenset(first) for first, _ in of_each} == {frozenset({core}) for core in cores}
        assert [last for _, last in of_each] == 3 * [cores]


def test_one_thread_stays_where_it_is(monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(threads.os, "sched_setaffinity", refuse, raising=False)
    assert threads.run_on_threads(lambda thread: thread, 1) == 0


def test_what_a_thread_raises_comes_out():
    def call(thread):
        if thread == 1:
            raise ZeroDivisionError
        return 0

    with pytest.raises(ZeroDivisionError):
        threads.run_on_threads(call, 2)


def test_the_progress_bar_shows_on_request_only(capsys):
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    net.fit(X, y, epochs=2)
    net.fit(X, y, epochs=2, progress=False)
    assert capsys.readouterr().err == ""
    net.fit(X, y, epochs=2, progress=True, validation_data=(X, y))
    shown = capsys.readouterr().err
    for part in ("epoch 2/2", "loss=", "val_accuracy=", "examples/s", "100%"):
        assert part in shown


def test_the_progress_bar_shows_on_a_terminal(capsys, monkeypatch):
    X, y = blobs()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    MLP([4, 5, 3], seed=0).fit(X, y, epochs=2)
    assert "epoch 2/2" in capsys.readouterr().err


def test_fit_warns_of_nothing():
    X, y = blobs()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP([4, 5, 3], seed=0).fit(X, y, epochs=2, max_norm=2.0, clip_norm=1.0, l1=1e-4, l2=1e-4)


def test_where_the_system_refuses_a_thread_none_waits_for_it(monkeypatch):
    """Containers limit their number. Those that had begun spun in the kernel's barrier for ever."""
    begun, start_thread = [], threading.Thread.start

    def start(thread):
        begun.append(thread)
        if len(begun) == 3:  # the leader, a second one, and not a third
            raise RuntimeError("can't start new thread")
        start_thread(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    X, y = blobs()
    with pytest.raises(RuntimeError, match="can't start new thread"):
        MLP([4, 5, 3], seed=0).fit(X, y, threads=3)
    for thread in begun[:2]:
        thread.join(10)
        assert not thread.is_alive()


def test_there_are_no_more_threads_than_cores(monkeypatch):
    """On one core, two that wait for each other take up to ten times as long as one."""
    large = MLP([784, 512, 512, 10]).architecture
    assert threads.choose_threads(large, 128, 8) == 8
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    assert [threads.choose_threads(large, 128, n) for n in (1, 2, 8)] == [1, 2, 2]
    monkeypatch.setattr(threads, "available_cores", AVAILABLE_CORES)
    assert 1 <= threads.available_cores() <= os.cpu_count()
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda pid: {5}, raising=False)
    assert threads.available_cores() == 1
    monkeypatch.delattr(threads.os, "sched_getaffinity")
    assert threads.available_cores() == os.cpu_count()


@pytest.mark.parametrize("error", [TypeError, ValueError, MemoryError])
def test_an_error_before_the_first_step_changes_nothing(error, monkeypatch):
    """Neither what partial_fit knows nor the random state: a schedule's, and of memory."""

    def fail(*_):
        raise error

    X, y = blobs()
    net = MLP([X.shape[1], 5, 3], seed=0)
    net.partial_fit(X, y, optimizer="adam")
    before = everything(net)
    place = (training.Scratch, "needs") if error is MemoryError else (Exponential, "rate")
    monkeypatch.setattr(*place, fail)
    with pytest.raises(error):
        net.fit(X, y, optimizer=SGD(Exponential(0.1, 0.9)))
    assert everything(net) == before
