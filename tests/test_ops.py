"""The three public operations: every kind of array they take, what they return, and the calculus between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from oracle import dense_matrix
from registry import EXACT, auto_and_every_method, by, computes, param
from strategies import GEOMETRIES, geometries

import tconv

RNG = np.random.default_rng(0)
KEYWORDS = {"stride": 2, "padding": 1, "output_padding": 1}
X, W, B = RNG.normal(size=(2, 4, 5, 3)), RNG.normal(size=(4, 6, 3, 3)), RNG.normal(size=6)
Y = tconv.conv_transpose(X, W, **KEYWORDS)
DW = tconv.weight_gradient(X, Y, 3, **KEYWORDS)
DX = tconv.conv(Y, W, **KEYWORDS)


def strided(a, kind):
    """The same values in another arrangement of memory."""
    if kind == "fortran":
        return np.asfortranarray(a)
    if kind == "reversed":
        return a[tuple(slice(None, None, -1) for _ in a.shape)].copy()[tuple(slice(None, None, -1) for _ in a.shape)]
    if kind == "sparse":
        wide = np.zeros([2 * size for size in a.shape])
        wide[tuple(slice(None, None, 2) for _ in a.shape)] = a
        return wide[tuple(slice(None, None, 2) for _ in a.shape)]
    if kind == "transposed":
        return np.ascontiguousarray(a.T).T
    if kind == "read-only":
        copy = a.copy()
        copy.flags.writeable = False
        return copy
    if kind == "byte-swapped":
        return a.astype(a.dtype.newbyteorder())
    if kind == "unaligned":
        copy = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
        copy[...] = a
        return copy
    raise ValueError(kind)


KINDS = ["fortran", "reversed", "sparse", "transposed", "read-only", "byte-swapped", "unaligned"]


@auto_and_every_method
@pytest.mark.parametrize("kind", KINDS)
def test_any_arrangement_of_memory(kind, method):
    x, w, b, y = (strided(a, kind) for a in (X, W, B, Y))
    up = tconv.conv_transpose(x, w, b, **KEYWORDS, method=method)
    np.testing.assert_allclose(up, Y + B[:, None, None], atol=1e-12)
    np.testing.assert_allclose(tconv.conv(y, w, **KEYWORDS, **by(method, "conv")), DX, atol=1e-10)
    gradient = tconv.weight_gradient(x, y, 3, **KEYWORDS, **by(method, "weight_gradient"))
    np.testing.assert_allclose(gradient, DW, atol=1e-10)
    assert up.dtype.isnative


def test_repeated_input_is_allowed():
    """An input may hold an element many times (stride 0); only an output may not."""
    x = np.broadcast_to(X[:1], X.shape)
    np.testing.assert_allclose(tconv.conv_transpose(x, W, **KEYWORDS)[1], Y[0], atol=1e-12)


def test_memory_map(tmp_path):
    mapped = np.memmap(tmp_path / "x", X.dtype, "w+", shape=X.shape)
    mapped[...] = X
    result = tconv.conv_transpose(mapped, W, **KEYWORDS)
    assert type(result) is np.ndarray
    np.testing.assert_allclose(result, Y)


@auto_and_every_method
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES[::3])
def test_channels_last_moves_the_channels_of_x_and_y_only(geometry, groups, method):
    x = RNG.normal(size=(2, 4, *geometry.coarse))
    w = RNG.normal(size=(4, 3, *geometry.kernel))
    keywords = {**geometry.keywords, "groups": groups}
    by_method = by(method, "conv_transpose")
    y = tconv.conv_transpose(x, w, **keywords, **by_method)
    b_up, b_down = RNG.normal(size=3 * groups), RNG.normal(size=4)
    x_last, y_last = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1)
    up = tconv.conv_transpose(x_last, w, b_up, layout="channels_last", **keywords, **by_method)
    np.testing.assert_allclose(up, y_last + b_up, atol=1e-12)
    by_method = by(method, "conv")
    down = tconv.conv(np.ascontiguousarray(y_last), w, b_down, layout="channels_last", **keywords, **by_method)
    wanted = tconv.conv(y, w, **keywords, **by_method)
    np.testing.assert_allclose(np.moveaxis(down - b_down, -1, 1), wanted, atol=1e-11)
    keywords |= by(method, "weight_gradient")
    gradient = tconv.weight_gradient(x_last, y_last, geometry.kernel, layout="channels_last", **keywords)
    np.testing.assert_allclose(gradient, tconv.weight_gradient(x, y, geometry.kernel, **keywords), atol=1e-10)


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_without_a_batch_axis(layout):
    def arranged(a):
        return a if layout == "channels_first" else np.moveaxis(a, 1, -1)

    x, y = arranged(X), arranged(Y)
    up = tconv.conv_transpose(x[1], W, **KEYWORDS, layout=layout)
    np.testing.assert_allclose(up, y[1], atol=1e-12)
    np.testing.assert_allclose(tconv.conv(y[1], W, **KEYWORDS, layout=layout), arranged(DX)[1], atol=1e-10)
    one = tconv.weight_gradient(x[1], y[1], (3, 3), **KEYWORDS, layout=layout)
    two = tconv.weight_gradient(x[:1], y[:1], 3, **KEYWORDS, layout=layout)
    np.testing.assert_allclose(one + two, DW, atol=1e-10)


@pytest.mark.parametrize(
    ("dtype", "method"),
    [
        param(method, dtype)
        for dtype in ("float32", "float16", "int32")
        for method in ("auto", *EXACT)
        if computes(method, "conv_transpose", tconv.arrays.DTYPES[dtype])
    ],
)
def test_empty_batch(dtype, method):
    x, w, b = np.empty((0, 4, 5, 3), dtype), W.astype(dtype), B.astype(dtype)
    y = tconv.conv_transpose(x, w, b, **KEYWORDS, method=method)
    assert y.shape == (0, 6, 10, 6)
    assert tconv.conv(y, w, **KEYWORDS, **by(method, "conv")).shape == x.shape
    gradient = tconv.weight_gradient(x, y, 3, **KEYWORDS, **by(method, "weight_gradient"))
    assert gradient.shape == W.shape
    assert not gradient.any()


@auto_and_every_method
def test_float16_is_computed_in_float32_and_rounded_once(method):
    """3000 + 1 + 1 + ... is lost in float16 when each sum is rounded, and is not when only the last is."""
    x = np.ones((1, 64, 1), np.float16)
    x[0, 0, 0] = 3000
    w = np.ones((64, 1, 1), np.float16)
    assert tconv.conv_transpose(x, w, np.float16([0.75]), method=method).item() == np.float16(3063.75)
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=a.shape).astype(np.float16) for a in (X, W, B))
    result = tconv.conv_transpose(x, w, b, **KEYWORDS, method=method)
    assert result.dtype == np.float16
    exact = tconv.conv_transpose(*(a.astype(np.float64) for a in (x, w, b)), **KEYWORDS)
    assert (np.abs(result - exact) <= np.spacing(np.abs(exact).astype(np.float16)) * 0.51 + 1e-6).all()


def test_float16_overflows_to_infinity_in_silence():
    x = np.full((1, 1, 1), 60000, np.float16)
    assert tconv.conv_transpose(x, np.full((1, 1, 1), 2, np.float16)).item() == np.inf


@auto_and_every_method
def test_bias_is_added_to_every_cell_gaps_included(method):
    x, w = np.ones((1, 1, 2)), np.ones((1, 2, 1))
    y = tconv.conv_transpose(x, w, np.array([10.0, 20.0]), stride=3, output_padding=2, method=method)
    assert y.tolist() == [[[11, 10, 10, 11, 10, 10], [21, 20, 20, 21, 20, 20]]]
    x = tconv.conv(y, np.ones((1, 2, 1)), np.array([0.5]), stride=3, **by(method, "conv"))
    assert x.tolist() == [[[32.5, 32.5]]]


def test_bias_of_one_dtype_for_integers():
    y = tconv.conv_transpose(np.ones((1, 1, 2), int), np.ones((1, 1, 1), int), np.array([5]))
    assert y.dtype == int
    assert y.tolist() == [[[6, 6]]]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int32"])
def test_out_is_written_and_returned(dtype):
    x, w, b = (a.astype(dtype) for a in (X, W, B))
    wanted = tconv.conv_transpose(x, w, b, **KEYWORDS)
    out = np.empty(wanted.shape, dtype)
    assert tconv.conv_transpose(x, w, b, **KEYWORDS, out=out) is out
    np.testing.assert_array_equal(out, wanted)
    last = np.empty((2, 10, 6, 6), dtype)
    tconv.conv_transpose(np.moveaxis(x, 1, -1), w, b, **KEYWORDS, layout="channels_last", out=last)
    np.testing.assert_allclose(np.moveaxis(last, -1, 1).astype(float), wanted.astype(float), rtol=1e-2, atol=1e-2)


def test_output_size_in_place_of_output_padding():
    for size in (9, 10):
        y = tconv.conv_transpose(X[..., :1, :], W, stride=2, padding=1, output_size=(2, 6)) if size == 10 else None
        assert y is None or y.shape == (2, 6, 2, 6)
    np.testing.assert_array_equal(tconv.conv_transpose(X, W, stride=2, padding=1, output_size=(10, 6)), Y)
    assert tconv.conv_transpose(X, W, stride=2, padding=1, output_size=(9, 6)).shape == (2, 6, 9, 6)
    np.testing.assert_allclose(tconv.conv(Y, W, stride=2, padding=1, output_size=(5, 3)), DX)
    np.testing.assert_allclose(tconv.weight_gradient(X, Y, 3, stride=2, padding=1, output_size=(10, 6)), DW)


@settings(max_examples=20)  # each has three kernels made
@given(geometry=geometries(small=True))
def test_the_same_keywords_there_and_back(geometry):
    x, w = np.ones((1, 1, *geometry.coarse)), np.ones((1, 1, *geometry.kernel))
    y = tconv.conv_transpose(x, w, **geometry.keywords)
    assert y.shape[2:] == geometry.fine
    np.testing.assert_array_equal(y[0, 0], geometry.coverage())
    assert tconv.conv(y, w, **geometry.keywords).shape == x.shape
    assert tconv.weight_gradient(x, y, geometry.kernel, **geometry.keywords).shape == w.shape


@settings(max_examples=30)
@given(geometry=geometries(small=True))
def test_backward_of_each_is_forward_of_the_other(geometry):
    """The Jacobian of conv is C and that of conv_transpose is C transposed: column by column, from unit vectors."""
    w = RNG.normal(size=(2, 1, *geometry.kernel))
    c = dense_matrix(geometry, w)
    of_coarse = np.eye(c.shape[0]).reshape(-1, 2, *geometry.coarse)
    of_fine = np.eye(c.shape[1]).reshape(-1, 1, *geometry.fine)
    np.testing.assert_allclose(tconv.conv_transpose(of_coarse, w, **geometry.keywords).reshape(c.shape), c)
    np.testing.assert_allclose(tconv.conv(of_fine, w, **geometry.keywords).reshape(c.T.shape), c.T)


@pytest.mark.parametrize("groups", [1, 2])
def test_derivatives_are_those_of_finite_differences(groups):
    """Every operation is linear in each operand, so a difference quotient is exact up to rounding."""
    keywords = {**KEYWORDS, "groups": groups}
    w = RNG.normal(size=(4, 3, 3, 3))
    y = tconv.conv_transpose(X, w, **keywords)
    loss = RNG.normal(size=y.shape)  # dL/dy for the loss <y, loss>
    dx, dw = tconv.conv(loss, w, **keywords), tconv.weight_gradient(X, loss, 3, **keywords)
    step_x, step_w = RNG.normal(size=X.shape), RNG.normal(size=w.shape)
    along_x = ((tconv.conv_transpose(X + step_x, w, **keywords) - y) * loss).sum()
    along_w = ((tconv.conv_transpose(X, w + step_w, **keywords) - y) * loss).sum()
    assert along_x == pytest.approx((dx * step_x).sum())
    assert along_w == pytest.approx((dw * step_w).sum())


def test_the_shape_comes_back_and_the_values_do_not():
    """C transposed is not the inverse of C."""
    y = RNG.normal(size=(1, 1, 8, 8))
    w = np.full((1, 1, 4, 4), 1 / 16)
    x = tconv.conv(y, w, stride=2, padding=1)
    again = tconv.conv_transpose(x, w, stride=2, padding=1)
    assert again.shape == y.shape
    assert np.abs(again - y).max() > 0.5


def test_same_and_valid_padding():
    x = np.ones((1, 1, 5))
    for k, s, same, valid in [(3, 2, 10, 11), (4, 2, 10, 12), (2, 3, 15, 15), (3, 1, 5, 7)]:
        w = np.ones((1, 1, k))
        assert tconv.conv_transpose(x, w, stride=s, padding="same").shape == (1, 1, same)
        assert tconv.conv_transpose(x, w, stride=s, padding="valid").shape == (1, 1, valid)
        assert tconv.conv(np.ones((1, 1, same)), w, stride=s, padding="same").shape == x.shape
        assert tconv.conv(np.ones((1, 1, valid)), w, stride=s, padding="valid").shape == x.shape


def test_four_axes():
    x, w = RNG.normal(size=(1, 2, 2, 1, 2, 2)), RNG.normal(size=(2, 1, 2, 2, 1, 2))
    results = [tconv.conv_transpose(x, w, stride=2, method=name) for name in EXACT]
    assert results[0].shape == (1, 1, 4, 2, 3, 4)
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-12)


def test_many_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor

    cases = [(method, size) for method in EXACT for size in range(3, 9)] * 4

    def work(case):
        method, size = case
        x, w = np.full((1, 2, size, size), 1.0), np.full((2, 2, 4, 4), 0.5)
        return tconv.conv_transpose(x, w, stride=2, padding=1, method=method).sum(), size

    with ThreadPoolExecutor(8) as pool:
        for total, size in pool.map(work, cases):
            geometry = tconv.Geometry.conv_transpose((size, size), 4, stride=2, padding=1)
            assert total == 2 * geometry.coverage().sum()


@auto_and_every_method
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_arithmetic_is_silent_whatever_numpy_is_told_to_report(dtype, method):
    x, w, b = np.full((1, 2, 6), np.inf, dtype), np.ones((2, 3, 3), dtype), np.full(3, -np.inf, dtype)
    with np.errstate(all="raise"):
        assert np.isnan(tconv.conv_transpose(x, w, b, method=method)).all()
        huge = np.full((1, 1, 1), np.finfo(dtype).max, dtype)
        assert np.isinf(tconv.conv_transpose(huge, huge, method=method)).all()


@auto_and_every_method
def test_as_many_axes_as_numpy_can_hold(method):
    x, w = np.ones((1, 1, *[1] * 30)), np.ones((1, 1, *[1] * 29, 2))
    stride = 1 if method == "jit" else 2
    assert tconv.conv_transpose(x, w, stride=stride, method=method).shape == (1, 1, *[1] * 29, 2)
    with pytest.raises(ValueError, match=r"^conv_transpose: w must have at most 30 axes of size; got 31\n"):
        tconv.conv_transpose(np.ones([1] * 33), np.ones([1] * 33), method=method)


def test_kernels_are_not_generated_for_more_phases_than_tables_should_list():
    x, w = np.ones((1, 1, *[1] * 30)), np.ones((1, 1, *[1] * 29, 2))
    reason = 'method "jit" computes kernels and strides up to 16384 only, all axes together'
    with pytest.raises(ValueError, match=rf"^conv_transpose: {reason}\n"):
        tconv.conv_transpose(x, w, stride=2, method="jit")
    assert tconv.plan(x, w, stride=2).method != "jit"
