"""What runs a program: threads take runs of pieces, fill the panel for each, and go through ops and tiles.

`run(pool, program, x, packed, y, scratch, threads, start)` is the one way in. Where threads > 1, `start` is called: it
is `share` of `pool.py`, or GOMP_parallel of an OpenMP runtime, which needs no pool. Which thread does which piece never
changes a result: every element of y is computed within one run, piece after piece.

Kernels are called through a table of their addresses, in the order in which ops number them. Who loads the macro-kernel
puts it beside its code (`machine/loader.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tconv.jit.kernels.abi import (
    HEADER_WORDS,
    PIECE_BYTES,
    SIZES,
    TILE_BYTES,
    Context,
    Given,
    Header,
    Op,
    Piece,
    Tile,
)
from tconv.jit.machine.ir import Function, Module
from tconv.jit.machine.loader import TABLE

#: What threads share, in words: the arguments of `run`, then the next run of pieces and the next thread.
POOL, PROGRAM, X, W, Y, SCRATCH, NEXT_RUN, NEXT_THREAD = range(8)


@dataclass(frozen=True, slots=True)
class MacroKernel:
    """The macro-kernel; whatever the kernels."""

    finishes: bool = False  #: an epilogue follows: packed weights are among the words of `Given`


def emit(module: Module, kernel: MacroKernel) -> None:
    """Write the macro-kernel."""
    module.table(TABLE)
    _piece(module)
    _work(module, kernel)
    _run(module)


def _piece(module: Module) -> None:
    """Do one piece."""
    f = module.function("piece", [("ptr", "context"), ("ptr", "program"), ("ptr", "piece")])
    ops, tiles = (f.at("%program", f.word("%program", word)) for word in (Header.OPS, Header.TILES))
    # Copies do not depend on the tile: they take whichever comes first, in the list of kernels without variants.
    none = f.at("%program", 8 * HEADER_WORDS)
    _through_ops(f, ops, Piece.COPIES, Piece.COPIES_END, lambda op: _call(f, op, none))
    outside = f.compare("ne", f.word("%program", Header.TILES_OUTSIDE), 0)
    with f.choose(outside) as (tiles_outside, ops_outside):
        with tiles_outside:
            _through_tiles(
                f,
                tiles,
                lambda tile: _through_ops(f, ops, Piece.OPS, Piece.OPS_END, lambda op: _call(f, op, tile)),
            )
        with ops_outside:
            _through_ops(
                f, ops, Piece.OPS, Piece.OPS_END, lambda op: _through_tiles(f, tiles, lambda tile: _call(f, op, tile))
            )
    f.ret()


def _call(f: Function, op: str, tile: str) -> None:
    """Do one op for one tile: its kernel in the variant of the tile."""
    which = f.add(f.word(op, Op.KERNEL), f.word(tile, Tile.VARIANT))
    kernel = f.load("ptr", f"@{TABLE}", f.mul(which, 8))
    f.do(f"call void {kernel}(ptr %context, ptr {op}, ptr {tile})")


def _through_ops(f: Function, ops: str, first: Piece, end: Piece, body: Callable[[str], None]) -> None:
    begin, stop = f.word("%piece", first), f.word("%piece", end)
    head, turn, after = f.label("op"), f.label("turn"), f.label("after")
    before = f.block
    f.jump(head)
    f.start(head)
    offset = f.fresh()
    place = len(f.lines)
    f.branch(f.compare("slt", offset, stop), turn, after)
    f.start(turn)
    op = f.at(ops, offset)
    body(op)
    following = f.add(offset, f.word(op, Op.BYTES))
    f.lines.insert(place, f"  {offset} = phi i64 [{begin}, %{before}], [{following}, %{f.block}]")
    f.jump(head)
    f.start(after)


def _through_tiles(f: Function, tiles: str, body: Callable[[str], None]) -> None:
    first, end = f.word("%piece", Piece.TILE), f.word("%piece", Piece.TILE_END)
    start = f.at(tiles, f.mul(first, TILE_BYTES))
    with f.loop(f.sub(end, first), carried=[("ptr", start)], once=True) as (_, [tile]):
        body(tile)
        f.next(f.at(tile, TILE_BYTES))


def _work(module: Module, kernel: MacroKernel) -> None:
    """One thread: its context, then runs of pieces until none is left."""
    f = module.function("work", [("ptr", "shared")])
    context = f.stack(8 * len(Context))
    program = f.pointer("%shared", PROGRAM)
    thread = f.let(f"atomicrmw add ptr {f.at('%shared', 8 * NEXT_THREAD)}, i64 1 monotonic")
    scratch = f.at(f.pointer("%shared", SCRATCH), f.mul(thread, f.word(program, Header.SCRATCH)))
    block = f.at(scratch, f.word(program, Header.BLOCK))
    _write(f, context, Context.PROGRAM, program)
    _write(f, context, Context.PANEL, scratch)
    _write(f, context, Context.BLOCK, block)
    for number, size in enumerate(SIZES):
        f.store("i64", f.word(program, Header.SIZES + number), context, 8 * size)
    in_place = f.compare("ne", f.word(program, Header.IN_PLACE), 0)
    direct = f.compare("ne", f.word(program, Header.DIRECT), 0)
    packed, window = f.pointer("%shared", W), f.at(scratch, f.word(program, Header.WINDOW))
    on_the_fly, gathered = (f.compare("ne", f.word(program, word), 0) for word in (Header.ON_THE_FLY, Header.GATHERED))
    _write(f, context, Context.GIVEN, packed)
    if kernel.finishes:
        packed = f.pointer(packed, Given.WEIGHTS)
    pieces, count = f.at(program, f.word(program, Header.PIECES)), f.word(program, Header.NUMBER_OF_RUNS)
    run = f.word(program, Header.RUN)
    with in_turn(f, f.at("%shared", 8 * NEXT_RUN), count) as taken:
        first = f.at(pieces, f.mul(f.mul(taken, run), PIECE_BYTES))
        with f.loop(run, carried=[("ptr", first)], once=True) as (_, [piece]):
            x = f.at(f.pointer("%shared", X), f.word(piece, Piece.X))
            y = f.at(f.pointer("%shared", Y), f.word(piece, Piece.Y))
            _write(f, context, Context.X, x)
            _write(f, context, Context.Y, y)
            of_group = f.at(packed, f.word(piece, Piece.W))
            weights = f.let(f"select i1 {on_the_fly}, ptr {window}, ptr {of_group}")
            _write(f, context, Context.W, weights)
            _write(f, context, Context.WEIGHTS, f.let(f"select i1 {gathered}, ptr {window}, ptr {weights}"))
            _write(f, context, Context.SOURCE, f.let(f"select i1 {in_place}, ptr {x}, ptr {scratch}"))
            _write(f, context, Context.TARGET, f.let(f"select i1 {direct}, ptr {y}, ptr {block}"))
            f.do(f"call void @piece(ptr {context}, ptr {program}, ptr {piece})")
            f.next(f.at(piece, PIECE_BYTES))
    f.ret()


@contextmanager
def in_turn(f: Function, counter: str, count: str) -> Iterator[str]:
    """What a thread takes of so many, one number after the other, until a counter that all share has run out."""
    head, turn, done = f.label("next"), f.label("turn"), f.label("done")
    f.jump(head)
    f.start(head)
    taken = f.let(f"atomicrmw add ptr {counter}, i64 1 monotonic")
    f.branch(f.compare("slt", taken, count), turn, done)
    f.start(turn)
    yield taken
    f.jump(head)
    f.start(done)


def _write(f: Function, context: str, word: Context, value: str) -> None:
    f.store("ptr", value, context, 8 * word)


def _run(module: Module) -> None:
    """The way in: what threads share lies on this stack."""
    arguments = [("ptr", name) for name in ("pool", "program", "x", "packed", "y", "scratch")]
    f = module.function("run", [*arguments, ("i64", "threads"), ("ptr", "start")])
    f.exported = True
    shared = f.stack(8 * (NEXT_THREAD + 1))
    for word, (_, name) in enumerate(arguments):
        f.store("ptr", f"%{name}", shared, 8 * word)
    for word in (NEXT_RUN, NEXT_THREAD):
        f.store("i64", 0, shared, 8 * word)
    start(f, "work", shared)
    f.ret()


def start(f: Function, work: str, shared: str) -> None:
    """Let a function work on this thread, or on `%threads` of them by `%start`."""
    with f.choose(f.compare("sgt", "%threads", 1)) as (parallel, alone):
        with parallel:
            number = f.let("trunc i64 %threads to i32")
            f.do(f"call void %start(ptr @{work}, ptr {shared}, i32 {number}, i32 0)")
        with alone:
            f.do(f"call void @{work}(ptr {shared})")
