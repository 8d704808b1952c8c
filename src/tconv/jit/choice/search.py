"""Schedules near a schedule: the same kind with other sizes, for `tune.py` to measure. Nothing is compiled here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tconv.jit.channels import ChannelSchedule
from tconv.jit.choose import Schedule
from tconv.jit.gradient import GradientSchedule
from tconv.jit.isa import Isa
from tconv.jit.kinds import free, kind_of
from tconv.jit.lane_tiles import MOST_ROWS
from tconv.jit.pixels import PixelSchedule
from tconv.jit.schedule import MOST_SCRATCH
from tconv.jit.taps import TapSchedule

#: Registers that a kernel needs beside its sums.
BESIDE = 4


def variations(schedule: Schedule, isa: Isa) -> list[Schedule]:
    """Other schedules of its kind that are worth a try, each at one remove from it."""
    tried: dict[Schedule, None] = {}
    for changes in _changes(schedule, isa):
        other = replace(schedule, **changes)
        if other != schedule and allowed(other, isa):
            tried.setdefault(other)
    return list(tried)


def allowed(schedule: Schedule, isa: Isa) -> bool:
    """Whether the free fields of a schedule hold what its program and its kernels are made for."""
    s, spans = schedule, [len(span) for span in schedule.spans]
    sizes = [value for value in free(s).values() if not isinstance(value, bool | tuple)]
    if (
        min(sizes) < 1
        or len(s.box) != len(spans)
        or not all(1 <= n <= most for n, most in zip(s.box, spans, strict=True))
    ):
        return False
    if isinstance(s, GradientSchedule):
        fits = s.rows <= MOST_ROWS and s.rows * s.pixels * s.vectors <= isa.registers
        fits = fits and s.outputs <= s.read and s.together <= len(s.tiles) and (s.gathered or s.readable)
        return fits and s.panel + s.block + s.cells <= MOST_SCRATCH
    if isinstance(s, TapSchedule):
        fits = s.box == (1, spans[-1]) and s.channels <= s.written and s.vectors * s.pixels <= isa.registers
    elif isinstance(s, ChannelSchedule):
        alone = kind_of(s) == "own" or s.layout.joined
        fits = s.part <= s.read and s.rows * s.pixels * s.vectors <= isa.registers
        fits = fits and s.rows <= (1 if alone else MOST_ROWS) and (len(s.tiles) == 1 or not s.at_once)
    else:
        fits = _pixels_allowed(s, isa)
    return fits and s.panel + s.block <= MOST_SCRATCH


def _pixels_allowed(s: PixelSchedule, isa: Isa) -> bool:
    before = s.layout.lines[-2].stride
    sums = s.vectors * s.rows * s.last.stride * s.channels
    if kind_of(s) == "planes":
        whole = s.vectors == 1 and s.box[-1] == len(s.spans[-1])
        alone = not s.in_place and (whole or not getattr(s, "fold", 0))
        return s.flat and s.rows == before and sums <= isa.registers and alone
    together = s.rows == 1 or (s.rows == before and len(s.layout.lines) > 2)
    spanning = not s.flat or (s.box[-1] == len(s.spans[-1]) and s.box[-2] > 1)
    whole = s.channels == s.written if s.layout.last else s.channels <= s.written
    readable = not s.in_place or (s.readable and isa.masks)
    return together and spanning and whole and readable and sums <= isa.registers


def _changes(schedule: Schedule, isa: Isa) -> Iterator[dict[str, Any]]:
    """What to change, the most promising first."""
    budget = isa.registers - BESIDE
    if isinstance(schedule, GradientSchedule):
        yield from _of_gradient(schedule, budget)
    elif isinstance(schedule, ChannelSchedule):
        yield from _of_channels(schedule, budget)
    elif isinstance(schedule, TapSchedule):
        yield from _of_taps(schedule, budget)
    elif kind_of(schedule) == "planes":
        yield from ({"vectors": n} for n in (1, 2, 4))
        yield {"streaming": not getattr(schedule, "streaming", False)}
    else:
        yield from _of_pixels(schedule, budget)
    yield from ({"box": box} for box in _boxes(schedule))


def _of_channels(s: ChannelSchedule, budget: int) -> Iterator[dict[str, Any]]:
    for vectors in range(1, min(4, -(-s.run * s.runs // s.lanes)) + 1):
        for pixels in dict.fromkeys((budget // vectors, (budget + 1) // vectors)):
            yield {"vectors": vectors, "pixels": min(pixels, len(s.spans[-1])), "rows": 1}
    yield {"pixels": s.pixels - 1}
    if kind_of(s) != "own":
        yield from (
            {"rows": n, "pixels": min(s.pixels, budget // (n * s.vectors))} for n in (max(1, s.rows - 1), s.rows + 1)
        )
        yield from ({"part": min(s.read, n)} for n in (s.read, 2 * s.part, -(-s.part // 2)))


def _of_gradient(s: GradientSchedule, budget: int) -> Iterator[dict[str, Any]]:
    neighbours = s.read if s.by_channel else s.last.kernel
    for vectors in range(1, min(4, -(-s.written // s.lanes)) + 1):
        pixels = max(1, min(neighbours, budget // vectors))
        yield {"vectors": vectors, "pixels": pixels, "rows": max(1, min(MOST_ROWS, budget // (vectors * pixels)))}
    yield from ({"outputs": min(s.read, n)} for n in (2 * s.outputs, -(-s.outputs // 2)) if not s.own)
    yield from ({"together": min(len(s.tiles), n)} for n in (2 * s.together, -(-s.together // 2)))


def _of_taps(s: TapSchedule, budget: int) -> Iterator[dict[str, Any]]:
    yield from ({"vectors": n, "pixels": min(budget // n, len(s.spans[-1]))} for n in (1, 2, 3, 4))
    yield from ({"channels": min(s.written, n)} for n in (1, s.channels - 1, s.channels + 1, 2 * s.channels))


def _of_pixels(s: PixelSchedule, budget: int) -> Iterator[dict[str, Any]]:
    for rows in dict.fromkeys((s.rows, 1, s.layout.lines[-2].stride)):
        for vectors in (1, 2, 3, 4):
            most = max(1, budget // (s.last.stride * vectors * rows))
            channels = s.written if s.layout.last else min(s.written, most)
            yield {"rows": rows, "vectors": vectors, "channels": channels}
    yield from ({"flat": not s.flat}, {"in_place": not s.in_place})


def _boxes(s: Schedule) -> Iterator[tuple[int, ...]]:
    """Chunks of twice and half the size, along each axis."""
    for axis, whole in reversed(list(enumerate(map(len, s.spans)))):
        for size in (2 * s.box[axis], -(-s.box[axis] // 2)):
            yield (*s.box[:axis], max(1, min(whole, size)), *s.box[axis + 1 :])
