"""Importing fastbp is cheap: numpy and numba, and not one compilation."""

import subprocess
import sys

OPTIONAL = [
    "click", "joblib", "matplotlib", "pandas", "pooch", "safetensors", "scipy", "sklearn", "tqdm",
]  # fmt: skip


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_brings_no_optional_package():
    code = (
        "import sys, numpy, numba; before = set(sys.modules); import fastbp; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    new = set(run(code).split())
    assert "fastbp" in new
    assert not new & set(OPTIONAL)
    foreign = new - set(sys.stdlib_module_names) - {"fastbp", "numpy", "numba", "llvmlite"}
    assert not foreign


def test_without_scikit_learn_the_drop_in_says_what_to_install():
    code = """
import sys
sys.modules["sklearn"] = None
try:
    import fastbp.sklearn
except ImportError as error:
    print(error)
"""
    assert 'pip install "fastbp[sklearn]"' in run(code)


def test_import_compiles_nothing():
    code = (
        "import numba; from numba.core import event\n"
        "class Listener(event.Listener):\n"
        "    def on_start(self, event): raise SystemExit('compiled')\n"
        "    def on_end(self, event): pass\n"
        "event.register('numba:compile', Listener())\n"
        "import fastbp; fastbp.MLP([3, 4, 2], seed=0).summary()\n"
        "from fastbp.kernels import jit; print(jit.compilations())"
    )
    assert run(code).strip() == "0"


def test_everything_public_is_importable_from_the_package():
    import fastbp

    for name in fastbp.__all__:
        assert getattr(fastbp, name).__doc__
