"""What the machine can do at most: a generated loop of multiply-adds, and one that copies. Measured, not looked up."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from tconv.jit.machine import compile as compiler
from tconv.jit.machine.address import address
from tconv.jit.machine.ir import BYTES, ELEMENTS, Module, Vector
from tconv.jit.machine.isa import Isa

#: Sums that do not wait for each other: more than any processor has multiply-adds under way.
CHAINS = 20
#: Multiply-adds of one iteration and chain, and iterations of one measurement: about a millisecond.
UNROLLED, ITERATIONS = 2, 100_000


@lru_cache(maxsize=8)
def _peak_loop(isa: Isa, element: str) -> Any:
    module = Module(isa)
    v = Vector(element, isa.lanes(BYTES[element]))
    f = module.function("peak", [("ptr", "cells"), ("i64", "turns")])
    f.exported = True
    factor, term = f.vload(v, "%cells"), f.vload(v, "%cells", v.bytes)
    with f.loop("%turns", carried=[(v.text, factor)] * CHAINS, once=True) as (_, sums):
        for _ in range(UNROLLED):
            sums = [f.fma(v, total, factor, term) for total in sums]
        f.next(*sums)
    for number, total in enumerate(f.results):
        f.vstore(v, total, "%cells", number * v.bytes)
    f.ret()
    return compiler.function(module, "peak", [ctypes.c_void_p, ctypes.c_int64])


@lru_cache(maxsize=8)
def _copy_loop(isa: Isa) -> Any:
    module = Module(isa)
    v = Vector("float", isa.lanes(4))
    f = module.function("copy", [("ptr", "source"), ("ptr", "target"), ("i64", "count")])
    f.exported = True
    with f.loop("%count", step=8 * v.lanes, once=True) as (i, _):
        offset = f.mul(i, 4)
        source, target = f.at("%source", offset), f.at("%target", offset)
        for number, value in enumerate([f.vload(v, source, j * v.bytes) for j in range(8)]):
            f.vstore(v, value, target, number * v.bytes)
    f.ret()
    return compiler.function(module, "copy", [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64])


def peak(isa: Isa, dtype: str = "float32") -> float:
    """Floating-point operations a second of one core: multiply-adds in registers, one measurement of about 1 ms."""
    element = ELEMENTS[dtype]
    loop, cells = _peak_loop(isa, element), np.full(CHAINS * 64, 0.5, dtype)
    start = perf_counter()
    loop(address(cells), ITERATIONS)
    lanes = isa.lanes(cells.itemsize)
    return 2 * lanes * CHAINS * UNROLLED * ITERATIONS / (perf_counter() - start)


def bandwidth(isa: Isa, size: int = 64 << 20) -> float:
    """Bytes a second that one core copies, read and written together, between arrays of this many bytes."""
    loop = _copy_loop(isa)
    source, target = _copied(size)
    start = perf_counter()
    loop(address(source), address(target), size // 4 // (8 * isa.lanes(4)) * 8 * isa.lanes(4))
    return 2 * size / (perf_counter() - start)


@lru_cache(maxsize=2)
def _copied(size: int) -> tuple[Any, Any]:
    return np.ones(size // 4, np.float32), np.ones(size // 4, np.float32)
