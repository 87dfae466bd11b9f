"""Files made to do harm: each is an error that names it, in little time and memory."""

import gzip
import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from mnist_files import (
    ARRAYS,
    book_pickle,
    book_splits,
    idx_bytes,
    npz_bytes,
    python2_book_pickle,
    SMALL,
    write_idx_folder,
)
from refusals import refused_cheaply

from fastbp.datasets import load_mnist


def assert_refused(path, message):
    """Refused with an error about this file; 50 MB are what MNIST itself takes."""
    refused_cheaply(load_mnist, path, message, most=50e6)


class Evil:
    """An object whose unpickling calls print."""

    def __reduce__(self):
        return print, ("this ran",)


def evil_pickles():
    train, validation, test = book_splits(SMALL)
    yield "call", pickle.dumps(Evil())
    yield "call inside", pickle.dumps(((train[0], Evil()), validation, test))
    yield "eval", b"(cbuiltins\neval\n(S'print(1)'\ntR."
    yield "dotted name", b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.tofile\x93."
    yield "numpy's own eval", b"\x80\x02cnumpy.testing._private.utils\nrunstring\n."
    yield "object array", pickle.dumps((train, validation, (np.array([Evil()]), test[1])))
    yield "structured dtype", pickle.dumps((train, validation, (np.zeros(3, "u1,u1"), test[1])))
    yield "persistent id", b"\x80\x02K\x01Q."
    yield "dictionary", pickle.dumps({"train": train})
    yield "two pairs only", pickle.dumps((train, test))
    yield "lists of numbers", pickle.dumps((([1], [2]),) * 3)
    # More than is allowed, but less than the system refuses by itself.
    yield "memo of 2**24 slots", b"\x80\x02K\x01r" + struct.pack("<I", 2**24) + b"."
    yield "millions of numbers", b"\x80\x02](" + b"K\x01" * 4_000_000 + b"e."
    yield "memo of 2**31 slots", b"\x80\x02K\x01r\xff\xff\xff\x7f."
    yield "memo of 2**31 slots as text", b"(K\x01p2147483647\n."
    yield "bytes of 2**62", b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"."
    yield "frame of 2**62", b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"."
    yield "no end of instructions", b"\x80\x02" + b"(" * 1_000_000
    yield "deep nesting", b"\x80\x02)" + b"\x85" * 990 + b"."
    yield "encoding", b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0rot13\x86R."


@pytest.mark.parametrize(
    "content", [pytest.param(content, id=name) for name, content in evil_pickles()]
)
def test_pickles(tmp_path, capsys, content):
    path = tmp_path / "mnist.pkl"
    path.write_bytes(content)
    assert_refused(path, "not a pickle of|three pairs")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("shape", [(2**40,), (2**62, 4), (0, 2**70), (-1,), ("3",), 12])
def test_pickled_shapes(tmp_path, shape):
    class Claim:
        def __reduce__(self):
            state = (1, shape, np.dtype("u1"), False, b"abc")
            return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), state

    path = tmp_path / "mnist.pkl.gz"
    pair = (Claim(), SMALL.test_labels)
    path.write_bytes(gzip.compress(pickle.dumps((pair, pair, pair))))
    assert_refused(path, "malformed state|claim more than|3 bytes for uint8 of shape")


def test_gzip_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr("fastbp.datasets.pickled.MAX_BYTES", 10_000_000)
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(b"\x80" + bytes(100_000_000), 1))
    assert_refused(path, "more than the 10000000 bytes")


def test_idx_bomb(tmp_path):
    write_idx_folder(tmp_path, SMALL)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(SMALL.test_images) + bytes(100_000_000), 1))
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte\.gz: more than the 3136 bytes"):
        load_mnist(tmp_path)


def test_idx_header_that_claims_too_much(tmp_path, monkeypatch):
    """And all of it is there, once unpacked."""
    monkeypatch.setattr("fastbp.datasets.idx.MAX_BYTES", 10_000_000)
    write_idx_folder(tmp_path, SMALL)
    header = struct.pack(">HBB3I", 0, 8, 3, 100_000, 28, 28)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(header + bytes(78_400_000), 1))
    assert_refused(tmp_path, r"t10k-images-idx3-ubyte\.gz: .* at most 10000000")


def npz_with(header=None, *, data=b"", method=zipfile.ZIP_DEFLATED, version=b"\x01\x00"):
    """An npz whose training images have this header and data."""
    file = io.BytesIO(npz_bytes(SMALL))
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(f"{name}.npy") for name in ARRAYS}
    if header is not None:
        content = b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data
        members["train_images"] = content
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


HEADER = "{{'descr': {}, 'fortran_order': False, 'shape': {}, }}\n"
HEADERS = {
    "claims 10**12 images": HEADER.format("'|u1'", "(1000000000000, 784)"),
    "claims more than there is": HEADER.format("'|u1'", "(60000, 784)"),
    "claims nothing, very wide": HEADER.format("'|u1'", "(0, 999999999999, 999999999999)"),
    "objects": HEADER.format("'|O'", "(3,)"),
    "structure": HEADER.format("[('a', '|u1')]", "(3,)"),
    "no dimension": HEADER.format("'|u1'", "()"),
    "negative": HEADER.format("'|u1'", "(-1, 784)"),
    "nested": "(" * 9000,
    "expression": "__import__('os').getcwd()",
    "nothing": "",
}


@pytest.mark.parametrize("name", HEADERS)
def test_npz_headers(tmp_path, name):
    path = tmp_path / "mnist.npz"
    path.write_bytes(npz_with(HEADERS[name].encode(), data=b"abc"))
    assert_refused(path, "its header")


def test_npz_header_of_version_2(tmp_path):
    path = tmp_path / "mnist.npz"
    path.write_bytes(npz_with(b"\xff\xff", version=b"\x02\x00"))
    assert_refused(path, "expected a npy file, version 1")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_npz_that_unpacks_without_limit(tmp_path, method):
    path = tmp_path / "mnist.npz"
    path.write_bytes(npz_with(b"", data=bytes(20_000_000), method=method))
    assert_refused(path, "expected deflate")


def test_npz_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr("fastbp.datasets.npz.MAX_BYTES", 10_000_000)
    header = HEADER.format("'|u1'", "(100000, 784)").encode()
    path = tmp_path / "mnist.npz"
    path.write_bytes(npz_with(header, data=bytes(78_400_000)))
    assert_refused(path, "at most 10000000")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_npz_whose_directory_claims_more_than_there_is(tmp_path, method):
    """As the member's own header does: the sizes agree, and are wrong."""
    header = HEADER.format("'|u1'", "(10000, 784)").encode()
    content = bytearray(npz_with(header, data=bytes(784), method=method))
    directory = content.index(b"PK\x01\x02")
    assert content[directory + 46 :].startswith(b"train_images.npy")
    struct.pack_into("<I", content, directory + 24, 10 + len(header) + 7_840_000)
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    assert_refused(path, "not a sound npz file")


@pytest.mark.parametrize("size", ["true", "before a comment", "of zip64"])
def test_npz_of_many_entries(tmp_path, size):
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(2000):
            archive.writestr(str(index), b"")
    content = path.read_bytes()
    if size == "before a comment":  # of zeros, which would be a small directory's
        content = content[:-2] + struct.pack("<H", 22) + bytes(22)
    elif size == "of zip64":
        entries, length, start = struct.unpack("<10xH2I2x", content[-22:])
        large = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, length,
                            start)  # fmt: skip
        locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(content) - 22, 1)
        content = content[:-22] + large + locator + b"PK\x05\x06" + bytes(18)
    path.write_bytes(content)
    if size != "true":
        with zipfile.ZipFile(path) as archive:
            assert len(archive.namelist()) == 2000
    assert_refused(path, "not as NumPy writes it")


@pytest.mark.parametrize("write", [npz_bytes, book_pickle, python2_book_pickle])
@pytest.mark.parametrize("unpack", [False, True])
def test_random_damage(tmp_path, write, unpack):
    good = write(SMALL)
    if unpack and good[:2] == b"\x1f\x8b":
        good = gzip.decompress(good)
    generator = np.random.default_rng(2)
    refusals = []
    path = tmp_path / "data"
    for _ in range(200):
        damaged = bytearray(good)
        # The headers and the instructions are at the ends and between arrays.
        near_an_end = generator.integers(0, min(400, len(good)), 3)
        for position in np.where(generator.random(3) < 0.5, near_an_end, -near_an_end - 1):
            damaged[position] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            load_mnist(path)
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert all(message.startswith(f"{path}: ") for message in refusals)
