"""Results past the caches: which schedules write them so, and that what is written is right, however y lies."""

from dataclasses import replace

import numpy as np
import pytest
from engine_checks import check_numbers
from registry import needs_kernels
from running import ISAS as RUNNABLE
from running import problem_of

import tconv
from tconv.finishing import Epilogue
from tconv.jit.choice.model import offered
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.machine.isa import ISAS
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.channels import schedule as channels
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.jit.schedules.registry import program_of


def of_kind(kind, problem, target, *, last):
    """The schedule of a kind, by the sizes that the engine chooses."""
    [found] = [each for each in (offer.make() for offer in offered(problem, last, target)) if each.kind == kind]
    return found


def convolution(cin, cout, size, kernel=3, **more):
    """Stride 1, with results as large as what is read."""
    geometry = tconv.Geometry.conv(size, kernel, padding=kernel // 2)
    return problem_of(geometry, cin=cin, cout=cout, operation="conv", batch=1, **more)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("isa", "cin", "cout", "kernel", "size", "streams"),
    [
        ("avx512", 64, 3, 3, 256, True),  # a convolution writes what a layer calls in_channels: 3 -> 64
        ("avx512", 64, 3, 3, 64, False),  # the caches hold it
        ("avx512", 56, 3, 3, 256, False),  # pixels end within a line
        ("avx512", 64, 56, 3, 256, True),  # 504 terms
        ("avx512", 64, 57, 3, 256, False),  # 513: what was written would be read again
        ("avx2", 64, 3, 3, 256, False),  # lines are two vectors, and 27 terms enough to hide the caches
        ("avx2", 64, 3, 1, 256, True),
        ("avx2", 56, 3, 1, 256, False),
        ("avx2", 8, 3, 1, 1024, False),  # half of a line
    ],
)
def test_channels_of_whole_lines_and_few_terms(isa, cin, cout, kernel, size, streams):
    problem = convolution(cin, cout, (size, size), kernel)
    schedule = of_kind("channels", problem, ISAS[isa], last=True)
    assert schedule.streaming == streams
    assert {each.streaming for each in schedule.code.kernels if isinstance(each, Channels)} == {streams}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("size", "streams"),
    [((256, 256), True), ((256, 252), False), ((64, 64), False)],
    ids=["large", "rows end within a line", "small"],
)
@pytest.mark.parametrize("isa", ["avx512", "avx2", "baseline", "neon"])
def test_pixels_of_whole_lines(isa, size, streams):
    problem = convolution(64, 8, size)
    assert of_kind("pixels", problem, ISAS[isa], last=False).streaming == streams


@pytest.mark.quick
@pytest.mark.parametrize(("kind", "last"), [("channels", True), ("pixels", False)])
def test_what_is_finished_later_stays_in_the_caches(kind, last):
    schedule = of_kind(kind, convolution(64, 3, (256, 256)), ISAS["avx512"], last=last)
    computing = (Channels, Pixels)
    for epilogue, streams in ((None, True), (Epilogue("relu"), True), (Epilogue("gelu_tanh"), False)):
        code = program_of(schedule, 1, epilogue).code
        assert {each.streaming for each in code.kernels if isinstance(each, computing)} == {streams}


@pytest.fixture
def small(monkeypatch):
    """Results of a kilobyte are large."""
    monkeypatch.setattr(channels, "STREAM_FROM", 1 << 10)
    monkeypatch.setattr(pixels, "STREAM_FROM", 1 << 10)


@needs_kernels
@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("size", [(1, 32), (3, 16), (5, 47), (2, 64)])
def test_right_in_every_element(name, size, small):
    target = ISAS[name]
    for kind, last, cin in (("channels", True, 64), ("channels", True, 16), ("pixels", False, 5)):
        for cout, kernel in ((1, 1), (3, 3)):
            problem = convolution(cin, cout, size, kernel)
            check_numbers(problem, [of_kind(kind, problem, target, last=last)], target)


@needs_kernels
@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("channels", [16, 64, 144])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
def test_depthwise_right_in_every_element(name, channels, stride, operation, small):
    """All phases of cells at a time, and those at the ends of rows."""
    geometry, target = tconv.Geometry.conv((6, 40), 3, stride=stride, padding=1), ISAS[name]
    problem = problem_of(geometry, cin=channels, cout=channels, groups=channels, operation=operation, batch=1)
    schedule = of_kind("depthwise", problem, target, last=True)
    assert schedule.at_once
    assert schedule.streaming == (schedule.lanes * problem.itemsize == LINE)
    check_numbers(problem, [schedule], target)


@needs_kernels
@pytest.mark.parametrize("kind_last", [("channels", True), ("pixels", False)], ids=["channels", "pixels"])
def test_y_that_begins_within_a_line(kind_last, small):
    """Streaming stores fault there."""
    _, last = kind_last
    layout = "channels_last" if last else "channels_first"
    x = np.random.default_rng(0).standard_normal((1, 8, 32, 3) if last else (1, 3, 8, 32), dtype=np.float32)
    w = np.random.default_rng(1).standard_normal((64, 3, 3, 3), dtype=np.float32)
    op = tconv.Conv(w, padding=1, layout=layout)
    expected = op(x)
    for offset in (4, 16, 32):
        room = np.zeros(expected.nbytes + 128, np.uint8)
        start = -room.ctypes.data % 64 + offset
        y = room[start : start + expected.nbytes].view(np.float32).reshape(expected.shape)
        np.testing.assert_array_equal(op(x, out=y), expected)


@needs_kernels
@pytest.mark.parametrize("offset", [4, 16, 32])
def test_y_of_a_depthwise_layer_that_begins_within_a_line(offset, small):
    x = np.random.default_rng(0).standard_normal((1, 8, 32, 64), dtype=np.float32)
    w = np.random.default_rng(1).standard_normal((64, 1, 3, 3), dtype=np.float32)
    op = tconv.Conv(w, padding=1, groups=64, layout="channels_last")
    expected = op(x)
    room = np.zeros(expected.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + offset
    y = room[start : start + expected.nbytes].view(np.float32).reshape(expected.shape)
    np.testing.assert_array_equal(op(x, out=y), expected)


@pytest.mark.quick
def test_a_pixel_in_shared_lines_is_one_tile():
    """56 channels of float32 are 3.5 lines: two tiles would write the third one twice."""
    few, many = convolution(56, 1, (64, 64), 5), convolution(56, 64, (64, 64), 3)
    assert of_kind("channels", few, ISAS["avx512"], last=True).vectors == 4
    assert of_kind("channels", many, ISAS["avx512"], last=True).vectors < 4
    assert of_kind("channels", few, ISAS["avx2"], last=True).vectors <= 2


@pytest.mark.quick
def test_panel_has_room_for_rows_that_exist():
    """Taps of a small dilated grid reach 18 x 19 rows, 6 x 7 of which there are."""
    geometry = tconv.Geometry.conv((6, 7, 11), 4, padding=6, dilation=4)
    problem = problem_of(geometry, cin=32, cout=440, operation="conv", batch=1)
    schedule = of_kind("channels", problem, ISAS["avx512"], last=False)
    assert schedule.cache_block == tuple(map(len, schedule.spans))
    assert schedule.slots == (1, 6, 7)


@needs_kernels
@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_right_from_a_panel_of_rows_that_exist(name, operation, blocks):
    """In chunks that begin before x, within it and behind."""
    for stride, dilation, padding in ((1, 3, 3), (2, 2, 1), (1, 4, 0), (1, 2, 5)):
        fine = 12 if padding == 0 else 6
        geometry = tconv.Geometry.conv(
            (fine, 5 + 4 * (padding == 0), 9), 3, stride=stride, padding=padding, dilation=dilation
        )
        problem = problem_of(geometry, cin=9, cout=10, operation=operation, batch=1)
        schedule = of_kind("channels", problem, ISAS[name], last=False)
        block = tuple(-(-len(span) // blocks) for span in schedule.spans)
        check_numbers(problem, [replace(schedule, cache_block=block)], ISAS[name])
