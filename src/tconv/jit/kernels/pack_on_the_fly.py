"""Weights of a tile into the window of its thread, just before they are used: for weights that serve one call.

Packed beforehand, large weights are written to memory and read again. Here they go from where they lie into a window
that stays in the caches, which is taken for one tile and one part of the input channels after the other.

What packs a block is a function that `pack` (`pack_weights.py`) calls too, so both are in one module.

Op: kernel, bytes, offset of a block of weights from the first of the tile; `pack_weights.py` says what a block is.
"""

from __future__ import annotations

from dataclasses import dataclass

from tconv.jit.kernels import pack_weights
from tconv.jit.kernels.abi import PARAMETERS, Context, Tile, UnpackedWeights
from tconv.jit.machine.ir import Function, Module, Vector


@dataclass(frozen=True, slots=True)
class PackOnTheFly:
    """The kernel; whatever the sizes."""

    element: str
    lanes: int


def emit(module: Module, name: str, kernel: PackOnTheFly) -> Function:
    """Write the kernel, and `pack`."""
    pack_weights.emit(module, Vector(kernel.element, kernel.lanes))
    f = module.function(name, PARAMETERS)
    program, window, given = (f.pointer("%context", word) for word in (Context.PROGRAM, Context.W, Context.GIVEN))
    block = f.at(program, f.add(f.word("%tile", Tile.BLOCKS), f.word("%op", 2)))
    pointers = (
        program,
        block,
        f.pointer(given, UnpackedWeights.WEIGHTS),
        f.pointer(given, UnpackedWeights.BIAS),
        window,
    )
    spoiled = f.let(f"call i64 @pack_block({', '.join(f'ptr {pointer}' for pointer in pointers)})")
    f.let(f"atomicrmw or ptr {f.at(given, 8 * UnpackedWeights.SPOILED)}, i64 {spoiled} monotonic")
    f.ret()
    return f
