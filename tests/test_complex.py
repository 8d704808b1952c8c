"""Complex numbers: every method, layout and call gives the definition, and nothing is conjugated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import expected, oracle
from registry import EXACT, by, computes, every_array_method, every_compiled_method, every_method, param
from strategies import GEOMETRIES, geometries

import tconv
from tconv.methods import OPERATIONS, Problem, parts

RNG = np.random.default_rng(0)
every_method_and_operation = pytest.mark.parametrize(
    ("operation", "method"), [param(m, op) for op in OPERATIONS for m in EXACT if computes(m, op, "complex128")]
)


def complex_numbers(*shape, rng=RNG):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def arrays(geometry, *, batch=2, cin=2, cout=2, groups=1):
    shapes = (batch, cin, *geometry.coarse), (cin, cout // groups, *geometry.kernel), (batch, cout, *geometry.fine)
    rng = np.random.default_rng(0)
    return tuple(complex_numbers(*shape, rng=rng) for shape in shapes)


def compute(operation, geometry, x, w, y, **keywords):
    keywords |= geometry.keywords
    if operation == "weight_gradient":
        return tconv.weight_gradient(x, y, geometry.kernel, **keywords)
    return getattr(tconv, operation)(x if operation == "conv_transpose" else y, w, **keywords)


def test_every_method_computes_them():
    for method in EXACT:
        assert computes(method, "conv", "complex64"), method


@every_method_and_operation
@pytest.mark.parametrize("geometry", GEOMETRIES[::2])
def test_equals_the_definition(geometry, operation, method):
    x, w, y = arrays(geometry)
    wanted = expected(operation, geometry, x, w, y)
    np.testing.assert_allclose(compute(operation, geometry, x, w, y, method=method), wanted, rtol=1e-12, atol=1e-12)
    single = compute(operation, geometry, *(a.astype("complex64") for a in (x, w, y)), method=method)
    assert single.dtype == "complex64"
    np.testing.assert_allclose(single, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@every_array_method
@given(data=st.data())
def test_equals_the_definition_at_random(method, data):
    check_at_random(method, data)


@every_compiled_method
@settings(max_examples=20)
@given(data=st.data())
def test_kernels_equal_the_definition_at_random(method, data):
    check_at_random(method, data)


def check_at_random(method, data):
    geometry, groups = data.draw(geometries(small=True)), data.draw(st.integers(1, 3))
    cin, cout = (groups * data.draw(st.integers(1, 3)) for _ in range(2))
    x, w, y = arrays(geometry, batch=data.draw(st.integers(1, 3)), cin=cin, cout=cout, groups=groups)
    for operation, wanted in zip(OPERATIONS, oracle(geometry, x, w, y, groups), strict=True):
        result = compute(operation, geometry, x, w, y, groups=groups, method=method)
        np.testing.assert_allclose(result, wanted, rtol=1e-11, atol=1e-11)


@every_method
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES[::5])
def test_channels_last_and_bias(geometry, groups, method):
    x, w, y = arrays(geometry, cin=4, cout=6, groups=groups)
    b_up, b_down = complex_numbers(6), complex_numbers(4)
    keywords = {**geometry.keywords, "groups": groups, **by(method, "conv")}
    last = [np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, y)]
    up = tconv.conv_transpose(last[0], w, b_up, layout="channels_last", **keywords)
    wanted = np.moveaxis(expected("conv_transpose", geometry, x, w, y, groups), 1, -1) + b_up
    np.testing.assert_allclose(up, wanted, atol=1e-11)
    down = tconv.conv(last[1], w, b_down, layout="channels_last", **keywords)
    wanted = np.moveaxis(expected("conv", geometry, x, w, y, groups), 1, -1) + b_down
    np.testing.assert_allclose(down, wanted, atol=1e-11)
    gradient = tconv.weight_gradient(*last, geometry.kernel, layout="channels_last", **keywords)
    np.testing.assert_allclose(gradient, expected("weight_gradient", geometry, x, w, y, groups), atol=1e-11)


@every_method_and_operation
def test_every_element_is_written_wherever_the_result_lies(operation, method):
    geometry = tconv.Geometry.conv_transpose((4, 3), 3, stride=2, padding=1, output_padding=1)
    x, w, y = arrays(geometry)
    wanted = compute(operation, geometry, x, w, y, method=method)
    guarded = np.full([2 * size + 3 for size in wanted.shape], 7.25 + 1j)
    out = guarded[tuple(slice(1, 1 + 2 * size, 2) for size in wanted.shape)]
    out[...] = np.nan
    assert compute(operation, geometry, x, w, y, method=method, out=out) is out
    np.testing.assert_array_equal(out, wanted)
    out[...] = 7.25 + 1j
    assert (guarded == 7.25 + 1j).all()


@every_method_and_operation
def test_inputs_are_never_changed(operation, method):
    x, w, y = given_arrays = arrays(GEOMETRIES[4].values[0])
    copies = [a.copy() for a in given_arrays]
    for a in given_arrays:
        a.flags.writeable = False
    compute(operation, GEOMETRIES[4].values[0], x, w, y, method=method)
    for array, copy in zip(given_arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1j * np.nan, 1j * np.inf])
@pytest.mark.parametrize("name", ["x", "w", "y"])
@every_method_and_operation
def test_nan_and_inf_of_either_part_reach_what_a_tap_ties_and_nothing_else(operation, method, name, value):
    if name == {"conv_transpose": "y", "conv": "x", "weight_gradient": "w"}[operation]:
        return
    geometry = tconv.Geometry.conv_transpose((4, 3), 3, stride=2, padding=1, output_padding=1)
    marked = {key: np.ones(a.shape) for key, a in zip("xwy", arrays(geometry), strict=True)}
    given_arrays = dict(zip("xwy", arrays(geometry), strict=True))
    place = tuple(size // 2 for size in given_arrays[name].shape)
    marked[name][...] = 0
    marked[name][place] = 1
    reached = expected(operation, geometry, **marked) > 0
    given_arrays[name][place] = 0
    clean = expected(operation, geometry, **given_arrays)
    given_arrays[name][place] = value
    result = compute(operation, geometry, **given_arrays, method=method)
    assert not np.isfinite(result[reached]).any()
    np.testing.assert_allclose(result[~reached], clean[~reached], atol=1e-12)


@every_method
def test_the_adjoint_is_the_other_operation_with_conjugate_weights(method):
    geometry = tconv.Geometry.conv_transpose((4, 3), 3, stride=2, padding=1, output_padding=1)
    x, w, y = arrays(geometry)
    keywords = {**geometry.keywords, "method": method}

    def up(v):
        return tconv.conv_transpose(v, w, **keywords)

    conjugate = tconv.dot_test(up, lambda u: tconv.conv(u, w.conj(), **keywords), x.shape, y.shape, dtype="complex128")
    assert conjugate, conjugate
    assert not tconv.dot_test(up, lambda u: tconv.conv(u, w, **keywords), x.shape, y.shape, dtype="complex128")
    by_weights = tconv.dot_test(
        lambda v: tconv.conv_transpose(x, v, **keywords),
        lambda u: tconv.weight_gradient(x.conj(), u, 3, **keywords),
        w.shape, y.shape, dtype="complex128",
    )  # fmt: skip
    assert by_weights, by_weights


@every_method
def test_without_a_batch_axis_and_without_images(method):
    x, w = complex_numbers(2, 5), complex_numbers(2, 3, 3)
    y = tconv.conv_transpose(x, w, stride=2, method=method)
    np.testing.assert_allclose(tconv.conv_transpose(x[None], w, stride=2, method=method)[0], y)
    assert tconv.conv_transpose(x[None][:0], w, stride=2, method=method).shape == (0, 3, 11)


def test_prepared_and_repeated_calls():
    w, b = complex_numbers(2, 3, 3), complex_numbers(3)
    op = tconv.ConvTranspose(w, b, stride=2)
    for size in (5, 5, 6):
        x = complex_numbers(1, 2, size)
        wanted = tconv.conv_transpose(x, w, b, stride=2)
        np.testing.assert_allclose(op(x), wanted, rtol=1e-14)
        np.testing.assert_array_equal(tconv.conv_transpose(x, w, b, stride=2), wanted)
        np.testing.assert_allclose(wanted, tconv.conv_transpose(x, w, b, stride=2, method="matrix"), atol=1e-13)


def test_dtypes_do_not_mix():
    with pytest.raises(
        TypeError, match=r"^conv_transpose: w must have the dtype of x, complex128; got float64; w\.astype"
    ):
        tconv.conv_transpose(complex_numbers(1, 1, 4), np.ones((1, 1, 3)))
    # A cast the other way would drop the imaginary part.
    with pytest.raises(TypeError, match=r"got complex128; x\.astype\(.complex128.\)\?"):
        tconv.conv_transpose(np.ones((1, 1, 3)), complex_numbers(1, 1, 4))
    with pytest.raises(TypeError, match=r"^conv: w must have the dtype of y, float64; got complex128; y\.astype"):
        tconv.conv(np.ones((1, 1, 4)), complex_numbers(1, 1, 3))


def test_halves_and_bits_are_counted_as_they_are():
    plan = tconv.plan((1, 8, 32, 32), (8, 8, 3, 3), dtype="complex64")
    assert plan.problem.itemsize == 8
    real = parts.real_problem(plan.problem)
    assert (real.in_channels, real.out_channels, real.dtype) == (16, 16, "float32")
    assert "real and imaginary parts are channels of float32, twice as many" in str(
        tconv.plan((1, 8, 32, 32), (8, 8, 3, 3), dtype="complex64", method="jit")
    ) or "cannot generate kernels" in str(plan)


def test_parts_of_channels_last_arrays_are_not_copied():
    grid = np.moveaxis(complex_numbers(2, 4, 5, 1, 3), (-2, -1), (1, 2))
    apart = parts._parts(grid)
    assert np.shares_memory(apart, grid)
    np.testing.assert_array_equal(apart[:, :, 0::2] + 1j * apart[:, :, 1::2], grid)


def test_a_problem_of_real_numbers_is_its_own_real_problem():
    problem = Problem("conv", tconv.Geometry.conv(5, 3), 1, 1, 1, 1, "float32")
    assert parts.real_problem(problem) is problem
