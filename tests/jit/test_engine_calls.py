"""The engine through the public functions: arrays of any arrangement, values that are not finite, what it refuses."""

import weakref
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from registry import needs_kernels
from running import BEST, ISAS, Truth, arrays, compute, is_gradient, out_of_layout, problem_of, shapes
from strategies import GEOMETRIES

import tconv
from tconv.jit import engine
from tconv.jit.machine import isa
from tconv.jit.schedules.pixels import planes
from tconv.problem import OPERATIONS

pytestmark = pytest.mark.quick

every_isa = pytest.mark.parametrize("target", ISAS)
every_operation = pytest.mark.parametrize("operation", OPERATIONS)
GEOMETRY = tconv.Geometry.conv_transpose((5, 21), 3, stride=2, padding=1, output_padding=(1, 0))


@pytest.fixture
def forced(monkeypatch, target):
    """Kernels for this set of instructions."""
    monkeypatch.setenv("TCONV_ISA", target)
    assert isa.current().name == target
    return target


def apart(a):
    """The same values, no two of them side by side."""
    wide = np.full([2 * size for size in a.shape], np.nan, a.dtype)
    wide[tuple(slice(None, None, 2) for _ in a.shape)] = a
    return wide[tuple(slice(None, None, 2) for _ in a.shape)]


def channels_innermost(a):
    """The same array, its channels side by side in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


def shifted(a):
    """The same values at an address that is no multiple of anything but an element."""
    memory = np.empty(a.nbytes + 64 + a.itemsize, np.uint8)
    start = -memory.ctypes.data % 64 + a.itemsize
    copy = memory[start : start + a.nbytes].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


def misaligned(a):
    """The same values at an address between two elements."""
    copy = np.empty(a.nbytes + 2, np.uint8)[2:].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


ARRANGED = {
    "contiguous": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "apart": apart,
    "channels innermost": channels_innermost,
    "backwards": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "shifted": shifted,
    "misaligned": misaligned,
}


@every_isa
@every_operation
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ARRANGED)
def test_arrays_of_any_arrangement(kind, dtype, layout, operation, forced):
    """x, w, bias and out in turn and all together; what lies between the elements of out stays as it was."""
    problem, arranged = problem_of(GEOMETRY, dtype, operation=operation), ARRANGED[kind]
    x, w, bias = arrays(problem)
    truth = Truth(problem, x, w, bias)
    shape = shapes(problem)[1]

    def laid_out(a, moved=True):
        return np.moveaxis(a, 1, -1) if layout == "channels_last" and moved else a

    keywords, of_grid = {"layout": layout, "method": "jit"}, not is_gradient(problem)
    for one in (0, 1, 2, 3, None):
        given = [arranged(a) if one in (number, None) else a for number, a in enumerate((x, w))]
        given_bias = apart(bias) if one in (2, None) and bias is not None else bias
        out = arranged(np.full(shape, np.nan, dtype)) if one in (3, None) else np.full(shape, np.nan, dtype)
        out = laid_out(out, of_grid)
        given = laid_out(given[0]), laid_out(given[1], not of_grid), given_bias
        assert compute(problem, *given, out=out, **keywords) is out
        truth.check(out_of_layout(problem, out, layout == "channels_last"))


@every_isa
@pytest.mark.parametrize("operation", ["conv", "conv_transpose"])
@pytest.mark.parametrize("prepared", [False, True])
def test_out_between_two_elements_where_results_go_past_the_caches(prepared, operation, forced, monkeypatch):
    """What goes there is written in whole lines, up to which no number of elements leads."""
    monkeypatch.setattr(planes, "STREAM_FROM", 4096)
    engine.forget()
    keywords = {"stride": (1, 5), "groups": 36, "padding": ((1, 1), (0, 0))}
    rng = np.random.default_rng(3)
    grid, w = rng.integers(-4, 5, (5, 36, 10, 46)).astype(float), rng.integers(-4, 5, (36, 1, 3, 1)).astype(float)
    right = getattr(tconv, operation)(grid, w, method="matrix", **keywords)
    out = np.full(right.nbytes + 4, 255, np.uint8)[4:].view(float).reshape(right.shape)
    if prepared:
        {"conv": tconv.Conv, "conv_transpose": tconv.ConvTranspose}[operation](w, method="jit", **keywords)(grid, out)
    else:
        getattr(tconv, operation)(grid, w, out=out, method="jit", **keywords)
    np.testing.assert_array_equal(out, right)
    engine.forget()


@every_isa
@every_operation
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("geometry", GEOMETRIES[::5])
def test_weights_that_are_not_finite_reach_what_they_are_tied_to(geometry, value, operation, forced):
    """Kernels multiply zeros around x by every weight, or cell: another way is taken where that would show."""
    problem = problem_of(geometry, "float32", cin=4, cout=6, groups=2, operation=operation)
    x, w, bias = arrays(problem)
    place = tuple(np.random.default_rng(3).integers(0, w.shape))
    marked = np.zeros_like(w)
    marked[place] = 1
    reached = compute(problem, np.ones_like(x), marked, method="matrix") > 0
    w[place] = 0
    clean = compute(problem, x, w, bias, method="jit")
    w[place] = value
    y = compute(problem, x, w, bias, method="jit")
    assert not np.isfinite(y[reached]).any()
    np.testing.assert_allclose(y[~reached], clean[~reached], rtol=1e-5, atol=1e-5)


@every_isa
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_bias_that_is_not_finite_stays_in_its_channel(value, forced):
    x, w, bias = arrays(problem_of(GEOMETRY))
    clean = tconv.conv_transpose(x, w, bias, method="jit", **GEOMETRY.keywords)
    bias[2] = value
    y = tconv.conv_transpose(x, w, bias, method="jit", **GEOMETRY.keywords)
    np.testing.assert_array_equal(y[:, 2], np.full_like(y[:, 2], value))
    np.testing.assert_allclose(np.delete(y, 2, 1), np.delete(clean, 2, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", BEST)
def test_one_array_as_every_image(forced):
    """x may hold an element many times."""
    problem = problem_of(GEOMETRY, batch=5)
    x, w, bias = arrays(problem)
    x = np.broadcast_to(x[:1], x.shape)
    Truth(problem, x, w, bias).check(tconv.conv_transpose(x, w, bias, method="jit", **GEOMETRY.keywords))


@every_isa
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
@pytest.mark.parametrize("geometry", GEOMETRIES[::9])
def test_the_operations_are_adjoint(geometry, layout, forced):
    """<conv_transpose(x, w), y> = <x, conv(y, w)> = <w, weight_gradient(x, y)>, all by the engine."""
    up, down, of_w = (
        problem_of(geometry, "float64", cin=4, cout=6, groups=2, operation=operation) for operation in OPERATIONS
    )
    x, w, _ = arrays(up)
    y, _, _ = arrays(down, seed=1)
    keywords = {**geometry.keywords, "groups": 2, "layout": layout, "method": "jit"}
    if layout == "channels_last":
        x, y = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1)
    to_fine, to_coarse = tconv.conv_transpose(x, w, **keywords), tconv.conv(y, w, **keywords)
    bound = 1e-12 * (np.abs(to_fine) * np.abs(y)).sum() + 1e-12
    assert abs((to_fine * y).sum() - (x * to_coarse).sum()) <= bound
    gradient = tconv.weight_gradient(x, y, of_w.geometry.kernel, **keywords)
    assert abs((to_fine * y).sum() - (w * gradient).sum()) <= bound


@needs_kernels
def test_kernels_for_one_layout_do_not_serve_the_other():
    """Two calls of one problem, y in memory as (N, C, H, W) and as (N, H, W, C)."""
    problem = problem_of(GEOMETRY)
    assert engine.ready(problem, False).program is not engine.ready(problem, True).program
    assert engine.ready(problem, False) is engine.ready(problem, False)


@needs_kernels
def test_workspaces_live_as_long_as_the_kernels_that_use_them():
    """What threads have of their own goes while daemon threads compute, when the interpreter goes down."""
    made, alive = engine.ready(problem_of(GEOMETRY), False, once=True), []

    def run(*_):
        memory = [weakref.ref(workspace.memory) for workspace in (engine._local.packed, engine._local.scratch)]
        engine._local.packed, engine._local.scratch = engine._Workspace(), engine._Workspace()
        alive.extend(kept() is not None for kept in memory)

    made = replace(made, code=SimpleNamespace(run=run, pack=lambda *_: 0), threads=1)
    assert made.once_at(0, 0, 0, 0)
    assert alive == [True, True]


def limit(geometry, **keywords):
    return engine.limit(problem_of(geometry, **keywords))


@needs_kernels
def test_what_the_engine_refuses():
    up = tconv.Geometry.conv_transpose
    assert limit(up((4, 4), 3)) == ""
    assert limit(up((4, 4), 3), dtype="int32") == "computes float32 and float64 only, not int32"
    assert limit(up((2048, 2), 1), batch=8192) == ""
    assert limit(up((2048, 2), 1), batch=8193) == "computes at most 16777216 rows of y"
    assert limit(up(10**9, 3)) == ""
    largest = "computes kernels and strides up to 16384 only, all axes together"
    assert limit(up((2, 2), 128)) == limit(up(1, 16384)) == ""
    assert limit(up((2, 2), (128, 129))) == limit(up(1, 16385)) == largest
    assert limit(up((1, 1), 1, stride=128)) == ""
    assert limit(up((1, 1), 1, stride=(128, 129))) == largest
    assert limit(up((4, 4), 3), operation="weight_gradient") == ""
    spanning = "computes weight gradients of kernels that span up to 131072 fine cells only"
    of_weights = {"operation": "weight_gradient"}
    assert limit(up((2, 2), 2, dilation=(511, 255)), **of_weights) == ""
    assert limit(up((2, 2), 2, dilation=(511, 256)), **of_weights) == spanning
    assert limit(up(131000, 2, padding=((131000, -70),)), **of_weights) == ""
    assert limit(up(131000, 2, padding=((131000, -71),)), **of_weights) == spanning
    assert limit(up((2048, 2), 1), batch=8193, operation="conv") == "computes at most 16777216 rows of y"
    cropped = up((2048, 2), 1, padding=((1000, 1000), (0, 0)))
    assert limit(cropped, batch=8193) == ""
    assert limit(cropped, batch=8193, operation="conv") == "computes at most 16777216 rows of x"
