"""Several processes, other people's threads, and the end of the interpreter."""

import importlib
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
from api_problems import blobs
from numpy.testing import assert_array_equal

from fastbp import MLP

TESTS = Path(__file__).parent


def trained(seed):
    """Bits of a net after a training on two threads, and what it says."""
    X, y = blobs(rows=600)
    net = MLP([4, 30, 3], seed=seed)
    history = net.fit(X, y, epochs=3, batch_size=200, threads=2)
    return net.parameters.tobytes(), history.loss, net.predict(X).tolist()


def answer(connection, work, *arguments):
    """What a child does."""
    try:
        connection.send(work(*arguments))
    except BaseException as error:
        connection.send(repr(error))


def in_a_child(context, work, *arguments):
    """What a function answers in a process of its own."""
    ours, theirs = context.Pipe()
    child = context.Process(target=answer, args=(theirs, work, *arguments))
    child.start()
    assert ours.poll(300), "the child hangs"
    result = ours.recv()
    child.join(60)
    assert child.exitcode == 0
    return result


needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)
# Python 3.12 warns of any fork of a process with threads, such as tqdm's or pytest's.
ignores_threads = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@needs_fork
@ignores_threads
def test_a_fork_after_fit_trains_to_the_same_bits():
    expected = trained(0)
    assert in_a_child(multiprocessing.get_context("fork"), trained, 0) == expected


@needs_fork
@ignores_threads
def test_a_net_goes_on_in_both_processes_after_a_fork():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    net.partial_fit(X, y)

    def go_on():
        net.partial_fit(X, y, threads=2)
        return net.parameters.tobytes()

    theirs = in_a_child(multiprocessing.get_context("fork"), go_on)
    assert theirs == go_on()


@needs_fork
@ignores_threads
def test_a_fork_in_the_middle_of_a_fit_hangs_nobody():
    X, y = blobs()
    net, other = MLP([4, 5, 3], seed=0), MLP([4, 5, 3], seed=0)
    other.fit(X, y, epochs=1)
    expected = other.predict(X).tolist()
    training, done = threading.Event(), threading.Event()

    def wait(net, logs):
        training.set()
        assert done.wait(60)

    thread = threading.Thread(target=net.fit, args=(X, y), kwargs={"callbacks": [wait]})
    thread.start()
    assert training.wait(60)
    try:
        with net._workspace._busy, other._workspace._busy:
            context = multiprocessing.get_context("fork")
            assert in_a_child(context, lambda: other.predict(X).tolist()) == expected
            said = in_a_child(context, lambda: net.predict(X).tolist())
    finally:
        done.set()
        thread.join()
    assert "another thread is training this net" in said


def test_a_spawned_process_trains_to_the_same_bits():
    assert in_a_child(multiprocessing.get_context("spawn"), trained, 1) == trained(1)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib(backend):
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    net.fit(X, y, epochs=1)

    def predict(net, rows):
        return net.predict_proba(rows)

    with joblib.parallel_config(backend, n_jobs=2):
        fits = joblib.Parallel()(joblib.delayed(trained)(seed) for seed in (0, 1))
        answers = joblib.Parallel()(joblib.delayed(predict)(net, rows) for rows in np.split(X, 3))
    if backend == "loky":  # whose workers would wait for more
        joblib.externals.loky.get_reusable_executor().shutdown()
    assert fits == [trained(0), trained(1)]
    # 30 rows are multiplied otherwise than 90: the last bits differ.
    np.testing.assert_allclose(np.concatenate(answers), net.predict_proba(X), rtol=1e-5)


BESIDE = """
import sys, threading
import numba, numpy as np
from test_processes import trained

@numba.njit(parallel=True)
def add(values):
    total = 0.0
    for i in numba.prange(values.size):
        total += values[i]
    return total

values = np.ones(100_000)
alone = trained(0) if sys.argv[1] == "before" else None
numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
assert add(values) == 100_000
assert numba.threading_layer() == sys.argv[2], numba.threading_layer()
stop, sums = threading.Event(), []

def keep_adding():
    while not stop.is_set():
        sums.append(add(values))

thread = threading.Thread(target=keep_adding)
thread.start()
together = trained(0)
stop.set()
thread.join()
assert set(sums) == {100_000.0}
assert add(values) == 100_000
assert numba.get_num_threads() == min(2, numba.config.NUMBA_NUM_THREADS)
assert alone in (None, together)
sys.stdout.write(together[0].hex())
"""


def run_python(code, *arguments, **environment):
    """Output of a program that finds the tests."""
    environment = {**os.environ, **environment}
    paths = [str(TESTS), str(TESTS.parent), *filter(None, sys.path)]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_installed(layer):
    """Whether numba can load what this layer is made of: TBB, for one, is a library of its own."""
    pool = {"omp": "omppool", "tbb": "tbbpool", "workqueue": "workqueue"}[layer]
    try:
        importlib.import_module(f"numba.np.ufunc.{pool}")
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("layer", [*filter(is_installed, ["omp", "tbb", "workqueue"])])
def test_a_threading_layer_of_numbas_makes_no_difference(layer):
    order = "before" if layer == "omp" else "after"  # of our threads, the layer started
    assert run_python(BESIDE, order, layer, NUMBA_THREADING_LAYER=layer) == trained(0)[0].hex()


AT_THE_END = """
import sys, threading
from api_problems import blobs
from fastbp import MLP

X, y = blobs(rows=600)
n_threads, daemon = int(sys.argv[1]), sys.argv[2] == "daemon"
net = MLP([4, 30, 3], seed=0)
net.partial_fit(X, y, batch_size=200, threads=n_threads)
begun = threading.Event()

def train():
    net.fit(X, y, epochs=10**9 if daemon else 20, batch_size=200, threads=n_threads,
            callbacks=[lambda net, logs: begun.set()])
    sys.stdout.write("trained ")

threading.Thread(target=train, daemon=daemon).start()
assert begun.wait(60)
sys.stdout.write("ends ")
"""


@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_the_interpreter_ends_while_a_daemon_trains(n_threads):
    assert run_python(AT_THE_END, n_threads, "daemon") == "ends "


@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_the_interpreter_waits_for_a_thread_that_trains(n_threads):
    assert sorted(run_python(AT_THE_END, n_threads, "no daemon").split()) == ["ends", "trained"]


def test_bits_are_those_of_this_process():
    """Otherwise the comparisons above would compare anything."""
    assert trained(0) == trained(0)
    assert trained(0) != trained(1)
    X, y = blobs(rows=600)
    net = MLP([4, 30, 3], seed=0)
    net.fit(X, y, epochs=3, batch_size=200)
    assert_array_equal(np.frombuffer(trained(0)[0], np.float32), net.parameters)
