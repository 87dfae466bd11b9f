"""How a damaged file must be refused."""

import tracemalloc

import pytest


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
