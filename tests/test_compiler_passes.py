"""Our passes of numba's compiler (kernels/compiler_*.py) leave what numba's own would."""

import importlib
import pkgutil
from collections import Counter

import numba
import pytest
from numba.core import ir, ssa, types
from numba.core.compiler import run_frontend, StateDict
from numba.core.typing.context import BaseContext

import fastbp.kernels
from fastbp.kernels import compiler, compiler_passes, compiler_types, jit


def functions():
    """Every function of every kernel file that numba compiles or inlines."""
    found = {}
    for module in pkgutil.iter_modules(fastbp.kernels.__path__):
        for value in vars(importlib.import_module(f"fastbp.kernels.{module.name}")).values():
            if hasattr(value, "targetoptions"):
                found[value.py_func.__module__, value.__name__] = value.py_func
    return list(found.values())


def swap_in_loops(n, x, y):
    """Have what kernels have little of: variables that change places, `break`, `continue`."""
    total = 0
    for i in range(n):
        if i % 3 == 0:
            x, y = y, x
            continue
        for j in range(i):
            x = x + j
            if x > 100:
                y = x
                break
        else:
            total = y
        total += x - y
    while n > 0:
        n -= 1
        total, x = x, total
    return total, x, y


def written(blocks):
    return {label: [str(statement) for statement in block.body] for label, block in blocks.items()}


def test_single_assignments_are_numbas_to_the_name():
    changed = 0
    for function in [*functions(), swap_in_loops]:
        state = StateDict()
        state.func_ir = run_frontend(function)
        before = written(state.func_ir.blocks)
        assert compiler_passes.AssignOnce().run_pass(state)
        after = written(state.func_ir.blocks)
        assert after == written(ssa._run_ssa(run_frontend(function).blocks))
        changed += after != before
    assert changed > 50  # the others have no variable with two values


@pytest.fixture
def asked(monkeypatch):
    """How often numba's typing context was asked for each operator with each types."""
    answers, resolve = Counter(), BaseContext.resolve_function_type

    def count(self, function, arguments, keywords):
        if isinstance(function, types.Function):
            answers[function, arguments] += 1
        return resolve(self, function, arguments, keywords)

    monkeypatch.setattr(BaseContext, "resolve_function_type", count)
    monkeypatch.setattr(compiler_types, "_answers", {})
    return answers


def compile_sums():
    """Compile a kernel with many additions, by the compiler of kernels; return its result."""

    @numba.njit(pipeline_class=compiler.KernelCompiler, **jit.FLAGS)
    def sums(x, n):
        for i in range(n):
            x = x + x - x + x - x
            n = n + i
        return x + n

    return sums(1.5, 3)


def test_types_are_asked_for_once(asked):
    assert compile_sums() == 1.5 + 6
    assert asked
    assert set(asked.values()) == {1}


def test_numba_itself_asks_again_and_again(asked, monkeypatch):
    """So that the test above can fail: a numba that is not known works in its own way."""
    monkeypatch.setattr(compiler, "NEWEST_TRIED", (0, 60))
    assert compile_sums() == 1.5 + 6
    assert min(asked.values()) > 1


def test_nothing_is_noted_of_when_variables_end(monkeypatch):
    """Without counting there is nothing to do then; such notes were half of all statements."""
    lowered, run = [], numba.core.typed_passes.BaseNativeLowering.run_pass

    def keep(self, state):
        lowered.extend(s for block in state.func_ir.blocks.values() for s in block.body)
        return run(self, state)

    monkeypatch.setattr(numba.core.typed_passes.BaseNativeLowering, "run_pass", keep)
    assert compile_sums() == 1.5 + 6
    assert lowered
    assert not [statement for statement in lowered if isinstance(statement, ir.Del)]
    lowered.clear()
    monkeypatch.setattr(compiler, "NEWEST_TRIED", (0, 60))
    assert compile_sums() == 1.5 + 6
    assert [statement for statement in lowered if isinstance(statement, ir.Del)]
