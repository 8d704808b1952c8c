"""Which calls are so small that PyTorch's own operator is done sooner, by rules that were measured.

One thread of an AMD Zen 5, PyTorch 2.13, calls of layers. Without derivatives PyTorch's native operator takes 7 us, and
a layer of tconv that knows that a call is PyTorch's takes 6; the engine takes 9. Where PyTorch hands a call to oneDNN,
that takes 30 to 60 us for whatever is small. With derivatives PyTorch's autograd stays in C++: forward and backward
take it 35 us, and tconv, which goes through Python for each of them, 150.
"""

from __future__ import annotations

from math import prod

import torch

from tconv.jit.machine import isa
from tconv.jit.schedules.layouts import innermost
from tconv.problem import Problem
from tconv.torch import halves
from tconv.torch.halves import HALVES

#: Multiplications up to which PyTorch's native operator without derivatives is the sooner done, in one group.
TINY = 10_000
#: Microseconds of PyTorch's forward and backward, by this rate and for each group, up to which its own are sooner done.
SHORT, MULTIPLICATIONS_A_MICROSECOND, A_GROUP = 250, 7_500, 30
#: The rate for float16, which is not handed to oneDNN, forward and backward.
HALVES_A_MICROSECOND = 700
#: Elements of what is read up to which PyTorch's native operator may compute.
MOST_ELEMENTS = 20_480


#: Half precision by oneDNN, which has instructions for it, in one group: PyTorch is ahead from so many
#: multiplications on that have so many terms in a sum, by 1.3 times at most. Calls that are smaller or have fewer terms
#: take the engine half of the time with its casts, and with groups a tenth. With derivatives PyTorch is ahead, by 1.2
#: to 1.6 times.
MANY, TERMS = 4_500_000, 100


def is_tiny(problem: Problem, dtype: torch.dtype) -> bool:
    """Whether PyTorch is faster where no derivative is recorded."""
    if dtype in halves.BY_ONEDNN:
        few = problem.multiplications < MANY or _terms(problem) < TERMS
        return problem.groups == 1 and not few
    return problem.groups == 1 and problem.multiplications < TINY and (dtype in HALVES or not goes_to_onednn(problem))


def _terms(problem: Problem) -> float:
    """Products that are added up to one result, on average."""
    return problem.multiplications / prod(problem.written_shape)


def goes_to_onednn(problem: Problem) -> bool:
    """Whether PyTorch hands a call in one group to oneDNN (`ConvParams::use_mkldnn` in its Convolution.cpp)."""
    g = problem.geometry
    last = (1, *g.kernel)[-2:]
    plain = {*g.stride, *g.dilation, *last} == {1} and problem.batch < 16 and torch.get_num_threads() == 1
    read = problem.x_shape if problem.operation == "conv_transpose" else problem.y_shape
    much = problem.batch > 1 or min(last) > 3 or prod(read) > MOST_ELEMENTS
    return problem.dtype == "float32" and torch._C._has_mkldnn and much and not plain


#: Weights that a channel of x has for one group: with fewer, channels last, the engine spends its time on bringing x
#: into order. (0.5 of PyTorch's speed at 3 channels and 16 taps, 1.5 at 1 channel and 81 taps.)
FEW_WEIGHTS = 64
#: Share of the lanes that input channels of a group fill, at least.
FILLED = 0.5


def is_left_to_onednn(dtype: torch.dtype, groups: int) -> bool:
    """Whether PyTorch is faster at the operations of backward, whatever their sizes."""
    return groups == 1 and dtype in halves.BY_ONEDNN and SHORT > 0


def is_slower(problem: Problem, channels_last: bool) -> bool:
    """Whether PyTorch is faster at the weight gradient."""
    if problem.cin == problem.cout == 1:
        return False  # depthwise: groups fill the lanes
    lanes = isa.current().lanes(problem.itemsize)
    vectors = -(-problem.cin // lanes)
    last = innermost(problem, channels_last)
    return problem.cin < FILLED * vectors * lanes or (last and problem.cout * problem.taps < FEW_WEIGHTS)


def is_short(problem: Problem, dtype: torch.dtype) -> bool:
    """Whether PyTorch is faster where derivatives are recorded."""
    if dtype not in HALVES:
        return A_GROUP * (problem.groups - 1) + problem.multiplications / MULTIPLICATIONS_A_MICROSECOND < SHORT
    if dtype in halves.BY_ONEDNN:
        return problem.groups == 1 and SHORT > 0
    return problem.multiplications / HALVES_A_MICROSECOND < SHORT
