"""Weights into the order in which kernels read them: for each tap and input channel a row, gathered through indices.

Block: offset in the packed weights, source (0: the weights, 1: the bias), its offset, input channels, bytes from one
to the next, elements of a row, offset of its lists of indices from the start of the program, number of taps, bytes from
the rows of a tap to those of the next, and without lists bytes from an output channel to the next, how many taps are of
one input channel, and the first output channel of the last vector. There is a list for each tap, of i32, filled up to
whole vectors; a negative index gives zero. One input channel is read for all taps before the next, because their
weights lie side by side. Rows of a tap are packed tightly and written in whole vectors, so that the last one runs over:
each has a vector to spare.

Where a row is vectors of output channels, of which the last may repeat some of the one before, and the taps are all of
the kernel, there is no list (its offset is 0): squares of channels by taps are transposed in registers, eight times as
fast as gathering. Where the input channels of an output channel lie side by side, as for `conv`, their taps are one
long run to it.

Threads take blocks one after the other. What is returned is whether some weight is not finite: with a NaN or an Inf
among them, kernels would spread it to cells where it meets the padding of x.
"""

from __future__ import annotations

from enum import IntEnum

from tconv.jit.kernels.macro_kernel import in_turn, start
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave


class Block(IntEnum):
    """Words of a block."""

    TARGET = 0
    FROM_BIAS = 1
    SOURCE = 2
    CHANNELS = 3
    CHANNEL = 4
    COUNT = 5
    INDICES = 6
    TAPS = 7
    TAP = 8
    LANE = 9
    RUN = 10
    TAIL = 11


BLOCK_WORDS = len(Block)
#: How many channels ahead weights are asked for, where a row lies in one piece: the channels may be pages apart.
AHEAD = 4


#: What threads share, in words: the arguments of `pack`, then the next block, and whether a weight is not finite.
POOL, PROGRAM, BLOCKS, COUNT, WEIGHTS, BIAS, PACKED, NEXT, SPOILED = range(9)


def emit(module: Module, v: Vector) -> None:
    """Write the way in, `pack`."""
    _block(module, v)
    _work(module)
    _pack(module)


def _block(module: Module, v: Vector) -> None:
    """One block; says whether it has a weight that is not finite."""
    pointers = [("ptr", name) for name in ("program", "block", "weights", "bias", "packed")]
    f, block = module.function("pack_block", pointers, returns="i64"), "%block"
    is_bias = f.compare("ne", f.word(block, Block.FROM_BIAS), 0)
    base = f.let(f"select i1 {is_bias}, ptr %bias, ptr %weights")
    source = f.at(base, f.word(block, Block.SOURCE))
    # Without a bias no lane is loaded, which leaves zeros.
    absent = f.let(f"icmp eq ptr {base}, null")
    present = f.let(f"select i1 {absent}, i64 0, i64 1")
    target = f.at("%packed", f.word(block, Block.TARGET))
    indices = f.at("%program", f.word(block, Block.INDICES))
    with f.choose(f.compare("ne", f.word(block, Block.INDICES), 0)) as (listed, squares):
        with listed:
            f.ret(_spoiled(f, v, _rows(f, v, block, (source, target, indices), "zeroinitializer", present)))
            f.start(f.label("unreached"))
        with squares:
            if module.isa.masks:
                f.ret(_spoiled(f, v, _squares(f, v, block, source, target, "zeroinitializer")))
                f.start(f.label("unreached"))
    f.ret("i64 0")


def _spoiled(f: Function, v: Vector, tested: str) -> str:
    """Whether a sum of weights times 0 is not 0: one of them was not finite."""
    name = f"llvm.vector.reduce.fadd.{v.mangled}"
    f.module.declare(f"{v.element} @{name}({v.element}, {v.text})")
    total = f.let(f"call {v.element} @{name}({v.element} 0.0, {v.text} {tested})")
    is_nan = f.let(f"fcmp uno {v.element} {total}, 0.0")
    return f"i64 {f.let(f'zext i1 {is_nan} to i64')}"


def _work(module: Module) -> None:
    """One thread: blocks until none is left."""
    f = module.function("pack_work", [("ptr", "shared")])
    program, weights, bias, packed = (f.pointer("%shared", word) for word in (PROGRAM, WEIGHTS, BIAS, PACKED))
    blocks, count = f.pointer("%shared", BLOCKS), f.word("%shared", COUNT)
    with in_turn(f, f.at("%shared", 8 * NEXT), count) as taken:
        block = f.at(blocks, f.mul(taken, 8 * BLOCK_WORDS))
        given = ", ".join(f"ptr {pointer}" for pointer in (program, block, weights, bias, packed))
        spoiled = f.let(f"call i64 @pack_block({given})")
        f.let(f"atomicrmw or ptr {f.at('%shared', 8 * SPOILED)}, i64 {spoiled} monotonic")
    f.ret()


def _pack(module: Module) -> None:
    """pool, program, first block, how many, weights, bias (may be null), packed, threads, start: as for `run`."""
    names = ("pool", "program", "blocks", "count", "weights", "bias", "packed")
    arguments = [("i64" if name == "count" else "ptr", name) for name in names]
    f = module.function("pack", [*arguments, ("i64", "threads"), ("ptr", "start")], returns="i64")
    f.exported = True
    shared = f.stack(8 * (SPOILED + 1))
    for word, (kind, name) in enumerate(arguments):
        f.store(kind, f"%{name}", shared, 8 * word)
    for word in (NEXT, SPOILED):
        f.store("i64", 0, shared, 8 * word)
    start(f, "pack_work", shared)
    f.ret(f"i64 {f.word(shared, SPOILED)}")


def _rows(f: Function, v: Vector, block: str, pointers: tuple[str, str, str], tested: str, present: str) -> str:
    source, target, indices = pointers
    count, per_channel = f.word(block, Block.COUNT), f.word(block, Block.CHANNEL)
    taps, per_tap = f.word(block, Block.TAPS), f.word(block, Block.TAP)
    row = f.mul(count, BYTES[v.element])
    padded = f.let(f"and i64 {f.add(count, v.lanes - 1)}, {-v.lanes}")
    enabled = f.splat(Vector("i1", v.lanes), f.let(f"trunc i64 {present} to i1"))
    carried = [("ptr", source), ("ptr", target), (v.text, tested)]
    with f.loop(f.word(block, Block.CHANNELS), carried=carried, once=True) as (_, [here, there, before]):
        inner = [("ptr", there), ("ptr", indices), (v.text, before)]
        with f.loop(taps, carried=inner, once=True) as (_, [to, listed, sofar]):
            after = _row(f, v, (here, to, listed), f.mul(per_channel, AHEAD), count, enabled, sofar)
            f.next(f.at(to, per_tap), f.at(listed, f.mul(padded, 4)), after)
        after = f.results[2]
        f.next(f.at(here, per_channel), f.at(there, row), after)
    return f.results[2]


def _row(
    f: Function, v: Vector, pointers: tuple[str, str, str], ahead: Value, count: str, enabled: str, tested: str
) -> str:
    """One row, in whole vectors; returns the sum that tests whether all of it is finite."""
    source, target, indices = pointers
    wide = Vector("i32", v.lanes)
    with f.loop(count, step=v.lanes, carried=[(v.text, tested)], once=True) as (i, [sofar]):
        which = f.vload(wide, indices, f.mul(i, 4))
        first = f.let(f"sext i32 {f.load('i32', indices, f.mul(i, 4))} to i64")
        f.prefetch(f.at(source, f.add(f.mul(first, BYTES[v.element]), ahead)))
        wanted = f.let(f"icmp sge {wide.text} {which}, zeroinitializer")
        values = f.gather(v, source, which, f.let(f"and {v.mask} {wanted}, {enabled}"))
        f.vstore(v, values, f.at(target, f.mul(i, BYTES[v.element])))
        nothing = f.let(f"fmul {v.text} {values}, zeroinitializer")
        f.next(f.let(f"fadd {v.text} {sofar}, {nothing}"))
    return f.results[0]


def _squares(f: Function, v: Vector, block: str, source: str, target: str, tested: str) -> str:
    """All taps of whole vectors of channels; returns the sum that tests whether all of it is finite."""
    count, taps, run = f.word(block, Block.COUNT), f.word(block, Block.TAPS), f.word(block, Block.RUN)
    row, per_tap = f.mul(count, BYTES[v.element]), f.word(block, Block.TAP)
    of_channel, ahead = f.word(block, Block.LANE), f.mul(f.word(block, Block.CHANNEL), AHEAD)
    carried = [("ptr", source), ("ptr", target), (v.text, tested)]
    with f.loop(f.word(block, Block.CHANNELS), carried=carried, once=True) as (_, [here, there, before]):
        inner = [("ptr", there), (v.text, before)]
        with f.loop(count, step=v.lanes, carried=inner, once=True) as (i, [to, sofar]):
            x = f.at(here, f.mul(f.smaller(i, f.word(block, Block.TAIL)), of_channel))
            with f.loop(taps, step=v.lanes, carried=[(v.text, sofar)], once=True) as (tap, [so_far]):
                left = f.sub(taps, tap)
                first = f.at(x, f.mul(tap, BYTES[v.element]))
                transposed, after = _transposed(f, v, first, of_channel, left, ahead, so_far)
                _spread(f, v, transposed, to, (per_tap, row), (tap, run), f.smaller(left, v.lanes))
                f.next(after)
            after = f.results[0]
            f.next(f.at(to, v.bytes), after)
        after = f.results[1]
        f.next(f.at(here, f.word(block, Block.CHANNEL)), f.at(there, row), after)
    return f.results[2]


def _transposed(
    f: Function, v: Vector, source: str, of_channel: Value, left: Value, ahead: Value, tested: str
) -> tuple[list[str], str]:
    """A square of channels by taps, as taps by channels."""
    mask = f.lanes_between(v, None, left)
    rows = []
    for _ in range(v.lanes):
        f.prefetch(f.at(source, ahead))
        rows.append(f.masked_load(v, source, mask))
        nothing = f.let(f"fmul {v.text} {rows[-1]}, zeroinitializer")
        tested = f.let(f"fadd {v.text} {tested}, {nothing}")
        source = f.at(source, of_channel)
    return interleave(f, v, rows), tested


def _spread(
    f: Function,
    v: Vector,
    rows: list[str],
    target: str,
    steps: tuple[Value, Value],
    taps: tuple[Value, Value],
    count: Value,
) -> None:
    """A vector to each of so many taps, from one on; behind the last of a run follows the first of the next channel."""
    buffer, (per_tap, per_channel), (tap, run) = f.stack(v.lanes * v.bytes), steps, taps
    for number, row in enumerate(rows):
        f.vstore(v, row, buffer, number * v.bytes)
    with f.choose(f.compare("sle", f.add(tap, count), run)) as (first_run, later):
        with first_run:
            _to_taps(f, v, buffer, f.at(target, f.mul(tap, per_tap)), per_tap, count)
        with later:
            channel, of_run = (f.let(f"{how} i64 {tap}, {run}") for how in ("udiv", "urem"))
            target = f.at(f.at(target, f.mul(channel, per_channel)), f.mul(of_run, per_tap))
            back, left = f.sub(per_channel, f.mul(f.sub(run, 1), per_tap)), f.sub(run, of_run)
            with f.choose(f.compare("sle", count, left)) as (within, across):
                with within:
                    _to_taps(f, v, buffer, target, per_tap, count)
                with across, f.loop(count, carried=[("ptr", target), ("i64", left)], once=True) as (i, [to, ahead]):
                    f.vstore(v, f.vload(v, f.at(buffer, f.mul(i, v.bytes))), to)
                    ends = f.compare("eq", ahead, 1)
                    step = f.let(f"select i1 {ends}, i64 {back}, i64 {per_tap}")
                    f.next(f.at(to, step), f.let(f"select i1 {ends}, i64 {run}, i64 {f.sub(ahead, 1)}"))


def _to_taps(f: Function, v: Vector, buffer: str, target: str, per_tap: Value, count: Value) -> None:
    with f.loop(count, carried=[("ptr", target)], once=True) as (i, [to]):
        f.vstore(v, f.vload(v, f.at(buffer, f.mul(i, v.bytes))), to)
        f.next(f.at(to, per_tap))
