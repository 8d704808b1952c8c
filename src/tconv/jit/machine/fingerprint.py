"""A number that says whether memory has changed: for who keeps what was made of an array that others may write into.

Eight bytes at a time, state = rotate((state ^ bytes) * odd, 29) in every lane of a few vectors, and what is left over
likewise. A step is a bijection of the state, so arrays that differ in one place differ in their fingerprint, and any
others do but for a chance of about 1 in 2**64. It guards against accidents, not against an adversary.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.machine.ir import Function, Module, Value, Vector
from tconv.jit.machine.isa import Isa

#: Vectors whose states do not wait for each other.
CHAINS = 8
#: An odd number with its bits in no order (the golden ratio, as in SplitMix64), and how far a product is rotated.
FACTOR, ROTATION = 0x9E3779B97F4A7C15 - (1 << 64), 29

#: (first address, bytes, second address, bytes) -> fingerprint of both; bytes are multiples of 4, and may be 0.
Fingerprint = Callable[[int, int, int, int], int]


def function() -> Fingerprint:
    """What takes fingerprints on this processor."""
    found: Fingerprint = _function(isa.current())
    return found


@lru_cache(maxsize=8)
def _function(target: Isa) -> Any:
    module = Module(target)
    _emit_part(module)
    names = [("ptr", "a"), ("i64", "size"), ("ptr", "b"), ("i64", "other")]
    f = module.function("fingerprint", names, returns="i64")
    f.exported = True
    first = f.let(f"call i64 @part(ptr %a, i64 %size, i64 {FACTOR})")
    f.ret(f"i64 {f.let(f'call i64 @part(ptr %b, i64 %other, i64 {first})')}")
    arguments = [ctypes.c_void_p, ctypes.c_int64] * 2
    return compiler.function(module, "fingerprint", arguments, returns=ctypes.c_int64)


def _emit_part(module: Module) -> None:
    """The state after so many bytes from an address."""
    f = module.function("part", [("ptr", "a"), ("i64", "size"), ("i64", "state")], returns="i64")
    v = Vector("i64", module.isa.vector_bytes // 8)
    step = CHAINS * v.bytes
    whole = f.let(f"and i64 %size, {-step}")
    start = f.splat(v, "%state")
    with f.loop(whole, step=step, carried=[(v.text, start)] * CHAINS) as (at, states):
        here = f.at("%a", at)
        f.next(*[_mixed(f, v, s, f.vload(v, here, n * v.bytes)) for n, s in enumerate(states)])
    lanes = f.stack(step)
    for number, state in enumerate(f.results):
        f.vstore(v, state, lanes, number * v.bytes)
    # Where nothing filled the vectors they would only add the start many times over.
    folded = f.let(f"select i1 {f.compare('eq', whole, 0)}, i64 0, i64 {step}")
    state = _folded(f, lanes, folded, "i64", "%state")
    f.ret(f"i64 {_folded(f, f.at('%a', whole), f.sub('%size', whole), 'i32', state)}")


def _folded(f: Function, pointer: str, size: Value, kind: str, state: str) -> str:
    """The state after words one by one."""
    with f.loop(size, step={"i64": 8, "i32": 4}[kind], carried=[("i64", state)]) as (at, [before]):
        word = f.load(kind, pointer, at)
        f.next(_mixed(f, None, before, word if kind == "i64" else f.let(f"zext i32 {word} to i64")))
    return f.results[0]


def _mixed(f: Function, v: Vector | None, state: str, word: str) -> str:
    """One step, in all lanes of a vector or in one word."""
    kind, suffix = ("i64", "i64") if v is None else (v.text, v.mangled)
    factor, rotation = (str(n) if v is None else f.splat(v, n) for n in (FACTOR, ROTATION))
    product = f.let(f"mul {kind} {f.let(f'xor {kind} {state}, {word}')}, {factor}")
    f.module.declare(f"{kind} @llvm.fshl.{suffix}({kind}, {kind}, {kind})")
    return f.let(f"call {kind} @llvm.fshl.{suffix}({kind} {product}, {kind} {product}, {kind} {rotation})")
