"""Ctrl-C in what takes long without coming back to Python: it is heard at once, and left alone."""

import threading

import book_loop
import numpy as np
import pytest
import scipy.sparse
from api_problems import blobs, everything
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from stops import press_ctrl_c

from fastbp import interrupts, LBFGS, MLP, objective, pace, training
from fastbp.architecture import Architecture
from fastbp.augment import Distortions, Expansion
from fastbp.kernels import epoch
from fastbp.nndl import engine, network
from fastbp.sklearn import lbfgs, MLPClassifier, validation_set
from fastbp.sklearn.epochs import Epochs
from fastbp.sklearn.optimizer import Optimizer

X, Y = blobs()
pytestmark = pytest.mark.usefixtures("handler_is_restored")


def net_for_blobs():
    return MLP([4, 6, 3], seed=0)


def estimator(**parameters):
    return MLPClassifier((6,), shuffle=False, batch_size=30, random_state=0, **parameters)


@pytest.fixture
def anything_is_long(monkeypatch):
    monkeypatch.setattr(training, "BRIEF", 0)
    monkeypatch.setattr(interrupts, "LONG", 0)
    monkeypatch.setattr(pace, "LONG", 0)
    monkeypatch.setattr(pace, "LONG_CALL", 0)
    monkeypatch.setattr(pace, "FLOPS_PER_CALL", 1)
    monkeypatch.setattr(pace, "SHORT_CALL", 0)


class Stuck:
    """A kernel that goes on until it is told to end. Ctrl-C is pressed when all threads call it."""

    def __init__(self, n_threads=1):
        self.over, self.threads, self.n_threads = threading.Event(), [], n_threads
        self.was_waited_for = False
        self.arrays = ()

    def __call__(self, *arguments):
        if len(arguments) > 1:
            self.arrays = arguments[1]  # of training: parameters, state, gradient, arena
        for array in self.arrays:
            array[...] = np.nan
        self.threads.append(threading.current_thread())
        if len(self.threads) == self.n_threads:
            press_ctrl_c()
        self.was_waited_for |= not self.over.wait(120)
        raise AssertionError("nobody should hear of this")

    def in_place_of_arithmetic(self, *_):
        """For kernels and functions that only return something."""
        return self()

    def end(self):
        assert not self.was_waited_for
        self.over.set()
        for thread in self.threads:
            thread.join()


def refuse_arrays(arrays, monkeypatch):
    """From now on no kernel trains in memory that one left alone still writes to."""
    train = epoch.train

    def spy(table, model, *others):
        for mine in model:
            assert not any(np.shares_memory(mine, its) for its in arrays)
        return train(table, model, *others)

    monkeypatch.setattr(epoch, "train", spy)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_long_step_is_left_alone(method, threads, monkeypatch, anything_is_long):
    net, stuck = net_for_blobs(), Stuck(threads)
    net.partial_fit(X, Y)
    before = net.parameters.copy(), net._memory.slots.copy()
    with monkeypatch.context() as patch:
        patch.setattr(epoch, "train", stuck)
        if method == "fit":
            with pytest.warns(UserWarning, match="interrupted in epoch 1"):
                assert net.fit(X, Y, threads=threads).epochs == 0
        else:
            with pytest.raises(KeyboardInterrupt):
                net.partial_fit(X, Y, threads=threads)
            assert_array_equal(net._memory.slots, before[1])
    assert_array_equal(net.parameters, before[0])
    refuse_arrays(stuck.arrays, monkeypatch)
    net.partial_fit(X, Y, threads=threads)  # while the other still goes on
    assert np.isfinite(net.parameters).all()
    stuck.end()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_long_step_of_an_estimator_is_left_alone(method, threads, monkeypatch, anything_is_long):
    model, stuck = estimator(warm_start=True, n_threads=threads, max_iter=1), Stuck(threads)
    twin = estimator(n_threads=threads)
    for one in (model, twin):
        one.partial_fit(X, Y, classes=np.unique(Y))
    before = model._flat.vector.copy(), model._optimizer.state.copy()
    with monkeypatch.context() as patch:
        patch.setattr(epoch, "train", stuck)
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            getattr(model, method)(X, Y)
    assert_array_equal(model._flat.vector, before[0])
    refuse_arrays(stuck.arrays, monkeypatch)
    if method == "partial_fit":
        assert_array_equal(model._optimizer.state, before[1])
        for one in (model, twin):
            one.partial_fit(X, Y)  # while the other still goes on
        assert_array_equal(model._flat.vector, twin._flat.vector)
    stuck.end()


def test_a_long_step_of_the_book_is_left_alone(monkeypatch, anything_is_long, capsys):
    pairs = list(zip(X[:, :, None], np.eye(3)[Y][:, :, None], strict=True))
    net, stuck = network.Network([4, 6, 3]), Stuck()
    net.SGD(pairs, 1, 30, 0.1)  # nothing compiles below
    before = net.weights, net.biases
    with monkeypatch.context() as patch:
        patch.setattr(epoch, "train", stuck)
        with pytest.raises(KeyboardInterrupt):
            net.SGD(pairs, 1, 30, 0.1)
    for was, now in zip(before, (net.weights, net.biases), strict=True):
        for a, b in zip(was, now, strict=True):
            assert_array_equal(a, b)
    net.SGD(pairs, 1, 30, 0.1)
    stuck.end()


def trained_net():
    net = net_for_blobs()
    net.fit(X, Y, epochs=3, dropout=0.1)
    return everything(net)


def trained_estimator():
    model = estimator(max_iter=3, n_iter_no_change=9).partial_fit(X, Y, classes=np.unique(Y))
    model.partial_fit(X, Y)
    return model._flat.vector.tobytes(), model._optimizer.state.tobytes(), model.loss_curve_


def trained_book():
    book_loop.seed(0)
    net = network.Network([4, 6, 3])
    net.SGD(list(zip(X[:, :, None], np.eye(3)[Y][:, :, None], strict=True)), 2, 30, 0.1)
    return [w.tobytes() for w in net.weights]


@pytest.mark.parametrize("trained", [trained_net, trained_estimator, trained_book])
def test_a_long_step_has_the_same_bits(trained, request):
    short = trained()
    request.getfixturevalue("anything_is_long")
    assert trained() == short


def test_a_long_validation_is_left_alone(monkeypatch, anything_is_long):
    net, stuck = net_for_blobs(), Stuck()
    with monkeypatch.context() as patch:
        patch.setattr(training, "evaluate", stuck.in_place_of_arithmetic)
        with pytest.warns(UserWarning, match="interrupted in epoch 1"):
            assert net.fit(X, Y, validation_data=(X, Y)).epochs == 0
    stuck.end()
    net.fit(X, Y, epochs=1)


def test_a_long_validation_of_an_estimator_is_left_alone(monkeypatch, anything_is_long):
    model, stuck = estimator(early_stopping=True), Stuck()
    with monkeypatch.context() as patch:
        patch.setattr(validation_set, "evaluate", stuck.in_place_of_arithmetic)
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model.fit(X, Y)
    assert (len(model.loss_curve_), model.validation_scores_) == (1, [])  # as in scikit-learn
    stuck.end()


def test_long_outputs_of_the_book_are_left_alone(monkeypatch, anything_is_long):
    net, stuck = network.Network([4, 6, 3]), Stuck()
    with monkeypatch.context() as patch:
        patch.setattr(engine, "forward", stuck.in_place_of_arithmetic)
        with pytest.raises(KeyboardInterrupt):
            net.evaluate(list(zip(X[:, :, None], Y, strict=True)))
    stuck.end()


@pytest.mark.parametrize("name", ["value_and_grad", "evaluate"])
def test_a_long_iteration_is_left_alone(name, monkeypatch, anything_is_long):
    net, stuck = net_for_blobs(), Stuck()
    before = net.parameters.copy()
    with monkeypatch.context() as patch:
        place = objective if name == "evaluate" else objective.backward
        patch.setattr(place, name, stuck.in_place_of_arithmetic)
        with pytest.warns(UserWarning, match="interrupted in iteration 1"):
            assert net.fit(X, Y, optimizer=LBFGS()).epochs == 0
    assert_array_equal(net.parameters, before)
    stuck.end()
    net.fit(X, Y, epochs=2, optimizer=LBFGS())


def test_a_long_evaluation_in_an_estimators_lbfgs_is_left_alone(monkeypatch, anything_is_long):
    model, stuck = estimator(solver="lbfgs", warm_start=True), Stuck()
    model.fit(X, Y)
    before = model._flat.vector.copy()
    with monkeypatch.context() as patch:
        patch.setattr(lbfgs.backward, "value_and_grad", stuck.in_place_of_arithmetic)
        with pytest.raises(KeyboardInterrupt):  # as in scikit-learn, whose SciPy does not catch it
            model.fit(X, Y)
    assert_array_equal(model._flat.vector, before)
    stuck.end()
    model.fit(X, Y)


# Ctrl-C between two steps


def test_an_estimator_counts_the_steps_made_before_ctrl_c(monkeypatch, anything_is_long):
    train = epoch.train

    def train_and_press(table, model, data, rows_pass, rule, first, last, *others):
        if first == 1:
            press_ctrl_c()
        return train(table, model, data, rows_pass, rule, first, last, *others)

    model, twin = estimator(n_threads=1), estimator(n_threads=1)
    with monkeypatch.context() as patch:
        patch.setattr(epoch, "train", train_and_press)
        patch.setattr(pace, "LONG", np.inf)  # or the step is not waited for
        patch.setattr(pace, "LONG_CALL", np.inf)
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model.partial_fit(X, Y, classes=np.unique(Y))
    twin.partial_fit(X[:60], Y[:60], classes=np.unique(Y))
    assert model._optimizer.t == twin._optimizer.t == 2
    for one in (model, twin):
        one.partial_fit(X, Y)
    assert_array_equal(model._flat.vector, twin._flat.vector)


def test_ctrl_c_is_heard_while_an_estimator_draws_the_orders_of_many_epochs(monkeypatch):
    next_order, drawn = Epochs.next_order, []

    def press_and_draw(self):
        if not drawn:
            press_ctrl_c()
        drawn.append(next_order(self))
        return drawn[-1]

    monkeypatch.setattr(Epochs, "next_order", press_and_draw)
    model = estimator(max_iter=5)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, Y)
    assert model.n_iter_ == model._optimizer.t == 0


def test_an_estimator_records_an_epoch_as_a_whole(monkeypatch):
    epoch_ends = Optimizer.epoch_ends

    def press_and_end(*arguments):
        press_ctrl_c()
        epoch_ends(*arguments)

    ended = []

    class Listener:
        def on_epoch_end(self, model, logs):
            pass

        def on_fit_end(self, model):
            ended.append(model)

    monkeypatch.setattr(Optimizer, "epoch_ends", press_and_end)
    model = estimator(callbacks=[Listener()])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, Y)
    assert model.n_iter_ == len(model.loss_curve_) == model._optimizer.epochs == 1
    assert ended == [model]


def test_the_book_keeps_an_epoch_as_a_whole(monkeypatch):
    biases = engine.Engine.biases

    def press_and_return(self):
        press_ctrl_c()
        return biases(self)

    net = network.Network([4, 6, 3])
    before = net.weights
    with monkeypatch.context() as patch:
        patch.setattr(engine.Engine, "biases", press_and_return)
        with pytest.raises(KeyboardInterrupt):
            net.SGD(list(zip(X[:, :, None], np.eye(3)[Y][:, :, None], strict=True)), 5, 30, 0.1)
    assert (net.weights[0] != before[0]).all()  # as if it had been pressed after the epoch


# How long a call is


@pytest.mark.parametrize("sizes", [[1, 1], [1, 500], [784, 30, 10], [50, 2000, 50]])
@pytest.mark.parametrize("batch_size", [1, 32, 1000])
def test_calls_are_short_also_where_little_of_a_step_is_arithmetic(sizes, batch_size):
    """A step is taken for 0.5 us at least, a row for 0.1 us: 50 ms are at most so many."""
    net = Architecture.checked(sizes, "tanh", "linear", "quadratic", "float32")
    calls = pace.Pace(net, batch_size).steps
    assert 1 <= calls <= 1e5
    assert calls * batch_size <= max(5e5, batch_size)
    assert calls == 1 or calls * 6 * net.n_parameters * batch_size <= pace.FLOPS_PER_CALL


def test_calls_grow_while_they_are_short_and_almost_whole():
    net = Architecture.checked([1, 1], "tanh", "linear", "quadratic", "float32")
    ours = pace.Pace(net, 1)
    first = ours.steps
    ours.observe(first, 1.0)
    ours.observe(first // 2, 0.0)  # the end of an epoch: else 10,000 short epochs make 2^10000
    ours.observe(first * 3 // 4, pace.SHORT_CALL)
    assert ours.steps == first
    ours.observe(first * 3 // 4, pace.SHORT_CALL * 0.7)
    assert ours.steps == 2 * first


@pytest.mark.parametrize(("short", "calls"), [(0, [1] * 14), (np.inf, [1, 3, 4, 4, 2])])
def test_estimators_make_more_epochs_at_once_while_calls_are_short(monkeypatch, short, calls):
    """At most four, where lack of progress may end it after as many."""
    train, made = epoch.train, []

    def spy(table, model, data, passes, *others):
        made.append(len(passes.order))
        return train(table, model, data, passes, *others)

    monkeypatch.setattr(epoch, "train", spy)
    monkeypatch.setattr(pace, "SHORT_CALL", short)
    net = Architecture.checked([X.shape[1], 3, 3], "relu", "softmax", "cross_entropy", "float64")
    monkeypatch.setattr(pace, "FLOPS_PER_CALL", 6 * pace.step_work(net, 10))
    trained = MLPClassifier([3], max_iter=14, batch_size=10, n_iter_no_change=3, random_state=0)
    with pytest.warns(ConvergenceWarning):
        trained.fit(X[:40], Y[:40])
    assert made == calls


def test_epochs_that_a_call_has_completed_are_recorded_before_ctrl_c_ends_the_fit(monkeypatch):
    train, made = epoch.train, []

    def train_and_press(table, model, data, passes, *others):
        made.append(len(passes.order))
        if len(made) == 2:
            press_ctrl_c()
        return train(table, model, data, passes, *others)

    monkeypatch.setattr(epoch, "train", train_and_press)
    monkeypatch.setattr(pace, "SHORT_CALL", np.inf)
    net = Architecture.checked([X.shape[1], 3, 3], "relu", "softmax", "cross_entropy", "float64")
    monkeypatch.setattr(pace, "FLOPS_PER_CALL", 6 * pace.step_work(net, 10))
    trained = MLPClassifier([3], max_iter=14, batch_size=10, n_iter_no_change=3, random_state=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        trained.fit(X[:40], Y[:40])
    assert made == [1, 3]
    assert trained.n_iter_ == len(trained.loss_curve_) == 4


def test_large_images_are_distorted_a_few_at_a_time():
    for side, least, most in ((28, 500, 1500), (280, 1, 2)):
        distortions = Distortions(shape=(side, side), elastic=30)
        images = np.zeros((4 * least, side * side), np.float32)
        expansion = Expansion(distortions, images, 0, 1)
        calls = len(expansion.blocks())
        assert len(images) / most <= calls <= len(images) / least


def test_a_call_is_long_by_the_clock():
    """Only one of a single step, for which nothing shorter can be had."""
    net = Architecture.checked([1000, 1000], "tanh", "linear", "quadratic", "float32")
    assert not pace.Pace(net, 10).is_long
    ours = pace.Pace(net, 1000)
    assert ours.is_long
    for seconds, is_long in ((0.1, False), (0.2, True), (0.01, False)):
        ours.steps = 1
        ours.observe(1, seconds)
        assert ours.is_long == is_long
    ours.observe(2, 1.0)
    assert not ours.is_long


def test_a_sparse_matrix_is_trained_in_short_calls_too(monkeypatch, anything_is_long):
    """A block of rows that is small enough when dense may take long to train on."""
    train, calls = epoch.train, []

    def spy(table, model, data, rows_pass, rule, first, last, *others):
        calls.append(last - first)
        return train(table, model, data, rows_pass, rule, first, last, *others)

    monkeypatch.setattr(epoch, "train", spy)
    estimator(n_threads=1).partial_fit(scipy.sparse.csr_matrix(X), Y, classes=np.unique(Y))
    assert calls == [1, 1, 1]


def test_a_pass_is_divided_into_calls():
    net = Architecture.checked([1, 1], "tanh", "linear", "quadratic", "float32")
    ours = pace.Pace(net, 1, most=8)
    assert ours.steps == 8
    assert list(ours.calls(20)) == [(0, 8), (8, 16), (16, 20)]
    ours.most = 16
    assert list(ours.calls(30)) == [(0, 8), (8, 24), (24, 30)]
