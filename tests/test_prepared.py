"""`tconv.ConvTranspose`: the results of `tconv.conv_transpose`, bit for bit, call after call, from many threads."""

import copy
import gc
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from registry import auto_and_every_method, needs_kernels
from strategies import GEOMETRIES

import tconv
from tconv import prepared

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 5, 7)).astype(np.float32)
W = RNG.normal(size=(4, 6, 3, 3)).astype(np.float32)
B = RNG.normal(size=6).astype(np.float32)
KEYWORDS = {"stride": 2, "padding": 1, "output_padding": (1, 0)}


@pytest.fixture(autouse=True)
def default_threads():
    yield
    tconv.set_num_threads(None)


def poison():
    """Leave memory that holds NaN where new arrays of the next call may lie."""
    for size in (10**3, 10**4, 10**5):
        np.full(size, np.nan)


@auto_and_every_method
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES[::3])
def test_equals_the_function(geometry, groups, layout, method):
    x = RNG.normal(size=(2, 4, *geometry.coarse)).astype(np.float32)
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if layout == "channels_last" else x
    w, bias = RNG.normal(size=(4, 3, *geometry.kernel)).astype(np.float32), B[: 3 * groups]
    keywords = {**geometry.keywords, "groups": groups, "layout": layout, "method": method}
    op = tconv.ConvTranspose(w, bias, **keywords)
    wanted = tconv.conv_transpose(x, w, bias, **keywords)
    for _ in range(2):
        poison()
        np.testing.assert_array_equal(op(x), wanted)
    for _ in range(2):  # at first everything is checked, then little
        out = np.full(wanted.shape, np.nan, np.float32)
        assert op(x, out) is out
        np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("cout", [1, 5])
@pytest.mark.parametrize("cin", [1, 5])
@pytest.mark.parametrize("size", [(1, 1), (9, 20)])
def test_layouts_that_are_one_in_memory(size, cin, cout):
    """With one channel or one cell, channels first and last are the same bytes; the bits of the result too."""
    w = RNG.normal(size=(cin, cout, 3, 3)).astype(np.float32)
    for layout, shape in (("channels_first", (2, cin, *size)), ("channels_last", (2, *size, cin))):
        x = RNG.normal(size=shape).astype(np.float32)
        for crop in (0, 1):
            keywords = {"padding": crop, "layout": layout}
            np.testing.assert_array_equal(tconv.ConvTranspose(w, **keywords)(x), tconv.conv_transpose(x, w, **keywords))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint32", "int64"])
def test_every_dtype(dtype):
    x, w, b = ((10 * a).astype(dtype) for a in (np.abs(X), np.abs(W), np.abs(B)))
    op = tconv.ConvTranspose(w, b, **KEYWORDS)
    y = op(x)
    assert y.dtype == op.dtype == dtype
    np.testing.assert_array_equal(y, tconv.conv_transpose(x, w, b, **KEYWORDS))
    np.testing.assert_array_equal(op(x), y)


@needs_kernels
def test_floats_go_to_the_engine_and_integers_to_another_method():
    assert tconv.ConvTranspose(W, **KEYWORDS).plan(X.shape).method == "jit"
    assert tconv.ConvTranspose(W.astype(np.float16), **KEYWORDS).plan(X.shape).method == "jit"
    assert tconv.ConvTranspose(W.astype(np.int32), **KEYWORDS).plan(X.shape).method != "jit"
    op = tconv.ConvTranspose(W.astype(np.int32), **KEYWORDS, method="gemm")
    assert (op.plan(X.shape).method, op.plan(X.shape).why) == ("gemm", "asked for by name")


def test_plan_is_that_of_the_function():
    op = tconv.ConvTranspose(W, **KEYWORDS)
    of_function = tconv.plan(X, W, **KEYWORDS)
    assert op.plan(X.shape) == op.plan(X) == replace(of_function, why="weights are packed once")
    assert op.plan(X.shape).result_shape == op(X).shape
    with pytest.raises(TypeError, match=r"^ConvTranspose\.plan: x_shape must be a shape; got 3 of type int$"):
        op.plan(3)
    with pytest.raises(ValueError, match=r"^ConvTranspose\.plan: x must have 4 channels, the first size of w; got 5$"):
        op.plan((2, 5, 5, 7))


def test_new_shapes_and_no_batch():
    op = tconv.ConvTranspose(W, B, **KEYWORDS)
    for shape in [(1, 4, 5, 7), (3, 4, 5, 7), (1, 4, 1, 1), (1, 4, 40, 33), (4, 5, 7), (0, 4, 5, 7), (2, 4, 5, 7)]:
        x = RNG.normal(size=shape).astype(np.float32)
        for _ in range(2):
            np.testing.assert_array_equal(op(x), tconv.conv_transpose(x, W, B, **KEYWORDS))
    np.testing.assert_array_equal(op(X[1]), op(X)[1])


def test_more_shapes_than_are_remembered():
    op = tconv.ConvTranspose(W, B, **KEYWORDS)
    arrays = [RNG.normal(size=(1, 4, 3, n)).astype(np.float32) for n in range(1, prepared.REMEMBERED + 9)]
    wanted = [op(x) for x in arrays]
    assert len(op._ready) == prepared.REMEMBERED
    for x, y in zip(arrays, wanted, strict=True):
        np.testing.assert_array_equal(op(x), y)
        np.testing.assert_array_equal(y, tconv.conv_transpose(x, W, B, **KEYWORDS))
    assert len(op._ready) == prepared.REMEMBERED


def test_weights_and_bias_are_copied():
    w, b = W.copy(), B.copy()
    op, wanted = tconv.ConvTranspose(w, b, **KEYWORDS), tconv.conv_transpose(X, W, B, **KEYWORDS)
    w[...], b[...] = 0, 0
    np.testing.assert_array_equal(op(X), wanted)
    w[...], b[...] = 1, 1
    np.testing.assert_array_equal(op(X[:1]), tconv.conv_transpose(X[:1], W, B, **KEYWORDS))


@pytest.mark.parametrize("kind", ["Fortran", "sliced", "byte-swapped", "unaligned", "read-only", "subclass"])
def test_arrays_of_any_arrangement(kind, tmp_path):
    def arranged(a):
        if kind == "byte-swapped":
            return a.astype(a.dtype.newbyteorder())
        if kind == "sliced":
            return np.repeat(a, 2, axis=-1)[..., ::2]
        if kind == "unaligned":
            copied = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
            copied[...] = a
            return copied
        if kind == "read-only":
            a = a.copy()
            a.flags.writeable = False
            return a
        if kind == "subclass":
            mapped = np.memmap(tmp_path / str(a.size), a.dtype, "w+", shape=a.shape)
            mapped[...] = a
            return mapped
        return np.asfortranarray(a)

    op = tconv.ConvTranspose(arranged(W), arranged(B), **KEYWORDS)
    wanted = tconv.conv_transpose(X, W, B, **KEYWORDS)
    for x in (arranged(X), X, arranged(X)):  # before and after the shape is known
        y = op(x)
        assert type(y) is np.ndarray
        assert y.dtype.isnative
        np.testing.assert_array_equal(y, wanted)


def test_out_of_any_strides():
    op, wanted = tconv.ConvTranspose(W, B, **KEYWORDS), tconv.conv_transpose(X, W, B, **KEYWORDS)
    wide = np.full([2 * size + 1 for size in wanted.shape], 7.25, np.float32)
    out = wide[tuple(slice(1, None, 2) for _ in wanted.shape)]
    out[...] = np.nan
    assert op(X, out) is op(X, out=out) is out
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)
    out[...] = 7.25
    assert (wide == 7.25).all()
    innermost = np.moveaxis(np.empty((2, 10, 13, 6), np.float32), -1, 1)
    np.testing.assert_array_equal(op(X, innermost), tconv.conv_transpose(X, W, B, **KEYWORDS, out=innermost.copy("K")))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("operand", ["w", "bias", "x"])
def test_what_is_not_finite_stays_where_it_belongs(operand, value):
    """Kernels would spread a NaN in a weight to the border, where it meets zeros around x."""
    x, w, b = X.copy(), W.copy(), B.copy()
    {"w": w[1, 2], "bias": b, "x": x[1, 2]}[operand].reshape(-1)[0] = value
    op = tconv.ConvTranspose(w, b, **KEYWORDS)
    for _ in range(2):
        y = op(x)
        assert 0 < (~np.isfinite(y)).sum() < y.size / 2
        np.testing.assert_array_equal(y, tconv.conv_transpose(x, w, b, **KEYWORDS))


def test_pickle_and_copy():
    op = tconv.ConvTranspose(W, B, **KEYWORDS)
    wanted = op(X)
    for again in (pickle.loads(pickle.dumps(op)), copy.copy(op), copy.deepcopy(op)):
        assert repr(again) == repr(op)
        np.testing.assert_array_equal(again(X), wanted)
        np.testing.assert_array_equal(again(X), wanted)
    assert len(pickle.dumps(op)) < W.nbytes + B.nbytes + 2000  # no packed weights, no tables
    np.testing.assert_array_equal(op(X), wanted)


def test_repr():
    assert repr(tconv.ConvTranspose(W)) == "ConvTranspose(w float32 (4, 6, 3, 3))"
    op = tconv.ConvTranspose(W, B, stride=(2, 1), padding="same", dilation=[2, 1])
    assert repr(op) == ("ConvTranspose(w float32 (4, 6, 3, 3), bias, stride=(2, 1), padding='same', dilation=(2, 1))")
    op = tconv.ConvTranspose(W.astype(np.int8), groups=2, layout="channels_last", output_size=(9, 9))
    assert repr(op) == ('ConvTranspose(w int8 (4, 6, 3, 3), output_size=(9, 9), groups=2, layout="channels_last")')


def test_threads_may_be_set_between_calls():
    x = RNG.normal(size=(2, 16, 40, 40)).astype(np.float32)
    w = RNG.normal(size=(16, 32, 4, 4)).astype(np.float32)
    op = tconv.ConvTranspose(w, stride=2, padding=1)
    wanted = op(x)
    for threads in (1, 3, 2, 1, None, 2):
        tconv.set_num_threads(threads)
        poison()
        np.testing.assert_array_equal(op(x), wanted)


def test_an_operator_of_many_threads():
    """Eight threads at once, more shapes than are remembered, equal and different ones."""
    op = tconv.ConvTranspose(W, B, **KEYWORDS)
    arrays = [RNG.normal(size=(1, 4, n % 3 + 1, n)).astype(np.float32) for n in range(1, prepared.REMEMBERED + 20)]
    wanted = [tconv.conv_transpose(x, W, B, **KEYWORDS) for x in arrays]

    def work(seed):
        for number in np.random.default_rng(seed).permutation(len(arrays)):
            poison()
            np.testing.assert_array_equal(op(arrays[number]), wanted[number])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(16)))
    finally:
        sys.setswitchinterval(interval)


def test_results_are_new_arrays():
    op = tconv.ConvTranspose(W, B, **KEYWORDS)
    one, two = op(X), op(X)
    assert not np.shares_memory(one, two)
    kept = one.copy()
    del two
    gc.collect()
    op(-X)
    np.testing.assert_array_equal(one, kept)
