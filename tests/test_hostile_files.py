"""Files made to do harm, by hand and by the thousands: an error that names the file, at no cost.

The data sets' by hand are in test_datasets_hostile.py. Longer:
FASTBP_FUZZ=20000 python -m pytest tests/test_hostile_files.py
"""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from api_problems import everything
from refusals import refused_cheaply

from fastbp import MLP
from fastbp.nndl import network2

FUZZER = Path(__file__).with_name("fuzz_files.py")
RUNS = int(os.environ.get("FASTBP_FUZZ", "1000"))


def test_damaged_files_are_read_or_refused(tmp_path):
    pytest.importorskip("resource", reason="limits of memory are POSIX's")
    command = [sys.executable, "-W", "ignore", str(FUZZER), "--runs", str(RUNS)]
    paths = [str(FUZZER.parent), str(FUZZER.parent.parent), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) >= 8
    for report in reports:
        # Damage that is found at once, or never, would show little.
        assert 0 < report["read"] < RUNS / 2, report
        assert report["corpus"] > 2, report


def safetensors(path, tensors, sizes, body=b"", **metadata):
    """A file that promises so much: {name: (dtype, shape, offsets)}."""
    architecture = {"sizes": sizes, "activation": "relu", "output": "softmax",
                    "loss": "cross_entropy", "dtype": "float32"}  # fmt: skip
    metadata = {"format": "fastbp", "version": "1", "architecture": json.dumps(architecture),
                **metadata}  # fmt: skip
    keys = ("dtype", "shape", "data_offsets")
    header = {name: dict(zip(keys, tensor, strict=True)) for name, tensor in tensors.items()}
    text = json.dumps({"__metadata__": metadata, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


HUGE = 2**42
PROMISES = {
    "terabytes of weights": ("F32", [2, HUGE], [0, 8 * HUGE]),
    "more than 2^64": ("F32", [2**63, 2**63], [0, 2**63]),
    "a shape without the bytes": ("F32", [2, HUGE], [0, 24]),
    "offsets beyond the end": ("F32", [2, 3], [2**40, 2**40 + 24]),
    "offsets that run backwards": ("F32", [2, 3], [24, 0]),
    "offsets below 0": ("F32", [2, 3], [-24, 0]),
}


@pytest.mark.parametrize("tensor", PROMISES.values(), ids=PROMISES)
@pytest.mark.parametrize("sizes", [[3, 2], [HUGE, 2]])
def test_a_model_that_promises_too_much(tmp_path, tensor, sizes):
    path = tmp_path / "net.safetensors"
    tensors = {"weights.1": tensor, "biases.1": ("F32", [2], tensor[2])}
    safetensors(path, tensors, sizes, bytes(32))
    refused_cheaply(MLP.load, path, "damaged|expected")


@pytest.mark.parametrize(
    "sizes", [[3, HUGE], [3] * 100_000, [10**4000, 2], [2**63, 2**63], [[3], [2]]], ids=range(5)
)
def test_a_model_whose_architecture_promises_too_much(tmp_path, sizes):
    path = tmp_path / "net.safetensors"
    tensors = {"weights.1": ("F32", [2, 3], [0, 24]), "biases.1": ("F32", [2], [24, 32])}
    safetensors(path, tensors, sizes, bytes(32))
    refused_cheaply(MLP.load, path, "expected|describes|does not hold")


def test_overlapping_and_missing_bytes(tmp_path):
    path = tmp_path / "net.safetensors"
    for weights, biases, length in ([0, 24], [16, 24], 24), ([0, 24], [28, 36], 36):
        tensors = {"weights.1": ("F32", [2, 3], weights), "biases.1": ("F32", [2], biases)}
        safetensors(path, tensors, [3, 2], bytes(length))
        refused_cheaply(MLP.load, path, "damaged")


def test_a_model_with_long_words(tmp_path):
    path, word = tmp_path / "net.safetensors", "x" * 1_000_000
    tensors = {word: ("F32", [2, 3], [0, 24]), "biases.1": ("F32", [2], [24, 32])}
    safetensors(path, tensors, [3, 2], bytes(32))
    refused_cheaply(MLP.load, path, "does not hold the tensors")
    for metadata in ({"version": word}, {"format": word}, {"architecture": word}):
        safetensors(path, {}, [3, 2], **metadata)
        refused_cheaply(MLP.load, path, "version|MLP.save|describes")
    described = {"sizes": [3, 2], "activation": word, "output": word, "loss": word, "dtype": word}
    safetensors(path, {}, [3, 2], architecture=json.dumps(described))
    refused_cheaply(MLP.load, path, "describes no net")


def saved_network(**changes):
    """The text of a book's network, or of something like it."""
    data = {"sizes": [2, 1], "weights": [[[0.5, -0.5]]], "biases": [[[0.1]]],
            "cost": "QuadraticCost"}  # fmt: skip
    return json.dumps({**data, **changes})


NETWORKS = {
    "no JSON": "sizes = [2, 1]",
    "another encoding": "\xff\xfe",
    "a list": "[1, 2]",
    "nothing": "",
    "no weights": '{"sizes": [2, 1], "biases": [], "cost": "QuadraticCost"}',
    "too deep": "[" * 100_000,
    "promised terabytes": saved_network(sizes=[2, 10**11]),
    "promised layers": saved_network(sizes=[10**6, 10**7, 1]),
    "promised more": saved_network(sizes=[2, 10**4000]),
    "sizes that are floats": saved_network(sizes=[2.0, 1]),
    "sizes that are booleans": saved_network(sizes=[True, True]),
    "sizes below 0": saved_network(sizes=[-2, 1]),
    "no sizes": saved_network(sizes=[], weights=[], biases=[]),
    "sizes that are a word": saved_network(sizes="21"),
    "another shape": saved_network(weights=[[[0.5], [-0.5]]]),
    "rows of different lengths": saved_network(weights=[[[0.5]]]),
    "words": saved_network(weights=[[["0.5", "-0.5"]]]),
    # NumPy would give each of them as much room as the longest wants.
    "words of all lengths": saved_network(weights=[[["x" * 100_000, *["x"] * 1000]]]),
    "NaN": saved_network(weights=[[[0.5, float("nan")]]]),
    "infinity": saved_network(biases=[[[float("inf")]]]),
    "a number too large": saved_network(biases=[[[10**400]]]),
    "a number too long": saved_network(biases=[[[0.25]]]).replace("0.25", "9" * 5000),
    "a layer too many": saved_network(biases=[[[0.1]], [[0.1]]]),
    "a cost that is a module": saved_network(cost="sys"),
    "a cost that is no name": saved_network(cost=["QuadraticCost"]),
    "a cost without end": saved_network(cost="x" * 1_000_000),
    "a private cost": saved_network(cost="__builtins__"),
}


@pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
def test_a_book_network_that_is_none(tmp_path, text):
    path = tmp_path / "net.json"
    path.write_text(text, encoding="latin1")
    refused_cheaply(network2.load, path, r"net\.json: ")


def test_what_stands_in_the_place_of_a_file(tmp_path):
    for load in (MLP.load, network2.load):
        with pytest.raises(OSError, match="missing"):
            load(tmp_path / "missing")
        with pytest.raises(OSError, match=str(tmp_path)):
            load(tmp_path)


def test_a_file_that_is_refused_leaves_nets_as_they_are(tmp_path):
    net, path = MLP([3, 2], seed=0), tmp_path / "net.safetensors"
    net.save(path)
    before = everything(net)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"net\.safetensors"):
        type(net).load(path)
    assert everything(net) == before
