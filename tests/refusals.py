"""How damaged files must be refused, and checkpoints of other trainings or with other contents."""

import json
import tracemalloc

import pytest
from api_problems import everything
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def refused_cheaply(load, path, reason, most=None):
    """A short ValueError that names the file, for little memory; by default, for its size."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=reason) as caught:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert peak < (most or 2e6 + 20 * path.stat().st_size)


def resuming_refused(net, path, named, arguments):
    """A ValueError about an argument of fit; net and checkpoint stay as they are."""
    before, saved = everything(net), path.read_bytes()
    with pytest.raises(ValueError, match=f"^{named}"):
        net.fit(**arguments, resume=path)
    assert everything(net) == before
    assert path.read_bytes() == saved


def rewrite(path, change_training=None, change_tensors=None):
    """Change a checkpoint by functions that change its JSON and its tensors in place."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors = {name: tensor.copy() for name, tensor in load_file(path).items()}
    training = json.loads(metadata["checkpoint"])
    if change_training is not None:
        change_training(training)
    if change_tensors is not None:
        change_tensors(tensors)
    metadata["checkpoint"] = json.dumps(training)
    save_file(tensors, path, metadata)
