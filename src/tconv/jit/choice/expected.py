"""What the engine is expected to take: for the choice of a method, and for what plans say."""

from __future__ import annotations

from math import prod

from tconv.jit.machine.isa import Isa
from tconv.jit.machine.rates import known
from tconv.jit.schedules.channels.on_the_fly import LARGE
from tconv.problem import Problem

#: Share of the peak that kernels reach, and cycles a second where nothing was measured: for expectations only.
EFFICIENCY, CLOCK = 0.75, 4e9
#: Bytes a second at which weights are packed, and seconds to begin with it: 5 to 4000 KB take 4 to 195 us (AMD Zen 5).
PACKING, PACK = 12e9, 2e-6
#: Bytes a second at which x is read and y written: what a copy in memory reaches (`rates.py`). The gradient by the
#: weights, which transposes what it reads, reaches half of it.
MOVING = 16e9
#: Bytes a second of large weights that are packed on the fly (`on_the_fly.py`): with 33 MB a call takes 1.5 to 2 ms
#: longer.
ON_THE_FLY = 16e9
#: Seconds of a call beyond its arithmetic.
CALL = 8e-6
#: Seconds that the first call of a size takes longer, and bytes of tables that are written in another second (Zen 3).
NEW_SIZE, TABLES = 1.3e-3, 5e8
#: Calls of a size that are expected: what the first one takes longer counts for each of them.
CALLS = 1000


def seconds(problem: Problem, target: Isa, threads: int) -> float:
    """What the engine is expected to take, weights packed."""
    rates = known(target)
    multiplied = 2 * target.lanes(problem.itemsize) * CLOCK if rates is None else rates.peak / 2 * 4 / problem.itemsize
    rate = multiplied * EFFICIENCY * threads
    moved = problem.itemsize * (prod(problem.x_shape) + prod(problem.y_shape))
    if problem.operation == "weight_gradient":
        moved *= 2
        # Lanes are the channels of the coarse grid, or the groups of a depthwise layer.
        lanes, depthwise = target.lanes(problem.itemsize), problem.cin == problem.cout == 1
        channels = problem.groups if depthwise else problem.cin
        rate *= channels / (-(-channels // lanes) * lanes)
    return problem.multiplications / rate + moved / (MOVING if rates is None else rates.bandwidth) + CALL


def packing(problem: Problem) -> float:
    """What a call is expected to take longer because its weights come, or a gradient by them goes, in another order."""
    size = prod(problem.w_shape) * problem.itemsize
    if problem.operation == "weight_gradient":
        return size / MOVING  # only written, a run of elements at a time
    return size / ON_THE_FLY if problem.groups == 1 and size >= LARGE else PACK + size / PACKING


def first(tables: int = 0) -> float:
    """What the first call of a size is expected to take longer, whose tables have so many bytes; kernels are there."""
    return NEW_SIZE + tables / TABLES
