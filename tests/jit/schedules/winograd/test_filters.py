"""What minimal filtering does along an axis, and which filters a problem gets."""

import pytest
from running import problem_of

from tconv import Axis, Geometry
from tconv.jit.machine import isa
from tconv.jit.schedules.axes import LoopAxis
from tconv.jit.schedules.layouts import layout_of
from tconv.jit.schedules.winograd import filters, sizes
from tconv.jit.schedules.winograd.axis import filtered, in_tiles

pytestmark = pytest.mark.quick

AVX512 = isa.ISAS["avx512"]


def line_of(axis, operation="conv"):
    """An axis as the engine sees it."""
    geometry = Geometry((Axis.conv_transpose(1, 1), axis))
    return layout_of(problem_of(geometry, batch=1, operation=operation), False).axes[-1]


def links(axis):
    """(coarse cell, fine cell, tap) that the definition joins."""
    for c in range(axis.coarse):
        for t in range(axis.kernel):
            o = c * axis.stride + t * axis.dilation - axis.padding[0]
            if 0 <= o < axis.fine:
                yield c, o, t


def reads(axis, position):
    """Of a position that is written, the (cell, tap) that the filters of an axis multiply."""
    tile, rest = divmod(position, axis.written)
    result, b = divmod(rest, axis.stride)
    i, of_bank = divmod(result, len(axis.bank.filters))
    phase, (before, taps) = axis.phases[b], axis.bank.filters[of_bank]
    first = (tile + phase.slot) * axis.outputs * axis.apart + axis.areas[phase.area]
    columns = range(sum(taps for _, taps in axis.bank.filters[:of_bank]), axis.bank.taps)[:taps]
    for place, tap in enumerate(axis.kernels[phase.weights]):
        segment, column = divmod(place, axis.bank.taps)
        if tap >= 0 and column in columns:
            cell = segment * axis.step * axis.outputs + before + i + column - columns.start
            yield first + cell * axis.apart, tap


CASES = [
    (Axis.conv(11, 3, padding=1), "conv", (2, 3)),
    (Axis.conv(11, 3, padding=1), "conv", (1, 1)),
    (Axis.conv(30, 7, padding=(0, 5)), "conv", (2, 2)),
    (Axis.conv(30, 11, padding=5), "conv", (2, 4)),
    (Axis.conv(40, 3, padding=3, dilation=3), "conv", (4, 3)),
    (Axis.conv(40, 3, padding=3, dilation=3), "conv", (1, 1)),
    (Axis.conv_transpose(9, 3, padding=1), "conv_transpose", (4, 3)),
    (Axis.conv_transpose(9, 4, stride=2, padding=1), "conv_transpose", (2, 2)),
    (Axis.conv_transpose(9, 3, stride=2, padding=1), "conv_transpose", (3, 2)),
    (Axis.conv_transpose(9, 3, stride=2, padding=(0, -1)), "conv_transpose", (4, 2)),
    (Axis.conv_transpose(9, 5, stride=2, padding=2), "conv_transpose", (2, 3)),
    (Axis.conv_transpose(9, 5, stride=2, padding=2), "conv_transpose", (2, 2)),
    (Axis.conv_transpose(9, 5, stride=3, padding=1), "conv_transpose", (2, 2)),
    (Axis.conv_transpose(9, 16, stride=4, padding=6), "conv_transpose", (2, 2)),
    (Axis.conv_transpose(9, 2, stride=3), "conv_transpose", (1, 1)),
    (Axis.conv_transpose(9, 3, stride=2, dilation=3), "conv_transpose", (1, 1)),
]


@pytest.mark.parametrize(("axis", "operation", "pair"), CASES)
def test_filters_multiply_what_the_definition_does(axis, operation, pair):
    found = filtered(line_of(axis, operation), *pair)
    written, read = (axis.coarse, axis.fine) if operation == "conv" else (axis.fine, axis.coarse)
    for position in range(written):
        exist = {(cell, tap) for cell, tap in reads(found, position) if 0 <= cell < read}
        if operation == "conv":
            wanted = {(o, t) for c, o, t in links(axis) if c == position}
        else:
            wanted = {(c, t) for c, o, t in links(axis) if o == position}
        assert exist == wanted, position


@pytest.mark.parametrize(("axis", "operation", "pair"), CASES)
def test_all_that_is_read_lies_within_the_cells_of_the_tiles(axis, operation, pair):
    line = line_of(axis, operation)
    found, tiles = filtered(line, *pair), len(in_tiles(line, *pair).span())
    cells = range(found.first, found.first + found.cells(tiles))
    assert all(cell in cells for position in range(line.written) for cell, _ in reads(found, position))


@pytest.mark.parametrize(("axis", "operation", "pair"), CASES)
def test_segments_beyond_those_of_a_phase_have_no_tap(axis, operation, pair):
    found = filtered(line_of(axis, operation), *pair)
    for phase in found.phases:
        kernel = found.kernels[phase.weights]
        assert all(tap < 0 for tap in kernel[phase.segments * found.bank.taps :])
        last = kernel[(phase.segments - 1) * found.bank.taps :][: found.bank.taps]
        assert phase.segments == 1 or any(tap >= 0 for tap in last)


def test_phases_of_unequal_taps_share_their_cells():
    found = filtered(line_of(Axis.conv_transpose(9, 3, stride=2, padding=1), "conv_transpose"), 4, 2)
    assert (found.points, found.bank.cells, found.written, len(found.phases)) == (9, 5, 8, 1)


def choice(kernel, channels=(64, 64), size=(56, 56), last=True, operation="conv", **window):
    problem = problem_of(getattr(Geometry, operation)(size, kernel, **window), batch=1, cin=channels[0],
                         cout=channels[1], operation=operation)  # fmt: skip
    return filters.best(problem, layout_of(problem, last), AVX512)


def test_a_kernel_of_three_by_three_takes_a_quarter_of_the_products():
    assert choice(3, padding=1)[1:] == ((4, 4), (3, 3))
    assert 2.5 < choice(3, padding=1).gain < 4


def test_a_long_kernel_is_cut_into_segments():
    assert choice(11, size=(3840,), padding=5)[1:] == ((1, 4), (1, 4))


@pytest.mark.parametrize(("kernel", "stride", "outputs"), [(3, 2, 4), (5, 2, 4), (5, 3, 3)])
def test_a_bank_has_so_many_points_at_most(kernel, stride, outputs):
    found = choice(kernel, (96, 96), (60, 60), stride=stride, padding=1, operation="conv_transpose")
    assert found.gain > 1.2
    assert found.outputs == (outputs, outputs)


def test_three_taps_at_stride_two_need_many_channels():
    gains = [choice(3, (n, n), stride=2, padding=1, operation="conv_transpose").gain for n in (8, 256)]
    assert gains[0] < filters.WORTH < gains[1] < 1.78


@pytest.mark.parametrize("last", [False, True])
def test_weights_that_are_many_are_read_once_for_a_small_picture(last):
    def made(channels, size):
        problem = problem_of(Geometry.conv((size, size), 3, padding=1), batch=1, cin=channels, cout=channels,
                             operation="conv")  # fmt: skip
        return sizes.make(problem, layout_of(problem, last), AVX512, (4, 4), (3, 3))

    many, few = made(512, 14), made(128, 56)
    assert many.weights >= sizes.MANY > few.weights
    assert (many.cache_block, few.cache_block[1]) == ((1, 4, 4), 2)  # all tiles at once, and two rows of fourteen
    assert sizes.POINTS < many.area <= sizes.POINTS_OF_MANY
    assert few.area <= sizes.POINTS


def test_few_channels_gain_nothing():
    assert choice(3, channels=(64, 1), padding=1).gain < filters.WORTH
    assert choice(3, channels=(1, 64), padding=1).gain < filters.WORTH


@pytest.mark.parametrize(("kernel", "window"), [(1, {}), (3, {"stride": 2, "padding": 1})])
def test_what_has_one_tap_or_a_stride_is_not_filtered(kernel, window):
    assert choice(kernel, **window) == filters.Choice(0.0, filters.NONE, filters.NONE)


def test_points_are_limited():
    for taps in range(2, 20):
        for outputs, of_filter in filters.candidates(LoopAxis(99, 99, taps, 1, -1, 0, 4, 4)):
            assert outputs + of_filter - 1 <= filters.MOST
