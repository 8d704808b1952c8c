"""Sizes of schedules with channels in lanes: chunks grow as the caches like, at any size of them."""

import random
from dataclasses import replace

import problems
import pytest

from tconv.jit.machine.isa import ISAS
from tconv.jit.programs.cuts import balanced
from tconv.jit.schedules.channels import sizes as channels_sizes
from tconv.jit.schedules.channels.sizes import _grown, _with_part, _with_tile
from tconv.jit.schedules.layouts import spread_out

pytestmark = pytest.mark.quick


def one_after_the_other(s, axis):
    """What `_grown` says, by making a schedule for every length that is tried."""
    whole = len(s.spans[axis])

    def at(size):
        return replace(s, cache_block=(*s.cache_block[:axis], size, *s.cache_block[axis + 1 :]))

    size = 1
    while size < whole:
        grown = at(min(whole, 2 * size))
        if grown.working_set > channels_sizes.PANEL or grown.block > channels_sizes.BLOCK:
            break
        size = grown.cache_block[axis]
    return at(max(balanced(whole, size)))


@pytest.mark.parametrize("in_lanes", ["channels", "phases"])
def test_chunks_grow_as_if_each_was_tried(in_lanes, monkeypatch):
    rng, grown = random.Random(0), set()
    for _ in range(150):
        problem = problems.problem(rng.choice, operations=("conv_transpose", "conv"))
        layout = spread_out(problem, rng.choice((True, False)))
        if in_lanes == "phases" and layout.axes[-1].dilation != 1:
            continue
        s = _with_part(_with_tile(problem, layout, rng.choice(list(ISAS.values())), in_lanes, depthwise=False))
        monkeypatch.setattr(channels_sizes, "PANEL", rng.choice((1, 4, 16, 64)) << 10)
        monkeypatch.setattr(channels_sizes, "BLOCK", rng.choice((1, 4, 16, 64)) << 10)
        for axis in reversed(range(len(s.cache_block) - 1)):
            found = _grown(s, axis)
            assert found == one_after_the_other(s, axis)
            grown.add(found.cache_block[axis])
            s = found
    assert len(grown) > 5
