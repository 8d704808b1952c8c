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
    channels_reads,
    channels_sizes,
    channels_tables,
    choose,
    depthwise_tables,
    gradient_tables,
    packing,
    pixels,
    pixels_tables,
    tables,
    templates,
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
        function = next((getattr(before, name) for name in ("fget", "_function") if hasattr(before, name)), before)
        module = sys.modules[function.__module__]
        source = dedent(inspect.getsource(function))
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
    packing._kept.clear()


_Pixels, _Channels, _Planes = pixels_tables.PixelTables, channels_tables.ChannelTables, depthwise_tables.PlaneTables

FAULTS = {
    # Both of these were real.
    "rows that a stride sets apart, in place": Fault(
        pixels.PixelSchedule, "_seamless", "rows.read_step", "rows.x_step"),
    "outer axes cropped, cells at once": Fault(
        channels_sizes, "_few_weights", "line.stays", "line.kernel == line.stride == 1"),
    "a cell less at the high border": Fault(
        channels_tables, "rows_of_x", "min(s.last.read, reach.stop)", "min(s.last.read, reach.stop - 1)"),
    "no zeros between rows that a tile spans": Fault(
        pixels.PixelSchedule, "flat_pitch", "max(self.before, self.columns + self.behind - cells)", "0"),
    "lanes of the last vector": Fault(
        channels_schedule.ChannelSchedule, "_last_lanes", "tile.count - (tile.vectors - 1) * self.lanes", "self.lanes"),
    "where the weights of a group begin": Fault(
        tables.Tables, "first_weight", "g * p.cin * p.cout * p.taps", "g * p.cin * p.taps"),
    "from image to image of y": Fault(
        tables.Tables, "_chunks", "along * y", "along * x"),
    "the last row, of some phases": Fault(
        _Planes, "_alike", "if whole.stop < rows.stop", "if False"),
    "copies as if cells were not apart": Fault(
        _Pixels, "_of_strand", "range(start * s.last.apart + residue, stop", "range(start + residue, stop"),
    "the bias of the second tile of channels": Fault(
        _Pixels, "weights", "bias - start + first * self.size", "bias - start"),
    "strides of two axes swapped": Fault(
        channels_reads.Rows, "_targets", "in self.lines]", "in (*self.lines[:1], *self.lines[:0:-1])]"),
    "cells that exist, of one row only": Fault(
        _Pixels, "_exist", "(rows - 1) * line.read + high", "high"),
    "chunks at the high border like the others": Fault(
        gradient_tables, "meets", "max(0, high)", "0"),
    "chunks that lack a phase like the others": Fault(
        tables, "meets", "q.stop == whole.stop and", "False and"),
    "rows that some taps miss like the others": Fault(
        pixels_tables, "reaching", "if a in span", "if True"),
    "the last of several tiles that are alike": Fault(
        templates.Template, "along", "np.arange(count)", "(np.arange(count) // 2)"),
    "the first phase of another origin": Fault(
        _Channels, "_moves", "low, high = max(0, -start) * elements", "low, high = 0"),
}  # fmt: skip
