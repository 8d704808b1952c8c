"""The kernels, one file a kind, and the module of IR of each.

Every kernel is a module of its own, and so is the macro-kernel that calls them, through a table of addresses. So
machine code depends on nothing beside it: what one schedule compiled serves all others that have the same kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from tconv.jit.kernels import (
    at_once,
    channels,
    finish,
    folded,
    macro_kernel,
    pack_cells,
    pack_channels_first,
    pack_channels_last,
    pack_on_the_fly,
    pack_rows,
    pack_strands,
    pixels,
    planes,
    scatter,
    unpack,
    winograd,
)
from tconv.jit.kernels.at_once import AtOnce
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.finish import Finish
from tconv.jit.kernels.folded import FoldedRows, PackShortRows
from tconv.jit.kernels.macro_kernel import MacroKernel
from tconv.jit.kernels.pack_cells import PackCells
from tconv.jit.kernels.pack_channels_first import PackChannelsFirst
from tconv.jit.kernels.pack_channels_last import PackChannelsLast
from tconv.jit.kernels.pack_on_the_fly import PackOnTheFly
from tconv.jit.kernels.pack_rows import PackRows
from tconv.jit.kernels.pack_strands import PackStrands
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.kernels.scatter import Fill, Scatter
from tconv.jit.kernels.unpack import UnpackRuns, UnpackStreaming, UnpackTransposed
from tconv.jit.kernels.winograd import WinogradInput, WinogradOutput
from tconv.jit.machine.ir import Function, Module
from tconv.jit.machine.isa import Isa

Kernel: TypeAlias = (
    Pixels
    | Planes
    | FoldedRows
    | Channels
    | AtOnce
    | UnpackTransposed
    | UnpackRuns
    | UnpackStreaming
    | PackRows
    | PackShortRows
    | PackStrands
    | PackChannelsFirst
    | PackChannelsLast
    | PackOnTheFly
    | PackCells
    | Fill
    | Scatter
    | Finish
    | WinogradInput
    | WinogradOutput
)
#: What is compiled by itself.
Part: TypeAlias = Kernel | MacroKernel
_EMIT: dict[type, Callable[[Module, str, Any], Function]] = {
    Pixels: pixels.emit,
    Planes: planes.emit,
    FoldedRows: folded.emit,
    Channels: channels.emit,
    AtOnce: at_once.emit,
    UnpackTransposed: unpack.emit_transpose,
    UnpackRuns: unpack.emit_runs,
    UnpackStreaming: unpack.emit_stream,
    PackRows: pack_rows.emit,
    PackShortRows: folded.emit_short,
    PackStrands: pack_strands.emit,
    PackChannelsFirst: pack_channels_first.emit,
    PackChannelsLast: pack_channels_last.emit,
    PackOnTheFly: pack_on_the_fly.emit,
    PackCells: pack_cells.emit,
    Fill: scatter.emit_fill,
    Scatter: scatter.emit_scatter,
    Finish: finish.emit,
    WinogradInput: winograd.emit_input,
    WinogradOutput: winograd.emit_output,
}
#: What modules export where that is not `kernel` alone.
_EXPORTS: dict[type, tuple[str, ...]] = {MacroKernel: ("run",), PackOnTheFly: ("kernel", "pack")}


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
        return tuple(dict.fromkeys((*self.kernels, self.macro_kernel, self.packing)))

    @property
    def macro_kernel(self) -> MacroKernel:
        """What calls the kernels."""
        return MacroKernel(any(isinstance(each, Finish | WinogradOutput) or _then(each) for each in self.kernels))

    def activated(self, then: str) -> Code:
        """The same with an activation that kernels apply to complete sums."""
        kernels = (replace(each, then=then) if isinstance(each, _COMPLETING) else each for each in self.kernels)
        return Code(self.element, self.lanes, tuple(kernels))


#: Kernels that can apply an activation to the sums that they write.
_COMPLETING = (Pixels, Fill, Channels, AtOnce)


def _then(kernel: Kernel) -> str:
    """The activation that a kernel applies, if it does."""
    return kernel.then if isinstance(kernel, _COMPLETING) else ""


def module_of(part: Part, isa: Isa) -> Module:
    """The IR of a kernel or of the macro-kernel."""
    module = Module(isa)
    if isinstance(part, MacroKernel):
        macro_kernel.emit(module, part)
    else:
        _EMIT[type(part)](module, "kernel", part).exported = True
    return module


def exports(part: Part) -> tuple[str, ...]:
    """The names of all that is exported there."""
    return _EXPORTS.get(type(part), ("kernel",))
