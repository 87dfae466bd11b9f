"""Checkpoints: what goes on from one ends with the bits of what was never stopped."""

import os
from functools import partial

import numpy as np
import pytest
from api_problems import blobs, everything
from numpy.testing import assert_array_equal
from refusals import resuming_refused, rewrite
from safetensors.numpy import load_file
from stops import Crash, crash_after

from fastbp import (
    Adagrad,
    Adam,
    AdamW,
    Checkpoint,
    Cosine,
    Distortions,
    EarlyStopping,
    LayerErrors,
    MLP,
    ReduceOnPlateau,
    RMSprop,
    SGD,
    Step,
    Warmup,
)
from fastbp.schedules import Schedule
from fastbp.sklearn import MLPClassifier

X, Y = blobs()
EPOCHS = 7


class Halving(Schedule):
    """A user's own, without a repr that is the same in every process."""

    def rate(self, time, memory):
        return 0.1 * 0.5**time


def net_for_blobs(seed=0, **arguments):
    return MLP([4, 6, 5, 3], **({"seed": seed} | arguments))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def plateau():
    return ReduceOnPlateau(0.01, "loss", patience=1, factor=0.5, min_delta=0.5)


CASES = {
    "sgd": {"optimizer": "sgd", "l1": 1e-3},
    "momentum": {"optimizer": SGD(0.05, momentum=0.9), "batch_size": 7},
    "nesterov": {"optimizer": SGD(0.05, momentum=0.9, nesterov=True), "max_norm": 1.0},
    "adam": {"optimizer": Adam(0.01), "clip_norm": 0.5},
    "adamw": {"optimizer": AdamW(0.01), "dropout": [0.2, 0.4]},
    "rmsprop": {"optimizer": RMSprop(0.01), "class_weight": {1: 2.0}},
    "adagrad": {"optimizer": Adagrad(0.05), "sample_weight": np.linspace(1, 2, 90)},
    "dropout": {"dropout": 0.5, "shuffle": False},
    "augmentation": {"augment": Distortions(shape=(2, 2), shift=1, rotation=20)},
    "step": {"optimizer": SGD(Step(0.1, every=2, factor=0.5))},
    "cosine": {"optimizer": Adam(Cosine(0.01, epochs=EPOCHS))},
    "plateau": {"optimizer": Adam(plateau())},
    "warm-up of a plateau": {"optimizer": SGD(Warmup(plateau(), epochs=3), momentum=0.5)},
    "my own schedule": {"optimizer": SGD(Halving())},
    "validation": {"validation_data": (X[::2] + 0.5, Y[::2])},
}
# Of what goes on; two spinning threads are slow where others want the cores too.
THREADS = {"momentum": 2, "adam": 2, "dropout": 2, "augmentation": 2}


def assert_same_end(net, history, whole, whole_history):
    assert everything(net) == everything(whole)
    assert list(history) == list(whole_history)
    for name in set(history) - {"seconds", "examples_per_second"}:
        assert history[name] == whole_history[name]


@pytest.mark.parametrize("case", CASES)
def test_what_goes_on_ends_as_what_was_never_stopped(path, case):
    arguments = CASES[case]
    whole = net_for_blobs()
    whole_history = whole.fit(X, Y, epochs=EPOCHS, **arguments)
    seconds = []

    def count(net, logs):
        seconds.append(logs["seconds"])

    callbacks = [count, crash_after(5), Checkpoint(path, every=2)]
    with pytest.raises(Crash):  # after epoch 5; the last checkpoint is of epoch 4
        net_for_blobs().fit(X, Y, epochs=EPOCHS, callbacks=callbacks, **arguments)
    net = net_for_blobs(seed=99)
    history = net.fit(
        X, Y, epochs=EPOCHS, callbacks=[Checkpoint(path, every=2)], resume=path,
        threads=THREADS.get(case, 1), **arguments,
    )  # fmt: skip
    assert_same_end(net, history, whole, whole_history)
    assert history.seconds[:4] == seconds[:4]
    # And what comes after is the same too.
    net.partial_fit(X, Y, **arguments)
    whole.partial_fit(X, Y, **arguments)
    assert everything(net) == everything(whole)


def test_float64_and_another_net(path):
    problem = {"output": "linear", "loss": "quadratic", "dtype": "float64"}
    whole = net_for_blobs(**problem)
    whole_history = whole.fit(X, np.eye(3)[Y], epochs=4, dropout=0.1)
    net_for_blobs(**problem).fit(X, np.eye(3)[Y], epochs=2, dropout=0.1,
                                 callbacks=[Checkpoint(str(path))])  # fmt: skip
    net = net_for_blobs(seed=5, **problem)
    history = net.fit(X, np.eye(3)[Y], epochs=4, dropout=0.1, resume=str(path))
    assert_same_end(net, history, whole, whole_history)


# Small improvements do not count, so that training ends some epochs after the best.
STOPPING = {"optimizer": Adam(0.02), "epochs": 40}


def stopping():
    return EarlyStopping("loss", patience=3, min_delta=0.4)


@pytest.mark.parametrize("crash", range(1, 9))
def test_early_stopping_goes_on_and_stops_where_it_would_have(path, crash):
    whole_stop, whole = stopping(), net_for_blobs()
    whole_history = whole.fit(X, Y, callbacks=[whole_stop], **STOPPING)
    assert 8 <= whole_history.epochs < 20
    assert whole_stop.best_epoch > 3
    with pytest.raises(Crash):
        net_for_blobs().fit(
            X, Y, callbacks=[stopping(), Checkpoint(path), crash_after(crash)], **STOPPING
        )
    stop, net = stopping(), net_for_blobs(seed=3 if path.exists() else 0)
    callbacks = [stop, Checkpoint(path)]
    history = net.fit(X, Y, callbacks=callbacks, resume=path, **STOPPING)
    assert_same_end(net, history, whole, whole_history)
    assert (stop.best, stop.best_epoch) == (whole_stop.best, whole_stop.best_epoch)


@pytest.mark.parametrize("callbacks", [[], [stopping()]])
def test_what_is_done_is_not_trained_again(path, callbacks):
    trained = []

    def count(net, logs):
        trained.append(logs["epoch"])

    everyone = [count, *callbacks, Checkpoint(path, every=100)]
    arguments = STOPPING if callbacks else {"epochs": 5}
    first = net_for_blobs()
    first_history = first.fit(X, Y, callbacks=everyone, resume=path, **arguments)
    assert len(trained) == first_history.epochs
    again = net_for_blobs(seed=1)
    history = again.fit(X, Y, callbacks=everyone, resume=path, **arguments)
    assert len(trained) == first_history.epochs
    assert_same_end(again, history, first, first_history)
    assert history.seconds == first_history.seconds


def test_a_function_that_ended_training_does_not_end_the_next_process(path):
    """As one does that watches the hours a cluster grants."""
    whole = net_for_blobs()
    whole_history = whole.fit(X, Y, epochs=5)
    stop = [lambda net, logs: True, Checkpoint(path, every=100)]
    for epoch in range(1, 5):
        net = net_for_blobs()
        assert net.fit(X, Y, epochs=5, callbacks=stop, resume=path).epochs == epoch
    history = net.fit(X, Y, epochs=5, resume=path)
    assert_same_end(net, history, whole, whole_history)


def test_more_epochs_may_be_asked_for_later(path):
    whole = net_for_blobs()
    whole_history = whole.fit(X, Y, epochs=6)
    net_for_blobs().fit(X, Y, epochs=3, callbacks=[Checkpoint(path)])
    net = net_for_blobs()
    assert_same_end(net, net.fit(X, Y, epochs=6, resume=path), whole, whole_history)


def test_layer_errors_and_a_callback_of_ones_own_remember(path):
    class Slowest:
        """Remembers an array, a list and a number."""

        def __init__(self):
            self.losses, self.vector, self.worst = [], np.zeros(2), 0.0

        def on_epoch_end(self, net, logs):
            self.losses.append(logs["loss"])
            self.vector += net.parameters[:2]
            self.worst = max(self.worst, logs["loss"])

        def state(self):
            return {"losses": self.losses, "vector": self.vector, "worst": self.worst}

        def restore(self, net, state):
            self.losses, self.vector = state["losses"], state["vector"]
            self.worst = state["worst"]

    def fitted(epochs, **arguments):
        errors, slowest = LayerErrors(X, Y), Slowest()
        callbacks = [errors, slowest, Checkpoint(path)]
        net_for_blobs().fit(X, Y, epochs=epochs, callbacks=callbacks, **arguments)
        return errors.lengths, slowest.losses, slowest.vector.tolist(), slowest.worst

    whole = fitted(6)
    fitted(2)
    assert fitted(6, resume=path) == whole


def test_what_cannot_be_kept_is_named(path):
    class Bad:
        def on_epoch_end(self, net, logs):
            pass

        def state(self):
            return {"net": object()}

        def restore(self, net, state):
            pass

    with pytest.raises(TypeError, match=r"Bad.state\(\): .*JSON"):
        net_for_blobs().fit(X, Y, callbacks=[Bad(), Checkpoint(path)])
    assert not path.exists()


# What must be as it was

SAVED = {"epochs": 4, "dropout": 0.2}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"optimizer": "lbfgs", "dropout": 0.0}, r"optimizer: got LBFGS\(.*expected Adam\("),
        ({"optimizer": "sgd"}, r"optimizer: got SGD\(.*expected Adam\("),
        ({"optimizer": Adam(0.002)}, r"optimizer: got Adam\(learning_rate=0.002"),
        ({"optimizer": Adam(Halving())}, r"optimizer: got Adam\(learning_rate=Halving"),
        ({"batch_size": 16}, "batch_size: got 16, expected 32"),
        ({"dropout": 0.3}, r"dropout: got \[0.3, 0.3\], expected \[0.2, 0.2\]"),
        ({"l1": 0.1}, "l1: got 0.1"),
        ({"l2": 0.1}, "l2: got 0.1"),
        ({"max_norm": 2.0}, "max_norm: got 2.0"),
        ({"clip_norm": 2.0}, "clip_norm: got 2.0"),
        ({"shuffle": False}, "shuffle: got False"),
        ({"augment": Distortions(shape=(2, 2))}, r"augment: got Distortions\("),
        ({"X": X[:80], "y": Y[:80]}, "X: got 80 rows .* expected 90 rows"),
        ({"X": X[::-1]}, "X: got 90 rows with checksum .* expected 90 rows"),
        ({"y": Y[::-1]}, "y: got 90 rows with checksum"),
        ({"sample_weight": np.arange(90)}, "sample_weight and class_weight: got 90 rows .*None"),
        ({"class_weight": "balanced"}, "sample_weight and class_weight: got 90 rows .*None"),
        ({"validation_data": (X, Y)}, "validation_data: got 90 rows .* expected None"),
        ({"epochs": 3}, "epochs: got 3, expected at least the 4"),
        ({"callbacks": [EarlyStopping("loss")]}, "callbacks: got EarlyStopping .* expected none"),
    ],
    ids=str,
)
def test_another_training_is_refused_and_nothing_changes(path, change, named):
    net_for_blobs().fit(X, Y, callbacks=[Checkpoint(path)], **SAVED)
    net = net_for_blobs(seed=8)
    net.partial_fit(X, Y)
    arguments = {"X": X, "y": Y, "callbacks": [], **SAVED, **change}
    arguments["callbacks"] = [*arguments["callbacks"], Checkpoint(path)]
    resuming_refused(net, path, named, arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"sizes": [4, 7, 5, 3]}, {"activation": "tanh"}, {"dtype": "float64"}],
)
def test_another_net_is_refused(path, arguments):
    net_for_blobs().fit(X, Y, callbacks=[Checkpoint(path)], **SAVED)
    net = MLP(**({"sizes": [4, 6, 5, 3], "seed": 0} | arguments))
    before = everything(net)
    with pytest.raises(ValueError, match=r"^resume: got a checkpoint of sizes"):
        net.fit(X, Y, resume=path, **SAVED)
    assert everything(net) == before


@pytest.mark.parametrize(
    ("saved", "resumed", "reason"),
    [
        (EarlyStopping("loss"), EarlyStopping("accuracy"), "monitor"),
        (EarlyStopping("loss", restore_best=False), EarlyStopping("loss"), "restore_best"),
        (LayerErrors(X, Y), EarlyStopping("loss"), "callbacks: got EarlyStopping"),
    ],
)
def test_another_callback_is_refused(path, saved, resumed, reason):
    net_for_blobs().fit(X, Y, callbacks=[saved, Checkpoint(path)], **SAVED)
    net = net_for_blobs(seed=2)
    before = everything(net)
    with pytest.raises(ValueError, match=reason):
        net.fit(X, Y, callbacks=[resumed], resume=path, **SAVED)
    assert everything(net) == before


def test_a_row_that_is_not_finite_is_found_before_anything_changes(path):
    """It may lie between the rows whose checksum is taken."""
    many, labels = blobs(rows=1000)
    net_for_blobs().fit(many, labels, callbacks=[Checkpoint(path)], **SAVED)
    many[2, 1] = np.nan
    net = net_for_blobs(seed=2)
    before = everything(net)
    with pytest.raises(ValueError, match=r"^X: .*row 2"):
        net.fit(many, labels, resume=path, epochs=9, dropout=0.2)
    assert everything(net) == before


# Files


def test_where_there_is_no_file_yet_training_begins(path):
    whole, net = net_for_blobs(), net_for_blobs()
    whole_history = whole.fit(X, Y, epochs=3)
    assert_same_end(net, net.fit(X, Y, epochs=3, resume=path), whole, whole_history)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_an_error(path):
    lost, net = path.parent / "lost" / "run", net_for_blobs()
    before = everything(net)
    for arguments in ({"resume": lost}, {"callbacks": [Checkpoint(lost)]}):
        with pytest.raises(FileNotFoundError, match="lost"):
            net.fit(X, Y, **arguments)
    with pytest.raises(IsADirectoryError, match="folder"):
        net.fit(X, Y, callbacks=[Checkpoint(path.parent)])
    assert everything(net) == before


@pytest.mark.parametrize("wrong", [3, None, True, ""])
def test_a_path_is_a_path(wrong):
    with pytest.raises(TypeError, match=r"^path: "):
        Checkpoint(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match=r"^resume: "):
            net_for_blobs().fit(X, Y, resume=wrong)


def test_every_is_checked(path):
    with pytest.raises(ValueError, match=r"^every: "):
        Checkpoint(path, every=0)


def test_a_checkpoint_is_a_model_file(path):
    net = net_for_blobs()
    net.fit(X, Y, callbacks=[Checkpoint(path)], **SAVED)
    assert_array_equal(MLP.load(path).parameters, net.parameters)
    assert_array_equal(load_file(path)["weights.2"], net.weights[1])


def test_a_net_alone_is_no_checkpoint(path):
    net_for_blobs().save(path)
    with pytest.raises(ValueError, match=r"run\.safetensors.*MLP\.load"):
        net_for_blobs().fit(X, Y, resume=path)


@pytest.mark.parametrize("where", ["partial_fit", "an estimator"])
def test_where_there_is_no_resuming_a_checkpoint_is_refused(path, where):
    net, callbacks = net_for_blobs(), [Checkpoint(path)]
    before = everything(net)
    calls = {
        "partial_fit": partial(net.partial_fit, X, Y, callbacks=callbacks),
        "an estimator": partial(MLPClassifier((5,), callbacks=callbacks).fit, X, Y),
    }
    with pytest.raises(ValueError, match=rf"callbacks: got a Checkpoint in .*{where}.*net\.save"):
        calls[where]()
    assert everything(net) == before


def rewritten(path, change_training=None, change_tensors=None):
    """Write a checkpoint with other contents than training would."""
    callbacks = [EarlyStopping("loss"), LayerErrors(X, Y), Checkpoint(path)]
    net_for_blobs().fit(X, Y, callbacks=callbacks, **SAVED)
    rewrite(path, change_training, change_tensors)


def resumed(path):
    net = net_for_blobs(seed=3)
    before = everything(net)
    try:
        return net.fit(
            X, Y, epochs=6, dropout=0.2, resume=path,
            callbacks=[EarlyStopping("loss"), LayerErrors(X, Y)],
        )  # fmt: skip
    except ValueError:
        assert everything(net) == before
        raise


def test_the_rewriting_below_changes_nothing_by_itself(path):
    rewritten(path)
    assert resumed(path).epochs == 6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.update(version=2), "version 2.*newer"),
        (lambda t: t.pop("version"), "no training"),
        (lambda t: t.update(epoch=-1), "epoch"),
        (lambda t: t.update(epoch=10**12), "history"),
        (lambda t: t.update(epoch=3), "history"),
        (lambda t: t.update(steps=10**30), "steps"),
        (lambda t: t.update(seed="7"), "seed"),
        (lambda t: t.update(schedule=[1.0, 2.0]), "optimizer"),
        (lambda t: t.update(schedule=None), "no training"),
        (lambda t: t["random_state"].update(bit_generator="MT19937"), "PCG64"),
        (lambda t: t["random_state"].pop("state"), "no training"),
        (lambda t: t["random_state"]["state"].update(state=2**200), "no training"),
        (lambda t: t.update(history=[]), "loss"),
        (lambda t: t.update(history=["loss", "profit"]), "profit"),
        (lambda t: t.update(settings=[]), "no training"),
        (lambda t: t["settings"].pop("l2"), "l2: got 0.0, expected None"),
        (lambda t: t["callbacks"].pop(), "no training|callbacks"),
        (lambda t: t["callbacks"][0].reverse(), "no training|callbacks"),
        (lambda t: t["callbacks"][0][1].pop("best"), "EarlyStopping cannot go on"),
        (lambda t: t["callbacks"][0][1].update(best_epoch=99), "best_epoch"),
    ],
    ids=range(20),
)
def test_wrong_contents_are_refused(path, change, reason):
    rewritten(path, change_training=change)
    with pytest.raises(ValueError, match=reason):
        resumed(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("slots"),
        lambda tensors: tensors.update(slots=tensors["slots"][:1].copy()),
        lambda tensors: tensors.update(slots=tensors["slots"].astype(np.float64)),
        lambda tensors: tensors.pop("history.loss"),
        lambda tensors: tensors.update({"history.loss": np.zeros(5)}),
        lambda tensors: tensors["weights.1"].fill(np.inf),
        lambda tensors: tensors.update({"callbacks.7.x": np.zeros(5)}),
        lambda tensors: tensors.update({"callbacks.-1.x": np.zeros(5)}),
        lambda tensors: tensors.update({"callbacks.x": np.zeros(5)}),
        lambda tensors: tensors.update({"callbacks.0.best_parameters": np.zeros(5)}),
        lambda tensors: tensors.update({"callbacks.1.lengths": np.zeros(5)}),
    ],
    ids=range(11),
)
def test_wrong_tensors_are_refused(path, change):
    rewritten(path, change_tensors=change)
    with pytest.raises(ValueError, match=r"^resume: "):
        resumed(path)


def test_every_truncation_is_refused(path):
    rewritten(path)
    content = path.read_bytes()
    for length in (0, 1, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"^resume: .*run\.safetensors"):
            resumed(path)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad"])
def test_a_mean_square_that_has_overflowed_can_go_on(tmp_path, optimizer):
    """v is infinite, so that nothing moves any more, but neither loss nor parameters are."""
    path, rng = tmp_path / "c.safetensors", np.random.default_rng(1)
    X = (1e10 * rng.random((50, 3))).astype(np.float32)
    y = (1e12 * rng.random(50)).astype(np.float32)
    whole, net = (MLP([3, 4, 1], output="linear", loss="quadratic", seed=0) for _ in range(2))
    whole.fit(X, y, epochs=4, optimizer=optimizer)
    saved = [Checkpoint(path)]
    net.fit(X, y, epochs=2, optimizer=optimizer, callbacks=saved)
    assert np.isinf(load_file(path)["slots"]).any()
    net = MLP([3, 4, 1], output="linear", loss="quadratic")
    net.fit(X, y, epochs=4, optimizer=optimizer, callbacks=saved, resume=path)
    assert_array_equal(net.parameters, whole.parameters)


def test_a_schedule_of_ones_own_is_compared_by_what_it_holds(path):
    class Mine(Schedule):
        def __init__(self, first):
            self.first = first

        def rate(self, time, memory):
            return self.first + 0 * time

    net_for_blobs().fit(X, Y, epochs=2, optimizer=SGD(Mine(0.1)), callbacks=[Checkpoint(path)])
    with pytest.raises(ValueError, match=r"Mine\(first=0.5\)"):
        net_for_blobs().fit(X, Y, epochs=4, optimizer=SGD(Mine(0.5)), resume=path)
    assert net_for_blobs().fit(X, Y, epochs=4, optimizer=SGD(Mine(0.1)), resume=path).epochs == 4
