"""The kernels, one file a kind, and the module of IR that holds those of a schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tconv.jit.emit import Module, Vector
from tconv.jit.kernels import (
    at_once,
    cells,
    channels,
    comb,
    driver,
    folded,
    fresh,
    moves,
    pixels,
    planes,
    rows,
    scatter,
    split,
    turn,
    weights,
)
from tconv.jit.kernels.at_once import AtOnce
from tconv.jit.kernels.cells import Cells
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.comb import Comb
from tconv.jit.kernels.folded import Folded, Short
from tconv.jit.kernels.fresh import Fresh
from tconv.jit.kernels.moves import Runs, Stream, Transpose
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.kernels.rows import Rows
from tconv.jit.kernels.scatter import Fill, Scatter
from tconv.jit.kernels.split import Split
from tconv.jit.kernels.turn import Turn

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
    | Fresh
    | Cells
    | Fill
    | Scatter
)
_EMIT: dict[type, Callable[[Module, str, Any], object]] = {
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
    Fresh: fresh.emit,
    Cells: cells.emit,
    Fill: scatter.emit_fill,
    Scatter: scatter.emit_scatter,
}


@dataclass(frozen=True, slots=True)
class Code:
    """All kernels of a schedule, in the order in which ops number them: what machine code depends on."""

    element: str
    lanes: int
    kernels: tuple[Kernel, ...]

    def emit(self, module: Module) -> None:
        """Write kernels, driver and the packing of weights."""
        names = [f"kernel{number}" for number in range(len(self.kernels))]
        for name, kernel in zip(names, self.kernels, strict=True):
            _EMIT[type(kernel)](module, name, kernel)
        driver.emit(module, names)
        weights.emit(module, Vector(self.element, self.lanes))
