"""Data larger than the memory, read from and written to files; more elements than 2^32."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from api_problems import blobs, everything
from networks import make_rule, Network, random_vector
from numpy.testing import assert_array_equal

from fastbp import MLP
from fastbp.data import features
from fastbp.kernels import epoch, layout

SIZES = [784, 10]
ROWS = 40_000  # 125 MB
HEADROOM = 32 << 20

# What a process does that may take HEADROOM bytes more than it has: mappings of files do not
# count, all other memory does.
IN_LITTLE_MEMORY = """
import resource, sys
import numpy as np
from fastbp import MLP

folder, rows, headroom = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
X = np.memmap(f"{folder}/X", np.float32, "r", shape=(rows, 784))
pixels = np.memmap(f"{folder}/X", np.uint8, "r").reshape(rows, -1)[:, :784]
y = np.arange(rows) % 10
out = np.memmap(f"{folder}/out", np.float32, "w+", shape=(rows, 10))

def work(net, X, y, out, epochs=1, piece=4096):
    net.fit(X, y, epochs=epochs, batch_size=100, threads=1)
    for first in range(0, len(X), piece):
        rows = slice(first, first + piece)
        net.partial_fit(X[rows], y[rows], batch_size=100, threads=1)
    assert net.forward(X, out=out) is out
    assert net.predict_proba(X, out=out) is out
    return net.evaluate(X, y), net.value_and_grad(X, y)

few = slice(0, 200)
work(MLP([784, 10], seed=0), X[few], y[few], out[few], epochs=2)  # compiles
[data] = [line for line in open("/proc/self/status") if line.startswith("VmData")]
limit = int(data.split()[1]) * 1024 + headroom
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

net = MLP([784, 10], seed=0)
(loss, accuracy), (cost, gradient) = work(net, X, y, out, epochs=2)
net.save(f"{folder}/net")
np.savez(f"{folder}/scores", loss=loss, accuracy=accuracy, cost=cost, gradient=gradient)
for call in (lambda: net.fit(pixels, y), lambda: net.forward(pixels)):
    try:
        call()
    except MemoryError as error:
        print(error)
try:
    np.array(X)
except MemoryError:
    print("X does not fit")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA is Linux's")
def test_data_larger_than_the_memory(tmp_path):
    X = np.random.default_rng(0).random((ROWS, SIZES[0]), np.float32)
    y = np.arange(ROWS) % SIZES[-1]
    X.tofile(tmp_path / "X")
    arguments = [tmp_path, str(ROWS), str(HEADROOM)]
    run = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, *arguments],
        cwd=Path(__file__).parents[1], capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    *refusals, last = run.stdout.splitlines()
    assert last == "X does not fit"
    for line in refusals:
        assert line.startswith(f"X: got uint8 of shape ({ROWS}, 784), for whose copy there is no")
        assert "float32" in line
        assert "partial_fit" in line
    assert len(refusals) == 2

    net = MLP(SIZES, seed=0)
    net.fit(X, y, epochs=2, batch_size=100, threads=1)
    for first in range(0, ROWS, 4096):
        rows = slice(first, first + 4096)
        net.partial_fit(X[rows], y[rows], batch_size=100, threads=1)
    assert_array_equal(MLP.load(tmp_path / "net").parameters, net.parameters)
    out = np.fromfile(tmp_path / "out", np.float32).reshape(ROWS, -1)
    assert_array_equal(out, net.forward(X))
    scores = np.load(tmp_path / "scores.npz")
    loss, accuracy = net.evaluate(X, y)
    cost, gradient = net.value_and_grad(X, y)
    assert (scores["loss"], scores["accuracy"], scores["cost"]) == (loss, accuracy, cost)
    assert_array_equal(scores["gradient"], gradient)


def test_a_memmap_of_the_right_kind_is_not_copied(tmp_path):
    np.arange(12, dtype=np.float32).tofile(tmp_path / "X")
    for mode in ("r", "r+", "c"):
        X = np.memmap(tmp_path / "X", np.float32, mode, shape=(4, 3))
        for given in (X, X[1:]):
            assert np.shares_memory(features(given, 3, np.dtype(np.float32)), X)


def test_integers_are_converted_and_give_what_their_floats_give(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4), np.uint8)
    pixels.tofile(tmp_path / "X")
    X, y = np.memmap(tmp_path / "X", np.uint8, "r", shape=(30, 4)), np.arange(30) % 3
    nets = [MLP([4, 5, 3], seed=0) for _ in range(2)]
    for net, given in zip(nets, (X, pixels.astype(np.float32)), strict=True):
        net.fit(given, y, epochs=2)
    assert_array_equal(nets[0].parameters, nets[1].parameters)


# The argument out


@pytest.fixture
def net():
    return MLP([4, 6, 3], seed=0)


def test_forward_writes_into_a_memmap(net, tmp_path):
    X, _ = blobs(rows=300)
    out = np.memmap(tmp_path / "out", np.float32, "w+", shape=(300, 3))
    assert net.forward(X, out=out) is out
    out.flush()
    assert_array_equal(np.fromfile(tmp_path / "out", np.float32).reshape(300, 3), net.forward(X))


def test_probabilities_of_two_classes_are_written_too():
    X, _ = blobs(rows=300)
    net = MLP([4, 6, 1], output="sigmoid", seed=0)
    expected = net.predict_proba(X)
    out = np.full((300, 2), np.nan, np.float32)
    assert net.predict_proba(X, out=out) is out
    assert_array_equal(out, expected)
    assert_array_equal(out[:, :1], 1 - net.forward(X))


def unaligned(shape):
    count = 4 * int(np.prod(shape))
    return np.zeros(count + 1, np.uint8)[1:].view(np.float32).reshape(shape)


def frozen(shape):
    out = np.zeros(shape, np.float32)
    out.flags.writeable = False
    return out


REFUSED = {
    "list": (lambda shape: np.zeros(shape).tolist(), TypeError, "float32 array of shape"),
    "dtype": (lambda shape: np.zeros(shape), TypeError, "dtype float64"),
    "byte order": (lambda shape: np.zeros(shape, ">f4"), TypeError, "dtype >f4"),
    "rows": (lambda shape: np.zeros((shape[0] + 1, shape[1]), "f4"), ValueError, "shape"),
    "one dimension": (lambda shape: np.zeros(shape[0] * shape[1], "f4"), ValueError, "shape"),
    "Fortran": (lambda shape: np.zeros(shape, "f4", order="F"), ValueError, "C-contiguous"),
    "steps": (lambda shape: np.zeros((2 * shape[0], shape[1]), "f4")[::2], ValueError, "gaps"),
    "unaligned": (unaligned, ValueError, "aligned"),
    "read-only": (frozen, ValueError, "read-only"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("outputs", [3, 1])
def test_out_is_checked(case, outputs):
    make, kind, text = REFUSED[case]
    X, _ = blobs(rows=7)
    net = MLP([4, 6, outputs], output="softmax" if outputs > 1 else "sigmoid", seed=0)
    before = everything(net)
    calls = {"predict_proba": (7, max(outputs, 2))}
    if outputs > 1:
        calls["forward"] = (7, outputs)
    for method, shape in calls.items():
        out = make(shape)
        copy = np.array(out)
        with pytest.raises(kind, match=text) as caught:
            getattr(net, method)(X, out=out)
        assert str(caught.value).startswith("out: got ")
        assert_array_equal(out, copy)
    assert everything(net) == before


def test_out_must_not_overlap_what_is_read(net, tmp_path):
    memory = np.zeros(100, np.float32)
    X = memory[:40].reshape(10, 4)
    beside = memory[40:70].reshape(10, 3)
    net.forward(X, out=beside)
    two = MLP([4, 1], output="sigmoid", seed=0)
    calls = [
        (net.forward, memory[39:69].reshape(10, 3)),
        (net.predict_proba, memory[:30].reshape(10, 3)),
        (net.forward, net.parameters[:30].reshape(10, 3)),
        (two.predict_proba, memory[20:40].reshape(10, 2)),
    ]
    before = everything(net), memory.copy()
    for call, out in calls:
        with pytest.raises(ValueError, match="shares memory"):
            call(X, out=out)
    assert everything(net) == before[0]
    assert_array_equal(memory, before[1])


def test_a_memmap_opened_to_read_says_how_to_open_it(net, tmp_path):
    np.zeros((5, 3), np.float32).tofile(tmp_path / "out")
    out = np.memmap(tmp_path / "out", np.float32, "r", shape=(5, 3))
    with pytest.raises(ValueError, match=r"read-only.*mode 'r\+'"):
        net.forward(np.zeros((5, 4), np.float32), out=out)


def test_rows_from_that_of_a_nan_on_are_left_alone(net):
    X, _ = blobs(rows=3 * layout.BLOCK_ROWS)
    bad = 2 * layout.BLOCK_ROWS + 5
    X[bad, 1] = np.nan
    out = np.full((len(X), 3), 7, np.float32)
    with pytest.raises(ValueError, match=f"row {bad}"):
        net.forward(X, out=out)
    assert_array_equal(out[2 * layout.BLOCK_ROWS :], 7)


# More elements than 32 bits can count. The files are nearly all holes.

MANY = 2**32 + 11


def sparse(path, dtype, shape):
    return np.memmap(path, dtype, "w+", shape=shape)


@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_rows_behind_2_to_the_32_are_gathered(kind, tmp_path):
    rng = np.random.default_rng(0)
    tail = np.arange(MANY - 9, MANY)
    sizes = [1, 5, 2]
    output, loss = ("softmax", "cross_entropy") if kind == "labels" else ("linear", "quadratic")
    X = sparse(tmp_path / "X", np.float32, (MANY, 1))
    weights = sparse(tmp_path / "weights", np.float32, (MANY,))
    X[tail] = rng.standard_normal((9, 1))
    weights[tail] = rng.uniform(0.5, 2, 9)
    if kind == "labels":
        y = sparse(tmp_path / "y", np.int64, (MANY,))
        y[tail] = rng.integers(0, 2, 9)
    else:
        y = sparse(tmp_path / "y", np.float32, (MANY, 2))
        y[tail] = rng.standard_normal((9, 2))

    vector = random_vector(rng, sizes, np.float32)
    order = rng.permutation(9)
    trained = []
    for in_file in (True, False):
        network = Network(sizes, "tanh", output, loss, vector, np.float32)
        if in_file:
            no_labels, no_targets = np.empty(0, np.int64), np.empty((0, 2), np.float32)
            pair = (y, no_targets) if kind == "labels" else (no_labels, y)
            arrays = [np.asarray(values) for values in (X, *pair, weights)]
            for values in arrays:
                values.flags.writeable = False
            data, rows = layout.Data(*arrays), tail[order]
        else:
            data, rows = network.data(X[tail], np.array(y[tail]), weights[tail]), order
        trained.append(network.train(data, make_rule("adam"), 0.01, 4, order=rows))
    assert trained[0].status == epoch.OK
    assert_array_equal(trained[0].parameters, trained[1].parameters)
    assert_array_equal(trained[0].report, trained[1].report)
    assert not np.array_equal(trained[0].parameters, vector)


def test_forward_and_scores_of_rows_behind_2_to_the_31():
    # Zeros that nobody has written take no memory, and are read faster than holes of a file.
    columns, few = 2**16, 70
    X = np.zeros((2**15 + few, columns), np.float32)
    X[-few:] = np.random.default_rng(0).standard_normal((few, columns))
    net = MLP([columns, 1], output="linear", loss="quadratic", seed=0)
    out = net.forward(X)
    expected = net.forward(X[-few:].copy())
    # Which rows are in a block of 128 with others changes how sums are rounded.
    np.testing.assert_allclose(out[-few:], expected, rtol=0, atol=1e-4)
    assert_array_equal(out[:-few], 0)
    y = np.zeros((len(X), 1), np.float32)
    y[-few:] = out[-few:] + 1  # a cost of 1/2 for each of the last rows
    np.testing.assert_allclose(net.evaluate(X, y).loss, 0.5 * few / len(X), rtol=1e-4)
