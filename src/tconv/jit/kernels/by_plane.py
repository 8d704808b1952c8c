"""What is done with a whole array, plane by plane: a normalization by its own statistics, a residual, an activation.

    y = activation((x - mean) / sqrt(var + eps) * scale + shift + residual)

Each of the three may be left out. An array lies as (N, groups, channels of a group, *size); the statistics are those of
a group: instance normalization has groups of one channel (D. Ulyanov, A. Vedaldi and V. Lempitsky, arXiv:1607.08022),
group normalization of several (Y. Wu and K. He, arXiv:1803.08494).

Statistics are taken in one pass over memory, block by block of what a cache of the first level holds. Of a block the
mean is taken, then sums of the differences from it and of their squares, so that what the mean has lost to rounding is
put right; blocks are put together in double (T. Chan, G. Golub and R. LeVeque, "Algorithms for Computing the Sample
Variance", 1983). x may be y.

`run` takes the addresses of `Words`; threads take group after group from a counter that they share.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import lru_cache
from typing import Any

from tconv.jit.kernels.macro_kernel import in_turn, start
from tconv.jit.kernels.pack_rows import copy_few
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.machine.elementary import FUNCTIONS, OF_TWO, Arithmetic
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.isa import Isa

#: Bytes of a block: half of the smallest cache of the first level.
BLOCK = 1 << 14
#: Vectors of sums that do not wait for each other.
CHAINS = 4


class Words(IntEnum):
    """What kernels are given: words of eight bytes."""

    POOL = 0  #: of threads
    NEXT = auto()  #: the counter, 0
    X = auto()
    X_STEP = auto()  #: bytes from one channel of x to the next; where groups have statistics of several, they are dense
    Y = auto()
    RESIDUAL = auto()
    PARAMETERS = auto()  #: of the activation: one number, or one for each channel
    SCALE = auto()  #: one for each channel; of an activation of two parameters the second one
    SHIFT = auto()
    EPS = auto()  #: a double
    ALL = auto()  #: groups of all images
    GROUPS = auto()  #: of an image
    CHANNELS = auto()  #: of a group
    SIZE = auto()  #: elements of a channel


@dataclass(frozen=True, slots=True)
class ByPlane:
    """The kernel."""

    element: str
    normalizes: bool
    activation: str = ""  #: its name, or none; one of two parameters where nothing is normalized
    parameter: str = ""  #: of it: "", "one", or "channels": one for each
    residual: bool = False


#: (address of words, threads, what starts them)
Run = Callable[[Any, int, int], None]


def available() -> bool:
    """Whether there are kernels for this processor, and what makes them."""
    return bool(isa.available()) and not compiler.available()


@lru_cache(maxsize=256)
def function(kernel: ByPlane, target: Isa) -> Run:
    """The kernel as a function."""
    arguments = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    found: Run = compiler.function(module_of(kernel, target), "run", arguments)
    return found


def module_of(kernel: ByPlane, target: Isa) -> Module:
    """Its IR."""
    module = Module(target)
    v = Vector(kernel.element, target.vector_bytes // BYTES[kernel.element])
    if kernel.normalizes:
        _emit_statistics(module, v)
    _emit_work(module, kernel, v)
    f = module.function("run", [("ptr", "words"), ("i64", "threads"), ("ptr", "start")])
    f.exported = True
    start(f, "work", "%words")
    f.ret()
    return module


def _emit_work(module: Module, kernel: ByPlane, v: Vector) -> None:
    """Group after group until none is left."""
    f = module.function("work", [("ptr", "words")])
    size, statistics = BYTES[v.element], f.stack(16)
    channels, elements = f.word("%words", Words.CHANNELS), f.word("%words", Words.SIZE)
    groups, step = f.word("%words", Words.GROUPS), f.word("%words", Words.X_STEP)
    of_group = f.mul(channels, elements)
    run = _Channel(f, v, kernel, elements)
    with in_turn(f, f.at("%words", 8 * Words.NEXT), f.word("%words", Words.ALL)) as group:
        begin = f.mul(f.mul(group, of_group), size)
        if kernel.normalizes:
            x = f.at(f.pointer("%words", Words.X), f.mul(f.mul(group, channels), step))
            f.do(f"call void @statistics(ptr {x}, i64 {of_group}, ptr {statistics})")
            run.normalized_by(statistics)
        first = f.mul(f.let(f"urem i64 {group}, {groups}"), channels)
        of_all = f.mul(group, channels)
        with f.loop(channels, once=True) as (number, _):
            read = f.mul(f.add(of_all, number), step)
            written = f.add(begin, f.mul(f.mul(number, elements), size))
            run.finish(read, written, f.mul(f.add(first, number), size))
    f.ret()


class _Channel:
    """The elements of one channel."""

    def __init__(self, f: Function, v: Vector, kernel: ByPlane, elements: str) -> None:
        self.f, self.v, self.kernel, self.arithmetic = f, v, kernel, Arithmetic(f, v)
        self.vectors = f.let(f"and i64 {elements}, {-v.lanes}")
        self.rest = f.sub(elements, self.vectors)
        self.tail = _Tail(f, v, self.rest, 2 if kernel.residual else 1)
        if kernel.parameter == "one":
            self.parameter = f.broadcast(v, f.pointer("%words", Words.PARAMETERS))

    def normalized_by(self, statistics: str) -> None:
        """Take the mean, and what is to be multiplied by."""
        f = self.f
        mean, var = f.load("double", statistics), f.load("double", statistics, 8)
        f.module.declare("double @llvm.sqrt.f64(double)")
        sum_ = f.let(f"fadd double {var}, {f.load('double', '%words', 8 * Words.EPS)}")
        root = f.let(f"call double @llvm.sqrt.f64(double {sum_})")
        self.factor = f.let(f"fdiv double 1.0, {root}")
        # What is left of the mean goes with the shift.
        rounded = _narrow(f, self.v, mean)
        self.left = f.let(f"fsub double {mean}, {_widen(f, self.v.element, rounded)}")
        self.mean = f.splat(self.v, rounded)

    def finish(self, read: Value, written: Value, channel: Value) -> None:
        """Do it from a place in x to one in y, with what a channel has at a third."""
        f, v, kernel = self.f, self.v, self.kernel
        if kernel.parameter == "channels":
            self.parameter = f.broadcast(v, f.pointer("%words", Words.PARAMETERS), channel)
        if kernel.normalizes:
            scale, shift = (
                _widen(f, v.element, f.load(v.element, f.pointer("%words", word), channel))
                for word in (Words.SCALE, Words.SHIFT)
            )
            factor = f.let(f"fmul double {self.factor}, {scale}")
            shift = f.let(f"fsub double {shift}, {f.let(f'fmul double {self.left}, {factor}')}")
            self.by, self.plus = (f.splat(v, _narrow(f, v, each)) for each in (factor, shift))
        elif kernel.activation in OF_TWO:
            self.second = f.broadcast(v, f.pointer("%words", Words.SCALE), channel)
        x = f.at(f.pointer("%words", Words.X), read)
        words = (Words.Y, *([Words.RESIDUAL] if kernel.residual else []))
        y, *others = (f.at(f.pointer("%words", word), written) for word in words)
        with f.loop(self.vectors, step=v.lanes) as (i, _):
            at = f.mul(i, BYTES[v.element])
            f.vstore(v, self._value([f.vload(v, each, at) for each in (x, *others)]), y, at)
        with f.when(f.compare("ne", self.rest, 0)):
            at = f.mul(self.vectors, BYTES[v.element])
            values = self.tail.load([f.at(each, at) for each in (x, *others)])
            self.tail.store(self._value(values), f.at(y, at))

    def _value(self, values: list[str]) -> str:
        kernel, a, value = self.kernel, self.arithmetic, values[0]
        if kernel.normalizes:
            value = a.fma(a.do("fsub", value, self.mean), self.by, self.plus)
        if kernel.residual:
            value = a.do("fadd", value, values[1])
        if not kernel.activation:
            return value
        if kernel.activation in OF_TWO:
            return OF_TWO[kernel.activation](a, value, self.parameter, self.second)
        return FUNCTIONS[kernel.activation](a, value, *([self.parameter] if kernel.parameter else []))


class _Tail:
    """Fewer elements than a vector has: under a mask, or by way of the stack where masks are slow."""

    def __init__(self, f: Function, v: Vector, count: Value, most: int) -> None:
        self.f, self.v, self.count = f, v, count
        self.mask = f.lanes_between(v, None, count)
        self.buffers = [] if f.module.isa.masks else [f.stack(v.bytes) for _ in range(most)]

    def load(self, sources: list[str]) -> list[str]:
        """What lies there, and zeros."""
        f, v = self.f, self.v
        if not self.buffers:
            return [f.masked_load(v, source, self.mask) for source in sources]
        for source, buffer in zip(sources, self.buffers, strict=True):
            f.vstore(v, "zeroinitializer", buffer)
            copy_few(f, v, source, buffer, self.count)
        return [f.vload(v, buffer) for buffer in self.buffers]

    def store(self, value: str, to: str) -> None:
        """Write as many."""
        if not self.buffers:
            self.f.masked_store(self.v, value, to, self.mask)
            return
        self.f.vstore(self.v, value, self.buffers[0])
        copy_few(self.f, self.v, self.buffers[0], to, self.count)


def _emit_statistics(module: Module, v: Vector) -> None:
    """Mean and variance of so many elements, as two doubles."""
    f = module.function("statistics", [("ptr", "x"), ("i64", "count"), ("ptr", "found")])
    size = BYTES[v.element]
    block = BLOCK // size
    # What a block takes of the others' is a ratio of counts.
    with f.loop("%count", step=block, carried=[("double", "0.0"), ("double", "0.0")]) as (before, [mean, squares]):
        count = f.smaller(f.sub("%count", before), block)
        here = f.at("%x", f.mul(before, size))
        n = f.let(f"sitofp i64 {count} to double")
        [total] = _sums(f, v, here, count, 1, lambda x: [x])
        near = _narrow(f, v, f.let(f"fdiv double {total}, {n}"))
        everywhere = f.splat(v, near)

        def differences(x: str, mean: str = everywhere) -> list[str]:
            d = f.let(f"fsub {v.text} {x}, {mean}")
            return [d, f.let(f"fmul {v.text} {d}, {d}")]

        of_differences, of_squares = _sums(f, v, here, count, 2, differences)
        lost = f.let(f"fdiv double {of_differences}, {n}")
        of_block = f.let(f"fadd double {_widen(f, v.element, near)}, {lost}")
        within = f.let(f"fsub double {of_squares}, {f.let(f'fmul double {lost}, {of_differences}')}")
        others = f.let(f"sitofp i64 {before} to double")
        apart = f.let(f"fsub double {of_block}, {mean}")
        share = f.let(f"fdiv double {n}, {f.let(f'fadd double {n}, {others}')}")
        step = f.let(f"fmul double {apart}, {share}")
        between = f.let(f"fmul double {f.let(f'fmul double {apart}, {step}')}, {others}")
        f.next(
            f.let(f"fadd double {mean}, {step}"),
            f.let(f"fadd double {squares}, {f.let(f'fadd double {within}, {between}')}"),
        )
    mean, squares = f.results
    f.store("double", mean, "%found")
    whole = f.let("sitofp i64 %count to double")
    f.store("double", f.let(f"fdiv double {squares}, {whole}"), "%found", 8)
    f.ret()


def _sums(f: Function, v: Vector, here: str, count: Value, number: int, terms: Callable[[str], list[str]]) -> list[str]:
    """Sums over some elements, as doubles, of so many terms that are made of each."""
    size, step = BYTES[v.element], CHAINS * v.lanes

    def added(sums: list[str], x: str) -> list[str]:
        return [f.let(f"fadd {v.text} {a}, {b}") for a, b in zip(sums, terms(x), strict=True)]

    several = f.let(f"and i64 {count}, {-step}")
    with f.loop(several, step=step, carried=[(v.text, "zeroinitializer")] * (CHAINS * number)) as (i, sums):
        at = f.mul(i, size)
        chains = [sums[number * k : number * (k + 1)] for k in range(CHAINS)]
        f.next(*[s for k, c in enumerate(chains) for s in added(c, f.vload(v, here, f.add(at, k * v.bytes)))])
    chains = [list(f.results[number * k : number * (k + 1)]) for k in range(CHAINS)]
    while len(chains) > 1:
        chains = [
            [f.let(f"fadd {v.text} {a}, {b}") for a, b in zip(*pair, strict=True)]
            for pair in zip(chains[::2], chains[1::2], strict=True)
        ]
    here, rest = f.at(here, f.mul(several, size)), f.sub(count, several)
    vectors = f.let(f"and i64 {rest}, {-v.lanes}")
    with f.loop(vectors, step=v.lanes, carried=[(v.text, each) for each in chains[0]]) as (i, sums):
        f.next(*added(sums, f.vload(v, here, f.mul(i, size))))
    before = f.results
    tail = _Tail(f, v, f.sub(rest, vectors), 1)
    [x] = tail.load([f.at(here, f.mul(vectors, size))])
    last = [f.select(v, tail.mask, term, "zeroinitializer") for term in terms(x)]
    whole = [f.let(f"fadd {v.text} {a}, {b}") for a, b in zip(before, last, strict=True)]
    return [_total(f, v, each) for each in whole]


def _total(f: Function, v: Vector, x: str) -> str:
    """The sum of all lanes, in double."""
    wide = Vector("double", v.lanes)
    x = x if v == wide else f.let(f"fpext {v.text} {x} to {wide.text}")
    name = f"llvm.vector.reduce.fadd.{wide.mangled}"
    f.module.declare(f"double @{name}(double, {wide.text})")
    return f.let(f"call reassoc double @{name}(double -0.0, {wide.text} {x})")


def _widen(f: Function, element: str, x: str) -> str:
    return x if element == "double" else f.let(f"fpext {element} {x} to double")


def _narrow(f: Function, v: Vector, x: str) -> str:
    return x if v.element == "double" else f.let(f"fptrunc double {x} to {v.element}")
