"""Callbacks and early stopping."""

import numpy as np
import pytest
from api_problems import blobs, line
from numpy.testing import assert_allclose, assert_array_equal

from fastbp import EarlyStopping, LayerErrors, MLP, SGD
from fastbp.kernels.layout import parameter_slices

X, Y = blobs()


def net_for_blobs():
    return MLP([4, 5, 3], seed=0)


def test_a_function_gets_the_net_and_the_numbers_of_each_epoch():
    seen = []
    net = net_for_blobs()
    history = net.fit(X, Y, epochs=3, callbacks=[lambda *arguments: seen.append(arguments)])
    assert [got for got, _ in seen] == [net] * 3
    assert [logs["epoch"] for _, logs in seen] == [1, 2, 3]
    assert [logs["loss"] for _, logs in seen] == history.loss


@pytest.mark.parametrize(("answer", "epochs"), [(True, 2), (np.True_, 2), (1, 5), (None, 5)])
def test_only_true_ends_training(answer, epochs):
    history = net_for_blobs().fit(
        X, Y, epochs=5, callbacks=[lambda net, logs: answer if logs["epoch"] == 2 else None]
    )
    assert history.epochs == epochs


def test_an_object_may_hear_of_beginning_epochs_and_end():
    class Listener:
        def __init__(self):
            self.heard = []

        def on_fit_begin(self, net, names):
            self.heard.append(list(names))

        def on_epoch_end(self, net, logs):
            self.heard.append(logs["epoch"])

        def on_fit_end(self, net):
            self.heard.append("end")

    listener = Listener()
    net_for_blobs().fit(X, Y, epochs=2, callbacks=[listener])
    assert listener.heard == [["loss", "accuracy"], 1, 2, "end"]


def test_callbacks_run_in_order_and_cannot_spoil_each_others_logs():
    seen = []

    def spoil(net, logs):
        seen.append("first")
        logs.clear()
        return True

    def read(net, logs):
        seen.append(logs["epoch"])

    history = net_for_blobs().fit(X, Y, epochs=9, callbacks=[spoil, read])
    assert seen == ["first", 1]
    assert history.epochs == 1
    assert len(history.loss) == 1


def test_what_a_callback_raises_comes_out_and_the_net_is_usable():
    net = net_for_blobs()

    def fail(net, logs):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        net.fit(X, Y, epochs=3, callbacks=[fail])
    assert np.isfinite(net.forward(X)).all()
    assert net.fit(X, Y, epochs=2).epochs == 2


# A run whose values are prescribed: the callback before EarlyStopping would not be able to
# change its logs, so it is driven by hand.


def drive(stopping, values):
    net = MLP([1, 2], seed=0)
    stopping.on_fit_begin(net, [stopping.monitor])
    for epoch, value in enumerate(values, start=1):
        net.parameters[:] = epoch
        if stopping.on_epoch_end(net, {"epoch": epoch, stopping.monitor: value}):
            break
    stopping.on_fit_end(net)
    return epoch, net.parameters[0]


def test_it_stops_after_patience_epochs_and_restores_the_best():
    stopping = EarlyStopping(patience=2)
    assert drive(stopping, [3.0, 2.0, 2.5, 2.0, 1.0]) == (4, 2)
    assert (stopping.best, stopping.best_epoch) == (2.0, 2)


def test_scores_improve_by_rising():
    assert drive(EarlyStopping("val_accuracy", patience=2), [0.3, 0.5, 0.4, 0.2, 0.9]) == (4, 2)


def test_small_improvements_do_not_count():
    stopping = EarlyStopping(patience=2, min_delta=0.5)
    assert drive(stopping, [3.0, 2.9, 2.6, 1.0]) == (3, 1)


def test_the_last_parameters_may_be_kept():
    assert drive(EarlyStopping(patience=1, restore_best=False), [1.0, 2.0]) == (2, 2)


def test_the_best_is_restored_also_when_the_epochs_run_out():
    assert drive(EarlyStopping(patience=50), [3.0, 1.0, 2.0]) == (3, 2)


def test_it_begins_anew_in_every_training():
    stopping = EarlyStopping(patience=2)
    drive(stopping, [1.0, 2.0, 3.0])
    assert drive(stopping, [9.0, 8.0, 8.5, 8.6]) == (4, 2)


def test_fit_ends_with_the_parameters_of_the_best_epoch():
    inputs, targets = line(rows=40)
    rng = np.random.default_rng(1)
    noisy = targets + rng.standard_normal(targets.shape)
    net = MLP([3, 50, 1], output="linear", loss="quadratic", seed=0)
    stopping = EarlyStopping(patience=3)
    snapshots = []
    validation = (inputs[20:], noisy[20:])
    history = net.fit(
        inputs[:20],
        noisy[:20],
        epochs=2000,
        optimizer=SGD(0.05),
        validation_data=validation,
        callbacks=[lambda net, logs: snapshots.append(net.parameters.copy()), stopping],
    )
    best = int(np.argmin(history.val_loss))
    assert history.epochs == best + 1 + 3
    assert stopping.best_epoch == best + 1
    assert_array_equal(net.parameters, snapshots[best])
    assert net.evaluate(*validation).loss == min(history.val_loss)


def test_ctrl_c_restores_the_best_too():
    net = net_for_blobs()
    stopping = EarlyStopping("loss")

    def worsen(net, logs):
        if logs["epoch"] == 2:
            net.parameters[:] = 0
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(X, Y, epochs=9, callbacks=[stopping, worsen])
    assert stopping.best_epoch == 2
    assert net.parameters.any()


def test_layer_errors_are_lengths_of_bias_gradients():
    errors = LayerErrors(X[:30], Y[:30])
    seen = []

    def gradient(net, logs):
        seen.append(net.value_and_grad(X[:30], Y[:30])[1])

    net = MLP([4, 6, 5, 3], seed=0)
    for _ in range(2):  # the second training forgets the first
        seen.clear()
        net.fit(X, Y, epochs=3, callbacks=[errors, gradient])
    assert len(errors.lengths) == 3
    for lengths, vector in zip(errors.lengths, seen, strict=True):
        places = [biases for _, biases in parameter_slices(net.sizes)]
        expected = [np.linalg.norm(vector[place]) for place in places]
        assert_allclose(lengths, expected, rtol=2e-6)  # of float32, and other sums over the rows


def test_layer_errors_look_at_their_data_before_anything_is_trained():
    X, y = blobs()
    net = MLP([X.shape[1], 3, 3], seed=0)
    before = net.parameters.copy()
    with pytest.raises(ValueError, match="X of LayerErrors: got shape"):
        net.fit(X, y, callbacks=[LayerErrors(X[:, :1], y)])
    assert_array_equal(net.parameters, before)
