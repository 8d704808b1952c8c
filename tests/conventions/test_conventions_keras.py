"""Keras's dialect: what is read, written and refused. In Keras itself it runs in test_conventions_keras_run.py."""

from __future__ import annotations

import pytest
from dialect_cases import KERAS_CASES as CASES

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer

pytestmark = pytest.mark.quick

KERAS = DIALECTS["keras"]


def fine_size(coarse, kernel, stride, padding, added):
    """The sizes as observed, row by row of the table."""
    if added is None:
        return coarse * stride + (max(kernel - stride, 0) if padding == "valid" else 0)
    return (coarse - 1) * stride + (kernel if padding == "valid" else kernel % 2) + added


@pytest.mark.parametrize(("kernel", "stride", "padding", "added"), CASES)
def test_the_sizes_of_the_table(kernel, stride, padding, added):
    said = {"kernel_size": kernel, "strides": stride, "padding": padding, "output_padding": added}
    g = KERAS.read(said, coarse=3, ndim=1).geometry
    assert g.fine == (fine_size(3, kernel, stride, padding, added),)


def test_dilation_is_noted():
    said = {"dilation_rate": 2, "padding": "same"}
    assert KERAS.disagreements(said, KERAS.read(said, kernel=3)) == (
        "TensorFlow runs a dilation on a CPU only through oneDNN, in float32 and not in float64.",
    )


def test_an_even_kernel_with_output_padding_0_is_refused_by_tensorflow():
    said = {"kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 0}
    layer = KERAS.read(said, ndim=1)
    assert KERAS.disagreements(said, layer) == (
        'TensorFlow refuses padding="same" with output_padding=0 where d (k - 1) + 1 is even; Keras on JAX runs it.',
    )
    assert KERAS.write(layer).parameters["padding"] == "valid"  # not said that way: cropped from the full result


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "word", "added"),
    [
        (4, 2, 1, "same", None),
        (2, 2, 0, "valid", None),
        (3, 2, ((0, 1),), "same", None),
        (3, 2, 1, "same", 0),
        (5, 3, 1, "same", None),
        (5, 3, 2, "same", 0),
        (2, 4, ((0, -2),), "valid", None),
        (2, 4, ((0, -1),), "valid", 1),
        (2, 4, 0, "valid", 0),
    ],
)
def test_what_the_words_can_say(kernel, stride, padding, word, added):
    saying = KERAS.write(Layer(Geometry.conv_transpose(5, kernel, stride=stride, padding=padding)))
    assert saying.exact
    said = saying.parameters["output_padding"]
    assert (saying.parameters["padding"], said) == (word, None if added is None else (added,))


def test_dilation_with_a_stride_is_written_out():
    layer = Layer(Geometry.conv_transpose((5, 5), 3, stride=2, padding=1, dilation=2), 4, 2, bias=True)
    saying = KERAS.write(layer)
    assert (saying.kernel, saying.parameters["dilation_rate"], saying.crop) == ((5, 5), (1, 1), ((1, 1), (1, 1)))
    assert saying.code == (
        "import keras\n"
        "import numpy as np\n"
        "\n"
        "# x and y: (N, *size, channels)\n"
        "spread = np.zeros((*w.shape[:2], 2 * (w.shape[2] - 1) + 1, 2 * (w.shape[3] - 1) + 1), w.dtype)"
        "  # the dilation, written out as zeros\n"
        "spread[:, :, ::2, ::2] = w\n"
        "kernel = spread.transpose(2, 3, 1, 0)  # (*kernel, Cout, Cin)\n"
        "layer = keras.layers.Conv2DTranspose(2, kernel_size=5, strides=2)\n"
        "layer.build((None, None, None, kernel.shape[-1]))\n"
        "layer.set_weights([kernel, b])\n"
        "y = layer(x)\n"
        "y = y[:, 1:-1, 1:-1, :]\n"
    )
    assert saying.notes == (
        'Keras cannot say this geometry (it knows "same" and "valid" only): the layer is larger, and '
        "(1, 1) x (1, 1) is cropped.",
        "Keras refuses a stride above 1 together with a dilation above 1: the kernel is written out with zeros.",
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"kernel_size": 3, "strides": 2, "dilation_rate": 2},
            "keras.read: strides must be 1 where dilation_rate is above 1, since Keras refuses both together; "
            "got strides (2, 2) and dilation_rate (2, 2)\n  called with kernel_size=3, strides=2, dilation_rate=2",
        ),
        (
            {"kernel_size": 3, "strides": (2, 3), "output_padding": 2},
            "keras.read: output_padding must be less than strides = 2 (axis 0); got 2\n"
            "  called with kernel_size=3, strides=(2, 3), output_padding=2",
        ),
        (
            {"kernel_size": 3, "padding": "causal"},
            'keras.read: padding must be one of "valid", "same", "VALID", "SAME"; got \'causal\'\n'
            "  called with kernel_size=3, padding='causal'",
        ),
        (
            {"kernel_size": 3, "groups": 2},
            'keras.read: parameters must be named "filters", "kernel_size", "strides", "padding", "output_padding", '
            '"data_format", "dilation_rate", "use_bias"; got \'groups\'\n  called with kernel_size=3, groups=2',
        ),
    ],
)
def test_parameters_that_cannot_be(parameters, message):
    with pytest.raises(ValueError) as caught:
        KERAS.read(parameters)
    assert str(caught.value) == message
