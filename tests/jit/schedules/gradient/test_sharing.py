"""How weight gradients are cut into runs for threads; that no bit of a result depends on it is in `test_engine.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from running import problem_of

import tconv
from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.jit.schedules.gradient import sharing
from tconv.jit.schedules.gradient.sharing import cycles, finer

pytestmark = pytest.mark.quick

AVX512 = isa.ISAS["avx512"]


def schedule(cin: int, cout: int, channels_last: bool = False, **window):
    """That of a layer on a grid of 16 x 32 cells; kernel 4, stride 2 unless said otherwise."""
    geometry = tconv.Geometry.conv_transpose((16, 32), **{"kernel": 4, "stride": 2, "padding": 1, **window})
    problem = problem_of(geometry, cin=cin, cout=cout, operation="weight_gradient")
    return model.by_model(problem, channels_last, AVX512)


def test_one_thread_leaves_everything_as_it_is():
    assert finer(made := schedule(128, 3), 1) == made


def test_tiles_that_threads_cannot_share_evenly_become_narrower():
    """Eight vectors are three tiles of up to three, two of which one thread would have; or four tiles of two."""
    made = schedule(128, 3)
    cut = finer(made, 2)
    assert (made.vectors, [tile.vectors for tile in made.tiles]) == (3, [3, 3, 2])
    assert (cut.vectors, cut.run_tiles, cut.runs, cut.cache_block) == (2, 1, 4, made.cache_block)


def test_cells_that_are_read_where_they_are_never_get_tiles_that_end_in_part_of_a_vector():
    made = schedule(21, 3, channels_last=True)
    assert not made.gathered
    assert all(finer(made, threads).readable for threads in (2, 3, 8))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("cin", "cout"), [(64, 64), (256, 128), (48, 6)])
def test_two_threads_take_little_more_than_half(cin, cout, channels_last):
    made = schedule(cin, cout, channels_last)
    assert cycles(finer(made, 2), 2) < 0.62 * cycles(made, 1)


def test_channels_last_lines_of_the_fine_grid_stay_whole_where_lanes_can_be_cut():
    made = schedule(128, 64, channels_last=True)
    cut = finer(made, 2)
    assert cut.outputs == made.outputs == 64
    assert cut.runs >= 2


def test_runs_of_one_size_are_priced_once(monkeypatch):
    """A layer of many channels is thousands of runs, which are counted for each of many ways to cut it."""
    priced, original = [], sharing._of_run
    monkeypatch.setattr(sharing, "_of_run", lambda s, *size: priced.append(size) or original(s, *size))
    made = replace(schedule(512, 1024), outputs=3, run_tiles=1)
    assert made.runs > 1000
    cycles(made, 2)
    assert len(priced) == len(set(priced)) < 5
