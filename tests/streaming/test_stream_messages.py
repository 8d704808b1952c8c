"""The full text of what streams say about wrong arguments."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tconv
from tconv import Stream

pytestmark = pytest.mark.quick

W = np.ones((2, 3, 4))
UP, DOWN = tconv.ConvTranspose(W, stride=2), tconv.Conv(W)
PLANE = tconv.Conv(np.ones((2, 3, 4, 4)))

MADE = [
    (lambda: Stream(3), TypeError,
     "Stream: op must be a tconv.ConvTranspose, a tconv.Conv, or a function of one array; got 3 of type int"),
    (lambda: Stream([]), ValueError, "Stream: op must hold at least one tconv.ConvTranspose or tconv.Conv; got none"),
    (lambda: Stream([np.tanh]), ValueError,
     "Stream: op must hold at least one tconv.ConvTranspose or tconv.Conv; got none"),
    (lambda: Stream([UP, tconv.Conv]), TypeError,
     "Stream: op[1] must be a tconv.ConvTranspose, a tconv.Conv, or a function of one array; got "
     "<class 'tconv.prepared.Conv'> of type type"),
    (lambda: Stream(UP, axis=1), ValueError, "Stream: axis must be from -1 to 0, as op has 1 axis of size; got 1"),
    (lambda: Stream(PLANE, axis=-3), ValueError, "Stream: axis must be from -2 to 1, as op has 2 axes of size; got -3"),
    (lambda: Stream(UP, axis="last"), TypeError, "Stream: axis must be an integer; got 'last' of type str"),
    (lambda: Stream(tconv.ConvTranspose(W, stride=2, output_size=9)), ValueError,
     "Stream: op must have no output_size, which is that of the whole: a stream does not know it; got 9"),
    (lambda: Stream([DOWN, tconv.Conv(W, stride=2, padding="same")]), ValueError,
     'Stream: op[1] must have padding as (low, high) pairs: what "same" of a conv with a stride stands for depends on '
     "the size of the whole"),
    (lambda: Stream(tconv.Conv(W, dilation=3, output_padding=2)), ValueError,
     "Stream: op must have an output_padding of less than the stride, 1, along the axis of the stream; got 2"),
    (lambda: Stream([np.tanh, tconv.Conv(W, method="winograd")]), ValueError,
     'Stream: op[1] must have a method that serves pieces of every size; got "winograd", which does not serve small '
     "ones"),
    (lambda: Stream([UP, UP]), ValueError, "Stream: op[1] must read the 3 channels that op[0] gives; it reads 2"),
    (lambda: Stream([DOWN, np.tanh, PLANE]), ValueError,
     "Stream: op[2] must have 1 axis of size, as op[0] has; got 2"),
    (lambda: Stream([DOWN, tconv.ConvTranspose(W, layout="channels_last")]), ValueError,
     'Stream: op[1] must have layout "channels_first", as op[0] has; got "channels_last"'),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), MADE)
def test_what_is_no_stream(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()


PUSHED = [
    ([1, 2], TypeError, "Stream.push: x must be a NumPy array; got [1, 2] of type list\n  called with x=[1, 2]"),
    (np.ones((2, 5), "float32"), TypeError,
     "Stream.push: x must have the dtype of w, float64; got float32; x.astype(\"float64\")?"
     "\n  called with x=float32 (2, 5)"),
    (np.ones(5), ValueError,
     "Stream.push: x must have shape (N, C, *size) or (C, *size) with 1 axis of size; got (5,)"
     "\n  called with x=float64 (5,)"),
    (np.ones((1, 3, 5)), ValueError,
     "Stream.push: x must have 2 channels; got 3 in (1, 3, 5)\n  called with x=float64 (1, 3, 5)"),
    (np.ones((4, 2, 5)), ValueError,
     "Stream.push: x must have shape (1, 2, any), as the first push had; got (4, 2, 5) (reset() begins another stream)"
     "\n  called with x=float64 (4, 2, 5)"),
    (np.ones((2, 5)), ValueError,
     "Stream.push: x must have shape (1, 2, any), as the first push had; got (2, 5) (reset() begins another stream)"
     "\n  called with x=float64 (2, 5)"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "kind", "text"), PUSHED)
def test_what_cannot_be_pushed(x, kind, text):
    stream = Stream(UP)
    stream.push(np.ones((1, 2, 4)))
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        stream.push(x)
    with pytest.raises(kind, match=f"^{re.escape(text.replace('push:', 'flush:'))}$"):
        stream.flush(x)
    assert stream.flush().shape == (1, 3, 2)


def test_ends_of_nothing():
    for stream in (Stream(UP), Stream([DOWN, np.tanh])):
        with pytest.raises(ValueError, match=r"^Stream\.flush: the stream must have at least 1 cell; got none$"):
            stream.flush()
    cropped = Stream(tconv.ConvTranspose(W, stride=2, padding=4))
    assert cropped.push(np.ones((2, 1))).shape == (3, 0)
    text = "Stream.flush: padding must leave at least 1 cell; (4, 4) crops coarse size 1 to fine size -4"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        cropped.flush()


def test_what_was_refused_is_no_first_push():
    cropped = Stream(tconv.ConvTranspose(W, stride=2, padding=4))
    for x in (np.ones((1, 2, 0)), np.ones((1, 2, 1)), np.ones(5)):
        with pytest.raises(ValueError, match=r"^Stream\.flush: "):
            cropped.flush(x)
    assert cropped.push(np.ones((4, 2, 5))).shape == (4, 3, 4)


def test_functions_that_change_the_shape():
    stream = Stream([UP, lambda x: x[..., ::2]])
    text = "Stream: op[1] must change each value by itself, and keep the shape of float64 (3, 4); got float64 (3, 2)"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}\n  called with op"):
        stream.push(np.ones((2, 2)))
    with pytest.raises(
        TypeError, match=r"^Stream: x must have the dtype of w, float64; got float32.*\n  called with op"
    ):
        Stream([UP, lambda x: x.astype("float32"), tconv.Conv(np.ones((1, 3, 1)))]).push(np.ones((2, 2)))
