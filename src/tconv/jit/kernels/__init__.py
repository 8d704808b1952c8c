"""The kernels, one file a kind, and the module of IR of each.

Every kernel is a module of its own, and so is the driver that calls them, through a table of addresses. So machine code
depends on nothing beside it: what one schedule compiled serves all others that have the same kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tconv.jit.kernels import (
    at_once,
    cells,
    channels,
    comb,
    driver,
    folded,
    moves,
    pack_on_the_fly,
    pixels,
    planes,
    rows,
    scatter,
    split,
    turn,
)
from tconv.jit.kernels.at_once import AtOnce
from tconv.jit.kernels.cells import Cells
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.comb import Comb
from tconv.jit.kernels.driver import Driver
from tconv.jit.kernels.folded import Folded, Short
from tconv.jit.kernels.moves import Runs, Stream, Transpose
from tconv.jit.kernels.pack_on_the_fly import PackOnTheFly
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.kernels.rows import Rows
from tconv.jit.kernels.scatter import Fill, Scatter
from tconv.jit.kernels.split import Split
from tconv.jit.kernels.turn import Turn
from tconv.jit.machine.ir import Function, Module
from tconv.jit.machine.isa import Isa

Kernel: TypeAlias = (
    Pixels
    | Planes
    | Folded
    | Channels
    | AtOnce
    | Transpose
    | Runs
    | Stream
    | Rows
    | Short
    | Comb
    | Split
    | Turn
    | PackOnTheFly
    | Cells
    | Fill
    | Scatter
)
#: What is compiled by itself.
Part: TypeAlias = Kernel | Driver
_EMIT: dict[type, Callable[[Module, str, Any], Function]] = {
    Pixels: pixels.emit,
    Planes: planes.emit,
    Folded: folded.emit,
    Channels: channels.emit,
    AtOnce: at_once.emit,
    Transpose: moves.emit_transpose,
    Runs: moves.emit_runs,
    Stream: moves.emit_stream,
    Rows: rows.emit,
    Short: folded.emit_short,
    Comb: comb.emit,
    Split: split.emit,
    Turn: turn.emit,
    PackOnTheFly: pack_on_the_fly.emit,
    Cells: cells.emit,
    Fill: scatter.emit_fill,
    Scatter: scatter.emit_scatter,
}
#: What modules export where that is not `kernel` alone.
_EXPORTS: dict[type, tuple[str, ...]] = {Driver: ("run",), PackOnTheFly: ("kernel", "pack")}


@dataclass(frozen=True, slots=True)
class Code:
    """All kernels of a schedule, in the order in which ops number them."""

    element: str
    lanes: int
    kernels: tuple[Kernel, ...]

    @property
    def packing(self) -> PackOnTheFly:
        """The kernel whose module also packs weights beforehand."""
        return PackOnTheFly(self.element, self.lanes)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is compiled for it, each once."""
        return tuple(dict.fromkeys((*self.kernels, Driver(), self.packing)))


def module_of(part: Part, isa: Isa) -> Module:
    """The IR of a kernel or of the driver."""
    module = Module(isa)
    if isinstance(part, Driver):
        driver.emit(module)
    else:
        _EMIT[type(part)](module, "kernel", part).exported = True
    return module


def exports(part: Part) -> tuple[str, ...]:
    """The names of all that is exported there."""
    return _EXPORTS.get(type(part), ("kernel",))
