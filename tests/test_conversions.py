"""What must just work: inputs, labels and targets of any real kind and layout."""

import numpy as np
import pytest
from api_problems import blobs, line
from numpy.testing import assert_array_equal

from fastbp import MLP
from fastbp.data import features

X, Y = blobs(rows=12)
WHOLE = np.round(4 * X)  # whole numbers, which every dtype below can hold


@pytest.mark.parametrize(
    "convert",
    [
        lambda rows: rows.astype(np.int64),
        lambda rows: rows.astype(np.int8),
        lambda rows: rows.astype(np.float16),
        lambda rows: rows.astype(np.float64),
        lambda rows: rows.astype(np.longdouble),
        lambda rows: rows.astype(">f4"),
        lambda rows: rows.tolist(),
        lambda rows: tuple(map(tuple, rows.tolist())),
        np.asfortranarray,
        lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
        lambda rows: rows[::-1][::-1],
        lambda rows: np.frombuffer(rows.tobytes(), np.float32).reshape(rows.shape),  # read-only
        lambda rows: np.frombuffer(b"0" + rows.tobytes(), np.float32, offset=1).reshape(12, 4),
        lambda rows: np.ma.masked_array(rows),
        lambda rows: type("Frame", (), {"__array__": lambda self, dtype=None, copy=None: rows})(),
    ],
    ids=range(15),
)
def test_inputs_of_any_real_kind_and_layout_are_converted(convert):
    net = MLP([4, 5, 3], seed=0)
    expected = net.forward(WHOLE)
    assert_array_equal(net.forward(convert(WHOLE)), expected)
    history = net.fit(convert(WHOLE), Y, epochs=2)
    assert history.loss == MLP([4, 5, 3], seed=0).fit(WHOLE, Y, epochs=2).loss


def test_kernels_get_aligned_read_only_rows_and_right_ones_are_not_copied():
    # Other types of array would compile every kernel once more.
    misaligned = np.frombuffer(b"0" + X.tobytes(), np.float32, offset=1).reshape(12, 4)
    for rows in (misaligned, X, X.astype(">f4"), np.asfortranarray(X)):
        converted = features(rows, 4, np.dtype(np.float32))
        assert converted.flags.c_contiguous
        assert converted.flags.aligned
        assert not converted.flags.writeable
        assert converted.dtype.isnative
    assert np.shares_memory(features(X, 4, np.dtype(np.float32)), X)
    assert X.flags.writeable


def test_booleans_are_inputs_too():
    net = MLP([4, 5, 3], seed=0)
    assert_array_equal(net.forward(X > 0), net.forward((X > 0).astype(float)))


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(np.int32),
        lambda y: y.astype(np.uint64),
        lambda y: y.astype(np.float64),
        lambda y: y.astype(np.float16),
        lambda y: y.tolist(),
        lambda y: np.repeat(y, 2)[::2],
        lambda y: np.eye(3)[y],
        lambda y: np.eye(3, dtype=bool)[y],
        lambda y: np.asfortranarray(np.eye(3, dtype=np.int8)[y]),
        lambda y: np.eye(3)[y].tolist(),
    ],
    ids=range(11),
)
def test_labels_and_targets_of_any_kind_are_converted(convert):
    net = MLP([4, 5, 3], seed=0)
    assert net.evaluate(X, convert(Y)) == net.evaluate(X, Y)


@pytest.mark.parametrize("shape", [(12,), (12, 1)])
@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32])
def test_one_output_takes_targets_of_one_or_two_dimensions(shape, dtype):
    net = MLP([4, 5, 1], output="sigmoid", seed=0)
    y = (Y > 0).reshape(shape).astype(dtype)
    assert net.evaluate(X, y).accuracy == np.mean(net.predict(X) == (Y > 0))


def test_no_argument_is_written_to_or_kept():
    rows, targets = line(rows=12)
    weights = np.ones(12, np.float32)
    kept = [array.copy() for array in (rows, targets, weights)]
    net = MLP([3, 4, 1], output="linear", loss="quadratic", seed=0)
    net.fit(rows, targets, sample_weight=weights, epochs=2)
    for array, copy in zip((rows, targets, weights), kept, strict=True):
        assert_array_equal(array, copy)
        assert array.flags.writeable


def test_numpy_scalars_are_numbers():
    net = MLP(np.array([4, 5, 3]), seed=np.int64(3))
    net.fit(X, Y, epochs=np.int32(1), batch_size=np.uint8(4), l2=np.float32(0.5), shuffle=np.True_)
    assert net.sizes == (4, 5, 3)
