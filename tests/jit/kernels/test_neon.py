"""NEON in the innermost loops: sums in registers, scalars as lanes of vectors, no more instructions than needed."""

import re

import pytest
from registry import needs_kernels
from running import problem_of
from test_assembly import LAYERS, computing, count, functions, innermost_loops, straight, texts

import tconv
from tconv.bench.layers import public
from tconv.jit.choice import model
from tconv.jit.kernels import linking
from tconv.jit.kernels.channels import Channels
from tconv.jit.kernels.pixels import Pixels
from tconv.jit.kernels.planes import Planes
from tconv.jit.machine import isa
from tconv.jit.machine.ir import BYTES, Module, Vector
from tconv.jit.schedules import layouts
from tconv.jit.schedules.channels import sizes as channels_sizes
from tconv.problem import OPERATIONS

pytestmark = needs_kernels

NEON = isa.ISAS["neon"]
MULTIPLY_ADD, FROM_STACK = r"^fml[as]\tv", r"^ld[rp]\t[qd]\d+,.*\[sp"
BY_LANE, INTO_ALL_LANES = r"^fml[as]\tv.*\.[sd]\[\d\]$", r"^(ld1r|dup)\t"


def loops(kernel):
    """The innermost loops of a kernel that multiply; those of planes hold branches, and are taken in pieces."""
    body = functions(linking.assembly(kernel, NEON))["kernel"]
    found = straight(body) if isinstance(kernel, Planes) else innermost_loops(body)
    return [part for part in found if count(MULTIPLY_ADD, part)]


@pytest.mark.parametrize("channels_last", [False, True], ids=["channels_first", "channels_last"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_sums_stay_in_registers(name, operation, channels_last):
    layer = public()[name]
    sizes = {"batch": layer.batch, "cin": layer.in_channels, "cout": layer.out_channels, "groups": layer.groups}
    schedule = model.by_model(problem_of(layer.geometry, **sizes, operation=operation), channels_last, NEON)
    kernels = [kernel for kernel, _ in computing(texts(schedule.code, NEON))]
    assert kernels
    assert not [kernel for kernel in kernels for loop in loops(kernel) if count(FROM_STACK, loop)]


def test_a_sum_on_the_stack_would_be_seen():
    """Of one pixel too many."""
    assert any(count(FROM_STACK, loop) for loop in loops(Channels("float", 4, 10, 3, 4, 4)))


@pytest.mark.parametrize(("element", "lanes"), [("float", 4), ("double", 2)])
@pytest.mark.parametrize(
    ("pixels", "pixel", "loads"),
    [(8, 1, 8), (9, 1, 9), (8, 2, 8), (8, 17, 8)],
    ids=["side by side", "odd", "two", "far"],
)
def test_x_is_multiplied_by_lanes(element, lanes, pixels, pixel, loads):
    """Side by side a vector of x serves as many pixels as it has lanes; no load takes the place of a multiply-add."""
    [loop] = loops(Channels(element, lanes, pixels, 3, pixel * BYTES[element], lanes))
    assert count(MULTIPLY_ADD, loop) == count(BY_LANE, loop) == 3 * pixels
    assert not count(INTO_ALL_LANES, loop)
    of_x = loads if pixel > 1 else -(-loads // lanes)
    assert count(r"^ldp\t[qds]", loop) * 2 + count(r"^ldu?r\t[qds]", loop) == 3 + of_x


def test_weights_of_pixels_are_lanes():
    """Four loads for 14 weights, and two for x."""
    stage = ((0, ((0, 0), (0, 1))),)
    [loop] = loops(Pixels("float", 4, 7, 2, 1, 2, (stage,)))
    assert count(BY_LANE, loop) == 28
    assert count(r"^ldp\tq", loop) * 2 + count(r"^ldu?r\t[qd]", loop) == 6
    assert len(loop) <= 40


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("element", ["float", "double"])
def test_scalars_side_by_side_are_loaded_and_nothing_beside_them(name, element):
    target, size = isa.ISAS[name], BYTES[element]
    v = Vector(element, target.lanes(size))
    for number in range(1, 20):
        f = Module(target).function("f", [("ptr", "p")])
        assert len(list(f.broadcasts(v, "%p", number))) == number
        text, read, last = str(f), set(), {"%p": 0}
        for name_, base, offset in re.findall(r"(\S+) = getelementptr i8, ptr (\S+), i64 (\d+)", text):
            last[name_] = last[base] + int(offset)
        for wide, pointer in re.findall(r"= load (<\d+ x \w+>|float|double), ptr (\S+),", text):
            lanes = int(re.search(r"\d+", wide)[0]) if wide.startswith("<") else 1
            read |= {last[pointer] + size * lane for lane in range(lanes)}
        assert read == {size * n for n in range(number)}


@pytest.mark.parametrize(("kernel", "masked"), [(16, False), (15, True)])
def test_only_kernels_with_masked_taps_have_a_loop_for_them(kernel, masked):
    """Phases that some shift does not reach are masked: those of a kernel that is no multiple of the stride."""
    problem = problem_of(tconv.Geometry.conv_transpose(64, kernel, stride=8, padding=4), cin=64, cout=64)
    for kind in ("phases", "channels"):
        schedule = channels_sizes.make(problem, layouts.layout_of(problem, False), NEON, kind)
        kernels = [part for part in schedule.code.kernels if isinstance(part, Channels)]
        assert kernels
        assert {len(loops(part)) for part in kernels} == {1 + (masked and kind == "phases")}
