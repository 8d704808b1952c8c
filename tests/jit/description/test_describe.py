"""Schedules in words and numbers: what is counted is what the kernels do, and what is said is what is counted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from strategies import GEOMETRIES

import tconv
from tconv import Geometry
from tconv.jit import engine, kernels
from tconv.jit.choice import choose, expected, model
from tconv.jit.description.describe import assumed, counted, describe, text
from tconv.jit.description.description import Ceiling
from tconv.jit.kernels.winograd import WinogradInput, WinogradOutput
from tconv.jit.machine import isa
from tconv.jit.machine.ir import Module
from tconv.jit.programs.count import PRODUCTS, count
from tconv.jit.schedules.layouts import layout_of
from tconv.jit.schedules.pixels.schedule import PixelSchedule
from tconv.jit.schedules.registry import KINDS, program_of
from tconv.problem import Problem

AVX512, AVX2 = isa.ISAS["avx512"], isa.ISAS["avx2"]
up = Geometry.conv_transpose


def problem(geometry, cin=8, cout=16, groups=1, batch=2, dtype="float32", operation="conv_transpose"):
    return Problem(operation, geometry, batch, cin, cout, groups, dtype)


def offered(given, channels_last, target=AVX512):
    """The schedule of each kind that can serve a problem."""
    made = [kind.make() for kind in model.offered(given, channels_last, target)]
    filtered = model.by_filter(given, channels_last, target)
    return {schedule.kind: schedule for schedule in (*made, *([filtered] if filtered else []))}


SQUARE = problem(up((16, 32), 2, stride=2))
PADDED = problem(up((5, 9), 3, stride=2, padding=1), 3, 5)
DEPTHWISE = problem(up((6, 32), 4, stride=2, padding=1), 16, 16, 16)
FILTERED = problem(up((16, 32), 3, padding=1), 32, 48)
GIVEN = {"square": SQUARE, "padded": PADDED, "depthwise": DEPTHWISE, "filtered": FILTERED}
GIVEN |= {
    f"{name}, {operation}": replace(given, operation=operation)
    for name, given in GIVEN.items()
    for operation in ("conv", "weight_gradient")
}
EVERY = [
    pytest.param(schedule, target, id=f"{target.name}-{name}-{'last' if last else 'first'}-{kind}")
    for target in isa.ISAS.values()
    for name, given in GIVEN.items()
    for last in (False, True)
    for kind, schedule in offered(given, last, target).items()
]
every_schedule = pytest.mark.parametrize(("schedule", "target"), EVERY)


def test_every_kind_is_among_them():
    assert {case.values[0].kind for case in EVERY} == set(KINDS)


# ---- counting


@pytest.mark.parametrize(
    ("given", "channels_last", "kind"),
    [
        (SQUARE, False, "pixels"),
        (SQUARE, False, "channels"),
        (SQUARE, True, "channels"),
        (problem(up(1, 16), 8, 4, batch=8), False, "phases"),
        (problem(up(1, 16), 8, 4, batch=8), True, "phases"),
        (problem(up((6, 32), 2, stride=2), 16, 16, 16), False, "planes"),
        (problem(up((6, 32), 2, stride=2), 16, 16, 16), True, "depthwise"),
        (problem(up((16, 32), 2, stride=2), 16, 8, operation="conv"), False, "pixels"),
        (problem(up((16, 32), 2, stride=2), 16, 8, operation="conv"), False, "channels"),
        (problem(up((16, 32), 2, stride=2), 16, 8, operation="conv"), True, "channels"),
        (problem(up(1, 16), 16, 4, batch=8, operation="conv"), False, "channels"),
        (problem(up((6, 32), 2, stride=2), 16, 16, 16, operation="conv"), False, "planes"),
        (problem(up((6, 32), 2, stride=2), 16, 16, 16, operation="conv"), True, "depthwise"),
        (problem(up((16, 32), 2, stride=2), 16, 9, operation="weight_gradient"), False, "gradient"),
        (problem(up((16, 32), 2, stride=2), 16, 9, operation="weight_gradient"), True, "gradient"),
        (problem(up(1, 16), 16, 4, batch=8, operation="weight_gradient"), False, "gradient"),
        (problem(up((6, 32), 2, stride=2), 16, 16, 16, operation="weight_gradient"), False, "depthwise gradient"),
        (problem(up((6, 32), 2, stride=2), 16, 16, 16, operation="weight_gradient"), True, "depthwise gradient"),
    ],
)
def test_where_lanes_are_full_and_every_tap_lands_all_that_is_executed_is_of_use(given, channels_last, kind):
    said = describe(offered(given, channels_last)[kind], AVX512)
    assert (said.executed, said.wasted) == (given.work.flops, 0)


def test_empty_lanes_are_counted():
    one = problem(up((16, 32), 2, stride=2), 8, 1)
    assert describe(offered(one, False)["channels"], AVX512).executed == 16 * one.work.flops
    half = problem(up((6, 32), 2, stride=2), 8, 8, 8)
    assert describe(offered(half, True)["depthwise"], AVX512).executed == 2 * half.work.flops


def test_parts_of_the_input_channels_are_all_counted():
    whole = offered(SQUARE, False)["channels"]
    assert counted(replace(whole, part=3), 1).products == counted(whole, 1).products


@every_schedule
def test_what_is_executed_holds_what_is_of_use(schedule, target):
    said = describe(schedule, target)
    assert said.flops == schedule.posed.work.flops
    assert (said.flops <= said.executed) == KINDS[schedule.kind].exact  # minimal filtering takes fewer
    assert said.executed % (2 * schedule.lanes) == 0


@every_schedule
def test_the_count_does_not_depend_on_how_work_is_split(schedule, target):
    alone, shared = counted(schedule, 1).products, count(program_of(schedule, 3)).products
    if getattr(schedule, "flat", False):  # smaller chunks for several threads end their last tiles elsewhere
        assert 2 * shared * schedule.lanes >= schedule.posed.work.flops
    else:
        assert shared == alone


@every_schedule
def test_the_kernels_that_are_counted_are_those_that_multiply(schedule, target):
    for kernel in schedule.code.kernels:
        module = Module(target)
        kernels._EMIT[type(kernel)](module, "kernel", kernel)
        multiplies = any(word in str(module) for word in ("llvm.fma", "fmul"))
        if isinstance(kernel, WinogradInput | WinogradOutput):
            continue  # additions, and multiplications by what points are
        assert multiplies == (type(kernel) in PRODUCTS), kernel


# ---- describing


@every_schedule
def test_a_description_says_what_the_program_needs(schedule, target):
    said, program = describe(schedule, target), program_of(schedule, 1)
    assert (said.packed, said.scratch, said.tables) == (program.packed, program.scratch, program.words.nbytes)
    assert (said.panel, said.block, said.cache_block) == (schedule.panel, schedule.block, schedule.cache_block)
    assert said.panel + said.block + said.cells <= said.scratch
    assert said.cells == schedule.cells
    assert said.in_place == (said.panel == 0)
    assert said.direct == (said.block == 0)
    assert 0 < said.tile.sums <= said.tile.registers == target.registers
    assert 0 < said.share <= 1 if KINDS[schedule.kind].exact else said.share is None
    work = schedule.posed.work
    assert said.first == expected.first(program.words.nbytes) >= 1e-3
    assert (said.bytes, said.intensity) == (work.bytes, work.flops / work.bytes)


@every_schedule
def test_a_description_is_text_and_json(schedule, target):
    said = describe(schedule, target)
    names = [line.split()[0] for line in str(said).splitlines()[1:]]
    arrays = {"conv_transpose": "xy", "conv": "yx", "weight_gradient": "yxw"}[schedule.posed.operation]
    rest = ["memory", "flops", "bytes", "roofline", *(["expected"] if KINDS[schedule.kind].exact else [])]
    assert names == ["lanes", "tile", "chunk", "loops", *arrays, *rest]
    assert (said.read, said.written) == (arrays[0], arrays[-1])
    read = json.loads(json.dumps(said.to_dict()))
    assert read["tile"]["sums"] == said.tile.sums
    assert read["roofline"] == said.roofline == min(said.ceiling.peak, said.intensity * said.ceiling.bandwidth)


@pytest.mark.quick
def test_the_text():
    given = problem(up((16, 32), 4, stride=2, padding=1), 16, 8)
    schedule = PixelSchedule(given, layout_of(given, False), 16, 6, 2, 1, (1, 8, 32), False)
    lines = str(describe(schedule, AVX512, ceiling=Ceiling(200e9, 10e9, measured=True))).splitlines()
    memory = next(line for line in lines if line.startswith("  memory"))
    lines.remove(memory)
    assert memory.startswith("  memory    packed weights 8.")
    assert lines[:7] == [
        "pixels in lanes, avx512, 1 thread",
        "  lanes     pixels: vectors run along the last axis of both grids, weights are broadcast",
        "  tile      32 pixels x 4 channels x 2 phases, 2 vectors wide: sums in 16 of 32 registers",
        "  chunk     1x8x32 of 2x16x32 q, the batch first; 4 pieces of work for threads",
        "  loops     chunk > phases and rows > pixels > output channels > rows of x and their taps > input channels",
        f"  x         copied into a panel of {schedule.panel / 1024:.1f} KiB",
        "  y         written from registers",
    ]
    # Rows beside x are left out, columns are not: 62 and 126 pairs of a cell and a tap land, 62 and 128 are computed.
    assert (given.work.flops, 2 * 2 * 16 * 8 * 62 * 128) == (3_999_744, 4_063_232)
    assert lines[7:10] == [
        "  flops     3,999,744 of use, 4,063,232 executed (1.6% in vain)",
        "  bytes     204,800 at least: 19.5 flops each",
        "  roofline  195 GFLOP/s (measured): 10.0 GB/s x 19.5 flops; the peak is 200",
    ]


def test_where_memory_does_not_limit_the_roofline_is_the_peak():
    ceiling = Ceiling(1e9, 1e12, measured=True)
    said = describe(offered(SQUARE, False)["pixels"], AVX512, ceiling=ceiling)
    assert said.roofline == 1e9
    assert "  roofline  1 GFLOP/s (measured): the peak" in str(said).splitlines()


def test_the_expectation_is_no_more_than_what_is_of_use():
    one = problem(up((16, 32), 2, stride=2), 64, 1)
    said = describe(offered(one, False)["channels"], AVX512, ceiling=Ceiling(1e9, 1e12, measured=True))
    assert said.share <= 1 / 16


def test_what_is_assumed_grows_with_threads_and_lanes():
    one, two = assumed(16), assumed(16, 2)
    assert (two.peak, two.bandwidth) == (2 * one.peak, 2 * one.bandwidth)
    assert assumed(8).peak == one.peak / 2
    assert not one.measured


def test_the_text_of_a_schedule_is_for_the_processor_in_use(monkeypatch):
    for name in isa.available():
        target = isa.ISAS[name]
        monkeypatch.setenv("TCONV_ISA", name)
        for schedule in offered(PADDED, False, target).values():
            assert text(schedule) == str(describe(schedule, target))


def test_of_an_unknown_processor_nothing_is_said_about_registers_and_speed(monkeypatch):
    schedule = offered(SQUARE, False)["pixels"]
    monkeypatch.setenv("TCONV_ISA", "no such thing")
    said = text(schedule)
    assert said.startswith("pixels in lanes, vectors of 16, 1 thread\n")
    assert "registers\n" in said
    assert "of 32 registers" not in said
    assert "expected" not in said


@pytest.mark.skipif(not isa.available(), reason="no kernels are generated for this processor")
def test_of_a_problem_as_the_engine_would_compute_it():
    large = problem(up((64, 64), 4, stride=2, padding=1), 64, 64)
    said = engine.described(large, False, threads=1)
    assert said == describe(choose.choose(large, False, isa.current()), isa.current())
    assert engine.described(large, False, threads=2).threads == 2
    tconv.set_num_threads(3)
    try:
        assert engine.described(large, True).threads == engine.ready(large, True).threads
    finally:
        tconv.set_num_threads(None)


@pytest.mark.parametrize("channels_last", [False, True], ids=["channels_first", "channels_last"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_geometry_is_described(geometry, channels_last):
    """Also those where no tap lands, which cost nothing."""
    for target in (AVX512, isa.ISAS["baseline"]):
        for groups in (1, 4):
            given = problem(geometry, 4, 8, groups)
            for schedule in offered(given, channels_last, target).values():
                said = describe(schedule, target)
                assert said.flops == given.work.flops <= said.executed
                assert (said.share is None) == (said.flops == 0)
                assert len(said.lines()) > 10


# ---- TCONV_DEBUG=plan


@pytest.mark.skipif(not isa.available(), reason="no kernels are generated for this processor")
def test_the_plan_is_printed_once(monkeypatch, capsys):
    engine.forget()
    monkeypatch.setenv("TCONV_DEBUG", "plan")
    x, w = np.ones((1, 4, 5, 6), np.float32), np.ones((4, 2, 2, 2), np.float32)
    for _ in range(2):
        tconv.conv_transpose(x, w, stride=2, groups=2, method="jit")
    out, err = capsys.readouterr()
    assert out == ""
    first, *rest = err.splitlines()
    assert first == (
        "conv_transpose, batch 1, channels 4 -> 4, groups 2, float32, channels first: "
        "fine 10x12 <-> coarse 5x6: kernel 2, stride 2, padding 0"
    )
    made = engine.ready(problem(up((5, 6), 2, stride=2), 4, 4, 2, 1), False)
    said = describe(made.schedule, isa.current(), threads=made.threads, counts=count(made.program))
    assert rest == str(said).splitlines()
