"""Which boxes of larger arrays kernels can go through, and what is done with those that they cannot."""

from dataclasses import replace

import numpy as np
import pytest
from running import problem_of

import tconv
from tconv import boxed
from tconv.jit import boxes
from tconv.jit.schedules.base import STREAM_FROM
from tconv.jit.schedules.layouts import spread_out

GEOMETRY = tconv.Geometry.conv_transpose((5, 6), 4, stride=2, padding=1)
PROBLEM = problem_of(GEOMETRY, batch=2, cin=3, cout=4)


def grids(last=False):
    """x and y, of their own."""
    x, y = np.zeros((2, 3, 5, 6), np.float32), np.zeros((2, 4, 10, 12), np.float32)
    return [np.ascontiguousarray(np.moveaxis(a, 1, -1)) if last else a for a in (x, y)]


@pytest.mark.parametrize("last", [False, True])
def test_arrays_of_their_own_are_no_boxes(last):
    x, y = grids(last)
    assert boxes.posed(PROBLEM, last, x, y, y.size) is PROBLEM
    within = boxes.posed(PROBLEM, last, x, y, y.size + 1).within
    assert within.whole == y.size + 1  # a part of a larger array, if it lies in one piece there
    layout = spread_out(replace(PROBLEM, within=within), last)
    assert layout == spread_out(PROBLEM, last)


def test_steps_are_counted_in_elements():
    larger = np.zeros((2, 4, 30, 40), np.float32)
    x, _ = grids()
    within = boxes.posed(PROBLEM, False, x, larger[:, :, 3:13, 5:17], larger.size).within
    assert within == ((90, 30, 6, 1), (4800, 1200, 40, 1), larger.size)
    layout = spread_out(replace(PROBLEM, within=within), False)
    assert [line.y_step for line in layout.axes] == [4 * 4800, 4 * 40, 4]
    assert (layout.x_channel, layout.y_channel) == (4 * 30, 4 * 1200)


def test_images_that_are_alone_have_none_beside_them():
    """Whatever the distance to the next one would be: a batch of one image, or none, is the same."""
    one, larger = replace(PROBLEM, batch=1), np.zeros((7, 4, 20, 12), np.float32)
    x = np.zeros((1, 3, 5, 6), np.float32)
    found = {boxes.posed(one, False, a, y, 9).within for a, y in ((x, larger[3:4, :, :10]), (x[0], larger[3, :, :10]))}
    assert len(found) == 1


X, Y = grids()
ODD = np.zeros(Y.nbytes + 2, np.uint8)[2:].view(np.float32).reshape(Y.shape)
REFUSED = {
    "every other cell": np.zeros((2, 4, 10, 24), np.float32)[..., ::2],
    "rows backwards": Y[:, :, ::-1],
    "another order": np.zeros((2, 4, 12, 10), np.float32).swapaxes(2, 3),
    "channels last": np.moveaxis(np.zeros((2, 10, 12, 4), np.float32), -1, 1),
    "all one row": np.lib.stride_tricks.as_strided(Y, Y.shape, (Y.strides[0], Y.strides[1], 0, 4)),
    "between two elements": ODD,
    "some of the channels": np.zeros((2, 7, 10, 12), np.float32)[:, 2:6],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_kernels_cannot_go_through(name):
    assert boxes.posed(PROBLEM, False, X, REFUSED[name], 9) is None
    operator, out = tconv.ConvTranspose(np.ones((3, 4, 4, 4), np.float32), stride=2, padding=1), REFUSED[name]
    assert not boxed.into(operator, X + 1, out, out.size)
    assert not out.any()


def test_a_part_of_a_large_result_goes_past_the_caches_as_the_whole_does():
    large = replace(PROBLEM, within=boxes.posed(PROBLEM, False, X, Y, STREAM_FROM).within)
    assert (PROBLEM.bytes_written, large.bytes_written) == (Y.nbytes, 4 * STREAM_FROM)
