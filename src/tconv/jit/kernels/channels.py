"""Channels in lanes: vectors run along output channels, or along (channel, phase) pairs; elements of x are broadcast.

A tile is `rows` rows of `pixels` cells of x, `pixel` bytes apart, and `vectors` vectors of lanes. Its sums stay in
registers:

    sum[p, lane] = bias[lane] + sum over taps and input channels i of  x[i, p + shift of the tap] * w[tap, i, lane]

Long sums come in several ops, because the weights would not fit the cache, and because rounding grows with the length
of a sum: the later ones begin with zero and add what they have to the target. Lanes that a tap does not reach hold a
weight of zero; such a tap is in the second list of the op and adds under a mask, so that a NaN in x stays where it
belongs. In depthwise layers x[i, p] is a vector too.

Op: kernel, bytes, taps, taps under a mask, whether to add to what is there, number of input channels, first of them,
offset of each row of the target, then for each tap (tap, its mask, offset of x for each row).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.kernels.in_registers import activated
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector

#: How many input channels ahead weights are asked for: they come from the outer caches, or from memory, once a chunk.
#: Measured, on AMD Zen 5: 16 to 128 are alike, 8 is too late; without, layers with 1 MB of weights or more lose 10 %.
#: A line is asked for once: more often takes the place of loads.
AHEAD, LINE = 64, 64
#: Words before the targets of the rows, and the words of a tap before the rows of x.
HEAD, TAP = 7, 2


@dataclass(frozen=True, slots=True)
class Channels:
    """A size of the kernel."""

    element: str
    lanes: int
    pixels: int
    vectors: int
    pixel: int  #: bytes from a pixel to the next in SOURCE
    tail: int  #: elements that are left for the last vector
    depthwise: bool = False  #: depthwise: each lane has its own channel of x, instead of all sharing one
    streaming: bool = False  #: results go past the caches, where they lie as that wants
    rows: int = 1
    ahead: int = 0  #: bytes of x to ask for with each term, from where the next tile begins; 0 for none
    cells: bool = False  #: weights are cells of a coarse grid, read where they are; there is no bias
    masked: bool = False  #: some ops have taps under a mask
    bare: bool = False  #: sums begin with zero: the bias is added later
    then: str = ""  #: an activation that is applied to sums (`in_registers.py`), none of which are added to others

    @property
    def weights(self) -> int:
        """Weights an input channel, for each tap."""
        return self.vectors * self.lanes

    @property
    def starts(self) -> tuple[int, ...]:
        """Elements of a pixel before each vector.

        The last ends where the pixel does: to compute what it shares with the one before twice costs less than a mask.
        """
        whole = range(0, self.lanes * (self.vectors - 1), self.lanes)
        return (*whole, max(0, self.lanes * (self.vectors - 2) + self.tail))

    @property
    def places(self) -> tuple[int, ...]:
        """Bytes of the weights of a term before those of each vector."""
        firsts = self.starts if self.cells else range(0, self.weights, self.lanes)
        return tuple(first * BYTES[self.element] for first in firsts)

    @property
    def lines(self) -> tuple[int, ...]:
        """Bytes of the weights of a term before what is asked for ahead: a line once, where terms follow each other."""
        return self.places if self.cells else tuple(range(0, self.weights * BYTES[self.element], LINE))

    @property
    def partial(self) -> bool:
        """Whether the only vector is written under a mask."""
        return self.vectors == 1 and self.tail < self.lanes

    @property
    def written(self) -> int:
        """Elements of a pixel."""
        return self.lanes * (self.vectors - 1) + self.tail


def emit(module: Module, name: str, kernel: Channels) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    last = f.lanes_between(v, None, kernel.tail) if kernel.partial else ""
    adds, plain = f.compare("ne", f.word("%op", 4), 0), f.word("%op", 2)
    sums = _begin(f, v, kernel, adds)
    sums, row = _taps(f, v, kernel, f.at("%op", 8 * (HEAD + kernel.rows)), plain, sums, masked=False)
    if kernel.masked:  # where it is never run, a second loop only takes registers from the first, and time to compile
        sums, _ = _taps(f, v, kernel, row, f.word("%op", 3), sums, masked=True)
    targets = _targets(f, kernel)
    if not kernel.then:
        with f.when(adds):
            _store(f, v, kernel, _added(f, v, kernel, sums, targets, last), targets, last, streaming=False)
            f.leave()
    sums = activated(f, v, kernel.then, sums)
    if kernel.streaming:
        # Of vectors that are parts of a line, all of it is written.
        with f.when(f.aligned(targets[0], v.bytes if kernel.depthwise else LINE)):
            _store(f, v, kernel, sums, targets, last, streaming=True)
            f.leave()
    _store(f, v, kernel, sums, targets, last, streaming=False)
    f.ret()
    return f


def _targets(f: Function, kernel: Channels) -> list[str]:
    """Where each pixel of each row goes."""
    start = f.at(f.pointer("%context", Context.TARGET), f.word("%tile", Tile.TARGET))
    pixel, found = f.word("%context", Context.TARGET_PIXEL), []
    for row in range(kernel.rows):
        target = f.at(start, f.word("%op", HEAD + row))
        for _ in range(kernel.pixels):
            found.append(target)
            target = f.at(target, pixel)
    return found


def _store(
    f: Function, v: Vector, kernel: Channels, sums: list[str], targets: list[str], last: str, *, streaming: bool
) -> None:
    for p, target in enumerate(targets):
        for vector in range(kernel.vectors):
            value, where = sums[p * kernel.vectors + vector], kernel.starts[vector] * BYTES[v.element]
            if last:
                f.masked_store(v, value, target, last, where)
            else:
                f.vstore(v, value, target, where, streaming=streaming)


def _added(f: Function, v: Vector, kernel: Channels, sums: list[str], targets: list[str], last: str) -> list[str]:
    """The sums and what is in the target."""
    added = []
    for p, target in enumerate(targets):
        for vector in range(kernel.vectors):
            where = kernel.starts[vector] * BYTES[v.element]
            there = f.masked_load(v, target, last, where) if last else f.vload(v, target, where)
            added.append(f.let(f"fadd {v.text} {there}, {sums[p * kernel.vectors + vector]}"))
    return added


def _begin(f: Function, v: Vector, kernel: Channels, adds: str) -> list[str]:
    """The sums start with the bias of their lanes, or with zero."""
    if kernel.cells or kernel.bare:
        return ["zeroinitializer"] * (kernel.vectors * kernel.pixels * kernel.rows)
    bias = f.at(f.pointer("%context", Context.WEIGHTS), f.word("%tile", Tile.BIAS))
    starts = [f.vload(v, bias, vector * v.bytes) for vector in range(kernel.vectors)]
    chosen = [f.let(f"select i1 {adds}, {v.text} zeroinitializer, {v.text} {start}") for start in starts]
    return chosen * (kernel.pixels * kernel.rows)


def _taps(
    f: Function, v: Vector, kernel: Channels, row: str, count: str, sums: list[str], *, masked: bool
) -> tuple[list[str], str]:
    """Add what a list of taps gives; returns the sums and the address behind the list."""
    size, context, cells = BYTES[v.element], "%context", range(kernel.rows)
    source, step = f.pointer(context, Context.SOURCE), f.word(context, Context.SOURCE_TERM)
    weights = f.at(f.pointer(context, Context.WEIGHTS), f.word("%tile", Tile.W))
    weights = f.at(weights, f.mul(f.word("%op", 6), kernel.weights * size))
    per_tap, number = f.word("%tile", Tile.TAP), f.word("%op", 5)
    per_term = f.word(context, Context.W_TERM) if kernel.cells else kernel.weights * size
    ahead = f.mul(per_term, AHEAD)
    source = f.at(source, f.word("%tile", Tile.X)) if kernel.depthwise else source
    with f.loop(count, carried=[("ptr", row), *((v.text, s) for s in sums)]) as (_, [here, *before]):
        x = [f.at(source, f.word(here, TAP + n)) for n in cells]
        w = f.at(weights, f.mul(f.word(here, 0), per_tap))
        table = f.at(f.pointer(context, Context.PROGRAM), f.word("%tile", Tile.MASK)) if masked else ""
        masks = _masks(f, v, kernel, table, f.word(here, 1)) if masked else None
        carried = [("ptr", w), *(("ptr", p) for p in x), *((v.text, s) for s in before)]
        if kernel.ahead:
            carried.append(("ptr", f.at(x[0], kernel.pixels * kernel.pixel)))
        with f.loop(number, carried=carried, once=True) as (_, [w_here, *others]):
            x_here, values = others[: kernel.rows], others[kernel.rows : kernel.rows + len(before)]
            soon = others[kernel.rows + len(before) :]
            for pointer in soon:
                f.prefetch(pointer)
            _multiply(f, v, kernel, x_here, w_here, ahead, values, masks)
            soon = [f.at(pointer, kernel.ahead) for pointer in soon]
            f.next(f.at(w_here, per_term), *(f.at(p, step) for p in x_here), *values, *soon)
        done = f.results[1 + kernel.rows :]
        f.next(f.at(here, 8 * (TAP + kernel.rows)), *done[: len(before)])
    return list(f.results[1:]), f.results[0]


def _multiply(
    f: Function,
    v: Vector,
    kernel: Channels,
    x: list[str],
    w: str,
    ahead: Value,
    sums: list[str],
    masks: list[str] | None,
) -> None:
    """One input channel: each vector of weights is loaded once and meets every cell."""
    lanes = [f.vload(v, w, place) for place in kernel.places]
    later = f.at(w, ahead)
    for place in kernel.lines:
        f.prefetch(later, place)
    cells = _cells(f, v, kernel, x)
    for p in range(kernel.rows * kernel.pixels):
        row, pixel = divmod(p, kernel.pixels)
        cell = "" if kernel.depthwise else next(cells)
        for vector, weight in enumerate(lanes):
            if kernel.depthwise:
                cell = _channels_of_pixel(f, v, kernel, x[row], pixel, vector)
            which = p * kernel.vectors + vector
            total = f.fma(v, cell, weight, sums[which])
            sums[which] = f.select(v, masks[vector], total, sums[which]) if masks else total


def _cells(f: Function, v: Vector, kernel: Channels, x: list[str]) -> Iterator[str]:
    """A channel of every pixel of x, row after row, each in every lane."""
    size, last = BYTES[v.element], kernel.pixels - 1
    pairs = f.module.isa.by_lane and last and kernel.pixel >= 2 * size
    for row in x:
        if kernel.pixel == size:
            yield from f.broadcasts(v, row, kernel.pixels)
        elif pairs:
            # Lanes of pairs, none of which reaches beyond the pixels: of a single element LLVM makes a load into all
            # lanes that moves its address along, which takes the place of a multiply-add.
            for pixel in range(last):
                yield next(f.broadcasts(v, f.at(row, pixel * kernel.pixel), 2))
            yield list(f.broadcasts(v, f.at(row, last * kernel.pixel - size), 2))[1]
        else:
            yield from (f.broadcast(v, row, pixel * kernel.pixel) for pixel in range(kernel.pixels))


def _channels_of_pixel(f: Function, v: Vector, kernel: Channels, x: str, pixel: int, vector: int) -> str:
    """A vector of the channels of a pixel of x: as many as are written."""
    where = pixel * kernel.pixel + kernel.starts[vector] * BYTES[v.element]
    if kernel.partial:
        return f.masked_load(v, x, f.lanes_between(v, None, kernel.tail), where)
    return f.vload(v, x, where)


def _masks(f: Function, v: Vector, kernel: Channels, table: str, index: str) -> list[str]:
    """The lanes a tap reaches: those where its row of the table is not zero."""
    row = f.at(table, f.mul(index, kernel.weights * BYTES[v.element]))
    loaded = [f.vload(v, row, vector * v.bytes) for vector in range(kernel.vectors)]
    return [f.let(f"fcmp une {v.text} {entry}, zeroinitializer") for entry in loaded]
