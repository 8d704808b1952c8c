"""Hints on shapes: a slip is made, and what the hint says is done; the result is then that of the right call."""

import random
import re
from contextlib import suppress

import numpy as np
import problems
import pytest

import tconv
from tconv.hints import shapes


def shaped(rng, *shape):
    return rng.integers(-4, 5, shape).astype(np.float32)


def drawn(seed):
    """A call of conv_transpose whose sizes can hardly be taken for each other."""
    draw = random.Random(seed)
    geometry = problems.geometry(draw.choice, (1, 2, 2, 3))
    rng = np.random.default_rng(seed)
    x, w = shaped(rng, 2, 23, *geometry.coarse), shaped(rng, 23, 29, *geometry.kernel)
    return x, w, geometry.keywords


def hint(function, *arguments, **keywords):
    """What the error says behind its last semicolon."""
    with pytest.raises((ValueError, TypeError)) as caught:
        function(*arguments, **keywords)
    text = str(caught.value).partition("\n")[0]
    return text.partition("; got ")[2].partition("; ")[2]


CHANNELS_LAST = 'x has 23 channels last: layout="channels_last"?'
ORDERS = {
    "a convolution's order (Cout, Cin, *kernel)": (1, 0),
    "Keras's order (*kernel, Cout, Cin)": (2, 1, 0),
    "JAX's order (*kernel, Cin, Cout)": (2, 0, 1),
    "TFLite's order (Cout, *kernel, Cin)": (1, 2, 0),
}


def in_order(w, letters):
    """The weights of ours in another order: 0 is Cin, 1 Cout, and 2 all taps."""
    if len(letters) == 2:
        return w.swapaxes(0, 1)
    taps = tuple(range(2, w.ndim))
    return w.transpose([axis for letter in letters for axis in (taps if letter == 2 else (letter,))])


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("batched", [True, False])
def test_channels_at_the_other_end(seed, batched):
    x, w, keywords = drawn(seed)
    x = x if batched else x[0]
    last = np.moveaxis(x, -w.ndim + 1, -1)
    assert hint(tconv.conv_transpose, last, w, **keywords) == CHANNELS_LAST
    expected = 'x has 23 channels first: layout="channels_first"?'
    assert hint(tconv.conv_transpose, x, w, layout="channels_last", **keywords) == expected


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("order", ORDERS)
def test_weights_in_the_order_of_others(seed, order):
    x, w, keywords = drawn(seed)
    given = in_order(w, ORDERS[order])
    if x.shape[-1] == given.shape[0]:
        return  # channels may also be last
    said = hint(tconv.conv_transpose, x, given, **keywords)
    found = re.fullmatch(r"is w in (.*): (.*)\?", said)
    assert found[1] == order
    turned = eval(found[2], {"w": given, "tconv": tconv})
    assert turned.shape == w.shape
    if not order.startswith("JAX"):  # whose taps are flipped besides
        assert np.array_equal(turned, w)


def test_both_at_once():
    x, w = np.ones((1, 32, 32, 16), np.float32), np.ones((4, 4, 8, 16), np.float32)
    assert hint(tconv.conv_transpose, x, w) == (
        'x has 16 channels last: layout="channels_last", and is w in Keras\'s order (*kernel, Cout, Cin): '
        "w.transpose(3, 2, 0, 1)?"
    )


def test_square_pictures_are_likelier():
    x, w = np.ones((1, 16, 8, 8), np.float32), np.ones((8, 16, 4, 4), np.float32)
    assert hint(tconv.conv_transpose, x, w).endswith("order (Cout, Cin, *kernel): w.swapaxes(0, 1)?")
    x, w = np.ones((1, 100, 16), np.float32), np.ones((4, 8, 16), np.float32)
    assert hint(tconv.conv_transpose, x, w) == (
        'x has 16 channels last: layout="channels_last", and is w in Keras\'s order (*kernel, Cout, Cin): '
        "w.transpose(2, 1, 0)?"
    )


MISSING = [
    ((32, 33), (1, 8, 4, 4), {}, "has x no axis of channels: x[None]?"),
    ((5, 32, 33), (1, 8, 4, 4), {}, "has x no axis of channels: x[:, None]?"),
    ((5, 32, 33), (1, 8, 4, 4), {"layout": "channels_last"}, "has x no axis of channels: x[..., None]?"),
    ((32, 33), (4, 4), {}, "have x and w no axes of channels: x[None] and w[None, None]?"),
    ((7,), (3,), {}, "have x and w no axes of channels: x[None] and w[None, None]?"),
    ((1, 32, 33), (4, 4), {}, "is w a kernel alone: w[None, None]?"),
    ((2, 3, 32, 33), (4, 4), {}, "is w one kernel for all channels: np.broadcast_to(w, (3, 1, 4, 4)) with groups=3?"),
    ((2, 3, 32, 33), (3, 4, 4), {}, "is w a kernel a channel: w[:, None] with groups=3?"),
]


@pytest.mark.parametrize(("x", "w", "keywords", "said"), MISSING)
def test_axes_that_are_missing(x, w, keywords, said):
    given = {"x": np.ones(x, np.float32), "w": np.ones(w, np.float32), "np": np}
    assert hint(tconv.conv_transpose, given["x"], given["w"], **keywords) == said
    codes = re.findall(r"(np\.broadcast_to\(.*?\)\)|\b[xw]\[.*?\])", said)
    groups = re.search(r"groups=(\d+)", said)
    whole = {code[0] if code[0] in "xw" else "w": eval(code, given) for code in codes}
    arrays = {name: np.ascontiguousarray(whole.get(name, given[name])) for name in "xw"}
    tconv.conv_transpose(**arrays, **keywords, groups=int(groups[1]) if groups else 1)


def test_every_call_has_them():
    x, w, y = (np.ones(shape, np.float32) for shape in ((1, 9, 9, 16), (16, 8, 4, 4), (1, 18, 18, 8)))
    up = {"stride": 2, "padding": 1}
    last, ours = 'x has 16 channels last: layout="channels_last"?', "is w in a convolution's order (Cout, Cin, *kernel)"
    assert hint(tconv.plan, x.shape, w.shape, **up) == last
    assert hint(tconv.tune, x.shape, w.shape, **up) == last
    assert hint(tconv.ConvTranspose(w, **up), x) == last
    assert hint(tconv.conv, y, w, **up) == 'y has 8 channels last: layout="channels_last"?'
    assert hint(tconv.conv, np.moveaxis(y, -1, 1), w.swapaxes(0, 1), **up) == f"{ours}: w.swapaxes(0, 1)?"
    assert hint(tconv.weight_gradient, x, y, 4, **up) == last
    assert hint(
        tconv.weight_gradient, np.moveaxis(x, -1, 1), np.moveaxis(y, -1, 1), 4, layout="channels_last", **up
    ) == ('x has 16 channels first: layout="channels_first"?')
    assert hint(tconv.weight_gradient, np.moveaxis(x[0], -1, 0), np.moveaxis(y[0], -1, 0), 4, **up) == (
        "without a batch, kernel_size=(4, 4) says how many axes there are"
    )
    assert hint(tconv.ConvTranspose, w[0, 0]) == "is w a kernel alone: w[None, None]?"
    geometry = tconv.Geometry.conv_transpose((9, 9), 4, **up)
    keras = "is w in Keras's order (*kernel, Cout, Cin): w.transpose(3, 2, 0, 1)?"
    for function in (tconv.sparse_matrix, tconv.linear_operator):
        assert hint(function, geometry, w.transpose(2, 3, 1, 0)) == keras
        assert hint(function, geometry, w[0, 0]) == "is w a kernel alone: w[None, None]?"
    assert hint(tconv.im2col, y[0], geometry) == "np.moveaxis(y, -1, 0) puts channels first"
    assert hint(tconv.zero_inserted, x, geometry) == last


NONE = [
    ((2, 7, 9, 11), (8, 6, 3, 3), {}),  # so many channels are nowhere
    ((2, 3, 5, 7), (4, 6, 3, 3), {}),  # a kernel of 4 x 6 is not likely
    ((2, 8, 9, 11), (8, 6, 3, 3), {"groups": 3}),
    ((2, 8, 9, 11), (8, 6, 3, 3), {"padding": 20}),
    ((2, 8, 9, 11), (8, 6, 3, 3), {"output_padding": 9}),
    ((), (8, 6, 3, 3), {}),
    ((2, 8, 9, 11), (), {}),
    ((), (), {}),
    ((2, 8, 0, 11), (8, 6, 3, 3), {}),
]


@pytest.mark.parametrize(("x", "w", "keywords"), NONE)
def test_nothing_is_guessed_where_nothing_fits(x, w, keywords):
    assert hint(tconv.conv_transpose, np.ones(x, np.float32), np.ones(w, np.float32), **keywords) == ""


def test_what_is_tried_raises_nothing():
    """Whatever the shapes are, the error is that of the call, and no other."""
    draw = random.Random(4)
    for _ in range(3000):
        x, w = (tuple(draw.choice((0, 1, 1, 2, 3, 4, 8)) for _ in range(draw.randrange(6))) for _ in "xw")
        layout = draw.choice(("channels_first", "channels_last"))
        with suppress(ValueError):
            tconv.plan(x, w, layout=layout, groups=draw.choice((1, 1, 2, 3)), method="gemm")


def test_the_number_of_channels_is_said_as_it_is():
    assert shapes.other_end("y", 1, True) == 'y has 1 channel first: layout="channels_first"'
