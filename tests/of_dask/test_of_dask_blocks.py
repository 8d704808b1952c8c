"""The operations block by block: what the definition gives, in chunks of any sizes, read and written."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import expected
from strategies import geometries

import tconv
import tconv.dask
from tconv.problem import OPERATIONS

RNG = np.random.default_rng(0)


@st.composite
def chunks(draw, size):
    """Chunks of an axis: all in one, one cell each, or of any sizes, with an empty one now and then."""
    most = draw(st.sampled_from((size, 1, 2, 3, 5)))
    found, left = [], size
    while left:
        found.append(draw(st.integers(1, min(left, max(most, 1)))))
        left -= found[-1]
    if draw(st.integers(0, 9)) == 9:
        found.insert(draw(st.integers(0, len(found))), 0)
    return tuple(found) or (0,)


@st.composite
def calls(draw):
    """A geometry, whole numbers on both of its grids as NumPy's and Dask's, weights, and how all are laid out."""
    geometry = draw(geometries(max_ndim=3, small=True))
    groups, last, batch = draw(st.sampled_from((1, 1, 2))), draw(st.booleans()), draw(st.sampled_from((None, 1, 3)))
    cin, cout = (groups * draw(st.integers(1, 2)) for _ in range(2))
    w = whole((cin, cout // groups, *geometry.kernel))
    grids = []
    for channels, size in ((cin, geometry.coarse), (cout, geometry.fine)):
        inner = (*size, channels) if last else (channels, *size)
        shape = inner if batch is None else (batch, *inner)
        values = whole(shape)
        grids.append((values, da.from_array(values, chunks=tuple(draw(chunks(n)) for n in shape))))
    asked = draw(st.sampled_from((None, None, 1, 2, 4, -1)))
    return geometry, groups, last, w, grids, asked


def whole(shape):
    return RNG.integers(-8, 9, shape).astype(np.float32)


def by_definition(operation, geometry, groups, last, w, x, y):
    """What the oracle gives for grids in the layout of a call."""
    batched = x.ndim == geometry.ndim + 2
    x, y = (np.moveaxis(a, -1, -1 - geometry.ndim) if last else a for a in (x, y))
    found = expected(
        operation, geometry, *(a if batched else a[None] for a in (x,)), w, y if batched else y[None], groups
    )
    if operation == "weight_gradient":
        return found
    found = found if batched else found[0]
    return np.moveaxis(found, -1 - geometry.ndim, -1) if last else found


def keywords(operation, geometry):
    """The keywords of a call with this geometry."""
    window = dict(geometry.keywords)
    return window if operation != "weight_gradient" else {**window, "output_padding": None}


@pytest.mark.parametrize("operation", OPERATIONS)
@given(call=calls())
def test_blocks_are_the_definition(operation, call):
    """Sums of small whole numbers are exact, in any order: nothing may differ."""
    geometry, groups, last, w, ((x, x_there), (y, y_there)), asked = call
    given = {"groups": groups, "layout": "channels_last" if last else "channels_first", **keywords(operation, geometry)}
    if operation == "weight_gradient":
        found = tconv.dask.weight_gradient(x_there, y_there, geometry.kernel, **given)
    else:
        first = x_there if operation == "conv_transpose" else y_there
        found = getattr(tconv.dask, operation)(first, w, **given, chunks=asked)
    wanted = by_definition(operation, geometry, groups, last, w, x, y)
    assert (found.shape, found.dtype) == (wanted.shape, np.float32)
    result = found.compute(scheduler="sync")
    assert result.shape == wanted.shape  # what Dask was told is what blocks are
    np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@given(call=calls(), lazily=st.booleans(), activation=st.sampled_from((None, "relu", "per channel")))
def test_what_follows_is_done_block_by_block(operation, call, lazily, activation):
    """Whole numbers, and quarters of them, are exact. Blocks that read nothing are the bias and the residual alone."""
    geometry, groups, last, w, ((x, x_there), (y, y_there)), asked = call
    window = {"groups": groups, "layout": "channels_last" if last else "channels_first", **geometry.keywords}
    first, there = (x, x_there) if operation == "conv_transpose" else (y, y_there)
    channels = w.shape[1] * groups if operation == "conv_transpose" else w.shape[0]
    bias = whole((channels,))
    sums = getattr(tconv, operation)(first, w, bias, **window)
    residual = 16 * whole(sums.shape)
    slopes = np.resize([0.5, 0.25, 2.0], channels)
    if activation == "per channel":
        activation = tconv.Activation("prelu", slope=slopes)
    wanted = sums + residual
    factor = 1 if activation is None else 0 if activation == "relu" else slopes
    factor = np.asarray(factor, np.float32)
    if factor.ndim and not last:
        factor = factor.reshape(-1, *[1] * geometry.ndim)
    wanted = np.where(wanted < 0, factor * wanted, wanted)
    given = da.from_array(residual, chunks=2) if lazily else residual
    found = getattr(tconv.dask, operation)(
        there, w, bias, **window, activation=activation, residual=given, chunks=asked
    )
    np.testing.assert_array_equal(found.compute(scheduler="sync"), wanted)
    with_one = getattr(tconv, operation)(there, w, bias, **window, activation="relu")
    np.testing.assert_array_equal(with_one.compute(scheduler="sync"), np.maximum(sums, 0))


@pytest.mark.parametrize("name", ["silu", "snake", "gelu_tanh"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_activations_are_those_of_one_piece(name, dtype):
    x, w = RNG.normal(size=(1, 2, 9, 8)).astype(dtype), RNG.normal(size=(2, 3, 1, 2)).astype(dtype)
    given = {"stride": (3, 2), "activation": name}  # rows that no tap reaches are blocks of their own
    found = tconv.dask.conv_transpose(da.from_array(x, chunks=(1, 1, 2, 3)), w, **given, chunks=(1, 5))
    rounding = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(found.compute(scheduler="sync"), tconv.conv_transpose(x, w, **given), rounding, rounding)


def test_keys_are_of_what_follows():
    x, w = da.ones((1, 8), chunks=4), np.ones((1, 1, 2))
    names = [
        tconv.dask.conv(x, w, activation=activation, residual=residual).name
        for activation in (None, "relu", tconv.Activation("elu", alpha=2.0), tconv.Activation("elu", alpha=3.0))
        for residual in (None, np.ones((1, 7)), np.zeros((1, 7)))
    ]
    assert len(set(names)) == len(names)
    again = tconv.dask.conv(x, w, activation=tconv.Activation("elu", alpha=2.0))
    assert again.name == names[6]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int16"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_rounding_is_that_of_the_dtype(operation, dtype):
    """The same numbers are added up as in one piece, in another order perhaps: integers are equal in every bit."""
    geometry = tconv.Geometry.conv_transpose((23, 17), (4, 3), stride=(2, 3), padding=1)
    x, y, w = (
        (8 * RNG.normal(size=shape)).astype(dtype)
        for shape in ((2, 3, *geometry.coarse), (2, 4, *geometry.fine), (3, 4, 4, 3))
    )
    operands = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
    lazy = [da.from_array(a, chunks=(1, 2, 7, 5)) if a is not w else w for a in operands]
    kernel = (geometry.kernel,) if operation == "weight_gradient" else ()
    given = {**geometry.keywords, **({} if operation == "conv_transpose" else {"output_padding": None})}
    whole = getattr(tconv, operation)(*operands, *kernel, **given)
    found = getattr(tconv, operation)(*lazy, *kernel, **given)
    assert isinstance(found, da.Array)
    found = found.compute(scheduler="sync")
    assert found.dtype == whole.dtype
    if dtype.startswith("int"):
        np.testing.assert_array_equal(found, whole)
    else:
        sums = getattr(tconv, operation)(*(np.abs(a) for a in operands), *kernel, **given)
        assert (np.abs(found.astype("c16") - whole) <= 8 * np.finfo(whole.dtype).eps * np.abs(sums)).all()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("where", ["grid", "weights"])
def test_what_is_not_finite_reaches_what_it_reaches_in_one_piece(operation, where):
    """Zeros beyond the ends of a grid are met by weights, and by x, and must leave no NaN where nothing is."""
    geometry = tconv.Geometry.conv_transpose((6, 7), 5, stride=2, padding=2)
    x, y, w = whole((1, 2, *geometry.coarse)), whole((1, 2, *geometry.fine)), whole((2, 2, 5, 5))
    for array in (x, y) if where == "grid" else (w,):
        array[..., 0, 0], array[..., -1, -1] = np.inf, np.nan
    operands = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
    lazy = [da.from_array(a, chunks=(1, 2, 3, 3)) if a is not w else w for a in operands]
    kernel = (5,) if operation == "weight_gradient" else ()
    given = {"stride": 2, "padding": 2}
    with np.errstate(invalid="ignore"):
        whole_result = getattr(tconv, operation)(*operands, *kernel, **given)
        found = getattr(tconv, operation)(*lazy, *kernel, **given).compute(scheduler="sync")
    np.testing.assert_array_equal(found, whole_result)
    assert (where == "weights" and operation == "weight_gradient") or not np.isfinite(found).all()


def test_the_bias_reaches_blocks_that_no_tap_does():
    w, bias = np.ones((1, 2, 2), np.float32), np.array([3.0, -1.0], np.float32)
    x = da.ones((1, 1, 4), chunks=(1, 1, 1), dtype="float32")
    y = tconv.dask.conv_transpose(x, w, bias, stride=9, padding=-5, chunks=2)
    wanted = tconv.conv_transpose(x.compute(scheduler="sync"), w, bias, stride=9, padding=-5)
    np.testing.assert_array_equal(y.compute(scheduler="sync"), wanted)
    assert (wanted[0, 0] == 3).sum() == 31  # of 39 cells


def test_weights_and_a_bias_may_be_dask_arrays_too():
    x, w, bias = whole((1, 4, 9)), whole((4, 2, 3)), whole((2,))
    lazy = [da.from_array(a, chunks=2) for a in (x, w, bias)]
    wanted = tconv.conv_transpose(x, w, bias, stride=2)
    np.testing.assert_array_equal(tconv.conv_transpose(*lazy, stride=2).compute(scheduler="sync"), wanted)
    np.testing.assert_array_equal(tconv.conv_transpose(x, *lazy[1:], stride=2).compute(scheduler="sync"), wanted)
    np.testing.assert_array_equal(tconv.conv_transpose(lazy[0], w, lazy[2], stride=2).compute(scheduler="sync"), wanted)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_byte_order_of_a_result_is_that_of_the_processor(operation):
    """Whatever that of what is read is, as the result of arrays of NumPy has it."""
    x, w, y = whole((1, 3, 9, 8)), whole((3, 4, 4, 4)), whole((1, 4, 18, 16))
    first, second = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
    size = {"kernel_size": 4} if operation == "weight_gradient" else {}
    wanted = getattr(tconv, operation)(first, second, **size, stride=2, padding=1)
    first, second = first.astype(">f4"), second.astype(">f4")
    there = da.from_array(first, chunks=(1, -1, 4, 5))
    lazy = getattr(tconv.dask, operation)(there, second, **size, stride=2, padding=1)
    found = lazy.compute(scheduler="sync")
    assert lazy.dtype == found.dtype == np.float32
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_images(operation):
    x, y, w = da.ones((0, 2, 5)), da.ones((0, 3, 11)), np.ones((2, 3, 3))
    operands = {"conv_transpose": (x, w), "conv": (y, w), "weight_gradient": (x, y)}[operation]
    kernel = (3,) if operation == "weight_gradient" else ()
    found = getattr(tconv, operation)(*operands, *kernel, stride=2).compute(scheduler="sync")
    shape = {"conv_transpose": (0, 3, 11), "conv": (0, 2, 5), "weight_gradient": (2, 3, 3)}[operation]
    np.testing.assert_array_equal(found, np.zeros(shape))


def test_a_dtype_of_the_result():
    x = da.full((1, 300), 100, dtype="uint8", chunks=(1, 7))
    w = np.full((1, 1, 2), -3, "int8")
    found = tconv.conv_transpose(x, w, dtype="int32")
    assert found.dtype == np.int32
    assert np.unique(found.compute(scheduler="sync")).tolist() == [-600, -300]
    assert tconv.dask.conv_transpose(x, w, dtype="int32").name == found.name
