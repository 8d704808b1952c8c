"""Rows of x into the panel with channels innermost, for depthwise layers whose rows are short: squares are transposed.

Op: as in `kernels/pack_rows.py`; elements and zeros are counted in pixels. All channels of a row, or those of a tile,
are copied, a vector of them at a time; lanes behind the last channel hold zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context, Tile
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave


@dataclass(frozen=True, slots=True)
class PackChannelsLast:
    """The kernel that copies rows of x and transposes them; pixels of the panel are `pixel` bytes apart."""

    element: str
    lanes: int
    pixel: int
    of_tile: bool = False  #: only the channels of the tile at hand, instead of all


def emit(module: Module, name: str, kernel: PackChannelsLast) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    source = f.at(f.pointer("%context", Context.X), f.word("%op", 2))
    target = f.at(f.pointer("%context", Context.PANEL), f.word("%op", 3))
    rows, x_row, panel_row = (f.word("%op", word) for word in (4, 5, 6))
    pixels, before, behind = (f.word("%op", word) for word in (7, 8, 9))
    channels, per_channel = f.word("%context", Context.COPIED), f.word("%context", Context.X_CHANNEL)
    if kernel.of_tile:
        source, channels = f.at(source, f.word("%tile", Tile.OF_X)), f.word("%tile", Tile.COUNT)
    carried = [("ptr", source), ("ptr", target)]
    with f.loop(channels, step=v.lanes, carried=carried, once=True) as (first, [x, panel]):
        left = f.sub(channels, first)
        with f.loop(rows, carried=[("ptr", x), ("ptr", panel)], once=True) as (_, [here, there]):
            _zeros(f, v, kernel, f.at(there, f.mul(f.sub(0, before), kernel.pixel)), before)
            _row(f, v, kernel, here, there, pixels, left, per_channel)
            _zeros(f, v, kernel, f.at(there, f.mul(pixels, kernel.pixel)), behind)
            f.next(f.at(here, x_row), f.at(there, panel_row))
        f.next(f.at(x, f.mul(per_channel, v.lanes)), f.at(panel, v.bytes))
    f.ret()
    return f


def _zeros(f: Function, v: Vector, kernel: PackChannelsLast, target: str, count: Value) -> None:
    with f.loop(count) as (i, _):
        f.vstore(v, "zeroinitializer", f.at(target, f.mul(i, kernel.pixel)))


def _row(
    f: Function, v: Vector, kernel: PackChannelsLast, x: str, panel: str, pixels: Value, left: Value, per_channel: Value
) -> None:
    """One row of a vector of channels, square by square."""
    size, buffer = BYTES[v.element], f.stack(v.lanes * v.bytes)
    with f.loop(pixels, step=v.lanes) as (i, _):
        count = f.smaller(f.sub(pixels, i), v.lanes)
        source = f.at(x, f.mul(i, size))
        rows = []
        for lane in range(v.lanes):
            rows.append(load_part(f, v, source, count, left, lane))
            source = f.at(source, per_channel)
        for lane, value in enumerate(interleave(f, v, rows)):
            f.vstore(v, value, buffer, lane * v.bytes)
        target = f.at(panel, f.mul(i, kernel.pixel))
        with f.loop(count, once=True) as (pixel, _):
            f.vstore(v, f.vload(v, f.at(buffer, f.mul(pixel, v.bytes))), f.at(target, f.mul(pixel, kernel.pixel)))


def load_part(f: Function, v: Vector, source: str, count: Value, left: Value, lane: int) -> str:
    """The first `count` elements of row `lane` of a square, zeros behind them; none of a row that does not exist."""
    exists = count
    if not isinstance(left, int) or left <= lane:
        exists = f.let(f"select i1 {f.compare('sgt', left, lane)}, i64 {count}, i64 0")
    if f.module.isa.masks:
        return f.masked_load(v, source, f.lanes_between(v, None, exists))
    buffer = f.stack(v.bytes)
    f.vstore(v, "zeroinitializer", buffer)
    with f.loop(exists) as (i, _):
        offset = f.mul(i, BYTES[v.element])
        f.store(v.element, f.load(v.element, source, offset), buffer, offset)
    return f.vload(v, buffer)
