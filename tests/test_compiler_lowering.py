"""What kernels compute is what Python would, though statements are lowered in our own way."""

import ast
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.lowering import BaseLower

import fastbp.kernels
from fastbp.kernels import compiler, jit, simd

SMALL = st.integers(-7, 7)


def compiled(function):
    """A function compiled as kernels are, but not kept on disk."""
    return numba.njit(pipeline_class=compiler.KernelCompiler, **jit.FLAGS)(function)


@compiled
def walk(start, stop, step):
    """Count, in every way that a loop over a range can end."""
    turns = last = total = 0
    for i in range(start, stop, step):
        turns, last = turns + 1, i
        for j in range(i):
            if j == 4:
                break
            if j % 2:
                continue
            total += j
        else:
            total += 100
        for j in range(i, 3):
            total += 7 * j
        i = -1000  # the range does not hear of it
        total += i
    for _ in range(turns):
        last += 1
    return turns, last, total


@given(start=SMALL, stop=SMALL, step=SMALL.filter(bool))
def test_ranges_are_pythons(start, stop, step):
    assert walk(start, stop, step) == walk.py_func(start, stop, step)


def test_a_range_is_gone_through_more_than_once():
    @compiled
    def twice(n):
        numbers, total = range(n), 0
        for i in numbers:
            for j in numbers:
                total += i * j
        return total

    assert twice(5) == 100


class Pair(NamedTuple):
    x: float
    n: int


@compiled
def divide(x, n, scale=2.0):
    return Pair(x / n * scale, int(x) // n)


@compiled
def is_large(pair):
    return pair.x > 2 or pair.n > 2


@compiled
def add_to(numbers, pair):
    numbers[pair.n] += pair.x


@compiled
def call_each_other(numbers, x, n):
    large = 0
    for k in range(1, n):
        pair = divide(x, k) if k % 2 else divide(x, k, 3.0)
        if is_large(pair):
            large += 1
            continue
        add_to(numbers, pair)
    return large, divide(x, 1, 1.0).x


@pytest.mark.parametrize("x", [0.0, 1.5, 2.0, 11.0])
def test_calls_return_numbers_tuples_truth_and_nothing(x):
    ours, pythons = np.zeros(3), np.zeros(3)
    assert call_each_other(ours, x, 9) == call_each_other.py_func(pythons, x, 9)
    assert ours.tolist() == pythons.tolist()


class Numbers(NamedTuple):
    """Which only kernels can hand to one another: it has a pointer."""

    data: object
    n: int
    is_first: bool
    pair: Pair


@compiled
def split(numbers):
    half = numbers.n // 2
    rest = Numbers(simd.advance(numbers.data, half), numbers.n - half, False, numbers.pair)
    return Numbers(numbers.data, half, numbers.is_first, Pair(7.0, half)), rest, half > 0


@compiled
def double(numbers):
    for i in range(numbers.n):
        numbers.data[i] *= 2


@compiled
def total(numbers):
    sums = 0.0
    for i in range(numbers.n):
        sums += numbers.data[i]
    return sums


@compiled
def go_down(array):
    """Double the second half of numbers, then that of the first half, and so on."""
    numbers, found = Numbers(simd.pointer(array, 0), array.size, True, Pair(0.5, 3)), 0.0
    while numbers.n > 1:
        numbers, rest, is_split = split(numbers)
        double(rest)
        if is_split and numbers.is_first and not rest.is_first:
            found += total(numbers) + numbers.pair.x * numbers.pair.n + rest.pair.n
    return found


def test_parts_pass_and_return_pointers_in_tuples():
    array = np.arange(1.0, 9.0)
    sums = (10 + 7 * 4 + 3) + (3 + 7 * 2 + 4) + (1 + 7 * 1 + 2)
    assert go_down(array) == sums
    assert array.tolist() == [1, 4, 6, 8, 10, 12, 14, 16]


def lowered(function, *arguments):
    """What LLVM is told of each function that is compiled for a call of one."""
    found, lower = {}, BaseLower.lower

    def note(self):
        lower(self)
        found[self.fndesc.qualname] = str(self.module)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseLower, "lower", note)
        compiled(function)(*arguments)
    return found


def test_values_are_passed_and_returned_as_they_are():
    """Not by way of memory; numba's places for results and errors are for whom Python calls."""

    @compiled
    def first_pair(numbers):
        return Pair(numbers.data[0], numbers.n)

    def enter(array):
        return first_pair(Numbers(simd.pointer(array, 0), array.size, True, Pair(0.0, 1))).n

    module_of = lowered(enter, np.ones(5))
    (part,) = [module for name, module in module_of.items() if "first_pair" in name]
    (whole,) = [module for name, module in module_of.items() if "first_pair" not in name]
    assert "excinfo" in whole
    assert "excinfo" not in part
    assert "alloca" not in part
    assert "store" not in part


def test_kernels_compile_with_debug_information():
    """As all do for who has set NUMBA_DEBUGINFO."""

    def compiled_for_debugger(function):
        options = jit.FLAGS | {"debug": True}
        return numba.njit(pipeline_class=compiler.KernelCompiler, **options)(function)

    @compiled_for_debugger
    def add_one(n):
        return n + 1

    @compiled_for_debugger
    def add_one_and_double(n):
        return 2 * add_one(n)

    assert add_one_and_double(3) == 8


@compiled
def choose_extremes(m, n, x):
    return min(m, n), max(m, n), min(m, n, 3), max(x, m), min(x, 0.5), max(1.5, x, m), min(m, n > 1)


@given(m=SMALL, n=SMALL, x=st.floats())
def test_min_and_max_are_pythons(m, n, x):
    """NaN is no number that is greater or less: which is returned depends on the order."""
    ours, pythons = choose_extremes(m, n, x), choose_extremes.py_func(m, n, x)
    assert np.array_equal(ours, pythons, equal_nan=True)


def test_min_and_max_need_no_function():
    def extremes_of_five(m, n):  # of five, since numba may have compiled that of fewer already
        return min(m, n, m, n, m) + max(m, n, m, n, m)

    assert len(lowered(extremes_of_five, 3, 4)) == 1


def test_no_kernel_fails():
    """Who calls it does not ask."""
    kernels = 0
    for file in Path(fastbp.kernels.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(file.read_text())):
            decorators = getattr(function, "decorator_list", [])
            if {getattr(name, "id", "") for name in decorators} & {"kernel", "inlined"}:
                kernels += 1
                parts = ast.walk(function)
                assert not [part for part in parts if isinstance(part, ast.Raise | ast.Assert)]
    assert kernels > 200


@compiled
def operate(m, n, x, yes):
    """All operators that kernels have, in place too, on integers, floats and truth values."""
    a, b = (m + n, m - n, m * n), (m // n, m % n, m / n, m**2, x**3, x**n)
    c = (m & n, m | n, m ^ n, m << 2, m >> 1, -m, +x, ~m, not yes)
    d = (m < n, m <= x, m == n, x != n, x > m, n >= m, yes & (m < n), yes | (m > n))
    p, q, r, finite = m, x, m, yes
    p += n
    q *= n
    q -= m
    q /= n
    r **= 2
    r //= n
    r |= 1
    finite &= m < n
    return a, b, c, d, p, q, r, finite, x * yes + (m < n)


@given(m=SMALL, n=st.integers(1, 7), x=st.floats(-3, 3), yes=st.booleans())
def test_operators_are_pythons(m, n, x, yes):
    found, expected = operate(m, n, x, yes), operate.py_func(m, n, x, yes)
    for ours, pythons in zip(found, expected, strict=True):
        assert ours == pytest.approx(pythons, rel=1e-15)


@compiled
def choose(n, x):
    """Values made in one block and used in others, in loops and behind them."""
    half = x / 2
    if n > 2:
        y = half + 1
        z = y * y
    else:
        y, z = x, half
    once = y - z
    for i in range(n):
        square = i * once
        if square > 4:
            y = square
        else:
            z = y + square
    return half, once, y, z


@given(n=SMALL, x=st.floats(-9, 9))
def test_values_are_the_same_in_all_blocks(n, x):
    assert choose(n, x) == choose.py_func(n, x)


def use_in_a_loop(x, n):
    a, b = x + 1, x * 2
    c = a * b
    for _ in range(n):
        x = x + a + b + c
    return x


def count_places():
    """Of how many numbers LLVM is told that they are in memory."""
    return lowered(use_in_a_loop, 1.0, 2)["use_in_a_loop"].count(" = alloca ")


def test_only_what_changes_is_in_memory(monkeypatch):
    """Which is x, where the range is, and the iterator, which Python may set to None."""
    assert compiled(use_in_a_loop)(1.0, 2) == use_in_a_loop(1.0, 2)
    assert count_places() <= 3
    monkeypatch.setattr(compiler, "NEWEST_TRIED", (0, 60))  # so numba does as it always does
    assert count_places() > 12
