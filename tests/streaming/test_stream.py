"""`tconv.Stream`: what comes out, joined, is the one-piece call, however the cells were cut."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from definition import links
from hypothesis import given
from hypothesis import strategies as st
from registry import needs_kernels
from strategies import GEOMETRIES, axes, chains

import tconv
from tconv import Axis, Geometry, Stream

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)


def whole_numbers(shape, dtype):
    """Values whose sums are exact in every order."""
    return RNG.integers(-3, 4, shape).astype(dtype)


@st.composite
def cuts(draw, total):
    """How a grid comes in pieces: none of it, a cell, a few, or the rest."""
    pieces, left = [], total
    while left:
        n = min(left, draw(st.sampled_from([0, 1, 1, 2, 3, 5, 17])))
        pieces.append(n)
        left -= n
        if len(pieces) > 12:
            pieces.append(left)
            break
    return pieces


def pushed(stream, x, pieces, axis=-1, *, last=False):
    """The results of pushes of so many cells, joined; the last of them with `flush`, or an empty `flush` after all."""
    parts, start = [], 0
    for i, n in enumerate(pieces):
        cells = np.take(x, range(start, start + n), axis)
        start += n
        parts.append(stream.flush(cells) if last and i == len(pieces) - 1 else stream.push(cells))
    if not last:
        parts.append(stream.flush())
    assert start == x.shape[axis]
    return np.concatenate(parts, axis)


def operator(axis_or_geometry, operation, dtype="float64", cin=2, cout=3, **keywords):
    """An operator of a geometry, with a bias, and what it reads."""
    geometry = axis_or_geometry if isinstance(axis_or_geometry, Geometry) else Geometry((axis_or_geometry,))
    w = whole_numbers((cin, cout, *geometry.kernel), dtype)
    window = {"stride": geometry.stride, "padding": geometry.padding, "dilation": geometry.dilation, **keywords}
    if operation == "conv_transpose":
        op = tconv.ConvTranspose(w, whole_numbers(cout, dtype), output_padding=geometry.output_padding, **window)
        return op, whole_numbers((2, cin, *geometry.coarse), dtype)
    return tconv.Conv(w, whole_numbers(cin, dtype), **window), whole_numbers((2, cout, *geometry.fine), dtype)


def defined(axis, op, x):
    """The definition, with loops over links."""
    up = isinstance(op, tconv.ConvTranspose)
    w, bias = op._w, op._bias
    y = np.zeros((len(x), w.shape[1] if up else w.shape[0], axis.fine if up else axis.coarse), w.dtype)
    for c, t, o in links(axis):
        if up:
            y[..., o] += x[..., c] @ w[..., t]
        else:
            y[..., c] += x[..., o] @ w[..., t].T
    return y + bias[:, None]


@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@given(data=st.data())
def test_every_cut_gives_the_definition(operation, data):
    axis = data.draw(axes())
    if operation == "conv" and axis.output_padding >= axis.stride:
        return  # fewer coarse cells than the fine size has room for
    op, x = operator(axis, operation)
    stream = Stream(op)
    wanted = defined(axis, op, x)
    for last in (False, True):
        pieces = data.draw(cuts(x.shape[-1]))
        np.testing.assert_array_equal(pushed(stream, x, pieces, last=last), wanted)


@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_any_axis_of_chosen_geometries(geometry, layout, operation):
    if operation == "conv" and any(a.output_padding >= a.stride for a in geometry.axes):
        pytest.skip("fewer coarse cells than the fine size has room for")
    op, x = operator(geometry, operation, layout=layout, method="phases")
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if layout == "channels_last" else x
    for number in range(geometry.ndim):
        axis = number - geometry.ndim - (layout == "channels_last")
        for step in (1, 2, x.shape[axis]):
            pieces = [step] * (x.shape[axis] // step) + [x.shape[axis] % step]
            np.testing.assert_array_equal(pushed(Stream(op, axis=number), x, pieces, axis), op(x))


@needs_kernels
@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@given(data=st.data())
def test_the_engine_in_pieces(operation, data):
    """Whole numbers in float32: every sum is exact, so that a wrong cell is seen, and a rounding is not."""
    axis = data.draw(axes())
    if operation == "conv" and axis.output_padding >= axis.stride:
        return
    op, x = operator(axis, operation, "float32", method="jit")
    np.testing.assert_array_equal(pushed(Stream(op), x, data.draw(cuts(x.shape[-1]))), op(x))


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64", "int8", "uint16"])
def test_dtypes(dtype):
    geometry = Geometry.conv_transpose(23, 5, stride=2, padding=1)
    for operation in ("conv_transpose", "conv"):
        op, x = operator(geometry, operation, dtype)
        y = pushed(Stream(op), x, [3, 0, 1, x.shape[-1] - 4])
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, op(x))


def test_without_a_batch_and_with_groups():
    w = whole_numbers((4, 1, 4), "float32")
    op = tconv.ConvTranspose(w, stride=2, padding=1, groups=2)
    x = whole_numbers((4, 9), "float32")
    np.testing.assert_array_equal(pushed(Stream(op), x, [1] * 9), op(x))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_words_for_padding(padding):
    w, x = whole_numbers((2, 2, 3), "float64"), whole_numbers((1, 2, 11), "float64")
    for op in (
        tconv.ConvTranspose(w, stride=2, padding=padding),
        tconv.ConvTranspose(w, stride=5, padding=padding),
        tconv.Conv(w, padding=padding, dilation=2),
    ):
        np.testing.assert_array_equal(pushed(Stream(op), x, [2, 3, 6]), op(x))


def test_weights_and_cells_that_are_not_finite():
    """Zeros beside the grid are no cells: 0 * inf would be NaN where no tap is tied to a cell."""
    geometry = Geometry.conv_transpose(6, 4, stride=2, padding=((-3, 1),), output_padding=1)
    for operation in ("conv_transpose", "conv"):
        op, x = operator(geometry, operation)
        for place in (0, 3):
            w = op._w.copy()
            w[..., place] = np.inf
            bad = type(op)(w, op._bias, **{k: v for k, v in geometry.keywords.items() if k != "output_padding"})
            for cells in (x, np.where(np.arange(x.shape[-1]) == 2, np.nan, x)):
                with np.errstate(invalid="ignore"):
                    wanted, got = bad(cells), pushed(Stream(bad), cells, [1, 2] + [1] * (x.shape[-1] - 3))
                np.testing.assert_array_equal(got, wanted)
    x = np.where(np.arange(x.shape[-1]) == 2, np.inf, x)
    np.testing.assert_array_equal(pushed(Stream(op), x, [4, x.shape[-1] - 4]), op(x))


# -- operators one after the other -------------------------------------------------------------------------------------


def relu(x):
    return np.maximum(x, 0)


def vocoder(dtype="float64"):
    """Down, up, up and a dilated filter, as a codec has them; causal but for the last."""

    def w(*shape):
        return whole_numbers(shape, dtype)

    return [
        tconv.Conv(w(4, 2, 3), w(4), padding=((2, 0),)),
        relu,
        tconv.ConvTranspose(w(4, 3, 4), w(3), stride=2, padding=((0, 2),)),
        tconv.ConvTranspose(w(3, 3, 5), stride=3, padding=1, output_padding=2),
        np.negative,
        tconv.Conv(w(2, 3, 4), w(2), stride=2, padding=2, dilation=2),
    ]


def in_one_piece(steps, x):
    for step in steps:
        x = step(x)
    return x


@given(data=st.data())
def test_operators_one_after_the_other(data):
    steps = vocoder()
    n = data.draw(st.integers(1, 30))
    x = whole_numbers((1, 2, n), "float64")
    np.testing.assert_array_equal(pushed(Stream(steps), x, data.draw(cuts(n))), in_one_piece(steps, x))


@given(chains(most=4), st.data())
def test_random_operators_one_after_the_other(chain, data):
    steps = []
    for link in chain.links:
        op, _ = operator(link.geometry, link.operation, cin=1, cout=1)
        steps += [op, np.square]
    x = whole_numbers((1, *chain.input_size), "float64")
    wanted = in_one_piece(steps, x)
    np.testing.assert_allclose(pushed(Stream(steps), x, data.draw(cuts(x.shape[-1]))), wanted, rtol=1e-9, atol=1e-9)


def test_a_function_before_the_first_operator():
    op = tconv.Conv(np.ones((1, 1, 2)))
    stream = Stream([lambda x: x.astype(float), op, np.tanh])
    got = pushed(stream, np.arange(5)[None], [2, 0, 3])
    np.testing.assert_allclose(got, np.tanh([[1.0, 3.0, 5.0, 7.0]]), rtol=1e-12)


# -- at once, and no more than is needed -------------------------------------------------------------------------------


@given(axes(), st.booleans())
def test_every_result_comes_at_once(axis, up):
    """Those of the whole, if it ended now, before the first that is tied to a later cell, if it went on."""
    if not up and axis.output_padding >= axis.stride:
        return
    op, x = operator(axis, "conv_transpose" if up else "conv")
    cells = x.shape[-1]
    window = {"stride": axis.stride, "padding": axis.padding, "dilation": axis.dilation}
    build = Axis.conv_transpose if up else Axis.conv
    longer = build(cells + axis.effective_kernel + axis.stride + max(0, axis.padding[0]), axis.kernel, **window)
    later = [o if up else c for c, _, o in links(longer) if (c if up else o) >= cells]
    came = Stream(op).push(x).shape[-1]
    assert came == min([*later, axis.fine if up else axis.coarse])


def test_latency():
    w = np.ones((1, 1, 8))
    cases = [
        (tconv.ConvTranspose(w, stride=4, padding=((0, 4),)), 0),  # causal
        (tconv.ConvTranspose(w, stride=4, padding=2), 1),  # HiFi-GAN: results before the cell's own place
        (tconv.ConvTranspose(w, stride=4), 0),
        (tconv.Conv(w, padding=((7, 0),)), 0),
        (tconv.Conv(w, padding=((4, 3),)), 3),
        (tconv.Conv(w), 7),
        (tconv.Conv(w, stride=4, padding=((4, 0),)), 3),
        ([tconv.Conv(w, padding=((4, 3),)), np.tanh, tconv.ConvTranspose(w, stride=4, padding=2)], 4),
        ([tconv.ConvTranspose(w, stride=4, padding=2), tconv.Conv(w, padding=((4, 3),))], 2),
    ]
    for op, wanted in cases:
        assert Stream(op).latency == wanted


@given(axes(), st.booleans())
def test_results_wait_as_long_as_is_said(axis, up):
    if not up and axis.output_padding >= axis.stride:
        return
    op, x = operator(axis, "conv_transpose" if up else "conv")
    stream = Stream(op)
    latency, scale = stream.latency, stream.scale
    came, waited = 0, 0
    for n in range(1, 60):
        came += stream.push(np.zeros((1, x.shape[1], 1))).shape[-1]
        waited = max(waited, n - came // scale if n > 20 else 0)
        assert came >= (n - latency) * scale, "all results whose place is so many cells back"
    assert latency == 0 or waited >= latency


def test_the_state_is_the_cells_that_later_results_read():
    causal = Stream(tconv.ConvTranspose(np.ones((8, 4, 16), np.float32), stride=8, padding=((0, 8),)))
    filters = Stream(tconv.Conv(np.ones((4, 8, 7), np.float32), padding=((6, 0),), dilation=1))
    for _ in range(40):
        causal.push(np.ones((1, 8, 3), np.float32))
        filters.push(np.ones((1, 8, 5), np.float32))
        assert causal.nbytes == 1 * 8 * 4
    assert filters.nbytes == 6 * 8 * 4
    held = filters._stages[0].held
    assert held.base is None or held.base.nbytes == held.nbytes, "it keeps no more alive"
    skips = Stream(tconv.Conv(np.ones((1, 1, 2)), stride=9))
    for _ in range(50):
        skips.push(np.ones((1, 4)))
        assert skips.nbytes <= 2 * 8


def test_no_work_that_grows(monkeypatch):
    """An operator computes as many cells in the thousandth push as in the tenth."""
    op = tconv.ConvTranspose(np.ones((2, 2, 9)), stride=2, padding=3)
    stream = Stream(op)
    sizes = []
    run = stream._stages[0].layer._units
    monkeypatch.setattr(stream._stages[0].layer, "_units", Spy(run, sizes))
    for _ in range(200):
        stream.push(np.ones((1, 2, 4)))
    assert len(set(sizes[10:])) == 1


class Spy:
    def __init__(self, op, sizes):
        self.op, self.sizes = op, sizes

    def __call__(self, x):
        self.sizes.append(x.shape[-1])
        return self.op(x)

    def __getattr__(self, name):
        return getattr(self.op, name)


@needs_kernels
@pytest.mark.parametrize("make", [tconv.ConvTranspose, tconv.Conv])
def test_kernels_are_made_for_a_bounded_number_of_sizes(make):
    stream = Stream(make(np.ones((2, 2, 5), np.float32), stride=2))
    for n in range(1, 1025):
        stream.push(np.ones((1, 2, n), np.float32))
    assert len(stream._stages[0].layer._units._ready) <= 8 + 4 * 10


def test_pushes_that_are_alike_are_computed_as_they_are():
    stream = Stream(tconv.ConvTranspose(np.ones((2, 2, 4)), stride=2, padding=1))
    sizes = []
    stream._stages[0].layer._units = Spy(stream._stages[0].layer._units, sizes)
    for _ in range(5):
        stream.push(np.ones((1, 2, 441)))
    assert set(sizes) == {442}  # and one cell before


# -- the object --------------------------------------------------------------------------------------------------------


def test_reset_begins_another_stream():
    op = tconv.ConvTranspose(whole_numbers((2, 3, 4), "float64"), stride=2, padding=1)
    stream = Stream(op)
    stream.push(np.ones((2, 2, 5)))
    stream.reset()
    assert stream.nbytes == 0
    x = whole_numbers((2, 9), "float64")
    np.testing.assert_array_equal(pushed(stream, x, [4, 5]), op(x))
    np.testing.assert_array_equal(pushed(stream, x[None], [9]), op(x[None]))  # flush resets


def test_a_copy_goes_on_by_itself():
    stream = Stream(vocoder())
    x = whole_numbers((1, 2, 20), "float64")
    first = stream.push(x[..., :7])
    for other in (copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):
        y = np.concatenate([first, other.push(x[..., 7:11]), other.flush(x[..., 11:])], -1)
        np.testing.assert_array_equal(y, in_one_piece(vocoder_of(stream), x))
    rest = np.concatenate([first, stream.flush(x[..., 7:])], -1)
    np.testing.assert_array_equal(rest, in_one_piece(vocoder_of(stream), x))


def vocoder_of(stream):
    return stream._given


def test_results_are_arrays_of_their_own():
    op = tconv.Conv(np.ones((1, 1, 1)))
    x = np.arange(4.0)[None]
    stream = Stream(op)
    first = stream.push(x)
    x[:] = 9
    np.testing.assert_array_equal(first, [[0, 1, 2, 3]])
    held = Stream(tconv.Conv(np.ones((1, 1, 3))))
    cells = np.ones((1, 2))
    held.push(cells)
    cells[:] = 9
    np.testing.assert_array_equal(held.push(np.ones((1, 1))), [[3.0]])


def test_an_error_leaves_the_state_as_it_was():
    op = tconv.Conv(whole_numbers((1, 1, 3), "float64"))
    stream = Stream(op)
    x = whole_numbers((1, 9), "float64")
    first = stream.push(x[:, :2])
    for wrong in (x.astype("float32"), x[None], np.ones((2, 3)), [1.0]):
        with pytest.raises((TypeError, ValueError)):
            stream.push(wrong)
    with pytest.raises(ValueError, match="kernel must fit"):
        stream.flush()
    y = np.concatenate([first, stream.push(x[:, 2:5]), stream.flush(x[:, 5:])], -1)
    np.testing.assert_array_equal(y, op(x))


def test_how_it_shows_itself():
    op = tconv.Conv(np.ones((1, 1, 3)))
    assert repr(Stream(op)) == f"Stream({op!r})"
    assert repr(Stream([op, relu])) == f"Stream([{op!r}, relu])"
