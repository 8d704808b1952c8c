"""Hints on words, numbers and dtypes."""

from typing import ClassVar

import numpy as np
import pytest

import tconv
from tconv.arguments import LAYOUTS
from tconv.arrays import DTYPES
from tconv.hints import words

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("given", "allowed", "meant"),
    [
        ("NHWC", LAYOUTS, "channels_last"),
        ("ncdhw", LAYOUTS, "channels_first"),
        ("channels-last", LAYOUTS, "channels_last"),
        ("ChannelsLast", LAYOUTS, "channels_last"),
        ("channel_first", LAYOUTS, "channels_first"),
        ("SAME", ("same", "valid"), "same"),
        ("SAME_UPPER", ("same", "valid"), "same"),
        ("GEMM", ("auto", "gemm"), "gemm"),
        ("zero-insertion", ("zero_insertion",), "zero_insertion"),
        ("cubic", ("bilinear", "bicubic"), "bicubic"),
        ("fp32", tuple(DTYPES), "float32"),
        ("half", tuple(DTYPES), "float16"),
        ("bf16", tuple(DTYPES), "bfloat16"),
    ],
)
def test_words(given, allowed, meant):
    assert words.word(given, allowed) == f'; did you mean "{meant}"?'


@pytest.mark.parametrize("given", ["", "full", "NHWC", "fast", "SAME_LOWER"])
def test_words_of_which_none_was_meant(given):
    assert words.word(given, ("same", "valid", "gemm")) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, "2 of a transposed convolution is what texts call a fractional stride 1/2"),
        ("1/3", "3 of"),
        (0.25, "4 of"),
    ],
)
def test_fractional_strides(value, said):
    assert words.number("stride", value).startswith(f"; stride {said}")
    assert words.number("stride[1]", value).startswith(f"; stride {said}")


def test_other_numbers():
    assert words.number("stride", 0.4).endswith(
        "; stride s of a transposed convolution is what texts call a fractional stride 1/s"
    )
    assert words.number("padding", 1.5) == "; one cell more at one end is a (low, high) pair, such as (1, 2)"
    for name, value in (("stride", 1.5), ("stride", 2.0), ("kernel", 0.5), ("padding", 0.3), ("stride", None)):
        assert words.number(name, value) == ""
    for value in (float("nan"), float("inf"), True, "two", "1/0", 10**400, np.float32("inf")):
        assert words.number("stride", value) == words.number("padding", value) == ""


@pytest.mark.parametrize(
    ("given", "meant"),
    [("fp32", "float32"), ("FLOAT64", "float64"), ("bf16", "bfloat16"), ("double ", "float64"), ("f32", "float32")],
)
def test_dtypes(given, meant):
    with pytest.raises(TypeError) as caught:
        tconv.plan((1, 8, 4, 4), (8, 6, 3, 3), dtype=given)
    assert str(caught.value).endswith(f'; did you mean "{meant}"?')


def test_bfloat16_is_a_name_also_where_numpy_does_not_know_it():
    assert tconv.plan((1, 8, 4, 4), (8, 6, 3, 3), dtype="bfloat16").dtype == "bfloat16"


def test_pictures_of_integers_and_weights_of_floats():
    picture, w = np.zeros((3, 8, 8), np.uint8), np.ones((3, 2, 4, 4), np.float32)
    with pytest.raises(TypeError) as caught:
        tconv.conv_transpose(picture, w)
    assert str(caught.value).startswith(
        'conv_transpose: w must have the dtype of x, uint8; got float32; x.astype("float32")?\n'
    )
    with pytest.raises(TypeError, match=r'x must have the dtype of w, float32; got uint8; x.astype\("float32"\)\?'):
        tconv.ConvTranspose(w)(picture)
    assert words.cast("w", "int16", "x", "uint8") == ""


def test_what_holds_numbers_and_is_no_array():
    class Image:
        def __array__(self):
            return np.ones((8, 8))

    class Picture:
        __array_interface__: ClassVar[dict] = {}  # as those of Pillow

    one = "; np.asarray(x) is one"
    for value, said in ((Image(), one), (Picture(), one), (3, ""), ("x", "")):
        assert words.array("x", value) == said
    assert words.array("out", Image()) == ""
    assert words.array("x", np.ma.ones(3)) == "; x.filled(0) is one without a mask"
