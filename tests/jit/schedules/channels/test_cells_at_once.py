"""Depthwise layers, channels last: cells that make all phases at a time, and sums that wait for cells to come."""

from itertools import product

import pytest
from running import problem_of

import tconv
from tconv.jit.choice.model import offered
from tconv.jit.kernels.at_once import AtOnce, waiting
from tconv.jit.machine.isa import ISAS
from tconv.jit.schedules.axes import by_shift, phase_taps
from tconv.jit.schedules.channels import cells_at_once
from tconv.jit.schedules.layouts import layout_of

pytestmark = pytest.mark.quick

#: Operation, sizes of the fine grid, and the window.
LAYERS = {
    "3x3": ("conv", (9, 12), 3, {"padding": 1}),
    "a stride": ("conv", (9, 12), 3, {"stride": 2, "padding": 1}),
    "a stride beyond the kernel": ("conv", (9, 14), 2, {"stride": 3}),
    "gaps": ("conv", (9, 14), (1, 3), {"stride": (1, 2), "dilation": (1, 3)}),
    "cropped": ("conv", (9, 14), 3, {"padding": -1}),
    "beside x on both sides": ("conv", (4, 4), 5, {"padding": 3}),
    "phases": ("conv_transpose", (8, 12), 4, {"stride": 2, "padding": 1}),
    "phases of unequal taps": ("conv_transpose", (7, 11), 3, {"stride": 2, "padding": 1}),
    "phases without a tap": ("conv_transpose", (9, 15), 2, {"stride": 3}),
    "flipped": ("conv_transpose", (7, 11), 3, {"padding": 1}),
    "one axis": ("conv", (30,), 7, {"padding": 3}),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def layer(operation, fine, kernel, window, channels=40, dtype="float32"):
    geometry = tconv.Geometry.conv(fine, kernel, **window)
    return problem_of(geometry, dtype, cin=channels, cout=channels, groups=channels, operation=operation, batch=1)


def schedule_of(problem, isa="avx512"):
    made = (kind.make() for kind in offered(problem, True, ISAS[isa]))
    return next(one for one in made if one.kind == "depthwise")


def kernel_of(name, *, carries=True):
    axes = layout_of(layer(*LAYERS[name]), True).axes[-2:]
    return cells_at_once.kernel(*axes, ("float", 16, (0, 16)), carries=carries, streaming=False)


@every_layer
@pytest.mark.parametrize("axis", [-1, -2])
def test_cells_within_are_those_of_which_every_phase_is_written_and_every_tap_reads(name, axis):
    line = layout_of(layer(*LAYERS[name]), True).axes[axis]

    def within(q):
        written = all(0 <= q * line.stride + b < line.written for b in range(line.stride))
        cells = [q * line.read_stride + shift for taps in phase_taps(line) for _, shift in taps]
        return written and all(0 <= cell < line.read for cell in cells)

    assert list(cells_at_once.inner(line)) == [q for q in range(-20, 60) if within(q)]


@every_layer
@pytest.mark.parametrize("carries", [True, False])
def test_every_tap_of_every_phase_is_met_once_however_sums_wait(name, carries):
    """What the loop meets for a q in all steps, and how far back it begins."""
    kernel, met = kernel_of(name, carries=carries), []
    for row in range(len(kernel.sources)):
        for shift, before in product(kernel.loaded, range(kernel.earlier + 1)):
            taps = [
                (row, shift - before * kernel.read_stride, a, b, tap)
                for (at, a, b), tap in kernel.met(row, shift)
                if at == before
            ]
            met += taps
    wanted = [(n, shift, *one) for n, source in enumerate(kernel.sources) for shift, fed in source for one in fed]
    assert sorted(met) == sorted(wanted)
    assert kernel.products == len(wanted)


@every_layer
def test_a_cell_is_loaded_once_where_sums_wait(name):
    kernel = kernel_of(name)
    assert len(kernel.loaded) == kernel.read_stride
    assert kernel_of(name, carries=False).earlier == 0


@pytest.mark.parametrize(
    ("name", "sums", "alone"),
    [("3x3", 3, 1), ("a stride", 2, 1), ("a stride beyond the kernel", 1, 1), ("gaps", 4, 1), ("phases", 10, 4),
     ("one axis", 7, 1)],
)  # fmt: skip
def test_sums_that_wait(name, sums, alone):
    assert waiting(kernel_of(name)) == sums
    assert waiting(kernel_of(name, carries=False)) == alone


@pytest.mark.parametrize(("channels", "cells"), [(144, 128), (96, 64), (64, 32), (100, 128), (256, 8), (1024, 2)])
def test_an_op_has_as_many_cells_as_their_lines_find_room_for(channels, cells):
    """Of 3x3: three lines that are read and one that is written, for each."""
    axes = layout_of(layer("conv", (56, 56), 3, {"padding": 1}, channels), True).axes[-2:]
    assert cells_at_once.together(*axes) == cells


@pytest.mark.parametrize(
    ("fine", "kernel", "window", "channels", "chosen"),
    [
        ((56, 56), 3, {"padding": 1}, 144, True),  # several tiles
        ((112, 112), 3, {"stride": 2, "padding": 1}, 96, True),
        ((56, 56), 3, {"padding": 1}, 256, True),
        ((56, 56), 3, {"padding": 1}, 512, False),  # pixels in two sets of the cache
        ((56, 56), 3, {"padding": 1}, 15, False),  # not a vector
        ((56, 56), 3, {"padding": 1}, 17, True),
        ((56, 56), 7, {"padding": 3}, 64, False),  # more weights than registers
        ((14, 14), 3, {"stride": 2, "padding": 1}, 64, True),  # 6 of 7 results of a row are within
        ((14, 14), 5, {"padding": 2}, 64, False),  # 10 of 14
    ],
)
def test_which_layers(fine, kernel, window, channels, chosen):
    assert schedule_of(layer("conv", fine, kernel, window, channels)).at_once == chosen


@pytest.mark.parametrize(
    ("isa", "dilation", "carries"), [("avx512", 1, True), ("avx512", 12, False), ("avx2", 1, True), ("avx2", 3, False)]
)
def test_sums_wait_where_there_are_registers(isa, dilation, carries):
    window = {"padding": dilation, "dilation": dilation}
    schedule = schedule_of(layer("conv", (56, 56), 3, window, 48), isa)
    assert schedule.at_once
    assert schedule.carries == carries


@pytest.mark.parametrize(
    ("isa", "dtype", "whole"),
    [("avx512", "float32", True), ("avx512", "float64", True), ("avx2", "float32", False), ("neon", "float64", False)],
)
def test_only_whole_lines_go_past_the_caches(isa, dtype, whole):
    """A part of a line would go there by itself: the other parts are a row of cells away."""
    for size, large in ((320, True), (56, False)):
        schedule = schedule_of(layer("conv", (size, size), 3, {"padding": 1}, 32, dtype), isa)
        kernels = [kernel for kernel in schedule.code.kernels if isinstance(kernel, AtOnce)]
        assert {kernel.streaming for kernel in kernels} == {whole and large}


@every_layer
def test_rows_of_x_are_those_that_the_axis_before_reads(name):
    before = layout_of(layer(*LAYERS[name]), True).axes[-2]
    assert len(kernel_of(name).sources) == len(by_shift(before))
