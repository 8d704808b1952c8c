"""Faults to plant in schedules and tables: one expression of a function rewritten. The fuzz has to find each of them.

Some were real. They are rewritten in the source of a function, which is then compiled again in place of it: what is
planted is what somebody might have written. Where the text that is to be rewritten is gone, the fault says so: write it
anew for what stands there now.
"""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from tconv.jit.choice import choose
from tconv.jit.machine.native import compiled
from tconv.jit.machine.native.language import NativeFunction
from tconv.jit.programs import layer_cache, tables
from tconv.jit.programs.loops import chunks, copies, finish, rows
from tconv.jit.schedules import layouts
from tconv.jit.schedules.channels import schedule as channels_schedule
from tconv.jit.schedules.channels import sizes as channels_sizes
from tconv.jit.schedules.channels import tables as channels_tables
from tconv.jit.schedules.channels.loops import block as channels_block
from tconv.jit.schedules.channels.loops import chunks as channels_chunks
from tconv.jit.schedules.channels.loops import taps as channels_taps
from tconv.jit.schedules.channels.loops import tiles as channels_tiles
from tconv.jit.schedules.pixels import schedule as pixels
from tconv.jit.schedules.pixels import tables as pixels_tables
from tconv.jit.schedules.pixels.loops import panel as pixels_panel
from tconv.jit.schedules.pixels.loops import planes
from tconv.jit.schedules.pixels.loops import reads as pixels_reads


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
        function = next((getattr(before, n) for n in ("fget", "_function", "function") if hasattr(before, n)), before)
        module, file = sys.modules[function.__module__], f"<{self.name} with {self.wrong!r}>"
        source = dedent(inspect.getsource(function))
        if source.count(self.right) != 1:
            raise LookupError(f"{self.owner.__name__}.{self.name} has no single {self.right!r} to plant a fault in")
        source, made = source.replace(self.right, self.wrong), dict[str, Any]()
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
        exec(compile(source, file, "exec"), vars(module), made)
        put = _put_native if isinstance(before, NativeFunction) else _put
        put(self.owner, self.name, made[self.name])
        try:
            yield
        finally:
            put(self.owner, self.name, before)


def _put(owner: Any, name: str, what: Any) -> None:
    """Set an attribute as the body of a class would."""
    setattr(owner, name, what)
    if hasattr(what, "__set_name__"):
        what.__set_name__(owner, name)
    choose.choose.cache_clear()
    layer_cache.forget()


def _put_native(owner: Any, name: str, what: NativeFunction) -> None:
    """Put a loop in the place of another, wherever that was imported; machine code is made anew, from what it says."""
    before = getattr(owner, name)
    for module in [m for n, m in sys.modules.items() if n.startswith("tconv.jit.") and ".loops." in n]:
        for attribute in [n for n, value in vars(module).items() if value is before]:
            setattr(module, attribute, what)
    planted = what.function.__code__.co_filename.startswith("<")
    # Of the code that is kept, none may be taken for what a fault makes, nor for what other loops made with it.
    said = inspect.getsource(what.function) if planted else ""
    compiled._sources = lambda loop: f"{_sources(loop)} {said}"
    compiled._code.cache_clear()


_sources = compiled._sources

FAULTS = {
    # Both of these were real.
    "rows that a stride sets apart, in place": Fault(
        pixels.PixelSchedule, "_seamless", "rows.read_step", "rows.x_step"),
    "outer axes cropped, cells at once": Fault(
        channels_sizes, "_with_cells_at_once", "line.stays", "line.kernel == line.stride == 1"),
    "a cell less at the high border": Fault(
        copies, "list_rows", "min(axes[last + AxisWords.READ], high)", "min(axes[last + AxisWords.READ], high - 1)"),
    "no zeros between rows that a tile spans": Fault(
        pixels.PixelSchedule, "flat_pitch", "max(self.before, self.columns + self.behind - cells)", "0"),
    "lanes of the last vector": Fault(
        channels_schedule.ChannelSchedule, "_tail_lanes", "tile.count - (tile.vectors - 1) * self.lanes", "self.lanes"),
    "where the weights of a group begin": Fault(
        tables.Tables, "first_weight", "g * p.cin * p.cout * p.taps", "g * p.cin * p.taps"),
    "from image to image of y": Fault(
        chunks, "spread", "offset(axes, count, AxisWords.PIXEL_STEP)", "offset(axes, count, AxisWords.READ_STEP)"),
    "the last row, of some phases": Fault(
        planes, "planes", "if whole < line_end", "if whole < 0"),
    "copies as if cells were not apart": Fault(
        pixels_panel, "row_of_strand", "start * apart, 1", "start, 1"),
    "the bias of the second tile of channels": Fault(
        pixels_tables.PixelTables, "weights", "bias - start + first * self.size", "bias - start"),
    "strides of two axes swapped": Fault(
        rows, "further", "axes[n * AXIS + step]", "axes[(count - n if n else 0) * AXIS + step]"),
    "cells that exist, of one row only": Fault(
        pixels_reads, "put_cells", "(rows - 1) * read + high", "high"),
    "chunks at the high border like the others": Fault(
        chunks, "beside_high", "max(0, last * axis[AxisWords.READ_STRIDE] - axis[AxisWords.READ])", "0"),
    "chunks that lack a phase like the others": Fault(
        chunks, "alike", "(a == last) != (b == last)", "a != a"),
    "rows of cells at once, a stride apart": Fault(
        channels_chunks, "at_once",
        "further * axes[axis + AxisWords.READ_STEP]", "further * axes[axis + AxisWords.X_STEP]"),
    "parts of rows of cells at once": Fault(
        channels_chunks, "at_once", "columns // parts + (part < columns % parts)", "columns // parts"),
    "rows that some taps miss like the others": Fault(
        channels_taps, "list_bounds", "-(shift // axis[AxisWords.READ_STRIDE])", "q"),
    "the last of several tiles that are alike": Fault(
        channels_tiles, "tiles_of_rows", "at += pixels", "at += pixels - (part > 1)"),
    "an epilogue from the first q on, where y begins later": Fault(
        finish, "first_written", "max(0, axis[AxisWords.ORIGIN] - axis[AxisWords.Q] * axis[AxisWords.STRIDE])", "0"),
    "an epilogue of rows side by side where they are not": Fault(
        finish, "finish", "whole and side_by_side", "side_by_side"),
    "an epilogue after each tile of a run": Fault(
        channels_tables.ChannelTables, "finishes", "tile.first + tile.length == s.run", "tile.length > 0"),
    "the first phase of another origin": Fault(
        channels_block, "moves", "max(0, -start) * s[C.ELEMENTS]", "0"),
    "rows of a box moved as one": Fault(  # this one was real
        channels_block, "moves", "more and follows(axes[(count - 1) * AXIS :])", "more"),
    "axes of a box joined": Fault(
        layouts, "_follow", "outer.y_step == inner.written * inner.y_step", "True"),
    "the cell of a single one": Fault(  # and so was this
        layouts, "_steps", "prod(cells) > 1", "True"),
}  # fmt: skip
