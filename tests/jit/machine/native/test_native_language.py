"""The subset of Python that becomes machine code: each part gives what Python gives, and nothing else is taken."""

from __future__ import annotations

import re
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import needs_kernels

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.machine.ir import Module
from tconv.jit.machine.native import compiled as runner
from tconv.jit.machine.native import translate as emitting
from tconv.jit.machine.native.language import Ints, native
from tconv.jit.machine.native.translate import Unsupported, emit

THREE = 3


class Word(IntEnum):
    SECOND = 1


@native
def arithmetic(a: int, b: int) -> int:
    return (a + 2 * b - a * b) * 1000 + a // (b * b + 1) * 10 + a % -(b * b + 1)


@native
def signs(a: int, b: int) -> int:
    return 1000 * (a // (2 * b + 1)) + a % (2 * b + 1)


@native
def conditions(a: int, b: int) -> int:
    found = 0
    if a < b <= THREE and not (a == -1 or b == 7):
        found = 1
    elif a > 0 or b != 2:
        found = 2 if a >= b else 3
    else:
        found = -(a < b)
    return found + 10 * min(a, b, 1) + 100 * max(a, b)


@native
def guarded_by_and(a: int, b: int) -> int:
    return b != 0 and a // b > 1


@native
def loops(a: int, b: int) -> int:
    total = 0
    for i in range(a):
        for j in range(-2, b, THREE):
            if j == i:
                continue
            if j > 5:
                break
            total = total * 3 + i - j
            total %= 1009
            i = 7
    while total > 100:
        total -= 70
        if total == 80:
            return -1
    return total


@native
def helper(values: Ints, a: int) -> int:
    values[0] += a
    return values[Word.SECOND]


@native
def nothing(values: Ints) -> None:
    if values[0] > 100:
        return
    values[2] = values[0]


@native
def arrays(a: int, b: int, values: Ints) -> int:
    x, y = a, b
    x, y = y, x
    values[0], values[1] = x - y, values[0]
    found = helper(values[1:], y)
    nothing(values[Word.SECOND :])
    return found * (a if a else 5)


SMALL = st.integers(-9, 9)


@needs_kernels
@pytest.mark.parametrize("what", [arithmetic, signs, conditions, guarded_by_and, loops], ids=lambda what: what.name)
@given(SMALL, SMALL)
def test_machine_code_gives_what_python_gives(what, a, b):
    assert runner.run(what, a, b) == what(a, b)


@needs_kernels
@given(SMALL, SMALL)
def test_arrays_are_written_alike(a, b):
    compiled, python = np.arange(2, 8), np.arange(2, 8)
    assert runner.run(arrays, a, b, compiled) == arrays(a, b, python)
    assert compiled.tolist() == python.tolist()


@pytest.fixture
def nothing_loaded(monkeypatch, tmp_path):
    """No loop is machine code yet, here or on disk."""
    monkeypatch.setenv("TCONV_CACHE_DIR", str(tmp_path / "kernels"))
    runner._code.cache_clear()
    yield
    runner._code.cache_clear()


def no_sources(file):
    raise OSError("cannot be read")


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [(isa, "available", lambda: ()), (compiler, "_runs_here", lambda isa: False), (emitting, "_functions", no_sources)],
    ids=["no instructions", "another processor", "no sources"],
)
def test_without_machine_code_it_is_python(owner, name, value, monkeypatch, nothing_loaded):
    monkeypatch.setattr(owner, name, value)
    values = np.arange(2, 8).reshape(2, 3)
    assert runner.run(arrays, 3, 4, values) == arrays(3, 4, np.arange(2, 8))
    assert runner._code(arrays) is None


@native
def a_float(a: int) -> int:
    return a + 0.5


@native
def a_power(a: int) -> int:
    return a**2


@native
def a_call(a: int) -> int:
    return abs(a)


@native
def an_unknown_name(a: int) -> int:
    return a + nowhere  # noqa: F821


@native
def a_list(a: int) -> int:
    found = [a]
    return found[0]


@native
def a_loop_over_values(values: Ints) -> int:
    total = 0
    for value in values:
        total += value
    return total


@native
def an_exception(a: int) -> int:
    assert a
    return a


@native
def membership(a: int) -> int:
    return a in (1, 2)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("what", "said"),
    [
        (a_float, "0.5"), (a_power, "a ** 2"), (a_call, "abs"), (an_unknown_name, "nowhere"), (a_list, "[a]"),
        (a_loop_over_values, "for value in values:"), (an_exception, "assert a"), (membership, "(1, 2)"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_anything_else_is_refused(what, said):
    with pytest.raises(Unsupported, match=f"{what.name}: not of the subset .*{re.escape(said)}"):
        emit(what, Module(isa.ISAS["baseline"]))
