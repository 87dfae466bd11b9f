"""Every format load_mnist reads, and files that are cut short or not what they claim to be."""

import gzip
import io
import os
import re
import struct

import mnist_files
import numpy as np
import pytest
from mnist_files import assert_same, book_pickle, idx_bytes, npz_bytes, SMALL, write_idx_folder

from fastbp.datasets import load_mnist

KERAS = ("x_train", "y_train", "x_test", "y_test")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
@pytest.mark.parametrize("subfolder", [".", "raw", "MNIST/raw"])
def test_idx_folder(tmp_path, packed, dotted, subfolder):
    write_idx_folder(tmp_path / subfolder, SMALL, packed=packed, dotted=dotted)
    data = load_mnist(tmp_path)
    assert data.source == "path"
    assert data.train_images.dtype == np.uint8
    assert data.train_labels.dtype == np.int64
    assert_same(data, SMALL)


def test_one_idx_file_stands_for_the_four(tmp_path):
    write_idx_folder(tmp_path, SMALL)
    assert_same(load_mnist(str(tmp_path / "t10k-labels-idx1-ubyte.gz")), SMALL)


@pytest.mark.parametrize("names", [mnist_files.ARRAYS, KERAS])
@pytest.mark.parametrize("written", [SMALL, mnist_files.as_squares(SMALL)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz(tmp_path, names, written, order):
    path = tmp_path / "whatever"
    path.write_bytes(npz_bytes(written, names, order=order))
    data = load_mnist(path)
    assert_same(data, SMALL)
    assert data.train_images.flags.c_contiguous
    assert data.train_images.flags.writeable


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("scale", [256, 255])
def test_book_pickle(tmp_path, protocol, scale):
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(book_pickle(SMALL, protocol=protocol, scale=scale))
    assert_same(load_mnist(tmp_path), SMALL)


def test_book_pickle_of_python2(tmp_path):
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(mnist_files.python2_book_pickle(SMALL))
    assert_same(load_mnist(path), SMALL)
    (tmp_path / "mnist.pkl").write_bytes(gzip.decompress(path.read_bytes()))
    assert_same(load_mnist(tmp_path / "mnist.pkl"), SMALL)


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_mnist(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no data set in this folder; expected train-"):
        load_mnist(tmp_path)
    write_idx_folder(tmp_path, SMALL)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected also t10k-images-idx3-ubyte\.gz"):
        load_mnist(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="expected a regular file"):
        load_mnist(tmp_path / "pipe")


@pytest.mark.parametrize("content", [b"", b"\x1f", b"hello", b"\x1f\x8b", gzip.compress(b"")])
def test_unknown_format(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        load_mnist(path)


def with_train_images(folder, content):
    write_idx_folder(folder, SMALL, packed=False)
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    return folder


def test_idx_header_and_length_must_agree(tmp_path):
    good = idx_bytes(SMALL.train_images)
    for length in [0, 3, 4, 15, 16, 17, len(good) - 1]:
        with pytest.raises(ValueError, match="train-images-idx3-ubyte"):
            load_mnist(with_train_images(tmp_path, good[:length]))
    with pytest.raises(ValueError, match="more than the 9408 bytes expected"):
        load_mnist(with_train_images(tmp_path, good + b"\0"))
    with pytest.raises(ValueError, match=r"starts with 00000801; expected 00000803"):
        load_mnist(with_train_images(tmp_path, idx_bytes(SMALL.train_labels)))
    for shape in [(2**32 - 1,) * 3, (2**32 - 1, 0, 0), (60000, 28, 28)]:
        with pytest.raises(ValueError, match=r"train-images|train images"):
            load_mnist(with_train_images(tmp_path, b"\0\0\x08\x03" + struct.pack(">3I", *shape)))


def test_gzip_cut_or_damaged(tmp_path):
    write_idx_folder(tmp_path, SMALL)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    for content in (good[:5], good[:-100], good[:-1], flipped):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            load_mnist(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            SMALL._replace(train_labels=SMALL.train_labels[1:]),
            "12 train images but 11 train",
        ),
        (SMALL._replace(train_labels=SMALL.train_labels * 1.0), "float64; expected integers"),
        (SMALL._replace(train_labels=SMALL.train_labels + 1), "go from 1 to 10; expected 0 to 9"),
        (SMALL._replace(train_labels=SMALL.train_labels - 1), "go from -1 to 8; expected 0 to 9"),
        (SMALL._replace(train_labels=SMALL.train_labels[:, None]), r"\(12, 1\); expected \(n,\)"),
        (SMALL._replace(test_images=SMALL.test_images[:0]), "test images are empty"),
        (SMALL._replace(test_images=SMALL.test_images[:, 1:]), r"\(4, 783\); expected \(n, 784\)"),
        (SMALL._replace(test_images=SMALL.test_images[0]), r"\(784,\); expected"),
        (SMALL._replace(test_images=SMALL.test_images.astype(int)), "dtype int64; expected uint8"),
        (SMALL._replace(test_images=SMALL.test_images * 1.0), r"outside \[0, 1\]"),
        (SMALL._replace(test_images=np.full((4, 784), np.nan)), r"outside \[0, 1\]"),
        (SMALL._replace(test_images=np.full((4, 784), 0.3)), "neither pixel/256 nor pixel/255"),
    ],
)
def test_contents_are_checked(tmp_path, data, message):
    path = tmp_path / "data.npz"
    path.write_bytes(npz_bytes(data))
    with pytest.raises(ValueError, match=message) as caught:
        load_mnist(path)
    assert str(path) in str(caught.value)


def test_npz_without_an_array(tmp_path):
    file = io.BytesIO()
    np.savez(file, x_train=SMALL.train_images)
    path = tmp_path / "data.npz"
    path.write_bytes(file.getvalue())
    with pytest.raises(ValueError, match=r"without the arrays train_images, .*x_train"):
        load_mnist(path)


@pytest.mark.parametrize("write", [npz_bytes, book_pickle, mnist_files.python2_book_pickle])
def test_a_file_cut_anywhere_is_refused(tmp_path, write):
    good = write(SMALL)
    path = tmp_path / "data"
    for length in np.random.default_rng(1).integers(1, len(good), 40):
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match=re.escape(str(path))):
            load_mnist(path)
