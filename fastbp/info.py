"""What fastbp runs on, for people, and for reports of problems."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import llvmlite.binding as llvm

from fastbp import __version__
from fastbp.kernels import jit, target
from fastbp.threads import thread_limit

__all__ = ["describe"]

REQUIRED = ("numba", "llvmlite", "numpy")
OPTIONAL = ("matplotlib", "pooch", "scikit-learn", "scipy")


def describe() -> list[str]:
    """Return lines: versions, processor, vectors, threads, and the cache of compiled kernels."""
    bits = 8 * target.VECTOR_BYTES
    rows = [("fastbp", __version__), *((package, version(package)) for package in REQUIRED)]
    rows += [
        ("Python", platform.python_version()),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("processor", f"{llvm.get_host_cpu_name()}, {os.cpu_count()} logical cores"),
        ("vectors", f"{bits} bits: {bits // 32} float32 or {bits // 64} float64"),
        ("threads", f"at most {thread_limit()} unless asked for more"),
        ("cache", cache()),
    ]
    rows += [(package, version(package)) for package in OPTIONAL]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def version(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def cache() -> str:
    """Say where compiled kernels are kept, and how much is there."""
    folder = jit.cache_folder()
    if folder is None:
        return "none: no folder can be written to (set FASTBP_CACHE_DIR)"
    # numba makes folders there too, which stay empty.
    sizes = [path.stat().st_size for path in Path(folder).iterdir() if path.is_file()]
    return f"{folder}, {len(sizes)} kernels, {sum(sizes) / 1e6:.1f} MB"
