"""Several Python threads, on several nets and on one."""

import asyncio
import copy
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, ExitStack

import numba
import numpy as np
import pytest
from api_problems import blobs, everything
from numpy.testing import assert_array_equal

from fastbp import MLP
from fastbp.guard import Guard
from fastbp.workspace import Workspace

WAYS = {
    "fit": lambda net, X, y: net.fit(X, y, epochs=20),
    "two threads each": lambda net, X, y: net.fit(X, y, batch_size=200, threads=2),
    "dropout": lambda net, X, y: net.fit(X, y, epochs=20, dropout=0.3, clip_norm=1.0),
    "LBFGS": lambda net, X, y: net.fit(X, y, epochs=20, optimizer="lbfgs"),
    "partial_fit": lambda net, X, y: [net.partial_fit(X, y, batch_size=90) for _ in range(20)],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_two_nets_train_at_once_as_they_do_alone(way):
    X, y = blobs(rows=600)

    def trained(seed):
        net = MLP([4, 30, 3], seed=seed)
        way(net, X, y)
        return net.parameters, net.predict_proba(X)

    alone = [trained(0), trained(1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(trained, [0, 1]))
    for one, other in zip(alone, together, strict=True):
        assert_array_equal(one[0], other[0])
        assert_array_equal(one[1], other[1])


def test_several_threads_ask_one_net_and_all_get_right_answers():
    net = MLP([4, 200, 3], seed=0)
    batches = [np.random.default_rng(i).standard_normal((500, 4)) for i in range(4)]
    expected = [net.forward(X) for X in batches]

    def ask(i):
        return [net.forward(batches[i]) for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        for i, answers in enumerate(pool.map(ask, range(4))):
            for answer in answers:
                assert_array_equal(answer, expected[i])


def test_a_busy_workspace_is_not_shared():
    net = MLP([4, 5, 3], seed=0)
    X, _ = blobs()
    expected = net.forward(X)
    untouched = net._workspace.arena.copy()
    with net._workspace._busy:
        assert_array_equal(net.forward(2 * X), net.forward(2 * X))
        assert_array_equal(net.forward(X), expected)
        assert_array_equal(net._workspace.arena, untouched)


CALLS = {
    "forward": lambda net, X, y: net.forward(X),
    "predict": lambda net, X, y: net.predict(X),
    "predict_proba": lambda net, X, y: net.predict_proba(X),
    "evaluate": lambda net, X, y: net.evaluate(X, y),
    "value_and_grad": lambda net, X, y: net.value_and_grad(X, y),
    "input_gradient": lambda net, X, y: net.input_gradient(X, y),
    "layer_errors": lambda net, X, y: net.layer_errors(X, y),
    "hessian_vector_product": lambda net, X, y: net.hessian_vector_product(X, y, np.ones(43)),
    "check_gradient": lambda net, X, y: net.check_gradient(X, y),
    "fit": lambda net, X, y: net.fit(X, y),
    "fit with LBFGS": lambda net, X, y: net.fit(X, y, optimizer="lbfgs"),
    "partial_fit": lambda net, X, y: net.partial_fit(X, y),
    "parameters": lambda net, X, y: setattr(net, "parameters", np.zeros(43)),
    "save": lambda net, X, y: net.save("never-written"),
    "copy": lambda net, X, y: copy.copy(net),
    "deepcopy": lambda net, X, y: copy.deepcopy(net),
    "pickle": lambda net, X, y: pickle.dumps(net),
}
HARMLESS = {
    "architecture",
    "biases",
    "dtype",
    "load",
    "n_parameters",
    "sizes",
    "summary",
    "weights",
}


@contextmanager
def being_trained(net, **arguments):
    """Another thread waits in a callback of its fit meanwhile."""
    training, done = threading.Event(), threading.Event()

    def wait(net, logs):
        training.set()
        assert done.wait(60)

    arguments = {"epochs": 1, "callbacks": [wait], **arguments}
    thread = threading.Thread(target=net.fit, args=blobs(), kwargs=arguments)
    thread.start()
    assert training.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("arguments", [{}, {"threads": 2}, {"optimizer": "lbfgs"}])
def test_a_net_that_another_thread_trains_refuses_all_else(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    with being_trained(net, **arguments):
        before = everything(net)
        for call in CALLS.values():
            with pytest.raises(RuntimeError, match=r"another thread"):
                call(net, X, y)
        assert everything(net) == before
        net.summary(), repr(net)
        assert list(tmp_path.iterdir()) == []
    for call in CALLS.values():
        call(net, X, y)


def test_every_public_method_is_among_them():
    names = {name for name in dir(MLP) if not name.startswith("_")}
    assert names - set(CALLS) == HARMLESS


READERS = ["forward", "predict", "predict_proba", "evaluate", "value_and_grad", "input_gradient"]
READERS += ["layer_errors", "hessian_vector_product"]


def before_the_next_kernel(monkeypatch, act):
    def late(run):
        def run_late(workspace, *arguments):
            monkeypatch.undo()
            act()
            return run(workspace, *arguments)

        return run_late

    monkeypatch.setattr(Workspace, "run", late(Workspace.run))


@pytest.mark.parametrize("name", READERS)
def test_a_training_that_begins_while_an_answer_is_computed_is_noticed(name, monkeypatch):
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)

    def train():
        with ThreadPoolExecutor(1) as other:
            other.submit(net.fit, X, y, epochs=1).result()

    before_the_next_kernel(monkeypatch, train)
    with pytest.raises(RuntimeError, match="change while they are read"):
        CALLS[name](net, X, y)
    CALLS[name](net, X, y)


@pytest.mark.parametrize("name", READERS)
def test_a_training_that_ends_while_an_answer_is_computed_is_noticed(name, monkeypatch):
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    with ExitStack() as others:
        others.enter_context(being_trained(net))
        before_the_next_kernel(monkeypatch, others.close)
        with pytest.raises(RuntimeError, match="change while they are read"):
            CALLS[name](net, X, y)
        monkeypatch.undo()
    CALLS[name](net, X, y)


def test_a_callback_may_ask_and_set_the_net_but_not_train_it():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    seen = []

    def callback(net, logs):
        seen.append(net.evaluate(X, y).loss)
        net.parameters = net.parameters * 0.5
        with pytest.raises(RuntimeError, match="being trained already"):
            net.partial_fit(X, y)

    net.fit(X, y, epochs=2, callbacks=[callback])
    assert len(seen) == 2
    net.fit(X, y, epochs=1)


def test_training_in_an_event_loop_as_notebooks_have_it():
    X, y = blobs(rows=600)

    def trained(seed):
        net = MLP([4, 30, 3], seed=seed)
        net.fit(X, y, batch_size=200, threads=2)
        return net.parameters

    async def in_a_loop():
        directly = trained(0)
        loop, ticks = asyncio.get_running_loop(), 0
        both = asyncio.gather(*(loop.run_in_executor(None, trained, seed) for seed in (0, 1)))
        while not both.done():  # the loop goes on meanwhile
            await asyncio.sleep(0)
            ticks += 1
        assert ticks
        return [directly, *await both]

    directly, zero, one = asyncio.run(in_a_loop())
    assert_array_equal(directly, trained(0))
    assert_array_equal(zero, trained(0))
    assert_array_equal(one, trained(1))


def test_a_thread_that_is_not_the_main_one_trains_and_leaves_signals_alone():
    X, _ = blobs()
    handler = signal.getsignal(signal.SIGINT)
    heard, net = [], MLP([4, 5, 3], seed=0)
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with being_trained(net, threads=2):
            assert signal.getsignal(signal.SIGINT) is not handler
            signal.raise_signal(signal.SIGINT)  # it is the main thread's
            assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, handler)
    assert net.forward(X).shape == (90, 3)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_numbas_number_of_threads_stays(n_threads):
    before = numba.config.NUMBA_NUM_THREADS
    X, y = blobs()
    MLP([4, 5, 3], seed=0).fit(X, y, epochs=1, threads=n_threads)
    assert before == numba.config.NUMBA_NUM_THREADS


def test_fits_of_many_threads_on_one_net_exclude_each_other():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    start = threading.Barrier(8)

    def try_to_fit(_):
        start.wait(60)
        try:
            net.fit(X, y, epochs=30)
        except RuntimeError as error:
            assert "being trained already" in str(error)  # noqa: PT017 - of several, one fits
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        fits = sum(pool.map(try_to_fit, range(8)))
    assert fits >= 1
    assert net._guard.trainings == fits
    assert np.isfinite(net.parameters).all()


def test_a_training_that_begins_while_a_net_is_saved_is_noticed(monkeypatch, tmp_path):
    look = Guard.check

    def then_another_trains(self, trainings=None):
        answer = look(self, trainings)
        self.trainings += 1
        return answer

    monkeypatch.setattr(Guard, "check", then_another_trains)
    with pytest.raises(RuntimeError, match="another thread is training this net"):
        MLP([2, 2]).save(tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())
