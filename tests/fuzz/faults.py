"""Faults to plant in schedules and tables: one expression of a function rewritten. The fuzz has to find each of them.

Some were real. They are rewritten in the source of a function, which is then compiled again in place of it: what is
planted is what somebody might have written. Where the text that is to be rewritten is gone, the fault says so: write it
anew for what stands there now.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from tconv.jit import channels as channels_schedule
from tconv.jit import (
    channels_sizes,
    channels_tables,
    choose,
    depthwise_tables,
    gradient_tables,
    pixels,
    pixels_tables,
    tables,
)


@dataclass(frozen=True)
class Fault:
    """What stands in a function, and what is planted instead."""

    owner: Any  #: a class or a module
    name: str
    right: str
    wrong: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Within it the fault is there."""
        before = inspect.getattr_static(self.owner, self.name)
        module = self.owner if inspect.ismodule(self.owner) else sys.modules[self.owner.__module__]
        source = dedent(inspect.getsource(getattr(before, "func", before)))
        if source.count(self.right) != 1:
            raise LookupError(f"{self.owner.__name__}.{self.name} has no single {self.right!r} to plant a fault in")
        made: dict[str, Any] = {}
        exec(compile(source.replace(self.right, self.wrong), module.__file__ or "", "exec"), vars(module), made)
        _put(self.owner, self.name, made[self.name])
        try:
            yield
        finally:
            _put(self.owner, self.name, before)


def _put(owner: Any, name: str, what: Any) -> None:
    """Set an attribute as the body of a class would."""
    setattr(owner, name, what)
    if hasattr(what, "__set_name__"):
        what.__set_name__(owner, name)
    choose.choose.cache_clear()


_Pixels, _Channels, _Planes = pixels_tables.PixelTables, channels_tables.ChannelTables, depthwise_tables.PlaneTables

FAULTS = {
    # Both of these were real.
    "rows that a stride sets apart, in place": Fault(
        pixels.PixelSchedule, "_seamless", "rows.read_step", "rows.x_step"),
    "outer axes cropped, cells at once": Fault(
        channels_sizes, "_few_weights", "line.stays", "line.kernel == line.stride == 1"),
    "a cell less at the high border": Fault(
        _Channels, "copies", "min(s.last.read, reach.stop)", "min(s.last.read, reach.stop - 1)"),
    "no zeros between rows that a tile spans": Fault(
        pixels.PixelSchedule, "pitch", "max(self.before, self.columns + self.behind - cells)", "0"),
    "lanes of the last vector": Fault(
        channels_schedule.ChannelSchedule, "_last_lanes", "tile.count - (tile.vectors - 1) * self.lanes", "self.lanes"),
    "where the weights of a group begin": Fault(
        tables.Tables, "first_weight", "g * p.cin * p.cout * p.taps", "g * p.cin * p.taps"),
    "from image to image of y": Fault(
        tables.Tables, "_chunks", "image.start * batch.y_step", "image.start * batch.x_step"),
    "the last row, of some phases": Fault(
        _Planes, "_alike", "if whole.stop < rows.stop", "if False"),
    "copies as if cells were not apart": Fault(
        _Pixels, "_copied", "range(start * s.last.apart + residue, stop", "range(start + residue, stop"),
    "the bias of the second tile of channels": Fault(
        _Pixels, "weights", "bias - start + first * self.size", "bias - start"),
    "strides of two axes swapped": Fault(
        _Channels, "_read", "zip(q, self.s.outer, a,", "zip(q, (*self.s.outer[:1], *self.s.outer[:0:-1]), a,"),
    "cells that exist, of one row only": Fault(
        _Pixels, "_exist", "self.s.last.read * len(spanned)", "self.s.last.read"),
    "chunks at the high border like the others": Fault(
        gradient_tables, "_meets", "max(0, high)", "0"),
    "the first phase of another origin": Fault(
        _Channels, "_moves", "low, high = max(0, -start) * elements", "low, high = 0"),
}  # fmt: skip
