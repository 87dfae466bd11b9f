"""The mini-batch loop: against the reference for any threads, within its arrays.

Errors are measured over the largest parameter: 50 steps add their rounding errors to numbers of
that size.
"""

from itertools import pairwise, product

import naive
import naive_optimizers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import make_rule, max_error, Network, random_targets, random_vector

from fastbp.kernels import epoch, layout, updates

STEPS = 50
# Each step rounds some ten times, by 1e-16; an optimizer that divides by sqrt(v) passes on the
# rounding of small gradients, which so are kept away from 0.
DOUBLE = 1e-12

OPTIMIZERS = {
    "sgd": (make_rule("sgd"), lambda sizes, rate: naive_optimizers.SGD(rate)),
    "momentum": (
        make_rule("sgd", momentum=0.9),
        lambda sizes, rate: naive_optimizers.SGD(rate, 0.9),
    ),
    "nesterov": (
        make_rule("sgd", momentum=0.9, nesterov=True),
        lambda sizes, rate: naive_optimizers.SGD(rate, 0.9, True),
    ),
    "adam": (make_rule("adam"), lambda sizes, rate: naive_optimizers.Adam(rate)),
    "adamw": (
        make_rule("adamw", weight_decay=0.1),
        lambda sizes, rate: naive_optimizers.AdamW(naive.is_weight(sizes), rate, weight_decay=0.1),
    ),
    "rmsprop": (make_rule("rmsprop"), lambda sizes, rate: naive_optimizers.RMSprop(rate)),
    "adagrad": (make_rule("adagrad"), lambda sizes, rate: naive_optimizers.Adagrad(rate)),
}
RATES = {"sgd": 0.1, "momentum": 0.05, "nesterov": 0.05}  # others 0.003

EXTRAS = {
    "plain": {},
    "l2": {"l2": 0.02},
    "l1_l2": {"l1": 0.003, "l2": 0.02},
    "clip_norm": {"clip_norm": 0.05},
    "max_norm": {"max_norm": 0.8},
    "all": {"l1": 0.003, "l2": 0.02, "clip_norm": 0.05, "max_norm": 0.8},
}

# (sizes, rows of the data, batch size): odd, with a last smaller batch; wider than a block of the
# gradient; deep and thin; one of everything; batches of far fewer rows than neurons, and of long
# rows for few neurons, whose forward products are made in ways of their own; a single output,
# whose rows lie side by side.
SHAPES = {
    "odd": ([13, 17, 5, 3], 33, 7),
    "wide_input": ([1030, 17, 2], 20, 8),
    "wide_hidden": ([3, 1100, 2], 11, 4),
    "tall": ([1, layout.BLOCK_SIZE + 50, 1], 5, 3),
    "thin": ([2, 1, 3, 1, 2], 9, 4),
    "one": ([1, 1], 3, 1),
    "few_rows": ([70, 131, 90, 3], 75, 40),
    "few_neurons": ([301, 19, 3], 110, 55),
    "one_output": ([5, 18, 1], 74, 37),
}
# A layer that is large enough for its inputs to be packed.
PACKED_INPUTS = [520, 400, 3], 150, 130


def make_data(sizes, rows, seed=0, dtype=np.float64, loss="quadratic"):
    rng = np.random.default_rng(seed)
    vector = random_vector(rng, sizes, dtype)
    X = rng.normal(size=(rows, sizes[0])).astype(dtype)
    y = random_targets(rng, rows, sizes[-1], loss).astype(dtype)
    weights = rng.uniform(0.5, 2, rows).astype(dtype)
    return vector, X, y, weights


def schedule(rate):
    """A learning rate for each step: they change, as schedules make them."""
    return rate * (1 + np.arange(STEPS) % 3)


def orders(rows, batch_size):
    """Passes over the rows, each in another order, of STEPS steps in all."""
    steps = -(-rows // batch_size)
    rng = np.random.default_rng(1)
    for first in range(0, STEPS, steps):
        yield first, min(steps, STEPS - first), rng.permutation(rows)


def train_by_kernel(network, data, rule, rates, batch_size, **options):
    state, reports = None, []
    for before, steps, order in orders(len(data.X), batch_size):
        padded = np.resize(rates[before : before + steps], -(-len(order) // batch_size))
        trained = network.train(
            data, rule, padded, batch_size, order=order, state=state, steps_before=before,
            last_step=steps, **options,
        )  # fmt: skip
        assert trained.status == epoch.OK
        state = trained.state
        reports.append(trained.report[:3])
    return trained, np.sum(reports, axis=0)


def train_by_reference(sizes, names, vector, X, y, weights, rule, optimizer, rates, batch_size,
                       masks=None):  # fmt: skip
    w = vector
    report = np.zeros(3)
    weights = np.ones(len(X)) if weights is None else weights
    for before, steps, order in orders(len(X), batch_size):
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            s, t = weights[rows], y[rows]
            dropped = None if masks is None else masks(before + step, len(rows))
            layers = naive.unflatten(w, sizes)
            options = {"sample_weight": s, "masks": dropped}
            cost, _ = naive.value_and_grad(*layers, X[rows], t, *names, **options)
            _, g = naive.value_and_grad(
                *layers, X[rows], t, *names, l1=rule.l1, l2=rule.l2, **options
            )
            a = naive.forward(*layers, X[rows], *names[:2], dropped)[1][-1]
            if sizes[-1] == 1:
                hits = (a[:, 0] > 0.5) == (t[:, 0] > 0.5)
            else:
                hits = a.argmax(axis=1) == t.argmax(axis=1)
            report += cost * s.sum(), s.sum(), s @ hits
            if rule.clip_norm:
                g = naive_optimizers.clip_by_norm(g, rule.clip_norm)
            optimizer.learning_rate = rates[before + step]
            w = optimizer.step(w, g)
            if rule.max_norm:
                w = naive_optimizers.max_norm(w, sizes, rule.max_norm)
    return w, report


def check_fifty_steps(shape, optimizer, extra, weighted=True):
    sizes, rows, batch_size = shape
    names = ("tanh", "linear", "quadratic")
    rule, reference = OPTIMIZERS[optimizer]
    rule = rule._replace(**EXTRAS[extra])
    # A wide layer adds up the steps of all its neurons: at one rate for all it would diverge.
    rates = schedule(RATES.get(optimizer, 0.003) * min(1, 20 / max(sizes)))
    vector, X, y, weights = make_data(sizes, rows)
    if not weighted:
        weights = None

    network = Network(sizes, *names, vector, np.float64, rows=batch_size)
    data = network.data(X, y, weights)
    trained, report = train_by_kernel(network, data, rule, rates, batch_size)
    expected, expected_report = train_by_reference(
        sizes, names, vector, X, y, weights, rule, reference(sizes, 0.1), rates, batch_size
    )
    assert max_error(trained.parameters, expected) < DOUBLE
    np.testing.assert_allclose(report, expected_report, rtol=DOUBLE)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fifty_steps_of_the_reference(optimizer, extra, shape):
    check_fifty_steps(SHAPES[shape], optimizer, extra, weighted=shape != "odd")


def test_fifty_steps_of_a_large_layer():
    check_fifty_steps(PACKED_INPUTS, "momentum", "plain")


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 70), min_size=2, max_size=6),
    rows=st.integers(1, 80),
    batch_size=st.integers(1, 67),
    loss=st.sampled_from(["cross_entropy", "poisson", "huber"]),
    labels=st.booleans(),
    threads=st.integers(1, 3),
)
def test_fifty_steps_of_any_shape(sizes, rows, batch_size, loss, labels, threads):
    names = {
        "cross_entropy": ("gelu", "softmax"),
        "poisson": ("softplus", "exponential"),
        "huber": ("elu", "sigmoid"),
    }[loss] + (loss,)  # fmt: skip
    vector, X, y, weights = make_data(sizes, rows, loss=loss)
    if labels and sizes[-1] > 1:
        y = np.arange(rows) % sizes[-1]
    rule, rates = make_rule("sgd", momentum=0.5), schedule(0.01)
    network = Network(sizes, *names, vector, np.float64, rows=batch_size, threads=threads)
    data = network.data(X, y, weights)
    trained, report = train_by_kernel(network, data, rule, rates, batch_size)
    expected, expected_report = train_by_reference(
        sizes, names, vector, X, naive.as_targets(y, sizes[-1]), weights, rule,
        naive_optimizers.SGD(0.1, 0.5), rates, batch_size,
    )  # fmt: skip
    assert max_error(trained.parameters, expected) < DOUBLE
    # A cost that is almost 0 is what is left of larger numbers.
    np.testing.assert_allclose(report, expected_report, rtol=DOUBLE, atol=1e-13 * rows)


def test_float32_trains_as_float64_does():
    sizes, rows, batch_size = SHAPES["odd"]
    names, rates = ("tanh", "linear", "quadratic"), schedule(0.05)
    vector, X, y, weights = make_data(sizes, rows, dtype=np.float32)
    rule = make_rule("sgd", momentum=0.9, l1=0.001, l2=0.01, max_norm=0.8)
    both = []
    for dtype in (np.float32, np.float64):
        network = Network(sizes, *names, vector, dtype, rows=batch_size)
        data = network.data(X, y, weights)
        both.append(train_by_kernel(network, data, rule, rates, batch_size)[0].parameters)
    assert both[0].dtype == np.float32
    assert max_error(*both) < 1e-4  # 50 steps of 6e-8, ten times over, and signs that l1 flips


# Dropout


def masks_of(sizes, rows, rate, seed, step, dtype=np.float64):
    """What dropout does to each hidden layer: trained with a net whose every a is 1 before it."""
    vector = np.zeros(layout.n_parameters(sizes))
    for b in naive.unflatten(vector, sizes)[1]:
        b[:] = 1
    network = Network(sizes, "linear", "linear", "quadratic", vector, dtype, rows=rows)
    data = network.data(np.zeros((rows, sizes[0])), np.zeros((rows, sizes[-1])))
    trained = network.train(
        data, make_rule("sgd"), 0.0, rows, dropout=rate, seed=seed, steps_before=step
    )
    assert trained.status == epoch.OK
    masks = []
    for layer in (layout.Layer(*row) for row in network.training_plan.layers[1:]):
        a = network.arena[layer.a : layer.a + rows * layer.row_step].reshape(rows, -1)
        masks.append(a[:, : layer.neurons].copy())
    np.testing.assert_array_equal(masks.pop(), 1)  # never on the output
    return masks


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_and_scales_it(rate, dtype):
    sizes, rows, steps = [1, 100, 57, 1], 50, 4
    kept = {1: [], 2: []}
    for step in range(steps):
        for l, mask in enumerate(masks_of(sizes, rows, rate, 3, step, dtype), start=1):
            assert set(np.unique(mask)) <= {0, dtype(1 / (1 - rate))}
            kept[l].append(mask != 0)
    for draws in kept.values():
        n = np.size(draws)
        # Five standard deviations of a binomial; and no row, neuron or step apart from the others:
        # six, and Bernstein's 12 draws for few expected, since there are hundreds of means.
        sigma = np.sqrt(rate * (1 - rate) / n)
        assert abs(np.mean(draws) - (1 - rate)) < 5 * sigma
        for axes in [(0, 1), (0, 2), (1, 2)]:
            means = np.mean(draws, axis=axes)
            limit = 6 * sigma * np.sqrt(len(means)) + 12 * len(means) / n
            assert np.abs(means - (1 - rate)).max() < limit


def test_dropout_masks_differ_by_seed_step_layer_row_and_neuron():
    sizes, rows = [1, 64, 64, 1], 64
    a1, a2 = masks_of(sizes, rows, 0.5, seed=1, step=0)
    others = [a2, a1.T, *masks_of(sizes, rows, 0.5, 1, 1), *masks_of(sizes, rows, 0.5, 2, 0)]
    # Neighbours one row, or one neuron, on.
    others += [np.roll(a1, 1, axis=0), np.roll(a1, 1, axis=1)]
    for other in others:
        # Independent fair draws agree in half of 4096 places, give or take 32.
        assert abs(np.sum(a1 == other) - 2048) < 5 * 32
    again = masks_of(sizes, rows, 0.5, seed=1, step=0)
    np.testing.assert_array_equal(again, [a1, a2])


def test_dropout_masks_do_not_depend_on_the_shape_around_them():
    small, _ = masks_of([1, 20, 5, 1], 3, 0.5, 9, 4)
    large, _ = masks_of([1, 70, 31, 1], 40, 0.5, 9, 4)
    np.testing.assert_array_equal(small, large[:3, :20])


@pytest.mark.parametrize("activation", naive.ACTIVATIONS)
@pytest.mark.parametrize("threads", [1, 2])
def test_dropout_backward_uses_the_masks_of_forward(activation, threads):
    """Fifty steps of the reference, given the masks."""
    sizes, rows, batch_size, seed = [13, 21, 9, 3], 33, 7, 5
    rates_of_layers = [0.25, 0.5]
    names = (activation, "linear", "quadratic")
    vector, X, y, weights = make_data(sizes, rows)
    rule, rates = make_rule("sgd", momentum=0.5, l2=0.01), schedule(0.01)
    network = Network(sizes, *names, vector, np.float64, rows=batch_size, threads=threads)
    trained, report = train_by_kernel(
        network, network.data(X, y, weights), rule, rates, batch_size, dropout=rates_of_layers,
        seed=seed,
    )  # fmt: skip
    expected, expected_report = train_by_reference(
        sizes, names, vector, X, y, weights, rule, naive_optimizers.SGD(0.1, 0.5), rates,
        batch_size, lambda step, rows: masks_of(sizes, rows, rates_of_layers, seed, step),
    )  # fmt: skip
    assert max_error(trained.parameters, expected) < DOUBLE
    np.testing.assert_allclose(report, expected_report, rtol=DOUBLE)


# Threads


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("extra", ["l2", "l1_l2", "all"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_same_bits_for_any_number_of_threads(optimizer, extra, dtype):
    sizes, rows, batch_size = [13, 70, 33, 5], 41, 9
    rule = OPTIMIZERS[optimizer][0]._replace(**EXTRAS[extra])
    vector, X, y, weights = make_data(sizes, rows, dtype=dtype, loss="cross_entropy")
    rng = np.random.default_rng(2)
    passes = [rng.permutation(rows) for _ in range(5)]
    results = []
    for threads in (1, 2, 3):
        network = Network(
            sizes, "gelu", "softmax", "cross_entropy", vector, dtype, rows=batch_size,
            threads=threads,
        )  # fmt: skip
        data, state, reports = network.data(X, y, weights), None, b""
        for n, order in enumerate(passes):
            trained = network.train(
                data, rule, RATES.get(optimizer, 0.003), batch_size, order=order, state=state,
                dropout=0.3, seed=7, steps_before=5 * n,
            )  # fmt: skip
            assert trained.status == epoch.OK
            state = trained.state
            reports += trained.report.tobytes()
        results.append((trained.parameters.tobytes(), state.tobytes(), reports))
    assert trained.parameters.tobytes() != vector.tobytes()
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    "shape",
    [SHAPES["few_rows"], SHAPES["few_neurons"], SHAPES["one_output"], PACKED_INPUTS],
    ids=["few_rows", "few_neurons", "one_output", "packed_inputs"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_of_larger_batches(shape, dtype, monkeypatch):
    """And whether each thread has a copy of the batch, or all share one."""
    sizes, rows, batch_size = shape
    vector, X, y, _ = make_data(sizes, rows, dtype=dtype)
    results = set()
    for threads, copied_to in product((1, 2, 3), (layout.COPIED_TO, 0)):
        monkeypatch.setattr(layout, "COPIED_TO", copied_to)
        network = Network(
            sizes, "relu", "linear", "quadratic", vector, dtype, rows=batch_size, threads=threads
        )
        trained = network.train(network.data(X, y), make_rule("adam"), 0.01, batch_size)
        results.add((trained.parameters.tobytes(), trained.report.tobytes()))
    assert len(results) == 1


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("sizes", [[1, 1], [3, 2, 1, 2], [40, 17, 16], [5, 1100, 3]])
def test_same_bits_where_threads_are_idle(sizes):
    """Layers of fewer neurons than threads have lanes; batches of fewer rows than threads."""
    vector, X, y, _ = make_data(sizes, 5)
    results = set()
    for threads in (1, 2, 3, 7):
        network = Network(
            sizes, "tanh", "linear", "quadratic", vector, np.float64, rows=2, threads=threads
        )
        rule = make_rule("sgd", momentum=0.9, max_norm=0.5)
        trained = network.train(network.data(X, y), rule, 0.1, 2)
        results.add((trained.parameters.tobytes(), trained.report.tobytes()))
    assert len(results) == 1


def test_a_pass_in_pieces_is_the_pass():
    """The API trains in calls of some steps each, so that Ctrl-C is heard."""
    sizes, rows, batch_size = SHAPES["odd"]
    vector, X, y, _ = make_data(sizes, rows)
    rule = make_rule("adam", l2=0.1)
    results = []
    for cuts in ([0, 5], [0, 1, 4, 5]):
        network = Network(sizes, "tanh", "linear", "quadratic", vector, np.float64, rows=7)
        data, state = network.data(X, y), None
        for first, last in pairwise(cuts):
            trained = network.train(
                data, rule, [0.01, 0.02, 0.03, 0.04, 0.05], batch_size, state=state, dropout=0.5,
                first_step=first, last_step=last,
            )  # fmt: skip
            state = trained.state
        results.append((trained.parameters.tobytes(), state.tobytes()))
    assert results[0] == results[1]


# Guard values around every array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0, 1, 3])
@pytest.mark.parametrize("fill", [1.5, np.nan])
@pytest.mark.parametrize(
    "sizes", [[1, 1], [2, 3, 1], [17, 33, 15], [31, 1, 65, 7], [64, 16, 32], [1030, 3, 1050, 2]]
)
def test_kernels_write_in_their_arrays_only(sizes, fill, shift, dtype):
    """`Network` checks the guards after each call; arrays begin anywhere in a cache line.

    A guard of NaN spreads to the results of who reads it; a number changes when it is added to.
    """
    vector, X, y, weights = make_data(sizes, 19, dtype=dtype)
    for threads, rows in [(1, 5), (3, 8)]:
        network = Network(
            sizes, "tanh", "linear", "quadratic", vector, dtype, rows=rows, threads=threads,
            fill=fill, shift=shift,
        )  # fmt: skip
        data = network.data(X, y, weights)
        answers = [network.forward(X), *network.evaluate(data)]
        answers += [network.value_and_grad(data, 0.1, 0.1), network.input_gradient(data)]
        answers += network.layer_errors(data)[1]
        for rule, _ in OPTIMIZERS.values():
            for extra in EXTRAS.values():
                trained = network.train(
                    data, rule._replace(**extra), 0.001, rows, dropout=0.25, seed=1
                )
                assert trained.status == epoch.OK
                answers += [trained.parameters, trained.state]
        for answer in answers:
            for part in answer if isinstance(answer, tuple) else [answer]:
                assert np.isfinite(part).all()


def test_the_guards_see_a_stray_write():
    network = Network([2, 1], [], "linear", "quadratic", [1.0, 2.0, 3.0], np.float64)
    network.guarded.check()
    for buffer, start, end, *_ in network.guarded.buffers:
        for place in (0, start - 1, end, -1):
            kept, buffer[place] = buffer[place], 2
            with pytest.raises(AssertionError):
                network.guarded.check()
            buffer[place] = kept
    network.guarded.check()


# Numbers that are not finite


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 15, 16, 36])
def test_inputs_that_are_not_finite(column, bad, threads, dtype):
    """Nothing of the step that meets one is applied or reported."""
    sizes, batch_size = [37, 3], 4
    vector, X, y, _ = make_data(sizes, 20, dtype=dtype)

    def train(X, last_step):
        network = Network(
            sizes, [], "linear", "quadratic", vector, dtype, rows=batch_size, threads=threads
        )
        return network.train(network.data(X, y), make_rule("adam"), 0.1, 4, last_step=last_step)

    for row in (0, 7, 19):
        broken = X.copy()
        broken[row, column] = bad
        trained = train(broken, 5)
        step = row // batch_size
        assert trained.status == epoch.INPUT_NOT_FINITE
        assert trained.report[epoch.FAILED_STEP] == step
        assert trained.report[epoch.WEIGHT] == step * batch_size
        before = train(X, step)
        assert before.status == epoch.OK
        np.testing.assert_array_equal(trained.parameters, before.parameters)
        np.testing.assert_array_equal(trained.report[:3], before.report[:3])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_costs_that_are_not_finite(clip_norm, threads):
    """A batch whose cost overflows ends training; its step is not applied."""
    sizes = [3, 4, 2]
    vector, X, y, _ = make_data(sizes, 20, dtype=np.float32)
    y[9] = 1e30  # in batch 2; its square is infinite in float32
    network = Network(
        sizes, "relu", "linear", "quadratic", vector, np.float32, rows=4, threads=threads
    )
    data = network.data(X, y)
    rule = make_rule("sgd", momentum=0.9, clip_norm=clip_norm)
    trained = network.train(data, rule, 0.1, 4)
    assert trained.status == epoch.COST_NOT_FINITE
    assert trained.report[epoch.FAILED_STEP] == 2
    assert trained.report[epoch.WEIGHT] == 8
    assert np.isfinite(trained.parameters).all()
    assert np.isfinite(trained.report).all()


@pytest.mark.parametrize("activation", naive.ACTIVATIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_not_lost(activation, bad):
    """Neither an activation nor an update swallows them: max(0, NaN) would be 0.

    They show in the cost; where a saturated neuron hides an infinite bias, it stays as it is.
    """
    sizes = [3, 4, 2]
    vector, X, y, _ = make_data(sizes, 8)
    bias = layout.parameter_slices(sizes)[0][1].start  # of layer 1
    vector[bias] = bad
    network = Network(sizes, activation, "linear", "quadratic", vector, np.float64, rows=4)
    trained = network.train(network.data(X, y), make_rule("sgd"), 0.1, 4)
    if bad == np.inf and activation in ("sigmoid", "tanh"):
        assert trained.parameters[bias] == np.inf
    else:
        assert trained.status == epoch.COST_NOT_FINITE


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_subnormal_numbers_are_back_after_training(bad):
    """Training flushes them to 0, in its threads and while it lasts; also when it breaks off."""
    vector, X, y, _ = make_data([3, 2], 8)
    X[5, 1] += bad
    network = Network([3, 2], [], "linear", "quadratic", vector, np.float64, rows=4)
    trained = network.train(network.data(X, y), make_rule("adam"), 0.1, 4)
    assert trained.status == (epoch.INPUT_NOT_FINITE if bad else epoch.OK)
    least = np.full(9, np.finfo(float).tiny)
    assert (least / 4 > 0).all()
    assert (least / 4 * 4 == least).all()


def test_rows_that_weigh_nothing_move_nothing():
    sizes = [3, 4, 2]
    vector, X, y, _ = make_data(sizes, 8)
    network = Network(sizes, "tanh", "linear", "quadratic", vector, np.float64, rows=4)
    data = network.data(X, y, np.zeros(8))
    trained = network.train(data, make_rule("sgd"), 0.1, 4)
    assert trained.status == epoch.OK
    np.testing.assert_array_equal(trained.parameters, vector)
    np.testing.assert_array_equal(trained.report, 0)


def test_state_slots():
    slots = {
        name: updates.state_slots(rule.optimizer, rule.momentum)
        for name, (rule, _) in OPTIMIZERS.items()
    }
    assert slots == {
        "sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2, "rmsprop": 1, "adagrad": 1,
    }  # fmt: skip


@pytest.mark.parametrize("neurons", [127, 129, 191, 513])
def test_blocks_of_tall_layers(neurons):
    """Batches so large that blocks of the gradient are tall: a stored gradient gives the same."""
    sizes, rows = [513, neurons, 2], 512
    vector, X, y, _ = make_data(sizes, rows, dtype=np.float64)
    ends = []
    for clip_norm in (0.0, 1e9):  # a limit never reached, but for it the gradient is stored
        network = Network(sizes, "tanh", "linear", "quadratic", vector, np.float64, rows=rows)
        rule = make_rule("adam", momentum=0.9, beta2=0.999, epsilon=1e-8, clip_norm=clip_norm)
        ends.append(network.train(network.data(X, y), rule, 0.01, rows).parameters)
    assert max_error(*ends) < DOUBLE


def test_blocks_of_part_of_the_inputs():
    """So many inputs that a block has not all of a neuron's; three are left for the last one."""
    sizes, rows = [layout.BLOCK_SIZE + 3, 24, 1], 24
    vector, X, y, _ = make_data(sizes, rows, dtype=np.float64)
    ends = []
    for clip_norm in (0.0, 1e9):
        network = Network(sizes, "tanh", "linear", "quadratic", vector, np.float64, rows=rows)
        rule = make_rule("adam", momentum=0.9, beta2=0.999, epsilon=1e-8, clip_norm=clip_norm)
        ends.append(network.train(network.data(X, y), rule, 0.01, rows).parameters)
    assert max_error(*ends) < DOUBLE


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_momentum_rounds_a_weight_once_a_step(dtype, nesterov):
    """As scikit-learn does, whose models of float32 are ours to 1e-7 for it, and not 1e-6."""
    rng, sizes, mu = np.random.default_rng(0), [301, 1], dtype(0.9)
    w = rng.uniform(1, 1.9, 302).astype(dtype)
    v = (1e-3 * rng.normal(size=302)).astype(dtype)
    X = rng.normal(size=(1, 301)).astype(dtype)
    network = Network(sizes, (), "linear", "quadratic", w, dtype, rows=1)
    rule = make_rule("sgd", momentum=0.9, nesterov=nesterov)
    after = network.train(network.data(X, np.ones((1, 1))), rule, 1e-6, 1, state=v[np.newaxis])

    w, v, v_after, mu = (x.astype(np.longdouble) for x in (w, v, after.state[0], mu))
    assert 1e-6 < np.abs(v_after - mu * v).max() < 1e-3  # - eta g, as it was rounded into v
    expected = w + mu * v_after + (v_after - mu * v) if nesterov else w + v_after
    units = np.abs(after.parameters - expected) / np.spacing(w.astype(dtype))
    assert units.max() < 0.51
