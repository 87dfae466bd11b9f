"""One profile for all property tests: the same examples every time, no clock, nothing on disk.

Comparisons with PyTorch are collected where it is installed; it is too large to ask for.
"""

import os
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

# Before NumPy is imported: scikit-learn's products here are too small for two threads, which on a
# busy machine wait for each other, ten times as long as one would take.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

collect_ignore = [] if find_spec("torch") else ["test_torch.py"]
