"""The files of compiled kernels: damaged, on a full disk, or written by two processes at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from test_compilation import CALL_PROBE, package, run

assert package  # a fixture

LOG = "import logging; logging.basicConfig(format='%(message)s', stream=__import__('sys').stdout)"


def kernel_files(cache):
    return sorted(path for path in cache.rglob("*") if path.is_file())


@pytest.fixture
def cache(package, tmp_path):
    folder = tmp_path / "cache"
    assert run(CALL_PROBE, package, FASTBP_CACHE_DIR=str(folder)) == "-0.025 1"
    return folder


def test_a_damaged_file_is_never_run(package, cache):
    files = kernel_files(cache)
    whole = [file.read_bytes() for file in files]
    damages = [
        lambda content: content[:-300] + bytes([content[-300] ^ 1]) + content[-299:],
        lambda content: content[: len(content) // 2],
        lambda content: b"",
    ]
    for damage in damages:
        for file, content in zip(files, whole, strict=True):
            file.write_bytes(damage(content))
        code = f"{LOG}\n{CALL_PROBE}"
        out = run(code, package, FASTBP_CACHE_DIR=str(cache)).splitlines()
        assert out[-1] == "-0.025 1"
        assert sum("damaged" in line for line in out) >= len(files) > 0
    assert run(CALL_PROBE, package, FASTBP_CACHE_DIR=str(cache)) == "-0.025 0"  # they are mended


def test_a_full_disk_costs_the_next_process_its_time_only(package, tmp_path):
    code = f"""
{LOG}
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
{CALL_PROBE}
"""
    folder = tmp_path / "cache"
    out = run(code, package, FASTBP_CACHE_DIR=str(folder)).splitlines()
    assert out[-1] == "-0.025 1"
    assert sum("not kept" in line for line in out) >= 1
    assert not kernel_files(folder)


def test_a_file_that_cannot_be_read_counts_as_missing(package, cache):
    for file in kernel_files(cache):
        file.unlink()
        file.mkdir()
    out = run(f"{LOG}\n{CALL_PROBE}", package, FASTBP_CACHE_DIR=str(cache)).splitlines()
    assert out[-1] == "-0.025 1"


CALL_BOTH = """
import numpy as np
from fastbp.kernels import jit, probe
for dtype in {dtypes}:
    x = np.array([2.5], dtype)
    probe.probe(x)
    print(round(float(x[0]), 6), end=" ")
print(jit.compilations())
"""


def test_processes_that_compile_at_once_share_a_cache(package, tmp_path):
    """Each compiles its own signature first, so that they want to add to the same cache."""
    folder = str(tmp_path / "cache")
    orders = ["(np.float32, np.float64)", "(np.float64, np.float32)"]

    def call(order):
        return run(CALL_BOTH.format(dtypes=order), package, FASTBP_CACHE_DIR=folder)

    with ThreadPoolExecutor(len(orders)) as pool:
        for out in pool.map(call, orders):
            assert out.startswith("-0.025 -0.025 ")
    for order in orders:
        assert call(order) == "-0.025 -0.025 0"
    assert len(kernel_files(tmp_path / "cache")) == 2
