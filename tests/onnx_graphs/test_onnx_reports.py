"""Layers of public bug reports: right by the definition in everything here, and in the runtimes of today.

Attributes and shapes are those of the reports; whole numbers are ours, and the results are the definition's.
"""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from definition import links_of  # noqa: E402
from graph_models import one_layer, run, same_results, whole  # noqa: E402

import tconv.onnx  # noqa: E402

#: By report: the shapes of x and w, the attributes, and the pads and output padding that they come to.
REPORTS = {
    # SAME was taken for VALID: 4x4 and not 2x2
    "onnxruntime#4086": ((1, 1, 2, 2), (1, 1, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [1, 1]}, (1, 1), 0, (2, 2)),
    # as above, at stride 2: 11x11
    "onnxruntime#4698": (
        (1, 1, 5, 5),
        (1, 1, 3, 3),
        {"auto_pad": "SAME_UPPER", "strides": [2, 2], "dilations": [1, 1], "kernel_shape": [3, 3]},
        (0, 1),
        0,
        (10, 10),
    ),
    # whether an output padding makes the result of SAME longer: it does not
    "onnx#4299": (
        (1, 2, 3, 3),
        (2, 1, 3, 3),
        {"auto_pad": "SAME_UPPER", "strides": [2, 2], "output_padding": [1, 1]},
        (1, 1),
        1,
        (6, 6),
    ),
    # at which end the odd cell is cut: the specification said both; at the end for SAME_UPPER, ...
    "onnx#1609, SAME_UPPER": (
        (1, 1, 4, 4),
        (1, 1, 3, 3),
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        (0, 1),
        0,
        (8, 8),
    ),
    # ... in front for SAME_LOWER, and for an output_shape without either
    "onnx#1609, SAME_LOWER": (
        (1, 1, 4, 4),
        (1, 1, 3, 3),
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        (1, 0),
        0,
        (8, 8),
    ),
    "onnx#1609, NOTSET": ((1, 1, 4, 4), (1, 1, 3, 3), {"output_shape": [8, 8], "strides": [2, 2]}, (1, 0), 0, (8, 8)),
    # other numbers on other devices; all weights are ones there
    "coremltools#2281": ((1, 3, 4, 4), (3, 3, 3, 3), {"output_shape": [4, 4], "strides": [1, 1]}, (1, 1), 0, (4, 4)),
}


def defined(x, w, pads, added, stride):
    """The definition, with loops: every tap of every cell adds to where it lands."""
    geometry = tconv.Geometry.conv_transpose(
        x.shape[2:], w.shape[2:], stride=stride, padding=(pads,) * 2, output_padding=added
    )
    y = np.zeros((len(x), w.shape[1], *geometry.fine))
    for cell, tap, position in links_of(geometry):
        y[:, :, *position] += x[:, :, *cell] @ w[:, :, *tap]
    return y


@pytest.mark.parametrize("opset", [9, 17])
@pytest.mark.parametrize("name", REPORTS)
def test_a_report(name, opset):
    x_shape, w_shape, attributes, pads, added, sizes = REPORTS[name]
    rng = np.random.default_rng(0)
    x = whole(rng, *x_shape)
    w = np.ones(w_shape, np.float32) if name == "coremltools#2281" else whole(rng, *w_shape)
    if name == "onnxruntime#4086":  # its numbers too
        x, w = np.arange(2, 6, dtype=np.float32).reshape(x_shape), np.arange(2, 11, dtype=np.float32).reshape(w_shape)
    expected = defined(x, w, pads, added, attributes["strides"])
    assert expected.shape[2:] == sizes

    made = one_layer(w, sizes=list(x_shape[2:]), opset=opset, **attributes)
    np.testing.assert_array_equal(tconv.onnx.run_node(made.graph.node[0], [x, w]), expected)
    np.testing.assert_array_equal(run(made, x=x)[0], expected)
    assert tconv.onnx.inspect(made)[0].layer.geometry.fine == sizes
    for variant in ("one_conv", "conv_per_phase"):
        rewriting = tconv.onnx.rewrite(made, variant=variant)
        if rewriting.changed:
            same_results(made, rewriting.model, {"x": x})
        else:
            assert attributes["strides"] == [1, 1]  # one phase, which is one_conv


def test_the_first_report_in_numbers():
    """onnxruntime#4086, worked out by hand: 2 3 / 4 5 stamped with 2 ... 10, the border cut off."""
    x = np.arange(2, 6, dtype=np.float32).reshape(1, 1, 2, 2)
    w = np.arange(2, 11, dtype=np.float32).reshape(1, 1, 3, 3)
    y = tconv.onnx.run_node(onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], auto_pad="SAME_UPPER"), [x, w])
    by_hand = [
        [2 * 6 + 3 * 5 + 4 * 3 + 5 * 2, 2 * 7 + 3 * 6 + 4 * 4 + 5 * 3],
        [2 * 9 + 3 * 8 + 4 * 6 + 5 * 5, 2 * 10 + 3 * 9 + 4 * 7 + 5 * 6],
    ]
    np.testing.assert_array_equal(y[0, 0], by_hand)
