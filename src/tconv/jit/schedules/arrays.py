"""Arrays for the loops that write tables: the axes of a schedule, the taps of its layer, room for what is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tconv.jit.machine.native.language import Ints
from tconv.jit.programs.layer_cache import LayerCache
from tconv.jit.programs.loops.words import AXIS, AxisWords, Out, Words
from tconv.jit.schedules.axes import LoopAxis, by_shift, phase_taps, residues, strand_shifts
from tconv.jit.schedules.base import Schedule


class Lists(NamedTuple):
    """What of a layer is the same at every size: its lists, and for each axis the words that say where they are."""

    values: Ints
    axes: Ints
    places: dict[Any, int]  #: of lists that a kind adds


class Collector:
    """Collects lists of integers, the first of which lies behind 0, so that 0 stands for none."""

    def __init__(self) -> None:
        self.values = [0]

    def add(self, values: Sequence[int]) -> int:
        """Append a list; returns where it begins."""
        self.values += values
        return len(self.values) - len(values)

    def axis(self, line: LoopAxis, origin: int) -> list[int]:
        """The lists of an axis, and the words that say where they are."""
        number = {residue: n for n, residue in enumerate(residues(line))}
        words = [0] * AXIS
        reach = strand_shifts(line, origin)
        words[AxisWords.FIRST_STRAND_SHIFT], words[AxisWords.STRAND_SHIFTS] = reach.start, len(reach)
        words[AxisWords.RESIDUES], words[AxisWords.RESIDUES_AT] = len(number), self.add(list(number))
        of_phase = [
            self.add([len(taps), *(n for tap, shift in taps for n in (tap, shift, number[shift % line.read_stride]))])
            for taps in phase_taps(line, origin)
        ]
        words[AxisWords.TAPS_AT] = self.add(of_phase)
        shifts = list(by_shift(line, origin))
        words[AxisWords.SHIFTS_AT] = self.add(
            [len(shifts), *(n for s in shifts for n in (s, number[s % line.read_stride]))]
        )
        return words


def no_lists(collector: Collector) -> dict[Any, int]:
    """For kinds that need none beside those of the axes."""
    return {}


#: Those of layers.
LISTS: LayerCache[Lists] = LayerCache()


def lists_of(layer: Hashable, s: Schedule, more: Callable[[Collector], dict[Any, int]]) -> Lists:
    """The lists of the layer of a schedule; `more` adds those of its kind."""

    def made() -> Lists:
        collector = Collector()
        axes = [collector.axis(line, origin) for line, origin in zip(s.layout.axes, s.origins, strict=True)]
        places = more(collector)
        return Lists(np.array(collector.values, np.int64), np.array(axes, np.int64), places)

    return LISTS.of(layer, made)


def array(words: type[Words], values: dict[Any, int]) -> Ints:
    """Words in their order; 0 where nothing is said."""
    found = [0] * len(words)
    for word, value in values.items():
        found[word] = value
    return np.array(found, np.int64)


def words_of(line: LoopAxis, origin: int, span: range) -> tuple[int, ...]:
    """The words of an axis up to PARTS."""
    n = line
    of_y = n.x_step, n.y_step, n.read_step, n.pixel_step
    return n.read, n.written, n.kernel, n.stride, n.read_stride, origin, *of_y, span.start, span.stop


def axes_of(s: Schedule, lists: Lists, row: int | None) -> tuple[Ints, list[int]]:
    """The axes of a schedule, and into how many parts each is cut.

    `row`: bytes of a row of the panel, of all channels; None where x is read in place.
    """
    parts = [-(-len(span) // n) for span, n in zip(s.spans, s.cache_block, strict=True)]
    given = [words_of(*axis) for axis in zip(s.layout.axes, s.origins, s.spans, strict=True)]
    axes, outer = lists.axes.copy(), s.outer
    axes[:, : AxisWords.PARTS], axes[:, AxisWords.PARTS] = given, parts
    if row is None:
        axes[:-1, AxisWords.ROW_STEP] = [line.read_step for line in outer]
    else:
        axes[:-1, AxisWords.ROW_STEP] = [row * prod(s.slots[axis + 1 :]) for axis in range(len(outer))]
    axes[:-1, AxisWords.SLOTS], axes[:-1, AxisWords.EXISTING] = s.slots, s.existing
    return axes, parts


#: Words that there is room for at first.
_ROOM = 1 << 15


class _Room(threading.local):
    """Memory of a thread for what is written, kept from program to program unless it is large."""

    def __init__(self) -> None:
        self.out = np.empty(Out.FIRST + _ROOM, np.int64)


_local = _Room()


def written(write: Callable[[Ints], Any]) -> tuple[Any, Ints]:
    """What a loop returns and writes; it is run again where there was no room for all."""
    out = _local.out
    while True:
        out[: Out.FIRST] = 0, len(out) - Out.FIRST, 0
        result = write(out)
        if out[Out.WRONG]:  # a fault of ours: a kernel of a number that does not exist must never be called
            raise RuntimeError("a tile has no kernel")
        used = int(out[Out.USED])
        if used <= len(out) - Out.FIRST:
            return result, out[Out.FIRST : Out.FIRST + used]
        out = np.empty(Out.FIRST + used, np.int64)
        if used <= 8 * _ROOM:
            _local.out = out
