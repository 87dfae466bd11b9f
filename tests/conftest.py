"""One profile for all property tests: the same examples every time, no clock, nothing on disk.

Comparisons with PyTorch are collected where it is installed; it is too large to ask for. Ctrl-C is
heard also where the shell that started the tests in the background has it ignored.
"""

import signal
from importlib.util import find_spec

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fastbp",
    derandomize=True,
    deadline=None,  # a first example may compile a kernel
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # likewise
)
settings.load_profile("fastbp")

collect_ignore = [] if find_spec("torch") else ["test_torch.py"]

signal.signal(signal.SIGINT, signal.default_int_handler)
