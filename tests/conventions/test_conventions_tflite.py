"""TFLite's dialect: what is read, written and refused. It runs in test_conventions_tflite_run.py."""

from __future__ import annotations

import pytest

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer

TFLITE = DIALECTS["tflite"]


def test_same_cuts_half_in_front():
    said = {"padding": "SAME", "stride_h": 2, "stride_w": 2, "output_shape": (5, 6)}
    assert TFLITE.read(said, kernel=3, coarse=3).geometry.padding == ((1, 1), (0, 1))


def test_the_longest_case_in_full():
    layer = Layer(Geometry.conv_transpose((3, 4), 2, stride=2, padding=((-1, 0), (0, 1)), dilation=2), 2, 4, 2, True)
    saying = TFLITE.write(layer)
    assert saying.parameters == {"padding": "VALID", "stride_h": 2, "stride_w": 2, "output_shape": (7, 9)}
    assert saying.code == (
        "import numpy as np\n"
        "import tensorflow as tf\n"
        "\n"
        "# x and y: (N, height, width, channels); the converter writes the call as TRANSPOSE_CONV\n"
        "spread = np.zeros((*w.shape[:2], 2 * (w.shape[2] - 1) + 1, 2 * (w.shape[3] - 1) + 1), w.dtype)"
        "  # the dilation, written out as zeros\n"
        "spread[:, :, ::2, ::2] = w\n"
        "rows, columns = spread.shape[0] // 2, spread.shape[1]\n"
        "dense = np.zeros((spread.shape[0], 2 * columns, *spread.shape[2:]), w.dtype)\n"
        "for g in range(2):  # zeros between the groups\n"
        "    dense[g * rows : (g + 1) * rows, g * columns : (g + 1) * columns] = spread[g * rows : (g + 1) * rows]\n"
        "kernel = dense.transpose(1, 2, 3, 0)  # (Cout, *kernel, Cin)\n"
        "def layer(x):\n"
        "    shape = (x.shape[0], (x.shape[1] - 1) * 2 + 3, (x.shape[2] - 1) * 2 + 3, kernel.shape[0])\n"
        '    y = tf.nn.conv2d_transpose(x, kernel.transpose(1, 2, 0, 3), shape, (2, 2), "VALID")\n'
        "    y = tf.pad(y, [(0, 0), (1, 0), (0, 0), (0, 0)])\n"
        "    y = y[:, :, :-1, :]\n"
        "    y = y + b\n"
        "    return y\n"
        "y = layer(x)\n"
    )
    assert saying.notes[2:] == (
        "TRANSPOSE_CONV has no dilation: the kernel is written out with zeros.",
        "TRANSPOSE_CONV has no groups: the kernel is dense, with zeros between the 2 groups.",
        "output_shape is for coarse size 3x4; in the code it follows x.",
    )


@pytest.mark.parametrize(
    ("parameters", "keywords", "message"),
    [
        (
            {"padding": "SAME", "stride_h": 2, "stride_w": 2, "output_shape": (7, 6)},
            {"kernel": 3, "coarse": (3, 3)},
            "tflite.read: output_shape must be one of 5, 6 with SAME, kernel 3, stride 2 and coarse size 3; got 7\n"
            "  called with padding='SAME', stride_h=2, stride_w=2, output_shape=(7, 6)",
        ),
        (
            {"padding": "SAME"},
            {"kernel": 3, "coarse": (3, 3)},
            "tflite.read: output_shape must be given: TRANSPOSE_CONV is told the size of its result; got none\n"
            "  called with padding='SAME'",
        ),
        (
            {"padding": "SAME", "output_shape": (6, 6)},
            {"kernel": 3, "coarse": 3, "ndim": 1},
            "tflite.read: kernel must have 2 axes, which TRANSPOSE_CONV has; got 1\n"
            "  called with padding='SAME', output_shape=(6, 6)",
        ),
    ],
)
def test_parameters_that_cannot_be(parameters, keywords, message):
    with pytest.raises(ValueError) as caught:
        TFLITE.read(parameters, **keywords)
    assert str(caught.value) == message
