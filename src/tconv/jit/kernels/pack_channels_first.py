"""Rows of channels-last x into the panel with pixels innermost, as pixels in lanes want them: squares are transposed.

Op: as in `kernels/pack_rows.py`; elements and zeros are counted in pixels. Each channel gets its row of the panel.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels.abi import PARAMETERS, Context
from tconv.jit.kernels.pack_channels_last import load_part
from tconv.jit.kernels.pack_rows import RowCopy
from tconv.jit.kernels.unpack import store_square
from tconv.jit.machine.ir import BYTES, Function, Module, Value, Vector
from tconv.jit.machine.shuffles import interleave


@dataclass(frozen=True, slots=True)
class PackChannelsFirst:
    """The kernel that copies rows of pixels and splits them into rows of channels."""

    element: str
    lanes: int


def emit(module: Module, name: str, kernel: PackChannelsFirst) -> Function:
    """Write the kernel."""
    f, v = module.function(name, PARAMETERS), Vector(kernel.element, kernel.lanes)
    size = BYTES[v.element]
    source = f.at(f.pointer("%context", Context.X), f.word("%op", 2))
    target = f.at(f.pointer("%context", Context.PANEL), f.word("%op", 3))
    rows, x_row, panel_row, pixels = (f.word("%op", word) for word in (4, 5, 6, 7))
    before, behind = (RowCopy(f, v, f.word("%op", word)) for word in (8, 9))
    channels, per_channel = f.word("%context", Context.COPIED), f.word("%context", Context.SOURCE_CHANNEL)
    with f.loop(rows, carried=[("ptr", source), ("ptr", target)], once=True) as (_, [x, panel]):
        with f.loop(channels, carried=[("ptr", panel)], once=True) as (_, [here]):
            before.zero(f.at(here, f.mul(f.sub(0, before.count), size)))
            behind.zero(f.at(here, f.mul(pixels, size)))
            f.next(f.at(here, per_channel))
        _row(f, v, x, panel, pixels, channels, per_channel)
        f.next(f.at(x, x_row), f.at(panel, panel_row))
    f.ret()
    return f


def _row(f: Function, v: Vector, x: str, panel: str, pixels: Value, channels: Value, per_channel: str) -> None:
    """One row, square by square: some pixels, of which whole lines are read, in some channels."""
    size, pixel = BYTES[v.element], f.word("%context", Context.X_PIXEL)
    with f.loop(pixels, step=v.lanes, carried=[("ptr", x), ("ptr", panel)]) as (i, [here, there]):
        left = f.sub(pixels, i)
        carried = [("ptr", here), ("ptr", there)]
        with f.loop(channels, step=v.lanes, carried=carried, once=True) as (first, [source, target]):
            remaining = f.sub(channels, first)
            with f.choose(f.compare("sge", left, v.lanes)) as (full, partial):
                with full:
                    _whole_pixels(f, v, source, pixel, target, per_channel, remaining)
                with partial:
                    count = f.smaller(remaining, v.lanes)
                    rows = [load_part(f, v, place, count, left, lane) for lane, place in _lanes(f, v, source, pixel)]
                    store_square(f, v, interleave(f, v, rows), target, per_channel, left, remaining)
            f.next(f.at(source, v.bytes), f.at(target, f.mul(per_channel, v.lanes)))
        f.next(f.at(here, f.mul(pixel, v.lanes)), f.at(there, v.lanes * size))


def _whole_pixels(
    f: Function, v: Vector, source: str, pixel: str, target: str, per_channel: str, remaining: Value
) -> None:
    """A square of which all pixels exist, and all channels or some."""
    places, ahead = _lanes(f, v, source, pixel), f.mul(pixel, v.lanes)
    for _, place in places:
        f.prefetch(place, ahead)  # the same channels of the next pixels: hardware follows no steps of a pixel
    with f.choose(f.compare("sge", remaining, v.lanes)) as (full, partial):
        with full:
            transposed = interleave(f, v, [f.vload(v, place) for _, place in places])
            for value, (_, place) in zip(transposed, _lanes(f, v, target, per_channel), strict=True):
                f.vstore(v, value, place)
        with partial:
            buffer = f.stack(v.lanes * v.bytes)
            rows = [load_part(f, v, place, remaining, v.lanes, lane) for lane, place in places]
            for lane, value in enumerate(interleave(f, v, rows)):
                f.vstore(v, value, buffer, lane * v.bytes)
            carried = [("ptr", buffer), ("ptr", target)]
            with f.loop(remaining, carried=carried, once=True) as (_, [here, there]):
                f.vstore(v, f.vload(v, here), there)
                f.next(f.at(here, v.bytes), f.at(there, per_channel))


def _lanes(f: Function, v: Vector, start: str, step: str) -> list[tuple[int, str]]:
    """Where each row of a square begins."""
    places = [start]
    for _ in range(v.lanes - 1):
        places.append(f.at(places[-1], step))
    return list(enumerate(places))
