"""The interpreted program: it is the definition of a transposed convolution, and generated code does the same."""

from dataclasses import replace
from functools import lru_cache
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreting import TOLERANCE, check, interpreted, posed
from running import Ready, arrays, problem_of
from schedule_cases import CASES, EVERY_CASE
from strategies import GEOMETRIES, engine_problems

import tconv
from tconv.jit.choice import model
from tconv.jit.choice.search import allowed, variations
from tconv.jit.kernels import Kernel
from tconv.jit.kernels.finish import Finish
from tconv.jit.kernels.winograd import WinogradInput, WinogradOutput
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa
from tconv.jit.reference.interpret import pack
from tconv.jit.reference.meaning import MEANINGS
from tconv.jit.schedules.channels import schedule as channels
from tconv.jit.schedules.channels import sizes as channels_sizes
from tconv.jit.schedules.gradient import schedule as gradient
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.jit.schedules.registry import program_of
from tconv.problem import OPERATIONS

#: No processor is needed for any of them.
TARGETS = tuple(isa.ISAS)
#: (Cin, Cout, groups): one group; several; depthwise; depthwise with a multiplier.
CHANNELS = ((3, 5, 1), (4, 6, 2), (3, 3, 3), (2, 4, 2))


def test_every_kernel_has_a_meaning():
    assert set(MEANINGS) == set(get_args(Kernel))


# ---- against the definition


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("number", range(len(GEOMETRIES)), ids=[param.id for param in GEOMETRIES])
def test_equals_the_definition(number, target):
    """Every kind that can serve a problem; the targets take turns with the channels and the layouts."""
    [geometry] = GEOMETRIES[number].values
    turn = number + TARGETS.index(target)
    cin, cout, groups = CHANNELS[turn % len(CHANNELS)]
    channels = {"cin": cin, "cout": cout, "groups": groups}
    for place, operation in enumerate(OPERATIONS, turn // len(CHANNELS) + TARGETS.index(target)):
        problem = problem_of(geometry, "float64", **channels, operation=operation)
        for kind in model.offered(problem, place % 2 == 1, isa.ISAS[target]):
            check(problem, kind.make())


@pytest.mark.parametrize(("case", "channels_last"), EVERY_CASE)
def test_every_way_through_the_schedules(case, channels_last):
    """The cases take turns with the targets, so that each of these sees every kind of schedule."""
    target = TARGETS[EVERY_CASE.index((case, channels_last)) * 3 // 2 % len(TARGETS)]
    for schedule in CASES[case].schedules("float64", channels_last, isa.ISAS[target]):
        check(CASES[case].problem("float64"), schedule)


@pytest.mark.parametrize("groups", [1, 2], ids=["dense", "depthwise"])
@pytest.mark.parametrize("target", TARGETS)
def test_sizes_around_whole_vectors(target, groups):
    """Rows and channels just below, at and above them, in tiles of one vector and of as many as are ever tried."""
    target = isa.ISAS[target]
    lanes = target.lanes(8)
    for size in (lanes - 1, lanes, lanes + 1, 2 * lanes + 1):
        of_x_and_y = {"cin": 2, "cout": size if groups == 1 else 2, "groups": groups}
        problem = problem_of(tconv.Geometry.conv_transpose((2, size), 2, stride=(2, 1)), "float64", **of_x_and_y)
        for schedule in (kind.make() for kind in model.offered(problem, False, target)):
            for vectors in (1, schedule.vectors, 4):
                other = replace(schedule, vectors=vectors)
                if allowed(other, target):
                    check(problem, other)


@pytest.mark.parametrize("target", TARGETS)
def test_small_caches_cut_chunks(target, monkeypatch):
    for module, name, size in (
        (pixels, "PANEL", 2048),
        (channels_sizes, "PANEL", 4096),
        (channels_sizes, "BLOCK", 2048),
    ):
        monkeypatch.setattr(module, name, size)
    problem = problem_of(tconv.Geometry.conv_transpose((3, 19), 3, stride=2, padding=1), "float64", cin=7, cout=5)
    for channels_last in (False, True):
        schedules = [kind.make() for kind in model.offered(problem, channels_last, isa.ISAS[target])]
        assert any(schedule.cache_block[-1] < 19 for schedule in schedules)
        for schedule in schedules:
            check(problem, schedule)


@pytest.mark.parametrize("target", TARGETS)
def test_weights_that_do_not_stay_near_take_one_tap_of_the_outer_axes_after_the_other(target, monkeypatch):
    monkeypatch.setattr(channels, "NEAR", 256)
    geometry = tconv.Geometry.conv((9, 19), 3, padding=1)
    for groups in (1, 2):
        problem = problem_of(geometry, "float64", cin=10, cout=6, groups=groups, operation="conv")
        made = [kind.make() for kind in model.offered(problem, True, isa.ISAS[target])]
        [schedule] = [schedule for schedule in made if schedule.kind == "channels"]
        assert schedule.weights_exceed_cache
        check(problem, schedule)
        check(problem, replace(schedule, terms=7))


@pytest.mark.parametrize("target", TARGETS)
def test_small_caches_cut_chunks_of_a_weight_gradient(target, monkeypatch):
    for name, size in (("CELLS", 4096), ("PANEL", 2048), ("BLOCK", 8192), ("POSITIONS", 36), ("FEWEST", 4)):
        monkeypatch.setattr(gradient, name, size)
    geometry = tconv.Geometry.conv_transpose((3, 19), 3, stride=2, padding=1)
    problem = problem_of(geometry, "float64", cin=67, cout=7, operation="weight_gradient")
    for channels_last in (False, True):
        schedule = model.by_model(problem, channels_last, isa.ISAS[target])
        assert (schedule.cache_block[-1] < 19, schedule.outputs < 7, schedule.run_tiles < len(schedule.tiles)) == (
            True,
        ) * 3
        check(problem, schedule)


@pytest.mark.parametrize("target", TARGETS)
def test_chunks_that_meet_no_cell_of_x(target):
    """Fine cells far behind the last tap, one q a chunk: the panel holds zeros only."""
    geometry = tconv.Geometry.conv_transpose((2, 3), 2, padding=((0, -3), (0, -5)))
    problem = problem_of(geometry, "float64", cin=2, cout=3)
    for channels_last in (False, True):
        for schedule in (kind.make() for kind in model.offered(problem, channels_last, isa.ISAS[target])):
            rows = {"flat": False} if schedule.kind == "pixels" else {}
            # A chunk of taps in lanes is an image.
            cache_block = schedule.cache_block if schedule.kind == "taps" else (1, 1, 1)
            check(problem, replace(schedule, cache_block=cache_block, **rows))


@settings(max_examples=25)
@given(data=st.data())
def test_equals_the_definition_at_random(data):
    """Also where sizes are not those that the model chooses."""
    problem, target = data.draw(engine_problems(dtypes=["float64"])), isa.ISAS[data.draw(st.sampled_from(TARGETS))]
    for kind in model.offered(problem, data.draw(st.booleans()), target):
        schedule = kind.make()
        check(problem, schedule)
        others = variations(schedule, target)
        if others:
            check(problem, data.draw(st.sampled_from(others)))


def test_float32_is_computed_in_float32():
    problem = problem_of(tconv.Geometry.conv_transpose((5, 9), 3, stride=2), "float32")
    x, w, bias = arrays(problem)
    wanted = posed(replace(problem, dtype="float64"))[3]
    y = interpreted(problem, program_of(model.by_model(problem, False, isa.ISAS["neon"]), 1), False, x, w, bias)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
    assert not np.allclose(y, wanted, rtol=1e-12, atol=1e-12)


def test_without_a_bias_it_is_zero():
    problem = CASES["gaps that hold the bias"].problem("float64")
    x, w, bias, wanted = posed(problem)
    for schedule in CASES["gaps that hold the bias"].schedules("float64", False, isa.ISAS["avx2"]):
        y = interpreted(problem, program_of(schedule, 1), False, x, w, None)
        np.testing.assert_allclose(y, wanted - bias[:, None, None], **TOLERANCE)


# ---- generated code


@lru_cache(maxsize=1)
def one_of_each():
    """The first schedule for each set of kernels and each way through them.

    Targets that run here take turns.
    """
    found, names = {}, isa.available()
    for number, (case, channels_last) in enumerate(EVERY_CASE):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            for schedule in schedules_of(case, channels_last, name):
                found.setdefault((kernels_of(schedule), sort_of(schedule)), (case, schedule, isa.ISAS[name]))
    return list(found.values())


def schedules_of(case, channels_last, name):
    """Those of a case for a target."""
    return CASES[case].schedules("float64", channels_last, isa.ISAS[name])


def kernels_of(schedule):
    """The sorts of kernels it has."""
    return frozenset(type(kernel) for kernel in schedule.code.kernels)


def sort_of(schedule):
    """What may take another way through generated code."""
    flags = (
        bool(getattr(schedule, name, False)) for name in ("streaming", "on_the_fly", "at_once", "in_place", "fold")
    )
    return schedule.kind, schedule.layout.channels_last, *flags, schedule.last.read_stride > 1


needs_kernels = pytest.mark.skipif(bool(compiler.available()), reason=compiler.available() or "there are kernels")


#: Parts of `one_of_each`, which is not known before the tests run.
PARTS = 8


@needs_kernels
@pytest.mark.parametrize("part", range(PARTS))
def test_generated_code_does_the_same(part):
    for case, schedule, target in one_of_each()[part::PARTS]:
        problem = CASES[case].problem("float64")
        x, w, bias, _ = posed(problem)
        ready = Ready(problem, schedule, target, w, bias)
        if not (ready.program.on_the_fly or problem.operation == "weight_gradient"):
            # Where nothing is written, too: both begin with NaN.
            np.testing.assert_array_equal(ready.packed.view(np.float64), pack(ready.program, w, bias))
        y = interpreted(problem, ready.program, schedule.layout.channels_last, x, w, bias)
        np.testing.assert_allclose(ready(x), y, **TOLERANCE, err_msg=f"{case}: {schedule}")


@needs_kernels
def test_every_kernel_is_generated_for_that():
    """But that of epilogues, which `test_finish.py` has, and those of minimal filtering (`schedules/winograd/`)."""
    assert frozenset().union(*(kernels_of(schedule) for _, schedule, _ in one_of_each())) == set(MEANINGS) - {
        Finish,
        WinogradInput,
        WinogradOutput,
    }
