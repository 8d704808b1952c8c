"""Methods that do not add up the products of the definition: as close as they say, and exact where they have to be.

The definition in float64 is computed by "gemm", which `test_methods.py` proves.
"""

import numpy as np
import pytest
from registry import INEXACT, NO_KERNELS, needs_kernels

import tconv
from tconv import arrays
from tconv.methods import METHODS, Problem
from tconv.plan import ASKED_FOR

pytestmark = needs_kernels

#: Differences from the definition, at the largest value, by dtype: the largest filters lose two digits.
LIMITS = {"float32": 1e-4, "float64": 1e-12, "complex64": 1e-4, "complex128": 1e-12, "float16": 2e-3}
CONV, UP = tconv.Geometry.conv, tconv.Geometry.conv_transpose
#: The operation, its geometry, channels that are read and written, groups. Rows end around whole vectors and tiles.
CASES = {
    "a layer of a network": ("conv", CONV((18, 17), 3, padding=1), 32, 32, 1),
    "rows of 16": ("conv", CONV((10, 16), 3, padding=1), 32, 48, 1),
    "no padding": ("conv", CONV((17, 33), 3), 40, 24, 1),
    "padding of one side": ("conv", CONV((12, 15), 3, padding=((2, 0), (0, 1))), 32, 32, 1),
    "cropped": ("conv", CONV((16, 17), 3, padding=-1), 32, 32, 1),
    "groups": ("conv", CONV((17, 16), 3, padding=1), 64, 64, 2),
    "a row": ("conv", CONV(97, 7, padding=3), 32, 32, 1),
    "a short row": ("conv", CONV(9, 5, padding=2), 64, 64, 1),
    "a row of 3 taps": ("conv", CONV(65, 3, padding=1), 64, 64, 1),
    "volumes": ("conv", CONV((3, 9, 16), 3, padding=1), 32, 32, 1),
    "an axis of 1": ("conv", CONV((1, 40), (1, 5), padding=(0, 2)), 64, 64, 1),
    "two axes of several taps": ("conv", CONV((20, 24), (3, 5), padding=(1, 2)), 64, 32, 1),
    "transposed": ("conv_transpose", UP((16, 17), 3, padding=1), 32, 32, 1),
    "transposed, a row": ("conv_transpose", UP(50, 7), 32, 40, 1),
    "transposed, strides": ("conv_transpose", UP((16, 16), 4, stride=2, padding=1), 64, 64, 1),
    "transposed, groups": ("conv_transpose", UP((15, 17), 3, padding=1), 64, 64, 2),
}
every_method = pytest.mark.parametrize("method", INEXACT)
every_case = pytest.mark.parametrize("case", CASES)
LAYOUTS = ("channels_first", "channels_last")
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
#: The first case in both, the others in one or the other.
every_case_laid = pytest.mark.parametrize(
    ("case", "layout"), [(next(iter(CASES)), "channels_last"), *zip(CASES, LAYOUTS * len(CASES), strict=False)]
)


def laid(grid, layout):
    return np.ascontiguousarray(np.moveaxis(grid, 1, -1)) if layout == "channels_last" else grid


class Posed:
    """The arrays of a case, and what the definition gives for them."""

    def __init__(self, case, dtype="float32", *, batch=2, layout="channels_first"):
        self.operation, self.geometry, read, written, groups = CASES[case]
        g, rng, up = self.geometry, np.random.default_rng(0), self.operation == "conv_transpose"
        cin, cout = (read, written) if up else (written, read)
        self.keywords = {**g.keywords, "groups": groups, "layout": layout}
        self.problem = Problem(self.operation, g, batch, cin, cout, groups, arrays.DTYPES[dtype])

        def drawn(*shape):
            values = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype[0] == "c" else 0)
            return values.astype(dtype)

        self.grid = laid(drawn(batch, read, *(g.coarse if up else g.fine)), layout)
        self.w, self.bias = drawn(cin, cout // groups, *g.kernel), drawn(written)
        self.residual = laid(drawn(batch, written, *(g.fine if up else g.coarse)), layout)
        self.function = getattr(tconv, self.operation)
        self.kind = tconv.ConvTranspose if up else tconv.Conv

    def definition(self, activation=None, residual=None):
        dtype = np.result_type(self.grid, np.float64)
        given = [a.astype(dtype) for a in (self.grid, self.w, self.bias)]
        residual = None if residual is None else residual.astype(dtype)
        return self.function(*given, **self.keywords, method="gemm", activation=activation, residual=residual)

    def by(self, method, **more):
        return self.function(self.grid, self.w, self.bias, **self.keywords, method=method, **more)


def close(found, wanted):
    limit = LIMITS[found.dtype.name]
    assert np.abs(found - wanted).max() <= limit * np.abs(wanted).max()


def is_served(method, posed):
    """Whether a method serves a case on this machine; what it does not serve it refuses in words."""
    limit = METHODS[method].limit(posed.problem)
    if limit:
        with pytest.raises(ValueError) as error:
            posed.by(method)
        assert str(error.value).splitlines()[0] == f'{posed.operation}: method "{method}" {limit}'
    return not limit


def test_what_is_inexact():
    assert INEXACT == ["winograd"]


@every_method
def test_layers_of_networks_are_served(method):
    served = [case for case in CASES if not METHODS[method].limit(Posed(case).problem)]
    assert {"a layer of a network", "groups", "a row", "transposed"} <= set(served)


@every_method
@every_layout
@every_case
@pytest.mark.parametrize("dtype", LIMITS)
def test_is_near_the_definition(dtype, case, layout, method):
    posed = Posed(case, dtype, layout=layout)
    if is_served(method, posed):
        close(posed.by(method), posed.definition())
        out = np.full_like(posed.residual, np.nan)
        assert posed.by(method, out=out) is out
        np.testing.assert_array_equal(out, posed.by(method))


@every_method
@every_case_laid
def test_computes_other_products(case, layout, method):
    """Were it the engine by another name, every bit would be the same."""
    posed = Posed(case, layout=layout)
    if is_served(method, posed):
        assert (posed.by(method) != posed.by("jit")).any()
        assert "minimal filtering" in str(tconv.plan(
            posed.grid, posed.w, operation=posed.operation, **posed.keywords, method=method
        ))  # fmt: skip


@every_method
@every_case_laid
@pytest.mark.parametrize("activation", [None, "relu", "gelu_tanh"])
def test_finishes_results(activation, case, layout, method):
    posed = Posed(case, layout=layout)
    if is_served(method, posed):
        for residual in (posed.residual, None):
            wanted = posed.definition(activation, residual)
            for _ in range(2):
                close(posed.by(method, activation=activation, residual=residual), wanted)


@every_method
@every_case_laid
@pytest.mark.parametrize("dtype", ["float32", "complex64", "float16"])
def test_operators_give_the_same(dtype, case, layout, method):
    posed = Posed(case, dtype, layout=layout)
    if not is_served(method, posed):
        return
    op = posed.kind(posed.w, posed.bias, **posed.keywords, method=method)
    assert op.plan(posed.grid).method == method
    for _ in range(3):
        np.testing.assert_array_equal(op(posed.grid), posed.by(method))
        wanted = posed.by(method, residual=posed.residual)
        np.testing.assert_array_equal(op(posed.grid, residual=posed.residual), wanted)
        out = np.full_like(wanted, np.nan)
        assert op(posed.grid, out, residual=posed.residual) is out
        np.testing.assert_array_equal(out, wanted)


@every_method
def test_an_operator_serves_all_sizes_in_any_order(method):
    """Filters are chosen by size: weights that were packed for some serve no others, in whatever order they lie."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(64, 64, 3, 3)).astype(np.float32)
    op, chosen = tconv.Conv(w, padding=1, method=method), set()
    for size in ((2, 40), (8, 8), (24, 24), (40, 2), (2, 40), (7, 9)):
        y = rng.normal(size=(1, 64, *size)).astype(np.float32)
        close(op(y), tconv.conv(y.astype(float), w.astype(float), padding=1, method="gemm"))
        chosen.add(tuple(key for key in op._packed))
    assert len(chosen) > 1


SPOILED = ["a NaN", "an Inf", "an overflow of the transforms"]


def spoil(a, how):
    largest = np.finfo(a.dtype).max
    if how == SPOILED[2]:  # the sums of the definition are finite, those of cells among themselves are not
        a[0] = np.copysign(largest, a[0])
    else:
        a[tuple(n // 2 for n in a.shape)] = np.nan if how == "a NaN" else np.inf


@every_method
@every_case_laid
@pytest.mark.parametrize("how", SPOILED)
def test_what_is_not_finite_is_computed_as_by_the_engine(how, case, layout, method):
    """Bit for bit; and the next call, in which all is finite, as before."""
    posed = Posed(case, layout=layout)
    if not is_served(method, posed):
        return
    posed.w *= np.float32(1e-3)
    spoiled = Posed(case, layout=layout)
    spoiled.w = posed.w
    spoil(spoiled.grid, how)
    op = posed.kind(posed.w, posed.bias, **posed.keywords, method=method)
    activated = posed.kind(posed.w, posed.bias, **posed.keywords, method=method, activation="relu")
    for _ in range(2):
        for finishing in ({}, {"residual": posed.residual}):
            wanted = spoiled.by("jit", **finishing)
            np.testing.assert_array_equal(spoiled.by(method, **finishing), wanted)
            np.testing.assert_array_equal(op(spoiled.grid, **finishing), wanted)
            out = np.zeros_like(wanted)
            np.testing.assert_array_equal(op(spoiled.grid, out, **finishing), wanted)
            wanted = spoiled.by("jit", activation="relu", **finishing)
            np.testing.assert_array_equal(activated(spoiled.grid, **finishing), wanted)
        close(op(posed.grid), posed.definition())
        close(posed.by(method), posed.definition())


@every_method
@every_case
@pytest.mark.parametrize("how", SPOILED)
def test_weights_that_are_not_finite_are_computed_as_by_the_engine(how, case, method):
    posed = Posed(case)
    if not is_served(method, posed):
        return
    posed.grid *= np.float32(1e-3)
    spoil(posed.w, how)
    op = posed.kind(posed.w, posed.bias, **posed.keywords, method=method)
    for _ in range(3):
        np.testing.assert_array_equal(posed.by(method), posed.by("jit"))
        np.testing.assert_array_equal(op(posed.grid), posed.by("jit"))


@every_method
@every_case
def test_batches_strides_and_threads(case, method, monkeypatch):
    posed = Posed(case)
    if not is_served(method, posed):
        return
    wanted = posed.by(method)
    whole, w = posed.grid, posed.w
    posed.grid, posed.w = np.repeat(whole, 2, -1)[..., ::2], np.asfortranarray(w)
    np.testing.assert_array_equal(posed.by(method), wanted)
    out = np.full((*wanted.shape[:-1], 2 * wanted.shape[-1]), np.nan, np.float32)
    posed.by(method, out=out[..., ::2])
    np.testing.assert_array_equal(out[..., ::2], wanted)
    assert np.isnan(out[..., 1::2]).all()
    posed.grid = whole[0]
    close(posed.by(method), wanted[0])
    posed.grid = whole[:0]
    assert posed.by(method).shape == (0, *wanted.shape[1:])
    posed.grid, found = whole, {}
    for threads in ("1", "2"):
        monkeypatch.setenv("TCONV_NUM_THREADS", threads)
        found[threads] = posed.by(method)
        close(found[threads], posed.definition())


@every_method
@pytest.mark.parametrize("repeat", range(3))
def test_calls_of_known_shapes_do_not_change_the_method(repeat, method):
    """All three are remembered by the arguments that they have, the method among them."""
    posed = Posed("a layer of a network")
    results = {name: [posed.by(name) for _ in range(3)] for name in (method, "auto", "jit")}
    for found in results.values():
        for result in found:
            np.testing.assert_array_equal(result, found[0])
    np.testing.assert_array_equal(results["auto"][0], results["jit"][0])
    assert (results[method][0] != results["jit"][0]).any()


def test_auto_never_picks_one():
    for case in CASES:
        posed = Posed(case)
        given = {**posed.keywords, "operation": posed.operation}
        plan = tconv.plan(posed.grid, posed.w, **given)
        assert METHODS[plan.method].exact
        assert {c.method: c.excluded for c in plan.candidates if not METHODS[c.method].exact} == dict.fromkeys(
            INEXACT, ASKED_FOR
        )
        assert f"  {ASKED_FOR}" in str(plan)
        assert METHODS[posed.kind(posed.w, **posed.keywords).plan(posed.grid).method].exact


@every_method
def test_a_plan_says_what_is_copied_and_what_it_saves(method):
    for layout, said in (("channels_first", "used in place"), ("channels_last", "brought from channels_last into the")):
        posed = Posed("groups", layout=layout)
        plan = tconv.plan(posed.grid, posed.w, operation="conv", **posed.keywords, method=method)
        shown = str(plan)
        assert f"arrays    x and y are {said}" in shown
        assert "executed (products of points, without their transforms)" in shown
        assert plan.is_for_kernels == (layout == "channels_first")


SAVES = (
    "saves too little for kernel ({0}, {0}), stride ({1}, {1}), dilation (1, 1) and 64 -> 64 channels "
    "on a coarse grid of {2}x{2}"
)
REFUSED = {
    "strides": (CONV((32, 32), 3, stride=2), "float32", SAVES.format(3, 2, 15)),
    "one tap": (CONV((32, 32), 1), "float32", SAVES.format(1, 1, 32)),
    "integers": (CONV((32, 32), 3), "int8", "computes floating point and complex numbers only, not int8"),
}


@every_method
@pytest.mark.parametrize("name", REFUSED)
def test_what_it_does_not_serve_is_said(name, method):
    geometry, dtype, reason = REFUSED[name]
    y, w = np.ones((1, 64, *geometry.fine), dtype), np.ones((64, 64, *geometry.kernel), dtype)
    for call in (
        lambda: tconv.conv(y, w, **geometry.keywords, method=method),
        lambda: tconv.Conv(w, **geometry.keywords, method=method)(y),
        lambda: tconv.plan(y, w, operation="conv", **geometry.keywords, method=method),
    ):
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value).splitlines()[0].split(": ", 1)[1] == f'method "{method}" {reason}'


def test_weight_gradients_are_refused():
    x, y = np.ones((1, 32, 16, 16), np.float32), np.ones((1, 32, 18, 18), np.float32)
    with pytest.raises(ValueError) as error:
        tconv.weight_gradient(x, y, 3, method="winograd")
    wanted = 'weight_gradient: method "winograd" computes conv_transpose and conv only, not weight_gradient'
    assert str(error.value).splitlines()[0] == wanted


@pytest.mark.skipif(bool(NO_KERNELS), reason="there are no kernels")
def test_scratch_memory_is_at_least_that_of_the_program():
    from tconv.jit import engine
    from tconv.jit.machine import launch

    for case in CASES:
        posed = Posed(case)
        method = METHODS["winograd"]
        if not method.limit(posed.problem):
            made = engine.ready(posed.problem, False, filtered=True, most=launch.setting())
            assert made.program.packed + made.scratch <= method.cost(posed.problem).scratch
