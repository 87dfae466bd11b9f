"""What is compiled and when: once for each dtype and machine, and never with an old source.

Each process here is a user's: started afresh, with warnings as errors.
"""

import gc
import os
import platform
import shutil
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding as llvm
import naive
import numba
import numpy as np
import pytest
from networks import make_rule, Network, random_vector
from numba.core.codegen import CPUCodegen
from numba.core.runtime import _nrt_python, rtsys

from fastbp.kernels import backward, compiler, epoch, evaluate, forward, jit, matmul, simd

TESTS = Path(__file__).parent
LIBRARY = "library"  # numba's name for the code of a function
ENTRIES = (epoch.train, forward.forward, evaluate.evaluate, backward.value_and_grad,
           backward.input_gradient, backward.layer_errors)  # fmt: skip


def call_everything(dtype, sizes, names, *, labels, weighted, optimizer, threads, rows, **extra):
    rng = np.random.default_rng(0)
    network = Network(sizes, *names, random_vector(rng, sizes), dtype, rows=rows, threads=threads)
    X = rng.normal(size=(11, sizes[0]))
    y = np.arange(11) % sizes[-1] if labels else rng.uniform(size=(11, sizes[-1]))
    data = network.data(X, y, np.ones(11) if weighted else None)
    network.forward(X)
    network.evaluate(data)
    network.value_and_grad(data)
    network.input_gradient(data)
    network.layer_errors(data)
    return network.train(data, make_rule(optimizer, **extra), 0.01, rows, dropout=0.1).status


def specialisations():
    return [len(entry.signatures) for entry in ENTRIES]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_compilation_serves_every_network(dtype):
    """Not one more, compiled or from disk, whatever changes but the dtype."""
    usual = {
        "sizes": [3, 4, 2], "names": ("relu", "softmax", "cross_entropy"), "labels": True,
        "weighted": False, "optimizer": "sgd", "threads": 1, "rows": 4,
    }  # fmt: skip
    call_everything(dtype, **usual)
    before = jit.compilations(), specialisations()
    changes = [
        {"names": (activation, output, loss), "labels": False}
        for activation, (loss, output) in zip(
            list(naive.ACTIVATIONS) * 4, naive.VALID_PAIRS, strict=False
        )
    ]
    changes += [{"optimizer": name} for name in ("sgd", "adam", "adamw", "rmsprop", "adagrad")]
    changes += [{"momentum": 0.9, "nesterov": True}, {"clip_norm": 1.0}, {"max_norm": 1.0}]
    changes += [{"l1": 0.1}, {"l2": 0.1}, {"weighted": True}, {"labels": False}]
    changes += [{"threads": 2}, {"rows": 1}, {"rows": 11}]
    changes += [{"sizes": [1, 70, 30, 20, 10, 5]}]
    changes += [{"sizes": [1100, 2], "names": ([], "linear", "quadratic"), "labels": False}]
    for change in changes:
        assert call_everything(dtype, **(usual | change)) == epoch.OK
    assert (jit.compilations(), specialisations()) == before


def test_compilations_are_counted():
    """The counter of the test above does count, what fastbp's modules define only."""

    def double(x):
        return 2 * x

    before = jit.compilations()
    assert (numba.njit(double)(1), jit.compilations()) == (2, before)
    ours = numba.njit(double)
    double.__module__ = jit.__name__
    assert (ours(1), ours(1.5), ours(2)) == (2, 3.0, 4)
    assert (jit.compilations(), len(ours.signatures)) == (before + 2, 2)
    assert jit.compile_seconds() > 0


def test_a_kernel_is_optimised_once_with_all_that_it_calls(monkeypatch):
    """Whatever calls what, and how often: one pass over the whole, and none over a part."""
    assert numba.njit(lambda x: x.sum())(np.ones(1)) == 1  # with parts of numba
    passes = []

    def count(owner, method, of):
        make = getattr(owner, method)

        def make_and_count(*args, **kwargs):
            passes.append(of)
            return make(*args, **kwargs)

        monkeypatch.setattr(owner, method, make_and_count)

    count(llvm.PassBuilder, "getFunctionPassManager", "function")
    count(llvm.PassBuilder, "getModulePassManager", "module")
    if hasattr(CPUCodegen, "_module_pass_manager"):  # numba 0.61 does without LLVM's PassBuilder
        count(CPUCodegen, "_function_pass_manager", "function")
        count(CPUCodegen, "_module_pass_manager", "module")

    def compile_kernel(function):
        return numba.njit(pipeline_class=compiler.KernelCompiler, **jit.FLAGS)(function)

    @compile_kernel
    def first(numbers):
        return numbers[0]

    @compile_kernel
    def twice(numbers):
        return 2 * first(numbers)

    @compile_kernel
    def total(array):
        numbers = simd.pointer(array, 0)
        return first(numbers) + twice(numbers)

    assert total(np.full(1, 7.0)) == 21.0
    assert passes == ["module"]
    assert numba.njit(lambda x: x + 1)(1) == 2
    assert len(passes) > 1  # what numba does by itself is counted too


def test_callers_link_what_was_optimised_and_not_what_machine_code_left():
    """There, variables share places of the stack, whose alignment is that of one of them."""

    @numba.njit(pipeline_class=compiler.KernelCompiler, **jit.FLAGS)
    def total(array):
        sums = 0.0
        for i in range(array.shape[0]):
            sums += array[i, 1] * array[i, 0]
        return sums

    assert total(np.ones((3, 2))) == 3.0
    (code,) = (getattr(compiled, LIBRARY) for compiled in total.overloads.values())
    linked, left = code._get_module_for_linking(), code._final_module
    assert "lsr.iv" in str(left)  # which is how LLVM counts in machine code
    assert "lsr.iv" not in str(linked)


def test_garbage_is_collected_again_after_a_compilation():
    def compile_one():
        def double(x):
            return 2 * x

        double.__module__ = jit.__name__
        assert numba.njit(double)(1) == 2
        return gc.isenabled()

    before = jit.compilations()
    assert compile_one()
    gc.disable()
    try:
        assert not compile_one()  # and stays off where the user wants it off
    finally:
        gc.enable()
    gc.freeze()
    try:
        assert compile_one()
        assert gc.get_freeze_count() > 0  # what the user has frozen stays so
    finally:
        gc.unfreeze()
    assert jit.compilations() == before + 3


def test_a_compiled_kernel_leaves_no_garbage():
    """What numba and LLVM had made to compile `train` were 300,000 objects, and 50 MB."""

    def double(x):
        return 2 * x

    double.__module__ = jit.__name__
    kernel = numba.njit(pipeline_class=compiler.KernelCompiler, **jit.FLAGS)(double)
    assert kernel(1.5) == 3.0  # the first time, numba loads what it needs
    gc.collect()
    assert kernel(1) == 2
    assert gc.collect() < 100


def test_python_cannot_enter_what_takes_pointers():
    """There is no such entry; asking for one is an error rather than a crash."""
    with pytest.raises(numba.TypingError):
        matmul.transpose(1)
    network = Network([3, 4, 2], "relu", "softmax", "cross_entropy", np.zeros(26), np.float64)
    network.value_and_grad(network.data(np.zeros((1, 3)), np.zeros(1, int)))
    with pytest.raises(numba.TypingError):
        matmul.transpose(1)


# Allocations


@pytest.fixture
def allocations():
    """Counts of numba's runtime: blocks and arrays, allocated and freed."""
    _nrt_python.memsys_enable_stats()
    yield lambda: np.array(rtsys.get_allocation_stats())
    _nrt_python.memsys_disable_stats()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("extra", [{}, {"clip_norm": 0.1, "max_norm": 0.5, "l1": 0.1}])
def test_an_epoch_allocates_nothing(extra, threads, dtype, allocations):
    """Whatever a call of `train` allocates is for its arguments: 400 steps are as 1."""
    rng = np.random.default_rng(0)
    sizes, rows, batch_size = [13, 21, 3], 1200, 3
    network = Network(
        sizes, "gelu", "softmax", "cross_entropy", random_vector(rng, sizes), dtype,
        rows=batch_size, threads=threads,
    )  # fmt: skip
    data = network.data(rng.normal(size=(rows, 13)), np.arange(rows) % 3)
    rule = make_rule("adam", **extra)

    def count(steps):
        before = allocations()
        tracemalloc.start()
        trained = network.train(data, rule, 1e-3, batch_size, dropout=0.5, last_step=steps)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert trained.status == epoch.OK
        return allocations() - before, peak

    count(1)  # compiles
    (few, little), (many, much) = count(1), count(400)
    np.testing.assert_array_equal(few, many)
    assert few[0] == few[1]  # and all is freed again
    # NumPy's and Python's own: Network's arrays, and a thread's bookkeeping, which varies.
    assert much < little + 4096


def test_allocations_are_counted(allocations):
    @numba.njit
    def allocate(n):
        total = 0
        for i in range(n):
            total += np.ones(i + 1).size
        return total

    allocate(1)
    before = allocations()
    allocate(10)
    assert (allocations() - before).tolist() == [10, 10, 10, 10]


# The disk cache, seen by processes of their own


def run(code, folder=None, **environment):
    """Run Python code with warnings as errors; return what it printed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "FASTBP_"))}
    paths = [str(folder)] if folder else [str(TESTS.parent), str(TESTS)]
    environment = kept | {"PYTHONPATH": os.pathsep.join(paths)} | environment
    environment = {k: v for k, v in environment.items() if v is not None}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder or TESTS.parent, env=environment,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PROBE = """
from .activations import leaky_relu
from .jit import kernel
from .simd import absolute, load_first, store_first

@kernel
def probe(x):
    store_first(x, 0, leaky_relu(-absolute(load_first(x, 0, 1))), 1)
"""
CALL_PROBE = """
import numpy as np
from fastbp.kernels import jit, probe
x = np.array([2.5])
probe.probe(x)
print(x[0], jit.compilations())
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the kernels, as fastbp.kernels in a folder, that may be edited."""
    folder = tmp_path / "package"
    kernels = folder / "fastbp" / "kernels"
    shutil.copytree(
        Path(jit.__file__).parent, kernels, ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "fastbp" / "__init__.py").touch()
    (kernels / "probe.py").write_text(PROBE)
    return folder


def edit(file, before, after):
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))


def test_an_edited_kernel_is_never_served_from_the_cache(package, tmp_path):
    """Not even where the edit is in another file than what is called."""
    kernels, cache = package / "fastbp" / "kernels", str(tmp_path / "cache")

    def probe():
        value, compilations = run(CALL_PROBE, package, FASTBP_CACHE_DIR=cache).split()
        return float(value), int(compilations)

    assert probe() == (-0.025, 1)
    assert probe() == (-0.025, 0)  # another process, the same source
    edit(kernels / "activations.py", "LEAKY_SLOPE = 0.01", "LEAKY_SLOPE = 0.25")
    assert probe() == (-0.625, 1)
    edit(kernels / "simd.py", '_llvm_function("fabs")', '_llvm_function("ceil")')
    assert probe() == (-0.75, 1)
    edit(kernels / "simd.py", '_llvm_function("ceil")', '_llvm_function("fabs")')
    edit(kernels / "activations.py", "LEAKY_SLOPE = 0.25", "LEAKY_SLOPE = 0.01")
    assert probe() == (-0.025, 0)  # back to a source that is known


PART = """
from .simd import pointer

@kernel
def probe_pointer(x):
    store_first(x, 0, load_first(x, 0, 1) + 1, 1)

@kernel
def probe_array(x):
    probe_pointer(pointer(x, 0))
    probe_pointer(pointer(x, 0))
"""
CALL_PART = """
import numpy as np
from fastbp.kernels import jit, probe
x = np.array([2.5])
probe.probe_array(x)
functions = probe.probe_pointer, probe.probe_array
print(x[0], jit.compilations(), [len(function.signatures) for function in functions])
"""
# No optimiser leaves a constant's conversion to another type to be done.
SHOW_UNOPTIMISED = """
codes = [code for function in functions for code in function.inspect_llvm().values()]
print(*["trunc i64 1 to i32" in code for code in codes])
"""


def test_only_what_python_calls_becomes_machine_code_and_is_kept(package, tmp_path):
    """A kernel that kernels call is compiled again when one that is not on disk calls it."""
    (package / "fastbp" / "kernels" / "probe.py").write_text(PROBE + PART)
    cache = tmp_path / "cache"
    out = run(CALL_PART + SHOW_UNOPTIMISED, package, FASTBP_CACHE_DIR=str(cache))
    assert out.splitlines() == ["4.5 2 [1, 1]", "True False"]
    (file,) = (path.name for path in cache.rglob("*") if path.is_file())
    assert file.startswith("probe.probe_array")
    assert run(CALL_PART, package, FASTBP_CACHE_DIR=str(cache)) == "4.5 0 [0, 1]"


CONSTANTS = """
from .simd import pointer

@kernel
def probe_place(x, i):
    store_first(x, i, load_first(x, i, 1) + 1, 1)

@kernel
def probe_places(x):
    probe_place(pointer(x, 0), 0)
    probe_place(pointer(x, 0), 1)
    probe_place(pointer(x, 0), x.size - 1)
"""
CALL_CONSTANTS = """
import numpy as np
from fastbp.kernels import jit, probe
x = np.array([2.5, 0.5])
probe.probe_places(x)
print(*x, jit.compilations(), len(probe.probe_place.signatures))
"""


def test_a_constant_in_a_call_compiles_nothing_more(package, tmp_path):
    (package / "fastbp" / "kernels" / "probe.py").write_text(PROBE + CONSTANTS)
    out = run(CALL_CONSTANTS, package, FASTBP_CACHE_DIR=str(tmp_path / "cache"))
    assert out == "3.5 2.5 2 1"


INLINED = """
from .jit import inlined

@inlined
def doubled(x):
    return x + x

@inlined
def quadrupled_until(x, limit):
    while x < limit:
        x = doubled(doubled(x))
    return x

@kernel
def probe_inlined(x):
    for i in range(x.size):
        if x[i] > 1:
            x[i] = quadrupled_until(x[i], 100) + doubled(x[i])
        else:
            x[i] = quadrupled_until(quadrupled_until(x[i], 3), 4)
"""
CALL_INLINED = """
import numpy as np
from numba.core import ir, untyped_passes
from fastbp.kernels import compiler, probe

translate, copy_variable, translated, copied = (
    untyped_passes.TranslateByteCode.run_pass, ir.Var.__deepcopy__, [], []
)
def counting_translate(self, state):
    translated.append(state.func_id.func_name)
    return translate(self, state)
def counting_copy(self, memo):
    copied.append((id(memo), self.name))
    return copy_variable(self, memo)
untyped_passes.TranslateByteCode.run_pass = counting_translate
ir.Var.__deepcopy__ = counting_copy
"""
RUN_INLINED = """
x = np.array([2.5, 0.5, 50.0])
probe.probe_inlined(x)
print(*x, sorted(translated), len(copied))
"""


def test_what_is_inlined_is_translated_once_and_copied_once(package, tmp_path):
    """Numba itself translates it for every call, and copies all variables with each block."""
    (package / "fastbp" / "kernels" / "probe.py").write_text(PROBE + INLINED)

    def run_probe(before, cache):
        code = CALL_INLINED + before + RUN_INLINED
        numbers, counted = run(code, package, FASTBP_CACHE_DIR=str(tmp_path / cache)).split(" [")
        names, copied = counted.split("] ")
        return numbers, names.replace("'", "").split(", "), int(copied)

    numbers, names, copied = run_probe("", "ours")
    assert numbers == "165.0 8.0 300.0"
    assert names == ["doubled", "probe_inlined", "quadrupled_until"]
    by_numba = run_probe("compiler.NEWEST_TRIED = 0, 60", "numba's")
    assert by_numba[0] == numbers
    assert by_numba[1] == ["doubled"] * 7 + ["probe_inlined"] + ["quadrupled_until"] * 3
    assert 4 * copied < by_numba[2]


LOADED = """
import sys
import numba
from numba.core.runtime import rtsys

def compilers():
    return ["numba.np.linalg" in sys.modules, rtsys._init, "scipy.linalg" in sys.modules]
"""
COMPILE_MORE = """
@numba.njit
def squares(n):
    return np.arange(n) ** 2
x = np.array([2.5], np.float32)
probe.probe(x)
print(round(float(x[0]), 4), jit.compilations(), squares(4).sum(), compilers()[:2])
"""


def test_a_kernel_from_disk_loads_nothing_that_compiles(package, tmp_path):
    """Half of numba's memory, and SciPy; who compiles afterwards, also other code, finds it all."""

    def run_probe(more="", before=""):
        code = f"{LOADED}{before}{CALL_PROBE}print(compilers()){more}"
        return run(code, package, FASTBP_CACHE_DIR=str(tmp_path / "cache")).splitlines()

    result, compilers = run_probe()
    assert (result, compilers[:11]) == ("-0.025 1", "[True, True")
    assert run_probe() == ["-0.025 0", "[False, False, False]"]
    assert run_probe(COMPILE_MORE)[1:] == [
        "[False, False, False]",
        "-0.025 1 14 [True, True]",
    ]
    untried = "from fastbp.kernels import compiler\ncompiler.NEWEST_TRIED = 0, 60"
    result, compilers = run_probe(before=untried)
    assert (result, compilers[:11]) == ("-0.025 0", "[True, True")


def test_the_first_compilation_says_so_once(package, tmp_path):
    """On stderr, progress bar or not, through the logger that the user may silence."""

    def output(cache, before=""):
        code = f"import logging, sys; sys.stderr = sys.stdout; {before}\n{CALL_PROBE}"
        return run(code, package, FASTBP_CACHE_DIR=str(tmp_path / cache)).splitlines()

    said, result = output("cache")
    assert said.startswith("Compiling fastbp's kernels")
    assert str(tmp_path / "cache") in said
    assert result == "-0.025 1"
    assert output("cache") == ["-0.025 0"]
    assert output("other", "logging.getLogger('fastbp').setLevel('ERROR')") == ["-0.025 1"]


def test_without_a_writable_folder_there_is_one_warning_and_no_cache(package, tmp_path):
    """A regular file stands wherever a folder would be made: no one, not even root, can."""
    file = tmp_path / "file"
    file.touch()
    (package / "fastbp" / "kernels" / "__pycache__").touch()
    code = f"""
import tempfile, warnings
tempfile.tempdir = {str(file)!r}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from fastbp.kernels import jit
    {CALL_PROBE.replace(chr(10), chr(10) + "    ")}
print(jit.cache_folder(), *[w.category.__name__ for w in caught])
print(*[w.message for w in caught])
"""
    inside = str(file / "folder")
    out = run(
        code, package, FASTBP_CACHE_DIR=inside, XDG_CACHE_HOME=inside, HOME=inside,
        LOCALAPPDATA=inside, PYTHONDONTWRITEBYTECODE="1",
    ).splitlines()  # fmt: skip
    assert out[:2] == ["-0.025 1", "None RuntimeWarning"]
    assert "FASTBP_CACHE_DIR" in out[2]


def test_without_a_home_the_package_keeps_its_cache(package, tmp_path, monkeypatch):
    code = "from fastbp.kernels import jit; print(jit.cache_folder())"
    (tmp_path / "file").touch()
    inside = str(tmp_path / "file" / "home")
    folder = run(code, package, HOME=inside, XDG_CACHE_HOME=None, LOCALAPPDATA=None)
    assert Path(folder).parents[1] == package / "fastbp" / "kernels" / "__pycache__"

    def no_such_user():
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_such_user)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Path(jit.__file__).resolve().parent / "__pycache__" in jit._candidate_folders()


def stat_as_if_somebody_else_owned(folder):
    stat = Path.stat

    def changed(path, **options):
        status = stat(path, **options)
        if path != folder:
            return status
        return os.stat_result((*status[:4], os.getuid() + 1, *status[5:]))

    return changed


def test_folders_in_order(monkeypatch, tmp_path):
    """The chosen one; then the next that can be written to, and by nobody else."""
    chosen, other = tmp_path / "chosen", tmp_path / "other"
    monkeypatch.setattr(jit, "_candidate_folders", lambda: [chosen, other])
    assert jit._find_cache_folder() == str(chosen / "kernels" / jit.source_hash())
    (chosen / "kernels" / jit.source_hash()).chmod(0o777)
    assert jit._find_cache_folder() == str(other / "kernels" / jit.source_hash())
    (chosen / "kernels" / jit.source_hash()).chmod(0o700)
    for strangers in (chosen, chosen / "kernels"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", stat_as_if_somebody_else_owned(strangers))
            assert jit._find_cache_folder() == str(other / "kernels" / jit.source_hash())
    assert jit._find_cache_folder() == str(chosen / "kernels" / jit.source_hash())
    shutil.rmtree(chosen)
    chosen.touch()
    assert jit._find_cache_folder() == str(other / "kernels" / jit.source_hash())
    monkeypatch.undo()
    monkeypatch.setenv("FASTBP_CACHE_DIR", str(other))
    assert jit._find_cache_folder() == str(other / "kernels" / jit.source_hash())


def test_numba_keeps_its_own_settings():
    code = "import numba; before = numba.config.CACHE_DIR; import fastbp.kernels.epoch; "
    assert run(code + "print(numba.config.CACHE_DIR == before)") == "True"


def test_a_second_process_compiles_nothing():
    code = """
import numpy as np
from test_compilation import call_everything, jit
for dtype in (np.float32, np.float64):
    call_everything(
        dtype, [3, 4, 2], ("relu", "softmax", "cross_entropy"), labels=True, weighted=False,
        optimizer="sgd", threads=1, rows=4,
    )
print(jit.compilations(), jit.compile_seconds())
"""
    folder = str(Path(jit.cache_folder()).parents[1])
    run(code, FASTBP_CACHE_DIR=folder)  # unless another test has done so
    assert run(code, FASTBP_CACHE_DIR=folder) == "0 0.0"


# Other processors

ON_ANOTHER_PROCESSOR = """
import naive
import naive_optimizers
import numpy as np
from networks import make_rule, max_error, Network, random_vector
from fastbp.kernels import target

sizes, names = [13, 37, 5, 3], ("gelu", "softmax", "cross_entropy")
rng = np.random.default_rng(0)
vector = random_vector(rng, sizes, np.float32)
X = rng.normal(size=(70, 13)).astype(np.float32)
y = np.arange(70) % 3
network = Network(sizes, *names, vector, np.float32, rows=32)
data = network.data(X, y)
bad_row, cost, gradient = network.value_and_grad(data)
w = vector.astype(float)
right = naive.value_and_grad(*naive.unflatten(w, sizes), X, y, *names)
assert abs(cost - right[0]) < 1e-5
assert max_error(gradient, right[1]) < 1e-5
trained = network.train(data, make_rule("sgd", momentum=0.9), 0.1, 32)
sgd = naive_optimizers.SGD(0.1, 0.9)
for rows in (slice(0, 32), slice(32, 64), slice(64, 70)):
    w = sgd.step(w, naive.value_and_grad(*naive.unflatten(w, sizes), X[rows], y[rows], *names)[1])
assert max_error(trained.parameters, w) < 1e-5
print(target.VECTOR_BYTES)
"""


# Numba's names of processors, and the bytes of a vector there. Only x86 has several.
PROCESSORS = {"generic": 16}
if platform.machine().lower() in ("x86_64", "amd64"):
    PROCESSORS["haswell"] = 32


def test_other_processors():
    """Narrower vectors, fewer registers and, on the generic one, no fused multiply-add."""

    def vector_bytes(name):
        return run(
            ON_ANOTHER_PROCESSOR, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES="",
            FASTBP_CACHE_DIR=str(Path(jit.cache_folder()).parents[1]),
        )  # fmt: skip

    with ThreadPoolExecutor(len(PROCESSORS)) as pool:  # each compiles for some 20 seconds
        out = pool.map(vector_bytes, PROCESSORS)
    assert dict(zip(PROCESSORS, map(int, out), strict=True)) == PROCESSORS
