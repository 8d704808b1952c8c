"""`tconv.ConvTranspose` and `Conv`: the results of the functions, bit for bit, call after call, from many threads."""

import copy
import gc
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from registry import auto_and_every_method, needs_kernels
from strategies import GEOMETRIES

import tconv
from tconv import prepared

RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 6, 3, 3)).astype(np.float32)


class Prepared(NamedTuple):
    """A prepared operation: its class, its function, what both take, and the channels of what is read and written."""

    make: Any
    function: Any
    grid: np.ndarray
    bias: np.ndarray
    keywords: dict[str, Any]

    @property
    def name(self):
        return self.function.__name__

    @property
    def channels(self):
        return self.grid.shape[1]

    def op(self, w=W, bias=None, **keywords):
        return self.make(w, self.bias if bias is None else bias, **self.keywords, **keywords)

    def wanted(self, grid, **keywords):
        return self.function(grid, W, self.bias, **self.keywords, **keywords)


def prepared_case(name, size, channels, written, **keywords):
    grid = RNG.normal(size=(2, channels, *size)).astype(np.float32)
    bias = RNG.normal(size=written).astype(np.float32)
    function = {"Conv": tconv.conv, "ConvTranspose": tconv.conv_transpose}[name]
    return Prepared(getattr(tconv, name), function, grid, bias, keywords)


CASES = {
    "ConvTranspose": prepared_case("ConvTranspose", (5, 7), 4, 6, stride=2, padding=1, output_padding=(1, 0)),
    "Conv": prepared_case("Conv", (10, 13), 6, 4, stride=2, padding=1),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


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
def test_equals_the_function(case, geometry, groups, layout, method):
    up = case.name == "conv_transpose"
    x = RNG.normal(size=(2, *((4, *geometry.coarse) if up else (3 * groups, *geometry.fine)))).astype(np.float32)
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if layout == "channels_last" else x
    w = RNG.normal(size=(4, 3, *geometry.kernel)).astype(np.float32)
    bias = RNG.normal(size=3 * groups if up else 4).astype(np.float32)
    keywords = {**geometry.keywords, "groups": groups, "layout": layout, "method": method}
    op = case.make(w, bias, **keywords)
    wanted = case.function(x, w, bias, **keywords)
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
def test_layouts_that_are_one_in_memory(case, size, cin, cout):
    """With one channel or one cell, channels first and last are the same bytes; the bits of the result too."""
    w = RNG.normal(size=(cin, cout, 3, 3)).astype(np.float32)
    size, channels = (size, cin) if case.name == "conv_transpose" else ((size[0] + 2, size[1] + 2), cout)
    for layout, shape in (("channels_first", (2, channels, *size)), ("channels_last", (2, *size, channels))):
        x = RNG.normal(size=shape).astype(np.float32)
        for crop in (0, 1):
            keywords = {"padding": crop, "layout": layout}
            np.testing.assert_array_equal(case.make(w, **keywords)(x), case.function(x, w, **keywords))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint32", "int64"])
def test_every_dtype(case, dtype):
    x, w, b = ((10 * a).astype(dtype) for a in (np.abs(case.grid), np.abs(W), np.abs(case.bias)))
    op = case.op(w, b)
    y = op(x)
    assert y.dtype == op.dtype == dtype
    np.testing.assert_array_equal(y, case.function(x, w, b, **case.keywords))
    np.testing.assert_array_equal(op(x), y)


@needs_kernels
def test_floats_go_to_the_engine_and_integers_to_another_method(case):
    make, shape = partial(case.make, **case.keywords), case.grid.shape
    assert make(W).plan(shape).method == "jit"
    assert make(W.astype(np.float16)).plan(shape).method == "jit"
    assert make(W.astype(np.int32)).plan(shape).method != "jit"
    op = make(W.astype(np.int32), method="gemm")
    assert (op.plan(shape).method, op.plan(shape).why) == ("gemm", "asked for by name")


def test_plan_is_that_of_the_function(case):
    op, shape = case.make(W, **case.keywords), case.grid.shape
    of_function = tconv.plan(case.grid, W, operation=case.name, **case.keywords)
    assert op.plan(shape) == op.plan(case.grid) == replace(of_function, why="weights are packed once")
    assert op.plan(shape).result_shape == op(case.grid).shape
    name, read = type(op).__name__, {"conv": "y", "conv_transpose": "x"}[case.name]
    with pytest.raises(TypeError, match=rf"^{name}\.plan: {read}_shape must be a shape; got 3 of type int$"):
        op.plan(3)
    wrong = rf"^{name}\.plan: {read} must have {case.channels} channels, the (first|second) size of w; got 5$"
    with pytest.raises(ValueError, match=wrong):
        op.plan((2, 5, 5, 7))


def test_new_shapes_and_no_batch(case):
    op, c = case.op(), case.channels
    for shape in [(1, c, 5, 7), (3, c, 5, 7), (1, c, 1, 1), (1, c, 40, 33), (c, 5, 7), (0, c, 5, 7), (2, c, 5, 7)]:
        x = RNG.normal(size=shape).astype(np.float32)
        for _ in range(2):
            np.testing.assert_array_equal(op(x), case.wanted(x))
    np.testing.assert_array_equal(op(case.grid[1]), op(case.grid)[1])


def test_more_shapes_than_are_remembered(case):
    op = case.op()
    arrays = [RNG.normal(size=(1, case.channels, 3, n)).astype(np.float32) for n in range(1, prepared.REMEMBERED + 9)]
    wanted = [op(x) for x in arrays]
    assert len(op._ready) == prepared.REMEMBERED
    for x, y in zip(arrays, wanted, strict=True):
        np.testing.assert_array_equal(op(x), y)
        np.testing.assert_array_equal(y, case.wanted(x))
    assert len(op._ready) == prepared.REMEMBERED


def test_what_is_remembered_is_found_in_one_step(case):
    """Between two another thread may forget it."""

    class Forgetting(dict):
        def __getitem__(self, key):
            raise KeyError(key)

    op = case.make(W, case.bias, **case.keywords)
    wanted = op(case.grid)
    op._ready = Forgetting(op._ready)
    np.testing.assert_array_equal(op(case.grid), wanted)


def test_weights_and_bias_are_copied(case):
    w, b = W.copy(), case.bias.copy()
    op, wanted = case.op(w, b), case.wanted(case.grid)
    w[...], b[...] = 0, 0
    np.testing.assert_array_equal(op(case.grid), wanted)
    w[...], b[...] = 1, 1
    np.testing.assert_array_equal(op(case.grid[:1]), case.wanted(case.grid[:1]))


@pytest.mark.parametrize("kind", ["Fortran", "sliced", "byte-swapped", "unaligned", "read-only", "subclass"])
def test_arrays_of_any_arrangement(case, kind, tmp_path):
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

    op, wanted = case.op(arranged(W), arranged(case.bias)), case.wanted(case.grid)
    for x in (arranged(case.grid), case.grid, arranged(case.grid)):  # before and after the shape is known
        y = op(x)
        assert type(y) is np.ndarray
        assert y.dtype.isnative
        np.testing.assert_array_equal(y, wanted)


def test_out_of_any_strides(case):
    op, wanted, x = case.op(), case.wanted(case.grid), case.grid
    wide = np.full([2 * size + 1 for size in wanted.shape], 7.25, np.float32)
    out = wide[tuple(slice(1, None, 2) for _ in wanted.shape)]
    out[...] = np.nan
    assert op(x, out) is op(x, out=out) is out
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)
    out[...] = 7.25
    assert (wide == 7.25).all()
    innermost = np.empty([wanted.shape[i] for i in (0, 2, 3, 1)], np.float32).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(op(x, innermost), case.wanted(x, out=innermost.copy("K")))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("operand", ["w", "bias", "grid"])
def test_what_is_not_finite_stays_where_it_belongs(case, operand, value):
    """Kernels would spread a NaN in a weight to the border, where it meets zeros around the grid."""
    x, w, b = case.grid.copy(), W.copy(), case.bias.copy()
    {"w": w[1, 2], "bias": b, "grid": x[1, 2]}[operand].reshape(-1)[0] = value
    op = case.op(w, b)
    for _ in range(2):
        y = op(x)
        assert 0 < (~np.isfinite(y)).sum() < y.size / 2
        np.testing.assert_array_equal(y, case.function(x, w, b, **case.keywords))


def test_pickle_and_copy(case):
    op = case.op()
    wanted = op(case.grid)
    for again in (pickle.loads(pickle.dumps(op)), copy.copy(op), copy.deepcopy(op)):
        assert repr(again) == repr(op)
        np.testing.assert_array_equal(again(case.grid), wanted)
        np.testing.assert_array_equal(again(case.grid), wanted)
    assert len(pickle.dumps(op)) < W.nbytes + case.bias.nbytes + 2000  # no packed weights, no tables
    np.testing.assert_array_equal(op(case.grid), wanted)


def test_repr():
    assert repr(tconv.ConvTranspose(W)) == "ConvTranspose(w float32 (4, 6, 3, 3))"
    op = tconv.ConvTranspose(W, W[0, :, 0, 0], stride=(2, 1), padding="same", dilation=[2, 1])
    assert repr(op) == ("ConvTranspose(w float32 (4, 6, 3, 3), bias, stride=(2, 1), padding='same', dilation=(2, 1))")
    op = tconv.ConvTranspose(W, stride=2, padding=1, output_padding=1)
    assert repr(op) == "ConvTranspose(w float32 (4, 6, 3, 3), stride=2, padding=1, output_padding=1)"
    assert repr(tconv.Conv(W, padding=1, method="gemm")) == 'Conv(w float32 (4, 6, 3, 3), padding=1, method="gemm")'
    op = tconv.ConvTranspose(W.astype(np.int8), groups=2, layout="channels_last", output_size=(9, 9))
    assert repr(op) == ('ConvTranspose(w int8 (4, 6, 3, 3), output_size=(9, 9), groups=2, layout="channels_last")')


def test_threads_may_be_set_between_calls(case):
    w = RNG.normal(size=(16, 32, 4, 4)).astype(np.float32)
    op = case.make(w, stride=2, padding=1)
    x = RNG.normal(size=(2, 16 if case.name == "conv_transpose" else 32, 40, 40)).astype(np.float32)
    wanted = op(x)
    for threads in (1, 3, 2, 1, None, 2):
        tconv.set_num_threads(threads)
        poison()
        np.testing.assert_array_equal(op(x), wanted)


def test_an_operator_of_many_threads(case):
    """Eight threads at once, more shapes than are remembered, equal and different ones."""
    op, shapes = case.op(), [(1, case.channels, n % 3 + 1, n) for n in range(1, prepared.REMEMBERED + 20)]
    arrays = [RNG.normal(size=shape).astype(np.float32) for shape in shapes]
    wanted = [case.wanted(x) for x in arrays]

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


def test_results_are_new_arrays(case):
    op = case.op()
    one, two = op(case.grid), op(case.grid)
    assert not np.shares_memory(one, two)
    kept = one.copy()
    del two
    gc.collect()
    op(-case.grid)
    np.testing.assert_array_equal(one, kept)
