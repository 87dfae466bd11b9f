"""Model files: what is saved is loaded, and what is damaged is refused by name."""

import json
import os
import struct

import numpy as np
import pytest
from api_problems import blobs
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save_file

from fastbp import MLP, serialization

X, Y = blobs()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize(
    "arguments",
    [
        {"sizes": [4, 5, 3]},
        {"sizes": [4, 6, 5, 1], "activation": ["tanh", "selu"], "output": "sigmoid"},
        {"sizes": [4, 3], "output": "linear", "loss": "huber", "dtype": "float64"},
    ],
)
def test_a_loaded_net_is_the_saved_one(path, arguments):
    net = MLP(**arguments, seed=0)
    net.save(path)
    loaded = MLP.load(str(path))
    assert loaded.architecture == net.architecture
    assert repr(loaded) == repr(net)
    assert_array_equal(loaded.parameters, net.parameters)
    assert_array_equal(loaded.forward(X), net.forward(X))
    loaded.weights[0][:] = 0
    assert loaded.parameters[0] == 0  # live, as ever
    loaded.fit(X, Y > 0 if net.sizes[-1] == 1 else np.eye(3)[Y], epochs=1)


def test_other_programs_find_the_tensors_by_name(path):
    net = MLP([4, 5, 3], seed=0)
    net.save(path)
    tensors = load_file(path)
    assert set(tensors) == {"weights.1", "biases.1", "weights.2", "biases.2"}
    assert_array_equal(tensors["weights.2"], net.weights[1])
    assert_array_equal(tensors["biases.1"], net.biases[0])


def test_a_failing_save_leaves_the_old_file_and_no_other(path, monkeypatch):
    net = MLP([4, 5, 3], seed=0)
    net.save(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(serialization.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        MLP([4, 9, 3], seed=1).save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_saved_file_has_the_permissions_of_any_new_file(path):
    MLP([4, 3], seed=0).save(path)
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_a_missing_file_or_folder_is_named(path):
    for call in (lambda: MLP.load(path), lambda: MLP([2, 2]).save(path / "deep" / "net")):
        with pytest.raises(FileNotFoundError, match=r"net\.safetensors"):
            call()


def test_every_truncation_is_refused(path):
    MLP([4, 5, 3], seed=0).save(path)
    content = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"net\.safetensors"):
            MLP.load(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match=r"net\.safetensors"):
        MLP.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 a zip file, as torch writes it",
        b"\x80\x04\x95 a pickle",
        struct.pack("<Q", 2**60) + b"{}",  # a header of an exabyte
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        b"\xff" * 64,
    ],
)
def test_foreign_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.safetensors"):
        MLP.load(path)


def rewritten(path, change_metadata=None, change_tensors=None):
    """Save a net with other metadata or tensors than MLP.save would write."""
    net = MLP([4, 5, 3], seed=0)
    net.save(path)
    tensors = {name: tensor.copy() for name, tensor in load_file(path).items()}
    architecture = {
        "sizes": [4, 5, 3],
        "activation": ["relu"],
        "output": "softmax",
        "loss": "cross_entropy",
        "dtype": "float32",
    }
    metadata = {"format": "fastbp", "version": "1", "architecture": json.dumps(architecture)}
    if change_metadata is not None:
        change_metadata(metadata, architecture)
    if change_tensors is not None:
        change_tensors(tensors)
    save_file(tensors, path, metadata)


def test_the_description_above_is_what_is_saved(path):
    rewritten(path)
    assert_array_equal(MLP.load(path).parameters, MLP([4, 5, 3], seed=0).parameters)


def describe(**changes):
    def change(metadata, architecture):
        metadata["architecture"] = json.dumps({**architecture, **changes})

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m, a: m.update(version="2"), "version.*newer"),
        (lambda m, a: m.pop("version"), "version"),
        (lambda m, a: m.update(format="pt"), r"MLP\.save"),
        (lambda m, a: m.clear(), r"MLP\.save"),
        (lambda m, a: m.pop("architecture"), "architecture"),
        (lambda m, a: m.update(architecture="{"), "describes no net"),
        (lambda m, a: m.update(architecture="[]"), "describes no net"),
        (lambda m, a: m.update(architecture="[" * 100_000), "describes no net"),
        (describe(sizes=[4, 10**12, 3]), "sizes"),
        (describe(sizes=[4, 5, 5, 3], activation="relu"), "tensors"),
        (describe(sizes="453"), "sizes"),
        (describe(activation=["rectifier"]), "activation"),
        (describe(output="linear"), "loss"),
        (describe(dtype="float64"), "F32"),
    ],
    ids=range(14),
)
def test_wrong_metadata_are_refused(path, change, reason):
    rewritten(path, change_metadata=change)
    with pytest.raises(ValueError, match=rf"net\.safetensors.*({reason})"):
        MLP.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("biases.2"),
        lambda tensors: tensors.update(extra=np.zeros(3, np.float32)),
        lambda tensors: tensors.update({"weights.1": tensors["weights.1"].T.copy()}),
        lambda tensors: tensors.update({"biases.1": tensors["biases.1"].astype(np.float64)}),
        lambda tensors: tensors["weights.2"].fill(np.nan),
    ],
    ids=range(5),
)
def test_wrong_tensors_are_refused(path, change):
    rewritten(path, change_tensors=change)
    with pytest.raises(ValueError, match=r"net\.safetensors"):
        MLP.load(path)


def test_a_tensor_of_another_dtype_is_told_with_both(path):
    def halve(tensors):
        tensors["weights.1"] = tensors["weights.1"].astype(np.float16)

    rewritten(path, change_tensors=halve)
    with pytest.raises(ValueError, match=r"has F16 weights\.1 of shape \[.*\], expected F32 of \["):
        MLP.load(path)


def test_a_net_that_is_not_finite_replaces_no_file(tmp_path):
    path, net = tmp_path / "net.safetensors", MLP([2, 3, 2], seed=0)
    net.save(path)
    before = path.read_bytes()
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in the net before saving"):
        net.save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("path", [None, 3, [], ""])
def test_a_path_is_asked_for_by_its_name(path):
    for call in (MLP([2, 2], seed=0).save, MLP.load):
        with pytest.raises(TypeError, match=r"path: got .*, expected the path of a file"):
            call(path)
