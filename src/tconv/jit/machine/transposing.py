"""Matrices of few rows transposed in memory: weights with channels innermost into the order that packing reads.

a0 a1 a2 a3 ...      taps by channels, as vectors along the channels
b0 b1 b2 b3 ...
c0 c1 c2 c3 ...      become  a0 b0 c0 a1 b1 c1 a2 b2 c2 a3 b3 c3 ...   channels by taps
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.machine.ir import BYTES, ELEMENTS, Function, Module, Vector
from tconv.jit.machine.isa import Isa
from tconv.jit.machine.shuffles import interleave

#: (source, target, matrices, columns): each matrix lies row by row in source, column by column in target.
Transposer = Callable[[int, int, int, int], None]

#: With more rows there are not enough registers.
MOST_ROWS = 16


def function(dtype: str, rows: int) -> Transposer:
    """What transposes matrices of a dtype, with so many rows, on this processor."""
    transposer: Transposer = _function(isa.current(), ELEMENTS[dtype], rows)
    return transposer


@lru_cache(maxsize=64)
def _function(target: Isa, element: str, rows: int) -> Any:
    module, size = Module(target), BYTES[element]
    v = Vector(element, target.lanes(size))
    f = module.function("turned", [("ptr", "source"), ("ptr", "target"), ("i64", "matrices"), ("i64", "columns")])
    f.exported = True
    per_row = f.mul("%columns", size)
    whole = f.let(f"and i64 %columns, {-v.lanes}")
    carried = [("ptr", "%source"), ("ptr", "%target")]
    with f.loop("%matrices", carried=carried) as (_, [source, into]):
        with f.loop(whole, step=v.lanes) as (column, _):
            here, there = f.at(source, f.mul(column, size)), f.at(into, f.mul(column, rows * size))
            parts = [f.vload(v, here, f.mul(per_row, row)) for row in range(rows)]
            for number, value in enumerate(interleave(f, v, parts)):
                f.vstore(v, value, there, number * v.bytes)
        _rest(f, v, source, into, whole, rows)
        matrix = f.mul(per_row, rows)
        f.next(f.at(source, matrix), f.at(into, matrix))
    f.ret()
    return compiler.function(module, "turned", [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2)


def _rest(f: Function, v: Vector, source: str, into: str, whole: str, rows: int) -> None:
    """The columns behind the last whole vector, element by element."""
    size = BYTES[v.element]
    with f.loop(f.sub("%columns", whole)) as (i, _):
        column = f.add(whole, i)
        here, there = f.at(source, f.mul(column, size)), f.at(into, f.mul(column, rows * size))
        for row in range(rows):
            value = f.load(v.element, here, f.mul(f.mul("%columns", size), row))
            f.store(v.element, value, there, row * size)
