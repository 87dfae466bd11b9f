"""How a damaged file must be refused, and a checkpoint of another training."""

import tracemalloc

import pytest
from api_problems import everything


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
