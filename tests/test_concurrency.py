"""Several Python threads, on several nets and on one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from api_problems import blobs
from numpy.testing import assert_array_equal

from fastbp import MLP


def test_two_nets_train_at_once_as_they_do_alone():
    X, y = blobs(rows=600)

    def trained(seed):
        net = MLP([4, 30, 3], seed=seed)
        net.fit(X, y, epochs=20)
        return net.parameters

    alone = [trained(0), trained(1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(trained, [0, 1]))
    for one, other in zip(alone, together, strict=True):
        assert_array_equal(one, other)


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


def test_a_net_that_another_thread_trains_refuses_to_answer():
    X, y = blobs()
    net = MLP([4, 5, 3], seed=0)
    training, done = threading.Event(), threading.Event()

    def wait(net, logs):
        training.set()
        assert done.wait(10)

    thread = threading.Thread(
        target=net.fit, args=(X, y), kwargs={"epochs": 1, "callbacks": [wait]}
    )
    thread.start()
    assert training.wait(60)
    try:
        for call in (
            lambda: net.forward(X),
            lambda: net.evaluate(X, y),
            lambda: net.value_and_grad(X, y),
            lambda: net.fit(X, y),
            lambda: net.partial_fit(X, y),
            lambda: setattr(net, "parameters", net.parameters),
        ):
            with pytest.raises(RuntimeError, match=r"train"):
                call()
    finally:
        done.set()
        thread.join()
    assert net.forward(X).shape == (90, 3)


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
