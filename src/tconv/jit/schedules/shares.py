"""The share of the peak that a kind of schedule should reach: what the kinds' own models have in common.

A model counts what a kind computes in vain (lanes that no channel or column fills), and the work around the products:
a result of `terms` products costs as much as terms + STORED of them (or what another way into y costs). The constants
were fitted to times of all kinds on the public layers, one thread of an AMD Zen 5 with AVX-512; `tconv.tune` measures
instead.
"""

from __future__ import annotations

from math import prod

from tconv.jit.schedules.axes import LoopAxis, phase_taps
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.problem import Problem

#: Products that the store of a result costs, from registers.
STORED = 8.0
#: The share that the best kernels with channels in lanes reach.
IN_CHANNELS = 0.93
#: From so many phases of the last axis on there are many.
MANY = 8
#: Bytes of weights that are many: of `conv`, where a vector of x that was loaded meets one tap only, sooner.
HEAVY = {"conv_transpose": 3 << 19, "conv": 3 << 17}


def terms(problem: Problem, layout: MemoryLayout) -> float:
    """Products of a result, those in gaps among them."""
    return channels_of(problem).read * prod(line.kernel / line.stride for line in layout.axes)


def weights_are_heavy(problem: Problem) -> bool:
    """Whether every tile, which reads all weights of its channels, has to wait for them."""
    return prod(problem.w_shape) * problem.itemsize >= HEAVY[problem.operation]


def filled(wanted: int, lanes: int) -> float:
    """The share of lanes in use when vectors cover so many elements."""
    return wanted / (-(-wanted // lanes) * lanes)


def inside(last: LoopAxis, origin: int = 0, *, every: bool = False) -> float:
    """The share of the taps of the last axis that meet a cell of x and not the zeros beside it.

    `every`: each phase takes every q, as in lanes, also those whose position lies beside y.
    """
    found, total, apart, read = 0, 0, last.read_stride, last.read
    for b, of_phase in enumerate(phase_taps(last, origin)):
        first, end = last.first(b, origin), last.end(b, origin)
        total += len(of_phase) * (len(last.span(origin)) if every else end - first)
        for _, shift in of_phase:
            found += max(0, min(end, -((shift - read) // apart)) - max(first, -(shift // apart)))
    return found / max(1, total)
