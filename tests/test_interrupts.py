"""Ctrl-C at any moment of a training: what is learned stays, whole, and the net goes on."""

import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from api_problems import blobs, everything
from stops import press_ctrl_c

from fastbp import (
    Checkpoint,
    EarlyStopping,
    History,
    LBFGS,
    MLP,
    NewtonCG,
)

X, Y = blobs()
pytestmark = pytest.mark.usefixtures("handler_is_restored")


def net_for_blobs(seed=0):
    return MLP([4, 6, 3], seed=seed)


@pytest.mark.parametrize(
    "training",
    [{"dropout": 0.1}, {"optimizer": LBFGS(0.0)}, {"optimizer": NewtonCG(0.0)}],
    ids=["Adam", "LBFGS", "NewtonCG"],
)
def test_ctrl_c_at_any_moment_loses_nothing(tmp_path, training):
    """In the kernels, between them, in callbacks, in writing: the end has the same bits."""
    path, draw, epochs = tmp_path / "run", random.Random(0), 150
    validation = (X[::2] + 0.1, Y[::2])

    def fit(net, **arguments):
        callbacks = [EarlyStopping(patience=epochs), *arguments.pop("callbacks", [])]
        return net.fit(
            X, Y, epochs=epochs, l2=0.01, validation_data=validation, callbacks=callbacks,
            **training, **arguments,
        )  # fmt: skip

    whole = net_for_blobs()
    expected = fit(whole)
    presses = ends = 0
    while ends == 0 or presses < 40:
        net, history = net_for_blobs(), None
        timer = threading.Timer(draw.uniform(0, 0.02), press_ctrl_c)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                timer.start()
                history = fit(net, callbacks=[Checkpoint(path)], resume=path)
                timer.join()
            except KeyboardInterrupt:
                timer.join()
        presses += 1
        assert {p.name for p in tmp_path.iterdir()} <= {path.name}  # nothing half written
        assert np.isfinite(net.forward(X)).all()
        if history is not None:
            assert len(set(map(len, history.values()))) <= 1
            if history.epochs == expected.epochs:
                ends += 1
                assert history.val_loss == expected.val_loss
                assert everything(net) == everything(whole)
                path.unlink()
        net.fit(X, Y, epochs=1)


def test_what_belongs_together_is_not_torn_apart(monkeypatch):
    """Ctrl-C just when an epoch is being recorded is heard when it has been."""
    append = History.append

    def append_and_press(history, logs):
        press_ctrl_c()
        append(history, logs)

    monkeypatch.setattr(History, "append", append_and_press)
    net = net_for_blobs()
    with pytest.warns(UserWarning, match="interrupted in epoch 2"):
        history = net.fit(X, Y, epochs=5)
    assert history.epochs == len(history.loss) == len(history.accuracy) == 1
    assert net._memory.epochs == 1
    assert net._memory.steps == 3


def test_a_second_ctrl_c_raises():
    class PressAtTheEnd:
        def on_epoch_end(self, net, logs):
            press_ctrl_c()

        def on_fit_end(self, net):
            press_ctrl_c()

    net = net_for_blobs()
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=5, callbacks=[PressAtTheEnd()])
    assert net.fit(X, Y, epochs=2).epochs == 2


def test_two_at_once_are_two(monkeypatch):
    append = History.append

    def append_and_press(history, logs):
        press_ctrl_c()
        press_ctrl_c()
        append(history, logs)

    net = net_for_blobs()
    with monkeypatch.context() as patch:
        patch.setattr(History, "append", append_and_press)
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, Y, epochs=5)
    assert net.fit(X, Y, epochs=2).epochs == 2


def test_a_program_that_handles_ctrl_c_itself_keeps_doing_so():
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        history = net_for_blobs().fit(X, Y, epochs=3, callbacks=[lambda *_: press_ctrl_c()])
        assert (history.epochs, len(heard)) == (3, 3)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_in_another_thread_it_is_the_main_thread_that_hears():
    result = []
    thread = threading.Thread(target=lambda: result.append(net_for_blobs().fit(X, Y, epochs=3)))
    thread.start()
    thread.join()
    assert result[0].epochs == 3


def test_a_callback_that_raises_ends_training_and_is_heard_of_alone(tmp_path):
    path, ended = tmp_path / "run", []

    class Listener:
        def on_epoch_end(self, net, logs):
            if logs["epoch"] == 3:
                net.parameters = net.parameters * 0 + 1
                raise LookupError("mine")

        def on_fit_end(self, net):
            ended.append(True)

    for optimizer, more in (("adam", [Checkpoint(path)]), ("lbfgs", [])):
        net = net_for_blobs()
        with pytest.raises(LookupError, match="mine"):
            net.fit(X, Y, epochs=5, optimizer=optimizer, callbacks=[Listener(), *more])
        assert (net.parameters == 1).all()  # as the callback left it
        assert not ended
        net.fit(X, Y, epochs=1)
    net = net_for_blobs()
    assert net.fit(X, Y, epochs=2, resume=path).epochs == 2  # the epochs before are kept


# While kernels compile

COMPILE = """
import signal, warnings
import numba.core.event as event
from api_problems import blobs
from fastbp import MLP
from fastbp.kernels import jit

class Press(event.Listener):
    def on_start(self, which):
        if jit.compilations() in (1, 4, 9):
            signal.raise_signal(signal.SIGINT)
    def on_end(self, which):
        pass

X, y = blobs()
def trained():
    net = MLP([4, 6, 3], seed=0)
    return net.fit(X, y, epochs=3).epochs, net.parameters.tobytes()

event.register("numba:compile", Press())
found = []
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("ignore")  # numba's, of objects it did not expect to live so long
    warnings.filterwarnings("always", "training was interrupted")
    while not found or found[-1][0] == 0:
        found.append(trained())
assert trained() == trained() == found[-1]
print([epochs for epochs, _ in found], len(caught))
"""


def test_ctrl_c_while_kernels_compile(tmp_path):
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], capture_output=True, text=True, timeout=600,
        env=os.environ | {
            "PYTHONPATH": os.pathsep.join([str(tests.parent), str(tests)]),
            "FASTBP_CACHE_DIR": str(tmp_path / "cache"),
            "NUMBA_OPT": "0",  # compiles in a third of the time
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0, 0, 0, 3] 3"
    kept = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert kept
    assert all("." in p.name for p in kept)  # those half written have a name without


def test_a_handler_that_a_callback_sets_stays():
    X, y = blobs()

    def mine(number, frame):
        pass

    def callback(net, logs):
        signal.signal(signal.SIGINT, mine)

    try:
        net_for_blobs().fit(X, y, epochs=1, callbacks=[callback])
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
