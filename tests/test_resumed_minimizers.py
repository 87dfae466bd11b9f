"""L-BFGS and Newton-CG go on from a checkpoint to the bits of what was never stopped."""

import numpy as np
import pytest
from api_problems import blobs, everything, line
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import resuming_refused, rewrite
from stops import Crash, crash_after
from threadpoolctl import threadpool_limits

from fastbp import (
    Adam,
    Checkpoint,
    EarlyStopping,
    LayerErrors,
    LBFGS,
    line_search,
    MLP,
    NewtonCG,
)

X, Y = blobs()
EPOCHS = 12  # more than LBFGS(memory=3) remembers
OPTIMIZERS = [LBFGS(0.0, memory=3), NewtonCG(0.0)]
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["LBFGS", "NewtonCG"])


def new_net(seed=0, dtype="float32"):
    return MLP([4, 6, 5, 3], activation=["tanh", "relu"], dtype=dtype, seed=seed)


def fitted(optimizer, epochs=EPOCHS, net=None, **arguments):
    """The net, its history, and what is the same however often it was stopped."""
    net = new_net() if net is None else net
    history = net.fit(X, Y, epochs=epochs, optimizer=optimizer, l2=1e-3, **arguments)
    measured = {name: history[name] for name in history if "second" not in name}
    return net, history, (everything(net), measured)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("crash", "every"), [(1, 1), (2, 1), (4, 2), (5, 4), (9, 1), (11, 3)])
def test_the_end_is_the_same(path, optimizer, dtype, crash, every):
    validation = {"validation_data": (X[::2] + 0.5, Y[::2]), "class_weight": {1: 2.0}}
    whole, whole_history, end = fitted(optimizer, net=new_net(0, dtype), **validation)
    assert whole_history.epochs == EPOCHS
    seconds = []
    callbacks = [lambda net, logs: seconds.append(logs["seconds"]), crash_after(crash)]
    with pytest.raises(Crash):
        fitted(optimizer, net=new_net(0, dtype), callbacks=[*callbacks, Checkpoint(path, every)],
               **validation)  # fmt: skip
    net, history, resumed_end = fitted(
        optimizer, net=new_net(0 if crash == 1 else 9, dtype), resume=path, **validation
    )
    assert resumed_end == end
    saved = (crash - 1) // every * every
    assert history.seconds[:saved] == seconds[:saved]
    # And what comes after is the same too.
    for trained in (net, whole):
        trained.partial_fit(X, Y)
    assert everything(net) == everything(whole)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_stopped_again_and_again(tmp_path_factory, data):
    optimizer = data.draw(st.sampled_from(OPTIMIZERS))
    path = tmp_path_factory.mktemp("stops") / "run.safetensors"
    reached = 0
    while reached < EPOCHS:
        reached = data.draw(st.integers(reached + 1, EPOCHS))
        every = data.draw(st.integers(1, 4))
        net = new_net(reached if path.exists() else 0)
        errors = LayerErrors(X, Y)
        net, history, end = fitted(
            optimizer, reached, net, resume=path, callbacks=[errors, Checkpoint(path, every)]
        )
        assert history.epochs == reached
    whole_errors = LayerErrors(X, Y)
    assert fitted(optimizer, callbacks=[whole_errors])[2] == end
    assert errors.lengths == whole_errors.lengths


@each_optimizer
@pytest.mark.parametrize("crash", [1, 4, 6])
def test_early_stopping_stops_where_it_would_have(path, optimizer, crash):
    def stopping():
        return EarlyStopping("loss", patience=3, min_delta=0.03)

    whole_stop = stopping()
    whole = fitted(optimizer, 90, callbacks=[whole_stop])
    assert 7 <= whole[1].epochs < 90
    with pytest.raises(Crash):
        fitted(optimizer, 90, callbacks=[stopping(), Checkpoint(path), crash_after(crash)])
    stop = stopping()
    callbacks = [stop, Checkpoint(path)]
    assert fitted(optimizer, 90, resume=path, callbacks=callbacks)[2] == whole[2]
    assert (stop.best, stop.best_epoch) == (whole_stop.best, whole_stop.best_epoch)


@each_optimizer
def test_a_callback_that_sets_parameters_is_followed_and_resumed(path, optimizer):
    """As a projection does: the next iteration begins where it left the net."""

    def rounded(net, logs):
        net.parameters = np.round(net.parameters, 2)
        begun.append((logs["epoch"], net.parameters.copy()))

    begun = []
    net, history, end = fitted(optimizer, callbacks=[rounded])
    np.testing.assert_array_equal(net.parameters, begun[-1][1])
    assert history.loss[-1] < history.loss[2] < history.loss[0]
    # One iteration from there is as good as the first of a training that has no memory yet.
    if isinstance(optimizer, NewtonCG):
        other = new_net()
        other.parameters = begun[3][1]
        assert fitted(optimizer, 1, other)[1].loss[0] == history.loss[4]
    fitted(optimizer, 5, callbacks=[rounded, Checkpoint(path)])
    assert fitted(optimizer, net=new_net(4), resume=path, callbacks=[rounded])[2] == end


CONVEX = {"epochs": 2000, "l2": 0.01}


@each_optimizer
@pytest.mark.parametrize("ending", ["a minimum", "rounding", "a search given up"])
def test_what_ended_by_itself_is_done(path, optimizer, ending, monkeypatch):
    """At a minimum, or where no step is found that goes down: the last iteration is written."""
    optimizer = type(optimizer)(1e-3 if ending == "a minimum" else 0.0)
    if ending == "a search given up":
        monkeypatch.setattr(line_search, "TRIALS", 1)
    trained = []
    callbacks = [lambda net, logs: trained.append(logs["epoch"]), Checkpoint(path, every=1000)]
    first = MLP([4, 3], seed=0)
    history = first.fit(X, Y, optimizer=optimizer, callbacks=callbacks, **CONVEX)
    assert 2 < history.epochs < 1000
    assert len(trained) == history.epochs
    again = MLP([4, 3], seed=8)
    resumed = again.fit(X, Y, optimizer=optimizer, callbacks=callbacks, resume=path, **CONVEX)
    assert len(trained) == history.epochs
    assert everything(again) == everything(first)
    assert resumed.to_dict() == history.to_dict()


@each_optimizer
@pytest.mark.parametrize("tolerance", [1e-3, 0.0], ids=["a minimum", "rounding"])
def test_what_was_at_a_minimum_before_writes_nothing(path, optimizer, tolerance):
    net = MLP([4, 3], seed=0)
    while net.fit(X, Y, optimizer=type(optimizer)(tolerance), **CONVEX).epochs:
        pass
    before = net.parameters.copy()
    arguments = {"optimizer": type(optimizer)(tolerance)} | CONVEX
    history = net.fit(X, Y, callbacks=[Checkpoint(path)], resume=path, **arguments)
    assert history.epochs == 0
    assert not path.exists()
    np.testing.assert_array_equal(net.parameters, before)


@each_optimizer
def test_the_bits_do_not_depend_on_the_threads_of_blas(optimizer):
    """BLAS adds up vectors longer than 10,000 in as many parts as it has threads."""
    rng = np.random.default_rng(0)
    wide, y = rng.standard_normal((40, 4000)), rng.integers(0, 10, 40)

    def trained(threads):
        net = MLP([4000, 10], dtype="float64", seed=0)
        with threadpool_limits(threads):
            net.fit(wide, y, epochs=6, optimizer=optimizer, l2=0.1)
        return net.parameters.tobytes()

    assert trained(1) == trained(2)


# Foreign and damaged files


def rewritten(path, change_slots=lambda slots: slots, dtype="float32"):
    """Write a checkpoint of L-BFGS with other contents than training would."""
    fitted(LBFGS(0.0, memory=3), 2, new_net(0, dtype), callbacks=[Checkpoint(path)])
    rewrite(
        path, change_tensors=lambda tensors: tensors.update(slots=change_slots(tensors["slots"]))
    )


def flipped(slots):
    slots[-1] *= -1  # the last y: curvature that is negative
    return slots


def half(slots):
    slots[2] = 0  # the last s, but not its y
    return slots


def not_a_number(slots):
    slots[-1, 7] = np.nan
    return slots


@pytest.mark.parametrize(
    ("change", "reason", "dtype"),
    [
        (lambda slots: slots, None, "float32"),
        (lambda slots: slots, None, "float64"),
        (flipped, "the checkpoint's optimizer remembers other things", "float32"),
        (half, "the checkpoint's optimizer remembers other things", "float32"),
        (lambda slots: 1e200 * slots, "the checkpoint's optimizer remembers other", "float64"),
        (lambda slots: slots[:4].copy(), "the checkpoint's optimizer remembers other", "float32"),
        (lambda slots: slots[:, :0].copy(), "the checkpoint's optimizer remembers", "float32"),
        (lambda slots: slots[:, :-1].copy(), "slots of shape", "float32"),
        (lambda slots: slots.astype(np.float64), "slots of shape .* float64", "float32"),
        (not_a_number, "NaN or -infinity among the slots", "float32"),
        (lambda slots: np.full_like(slots, np.inf), "remembers other things", "float32"),
    ],
    ids=range(11),
)
def test_damaged_slots_are_refused(path, change, reason, dtype):
    rewritten(path, change, dtype)
    net = new_net(3, dtype)
    before = everything(net)
    if reason is None:
        assert fitted(LBFGS(0.0, memory=3), net=net, resume=path)[1].epochs == EPOCHS
    else:
        with pytest.raises(ValueError, match=rf"^resume: .*{reason}"):
            fitted(LBFGS(0.0, memory=3), net=net, resume=path)
        assert everything(net) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"optimizer": LBFGS(0.0, memory=4)}, r"optimizer: got LBFGS\(.*memory=4.*memory=3"),
        ({"optimizer": LBFGS(1e-6, memory=3)}, r"optimizer: got LBFGS\(tolerance=1e-06"),
        ({"optimizer": NewtonCG(0.0)}, r"optimizer: got NewtonCG\(.*expected LBFGS\("),
        ({"optimizer": Adam()}, r"optimizer: got Adam\(.*expected LBFGS\("),
        ({"l2": 0.5}, "l2: got 0.5, expected 0.001, as in the checkpoint"),
        ({"X": X[::-1]}, "X: got 90 rows with checksum"),
        ({"sample_weight": np.arange(90)}, "sample_weight and class_weight: got 90 rows"),
        ({"validation_data": (X, Y)}, "validation_data: got 90 rows"),
        ({"epochs": 1}, "epochs: got 1, expected at least the 2"),
        ({"callbacks": [EarlyStopping("loss")]}, "callbacks: got EarlyStopping"),
    ],
    ids=str,
)
def test_another_training_is_refused_and_nothing_changes(path, change, named):
    rewritten(path)
    net = new_net(8)
    net.partial_fit(X, Y)
    arguments = {"X": X, "y": Y, "epochs": 5, "l2": 1e-3, "optimizer": LBFGS(0.0, memory=3)}
    arguments |= {"callbacks": []} | change
    arguments["callbacks"] = [*arguments["callbacks"], Checkpoint(path)]
    resuming_refused(net, path, named, arguments)


@each_optimizer
def test_the_number_of_threads_may_be_another(path, optimizer):
    rows, targets = line()
    problem = {"output": "linear", "loss": "quadratic"}

    def end(epochs, **arguments):
        net = MLP([3, 5, 1], seed=0, **problem)
        net.fit(rows, targets, epochs=epochs, optimizer=optimizer, **arguments)
        return everything(net)

    end(3, threads=1, callbacks=[Checkpoint(path)])
    assert end(9, threads=2, resume=path) == end(9, threads=1)


@each_optimizer
def test_a_folder_that_is_not_there_is_an_error_before_training(path, optimizer):
    net = new_net()
    before = everything(net)
    with pytest.raises(FileNotFoundError, match="lost"):
        fitted(optimizer, net=net, callbacks=[Checkpoint(path.parent / "lost" / "run")])
    assert everything(net) == before
