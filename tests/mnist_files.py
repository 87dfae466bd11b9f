"""A tiny data set of MNIST's form, and its files in every format that load_mnist reads."""

import gzip
import io
import pickle
import struct

import numpy as np

from fastbp.datasets import MNIST

_generator = np.random.default_rng(0)
SMALL = MNIST(
    _generator.integers(0, 256, (12, 784), dtype=np.uint8),
    np.arange(12) % 10,
    _generator.integers(0, 256, (4, 784), dtype=np.uint8),
    np.array([7, 2, 1, 0]),
    "small",
)

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def assert_same(data, expected):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(data, name), getattr(expected, name), name)


def idx_bytes(array):
    """An array as the classic files have it."""
    if array.ndim == 2:
        array = array.reshape(-1, 28, 28)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def as_squares(data):
    """The same with images of shape (n, 28, 28)."""
    return data._replace(
        train_images=data.train_images.reshape(-1, 28, 28),
        test_images=data.test_images.reshape(-1, 28, 28),
    )


def write_idx_folder(folder, data, *, packed=True, dotted=False):
    folder.mkdir(exist_ok=True, parents=True)
    for file_name, name in zip(IDX_NAMES, ARRAYS, strict=True):
        content = idx_bytes(getattr(data, name))
        if dotted:
            file_name = file_name.replace("-idx", ".idx")
        if packed:
            file_name, content = file_name + ".gz", gzip.compress(content)
        (folder / file_name).write_bytes(content)
    return folder


def npz_bytes(data, names=ARRAYS, *, order="C"):
    file = io.BytesIO()
    arrays = [np.asarray(getattr(data, name), order=order) for name in ARRAYS]
    np.savez(file, **dict(zip(names, arrays, strict=True)))
    return file.getvalue()


def book_splits(data, *, scale=256):
    """The book's three pairs; a quarter of the training images are the validation's."""
    train = np.float32(data.train_images) / np.float32(scale)
    test = np.float32(data.test_images) / np.float32(scale)
    cut = len(train) * 3 // 4
    return (
        (train[:cut], data.train_labels[:cut]),
        (train[cut:], data.train_labels[cut:]),
        (test, data.test_labels),
    )


def book_pickle(data, *, protocol=2, scale=256):
    return gzip.compress(pickle.dumps(book_splits(data, scale=scale), protocol))


def python2_book_pickle(data):
    """The same as Python 2 wrote it, which Python 3's pickle can't write any more.

    Bytes are strings there, and NumPy's modules have their old names.
    """
    program = [b"\x80\x02"]

    def string(content):
        program.append(b"T" + struct.pack("<i", len(content)) + content)

    def integer(value):
        program.append(b"J" + struct.pack("<i", value))

    def array(values, type_name):
        program.append(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n")
        program.append(b"K\x00\x85U\x01b\x87R(K\x01(")  # (ndarray, (0,), "b"), reduced; state
        for length in values.shape:
            integer(length)
        program.append(b"tcnumpy\ndtype\nU\x02" + type_name + b"K\x00K\x01\x87R")
        program.append(b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
        string(values.tobytes())
        program.append(b"tb")

    for images, labels in book_splits(data):
        array(images, b"f4")
        array(labels.astype("<i8"), b"i8")
        program.append(b"\x86")
    program.append(b"\x87.")
    return gzip.compress(b"".join(program))
