"""A kind of schedule as one record: all that the rest of the engine asks about it.

The records are in `*/kinds.py`, in a folder a family, and `registry.py` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tconv.finishing import Epilogue
from tconv.jit.kernels import Kernel
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.program import Program
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.layouts import MemoryLayout
from tconv.problem import Problem

S = TypeVar("S", bound=Schedule)

#: Registers that a kernel needs beside its sums.
BESIDE = 4


@dataclass(frozen=True, slots=True)
class RegisterTile:
    """What one call of the largest kernel computes, with its sums in registers."""

    pixels: int
    channels: int
    phases: int
    vectors: int  #: side by side along the lanes
    sums: int  #: vectors of sums
    registers: int | None = None  #: that the processor has; None where it is not known
    of: str = "pixel"  #: what "pixels" are: of a weight gradient, taps or channels of y


def as_it_is(schedule: S) -> S:
    """For kinds that do nothing else where weights serve one call only."""
    return schedule


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """What there is to know of a kind."""

    name: str  #: as plans and kept choices say it
    title: str  #: for people
    lanes: str  #: what runs along the lanes; `{read}` is the array that is read, `{s}` the schedule
    chunk: tuple[str, ...]  #: the loops over a chunk, from the outermost inwards
    tile_loops: tuple[str, ...]  #: the loops within a tile; what is not named is unrolled
    free: tuple[str, ...]  #: fields that may be chosen without changing a result beyond rounding

    #: The share of the peak that it should reach of a problem in a layout, on so many threads, or a rank above 1 where
    #: it is preferred to all others; None where it cannot serve.
    share: Callable[[Problem, MemoryLayout, Isa, int], float | None]
    #: The schedule of a problem that it serves.
    make: Callable[[Problem, MemoryLayout, Isa, int], S]
    #: The program of a schedule for so many threads, with an epilogue or without (a weight gradient has none). What
    #: writes it, and its loops, are imported when it is first asked for: a first call waits for those of one kind only.
    program: Callable[[S, int, Epilogue | None], Program]
    #: What to change in a schedule for others that are worth a try, the most promising first, with so many registers
    #: for sums; chunks of other sizes are tried for all kinds.
    variations: Callable[[S, int], Iterator[dict[str, Any]]]
    #: Whether its free fields hold what its program and kernels are made for, beyond what holds for all kinds.
    allowed: Callable[[S, Isa], bool]
    #: What a call of one of its kernels computes; None for kernels that do not multiply.
    tile: Callable[[Kernel, S], RegisterTile | None]
    #: The schedule for weights that serve one call only.
    once: Callable[[S], S] = as_it_is

    #: Whether it computes the sums of the definition, in any order. Others are offered only to who asks for them.
    exact: bool = True
    coarse_in_lanes: bool = False  #: of weight gradients: there are no weights to pack, but x, whose cells it may copy
    ranked: bool = False  #: its shares are no shares of the peak
