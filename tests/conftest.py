"""One profile for all property tests: the same examples every time, no clock, nothing on disk.

Tests with PyTorch and with skl2onnx are collected where these are installed: the first is too
large to ask for, the second brings five packages.
"""

import importlib
import os
import signal
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fastbp",
    derandomize=True,
    deadline=None,  # a first example may compile a kernel
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # likewise
)
settings.load_profile("fastbp")

# A shell's background jobs ignore Ctrl-C, and so would the tests that press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def handler_is_restored():
    """What Ctrl-C does is the same after a test as before."""
    yield
    after = signal.signal(signal.SIGINT, signal.default_int_handler)
    assert after is signal.default_int_handler


@pytest.fixture(params=["copied", "shared"])
def batches(request, monkeypatch):
    """Batches as small ones are laid out, a copy for each thread, and as large ones are, once."""
    from fastbp.kernels import layout  # not before what follows here

    if request.param == "shared":
        monkeypatch.setattr(layout, "COPIED_TO", 0)


# Before NumPy is imported: scikit-learn's products here are too small for two threads, which on a
# busy machine wait for each other, ten times as long as one would take.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

importlib.import_module("api_problems")  # threads wherever a test asks for them

NEEDS = {"test_torch.py": ["torch"], "test_onnx.py": ["skl2onnx", "onnxruntime"]}
collect_ignore = [
    test for test, packages in NEEDS.items() if not all(find_spec(name) for name in packages)
]
