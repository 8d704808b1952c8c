"""Whether weights that serve one call are packed on the fly: which schedules can, and for which it pays."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tconv.jit.schedules.base import MOST_SCRATCH
from tconv.jit.schedules.channels.schedule import ChannelSchedule

#: Weights of so many bytes, at least: packed beforehand, they go to memory and come back. On AMD Zen 5 layers with
#: 33 MB of weights and few pixels take half as long when they do not.
LARGE = 4 << 20
#: Panel and block are at most such a part of the weights: where one chunk takes the place of several they may leave the
#: near caches, which costs more than packing does where there is little to pack. What is read in place is asked for
#: ahead of its use: however much of it there is, times differ by no more than 3 % either way.
SHARE = 3
#: Scratch of a thread, at most. A little more than others have, because no packed weights come on top.
MOST = MOST_SCRATCH + (256 << 10)


def packed_on_the_fly(schedule: ChannelSchedule) -> ChannelSchedule:
    """The schedule with weights packed on the fly, where that is quicker, else the schedule itself.

    Each chunk would pack them again, so there is one. Results are the same in every bit: an element is summed in the
    same order in chunks of any size.
    """
    problem = schedule.problem
    weights = prod(problem.w_shape) * problem.itemsize
    if problem.groups > 1 or weights < LARGE:
        return schedule
    made = replace(schedule, on_the_fly=True, cache_block=tuple(map(len, schedule.spans)))
    near, window = made.panel + made.block, problem.taps * made.part * made.widest * problem.itemsize
    return schedule if near * SHARE > weights or near + window > MOST else made
