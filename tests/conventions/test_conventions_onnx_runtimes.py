"""Where ONNX Runtime, onnx.reference and OpenVINO disagree about a ConvTranspose, as the notes of the dialect say."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from onnx_models import ONNX, W, X, cells, node, read_result, run_ort, run_reference, session  # noqa: E402

from tconv.conventions.onnx import OPEN_SIZES  # noqa: E402


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_same_with_a_kernel_shorter_than_the_stride(auto_pad):
    w = W[..., :2]
    attributes = {"strides": [4], "auto_pad": auto_pad}
    assert cells(read_result(w=w, **attributes)) == [1, 10, 0, 0, 2, 20, 0, 0, 3, 30, 0, 0]
    assert cells(run_ort(node(w=w, **attributes), X)) == [1, 10, 0, 0, 2, 20, 0, 0, 3, 30]
    assert cells(run_reference(node(w=w, **attributes), X)) == [0, 1, 10, 0, 0, 2, 20, 0, 0, 3, 30, 0]
    layer = ONNX.read(attributes, kernel=2, coarse=3, ndim=1)
    (note,) = ONNX.disagreements(attributes, layer)
    assert note.startswith(f"auto_pad={auto_pad} with a kernel that spans less than a stride: the specification says")


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_same_with_a_short_kernel_and_an_output_padding_that_fills_the_stride(auto_pad):
    w, attributes = W[..., :2], {"strides": [4], "auto_pad": auto_pad, "output_padding": [2]}
    np.testing.assert_array_equal(run_ort(node(w=w, **attributes), X), read_result(w=w, **attributes))
    assert ONNX.disagreements(attributes, ONNX.read(attributes, kernel=2, coarse=3, ndim=1)) == ()


def test_the_reference_shifts_a_growing_output_shape_with_same():
    attributes = {"strides": [2], "output_shape": [8], "auto_pad": "SAME_UPPER"}
    assert cells(run_ort(node(**attributes), X)) == [1, 10, 102, 20, 203, 30, 300, 0]
    assert cells(run_reference(node(**attributes), X)) == [0, 1, 10, 102, 20, 203, 30, 300]


def test_the_reference_fails_for_output_shape_without_auto_pad():
    with pytest.raises(ValueError):
        run_reference(node(strides=[2], output_shape=[6]), X)
    layer = ONNX.read({"strides": [2], "output_shape": [6]}, kernel=3, coarse=3)
    assert ONNX.disagreements({"output_shape": [6]}, layer) == (
        "onnx.reference fails for an output_shape that crops, unless auto_pad is SAME_UPPER or SAME_LOWER.",
        OPEN_SIZES,
    )


@pytest.mark.parametrize(("cin", "cout", "right"), [(1, 1, True), (2, 1, False), (1, 2, False), (2, 2, False)])
def test_the_reference_fails_for_groups_of_several_channels(cin, cout, right):
    x = np.arange(2 * cin * 3, dtype=np.float32).reshape(1, 2 * cin, 3)
    w = np.arange(2 * cin * cout * 3, dtype=np.float32).reshape(2 * cin, cout, 3)
    made, expected = node(x, w, group=2), read_result(x, w, group=2)
    np.testing.assert_array_equal(run_ort(made, x), expected)
    layer = ONNX.read({"group": 2}, kernel=3, in_channels=2 * cin, out_channels=2 * cout)
    assert bool(ONNX.disagreements({"group": 2}, layer)) is not right
    if right:
        np.testing.assert_array_equal(run_reference(made, x), expected)
    else:
        with pytest.raises(ValueError):
            run_reference(made, x)


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [1], "dilations": [3], "output_padding": [2]},
        {"strides": [1], "dilations": [3], "output_padding": [1], "pads": [0, 1]},
        {"strides": [2], "output_shape": [9]},
    ],
    ids=str,
)
def test_onnx_runtime_refuses_a_result_longer_by_a_stride(attributes):
    layer = ONNX.read(attributes, kernel=3, coarse=3, ndim=1)
    assert ONNX.disagreements(attributes, layer)[-1] == (
        "ONNX Runtime refuses a result that is longer by a stride or more than the kernel and the crop make it."
    )
    with pytest.raises(Exception, match="is inconsistent with input spatial dimensions"):
        run_ort(node(**attributes), X)


def test_onnx_runtime_refuses_negative_pads_and_pads_with_auto_pad():
    with pytest.raises(Exception, match="must not contain negative values"):
        session(node(pads=[-1, 0]))
    with pytest.raises(Exception, match="cannot be used simultaneously with auto_pad"):
        session(node(pads=[0, 0], auto_pad="SAME_UPPER"))
