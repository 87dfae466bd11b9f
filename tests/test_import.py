"""Importing fastbp is cheap; its names need numpy and numba, and not one compilation."""

import subprocess
import sys

import pytest

OPTIONAL = [
    "click", "joblib", "matplotlib", "pandas", "pooch", "safetensors", "scipy", "sklearn", "tqdm",
]  # fmt: skip


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_waits_with_numpy_and_numba_until_a_name_is_asked_for():
    """So what is done in between, such as reading data, has numba's memory for itself."""
    code = (
        "import sys\n"
        "def loaded(): return [name in sys.modules for name in ('numpy', 'numba', 'llvmlite')]\n"
        "import fastbp; fastbp.__version__, dir(fastbp), hasattr(fastbp, 'no_such_name')\n"
        "print(loaded()); fastbp.Adam; print(loaded())"
    )
    assert run(code).splitlines() == ["[False, False, False]", "[True, True, True]"]


def test_names_bring_no_optional_package():
    code = (
        "import sys, numpy, numba; before = set(sys.modules); from fastbp import MLP; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    new = set(run(code).split())
    assert "fastbp" in new
    assert not new & set(OPTIONAL)
    foreign = new - set(sys.stdlib_module_names) - {"fastbp", "numpy", "numba", "llvmlite"}
    assert not foreign


def test_lbfgs_and_newton_need_no_scipy():
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from fastbp import LBFGS, MLP, NewtonCG\n"
        "for optimizer in [LBFGS(), NewtonCG()]:\n"
        "    net = MLP([1, 2], seed=0)\n"
        "    print(net.fit([[0.0], [1.0]], [0, 1], epochs=3, optimizer=optimizer, l2=0.1).epochs)"
    )
    assert run(code).split() == ["3", "3"]


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
    from fastbp import public

    assert set(fastbp.__all__) == {name for name in vars(public) if not name.startswith("_")}
    assert set(fastbp.__all__) <= set(dir(fastbp))
    for name in fastbp.__all__:
        assert getattr(fastbp, name).__doc__
    with pytest.raises(AttributeError, match="'fastbp' has no attribute 'Adan'"):
        fastbp.Adan  # noqa: B018 - to ask for it is what raises
    assert run("from fastbp import *; print(MLP.__name__, Adam.__name__)") == "MLP Adam\n"


def test_numba_that_may_not_compile_is_named():
    code = "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'; from fastbp import MLP"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: fastbp is compiled by numba, and NUMBA_DISABLE_JIT" in done.stderr
