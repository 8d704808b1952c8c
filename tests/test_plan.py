"""Plans: computed from shapes alone, cached, frozen, and readable."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from registry import EXACT, computes, every_method, needs_kernels

import tconv
from tconv.jit.choice import expected
from tconv.jit.machine import isa, loader
from tconv.methods import METHODS
from tconv.plan import Plan, planned

pytestmark = pytest.mark.quick

SHAPES = (1, 64, 32, 32), (64, 32, 4, 4)


def test_auto_picks_the_method_that_is_expected_to_be_fastest():
    plan = tconv.plan(*SHAPES, stride=2, padding=1)
    assert {candidate.method for candidate in plan.candidates} == set(METHODS)
    costs = {candidate.method: candidate.cost.seconds for candidate in plan.candidates if candidate.method in EXACT}
    assert costs[plan.method] == min(costs.values())
    assert plan.why == "the lowest expected time"


@every_method
def test_a_method_can_be_asked_for(method):
    plan = tconv.plan((1, 2, 4), (2, 3, 3), method=method)
    assert (plan.method, plan.why) == (method, "asked for by name")


def test_shapes_of_every_operation():
    up = tconv.plan(*SHAPES, stride=2, padding=1)
    assert up.result_shape == up.y_shape == (1, 32, 64, 64)
    down = tconv.plan(up.y_shape, up.w_shape, operation="conv", stride=2, padding=1)
    assert down.result_shape == down.x_shape == (1, 64, 32, 32)
    keywords = {"operation": "weight_gradient", "kernel_size": 4, "stride": 2, "padding": 1}
    assert tconv.plan(up.x_shape, up.y_shape, **keywords).result_shape == up.w_shape
    assert tconv.plan((32, 32, 64), SHAPES[1], layout="channels_last").result_shape == (35, 35, 32)


def test_arrays_stand_for_their_shape_and_dtype():
    x, w = np.ones((1, 2, 4), np.float16), np.ones((2, 3, 3), np.float16)
    plan = tconv.plan(x, w)
    assert (plan.dtype, plan.problem.dtype) == ("float16", "float32")
    assert plan == tconv.plan(x.shape, w.shape, dtype="float16")


def test_plans_are_frozen_hashable_and_cached():
    plan = tconv.plan(*SHAPES, stride=2)
    assert plan is tconv.plan(*SHAPES, stride=2)
    assert hash(plan) == hash(pickle.loads(pickle.dumps(plan)))
    assert copy.deepcopy(plan) == plan
    with pytest.raises(FrozenInstanceError):
        plan.method = "gemm"


def test_a_call_of_known_shapes_finds_its_plan():
    x, w = np.ones((1, 2, 9)), np.ones((2, 3, 3))
    tconv.conv_transpose(x, w, stride=[2])
    before = planned.cache_info()
    for stride in (2, (2,), [2], np.int64(2)):
        tconv.conv_transpose(x, w, stride=stride)
    after = planned.cache_info()
    assert after.hits > before.hits
    assert after.misses <= before.misses + 1  # stride 2 and stride (2,) are two keys


@needs_kernels
def test_what_is_set_anew_makes_another_plan(monkeypatch):
    """Expected times are those of the threads and the instructions in use."""
    shapes = (1, 64, 64, 64), (64, 64, 4, 4)

    def seconds():
        return {candidate.method: candidate.cost.seconds for candidate in tconv.plan(*shapes).candidates}

    try:
        tconv.set_num_threads(1)
        alone = seconds()
        tconv.set_num_threads(2)
        shared = seconds()
        tconv.set_num_threads(1)
        assert shared["jit"] < alone["jit"]
        assert seconds() == alone
        monkeypatch.setenv("TCONV_ISA", isa.available()[-1])
        assert seconds()["jit"] >= alone["jit"]
        assert (seconds() == alone) == (len(isa.available()) == 1)
    finally:
        tconv.set_num_threads(None)


@needs_kernels
def test_what_a_new_size_costs_counts_and_is_said(monkeypatch):
    plan = tconv.plan(*SHAPES, stride=2)
    assert any("the first one of a size 1." in line for line in str(plan).splitlines())
    assert plan.method == "jit"
    monkeypatch.setattr(expected, "NEW_SIZE", 1.0 * expected.CALLS)
    planned.cache_clear()
    again = tconv.plan(*SHAPES, stride=2)
    assert again.method != "jit"
    assert {c.method: c.cost.seconds for c in again.candidates}["jit"] == pytest.approx(1 + plan.cost.seconds, 1e-3)


def test_a_float_does_not_find_the_plan_of_the_integer_it_equals():
    x, w = np.ones((1, 2, 9)), np.ones((2, 3, 3))
    tconv.conv_transpose(x, w, stride=2, dilation=(1,))
    with pytest.raises(TypeError, match=r"stride must be an integer; got 2\.0 of type float"):
        tconv.conv_transpose(x, w, stride=2.0, dilation=(1,))
    with pytest.raises(TypeError, match=r"dilation\[0\] must be an integer; got True"):
        tconv.conv_transpose(x, w, stride=2, dilation=(True,))


def test_a_plan_prints_what_was_picked_and_why():
    lines = str(tconv.plan((1, 8, 4, 4), (8, 8, 2, 2), stride=2, groups=4, method="gemm")).splitlines()
    assert lines[:5] == [
        "conv_transpose by gemm: asked for by name",
        "  x (1, 8, 4, 4), w (8, 8, 2, 2), y (1, 32, 8, 8), groups 4, float32, channels_first",
        "  fine 8x8 <-> coarse 4x4: kernel 2, stride 2, padding 0",
        "  4,096 multiplications of use; zero insertion wastes 12,288 more",
        "  method             expected time    scratch memory",
    ]
    assert {line.split()[0] for line in lines[5:]} == set(METHODS)
    assert [line.split()[0] for line in lines[5:] if line.endswith("<")] == ["gemm"]


@needs_kernels
def test_a_plan_of_the_engine_prints_what_the_engine_does(monkeypatch):
    from tconv.jit import engine

    plan = tconv.plan(*SHAPES, stride=2, padding=1, method="jit")
    said = str(engine.described(plan.problem, False)).splitlines()
    shown = str(plan).splitlines()[5 + len(METHODS) :]
    assert shown[0] == f"  the engine: {said[0]}"
    assert shown[1] == (
        "    arrays    x and y are used in place where they are contiguous in channels_first; "
        "other strides are copied once"
    )
    assert shown[2:] == [f"  {line}" for line in said[1:]]


@needs_kernels
def test_a_plan_of_the_engine_prints_which_arrays_are_copied():
    half = str(tconv.plan(*SHAPES, stride=2, dtype="float16", method="jit")).splitlines()
    assert "    arrays    x and w are copied as float32, the result is rounded once" in half
    last = str(tconv.plan((32, 32, 64), SHAPES[1], stride=2, layout="channels_last", method="jit")).splitlines()
    assert any("where they are contiguous in channels_last; " in line for line in last)


@needs_kernels
def test_a_plan_of_the_engine_prints_where_there_is_none(monkeypatch):
    """Such as one that was made on another machine."""
    plan = tconv.plan(*SHAPES, stride=2, padding=1, method="jit")
    monkeypatch.setenv("TCONV_ISA", "sse9")
    assert "  the engine: TCONV_ISA must be one of " in str(plan)
    monkeypatch.setattr(
        "tconv.jit.machine.compile.available", lambda: "llvmlite is not installed: pip install llvmlite"
    )
    shown = str(plan).splitlines()[5 + len(METHODS) :]
    assert shown[0] == "  the engine: cannot generate kernels: llvmlite is not installed: pip install llvmlite"
    assert len(shown) == 2


@needs_kernels
def test_a_plan_asks_once_for_executable_memory(monkeypatch):
    asked, refusal = [], loader.refusal
    monkeypatch.setattr(loader, "refusal", lambda: asked.append("asked") or refusal())
    planned.cache_clear()
    tconv.plan(*SHAPES)
    assert asked == ["asked"]


@needs_kernels
def test_a_plan_without_images_prints():
    assert "the engine" not in str(tconv.plan((0, 2, 4), (2, 3, 3), method="jit"))


def test_a_method_without_the_memory_is_not_picked():
    shapes = (1, 1024, 28, 28), (1024, 512, 16, 16)
    plan = tconv.plan(*shapes, stride=2)
    matrix = next(candidate for candidate in plan.candidates if candidate.method == "matrix")
    assert matrix.excluded.startswith("needs ")
    assert f"  {matrix.excluded}" in str(plan)
    with pytest.raises(MemoryError, match=r'^plan: method "matrix" needs .* GiB of scratch memory; the result leaves '):
        tconv.plan(*shapes, stride=2, method="matrix")


def test_a_method_that_is_for_other_dtypes_is_shown_and_not_picked():
    shapes, window = ((1, 64, 32, 32), (1, 32, 66, 66)), {"kernel_size": 4, "stride": 2, "dtype": "int32"}
    plan = tconv.plan(*shapes, operation="weight_gradient", **window)
    assert plan.method != "jit"
    lines = [" ".join(line.split()) for line in str(plan).splitlines()]
    assert "jit inf s 0 B computes floating point and complex numbers only, not int32" in lines
    with pytest.raises(
        ValueError, match=r'^plan: method "jit" computes floating point and complex numbers only, not int32$'
    ):
        tconv.plan(*shapes, operation="weight_gradient", **window, method="jit")


def test_errors():
    with pytest.raises(
        ValueError, match=r'^plan: operation must be one of "conv_transpose", "conv", "weight_gradient"'
    ):
        tconv.plan(*SHAPES, operation="deconv")
    with pytest.raises(TypeError, match=r"^plan: first must be a shape or an array; got 3 of type int$"):
        tconv.plan(3, (1, 1, 1))
    with pytest.raises(TypeError, match=r"^plan: dtype must be one of float16, .*, uint64; got 'complex256'$"):
        tconv.plan(*SHAPES, dtype="complex256")
    with pytest.raises(TypeError, match=r"^plan: first\[1\] must be an integer of at least 0; got 2.5 of type float$"):
        tconv.plan((1, 2.5, 3), (1, 1, 1))


@pytest.mark.parametrize("budget", [2**19, 2**15], ids=["in one piece", "in several"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_scratch_memory_is_what_is_used(dtype, budget, monkeypatch):
    """The stated scratch memory bounds what NumPy really allocates beside the result, a few small things apart."""
    import tracemalloc

    x, w = np.ones((2, 16, 24, 24), dtype), np.ones((16, 8, 4, 4), dtype)
    keywords = {"stride": 2, "padding": 1}
    monkeypatch.setattr("tconv.methods.blocks.BUDGET", budget)
    planned.cache_clear()
    y = tconv.conv_transpose(x, w, **keywords)
    calls = {
        "conv_transpose": lambda m: tconv.conv_transpose(x, w, **keywords, method=m, out=np.empty_like(y)),
        "conv": lambda m: tconv.conv(y, w, **keywords, method=m),
        "weight_gradient": lambda m: tconv.weight_gradient(x, y, 4, **keywords, method=m),
    }
    for operation, call in calls.items():
        for method in (name for name in EXACT if computes(name, operation, dtype)):
            call(method)
            operands = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
            size = 4 if operation == "weight_gradient" else None
            plan = tconv.plan(*operands, operation=operation, kernel_size=size, method=method, **keywords)
            assert isinstance(plan, Plan)
            tracemalloc.start()
            result = call(method)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak - result.nbytes <= plan.cost.scratch * 1.05 + 100_000, (operation, method, peak, plan.cost)
    planned.cache_clear()
