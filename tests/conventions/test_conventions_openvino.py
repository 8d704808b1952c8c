"""ONNX's dialect in OpenVINO."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
openvino = pytest.importorskip("openvino", exc_type=ModuleNotFoundError)
from onnx_models import ONNX, W, X, cells, node, read_result  # noqa: E402

from tconv.conventions.onnx import OPEN_SIZES  # noqa: E402

# OpenVINO forks to look at the machine, about which JAX warns if it was imported before.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

OPENVINO = [
    ({"strides": [2], "auto_pad": "SAME_UPPER"}, [1, 10, 102, 20, 203, 30]),
    ({"strides": [2], "auto_pad": "SAME_LOWER"}, [10, 102, 20, 203, 30, 300]),
    ({"strides": [2], "output_shape": [6]}, [10, 102, 20, 203, 30, 300]),
    ({"strides": [2], "output_shape": [8]}, [1, 10, 102, 20, 203, 30, 300, 0]),
    ({"strides": [2], "output_shape": [6], "auto_pad": "SAME_UPPER"}, [10, 102, 20, 203, 30, 300]),
]


@pytest.mark.parametrize(("attributes", "expected"), OPENVINO, ids=str)
def test_openvino(attributes, expected, tmp_path):
    onnx.save(node(**attributes), tmp_path / "model.onnx")
    compiled = openvino.compile_model(openvino.convert_model(str(tmp_path / "model.onnx")), "CPU")
    assert cells(compiled(X)[0]) == expected
    layer = ONNX.read(attributes, kernel=3, coarse=3, ndim=1)
    disagrees = any("OpenVINO ignores" in note for note in ONNX.disagreements(attributes, layer))
    assert disagrees == (cells(read_result(**attributes)) != expected)


def test_openvino_leaves_the_shorter_result_of_same_with_a_short_kernel(tmp_path):
    attributes, w = {"strides": [4], "auto_pad": "SAME_UPPER"}, W[..., :2]
    onnx.save(node(w=w, **attributes), tmp_path / "model.onnx")
    compiled = openvino.compile_model(openvino.convert_model(str(tmp_path / "model.onnx")), "CPU")
    assert cells(compiled(X)[0]) == [1, 10, 0, 0, 2, 20, 0, 0, 3, 30]
    assert len(cells(read_result(w=w, **attributes))) == 12


#: Where a size of x is open, as read by this version: crops that it leaves out, or puts elsewhere.
OPEN = [
    ({"strides": [2], "auto_pad": "SAME_UPPER"}, [1, 10, 102, 20, 203, 30, 300]),
    ({"strides": [2], "auto_pad": "SAME_LOWER"}, [1, 10, 102, 20, 203, 30, 300]),
    ({"strides": [2], "output_shape": [6]}, [1, 10, 102, 20, 203, 30]),
    ({"strides": [2], "output_shape": [5]}, [1, 10, 102, 20, 203]),
    ({"strides": [2], "output_shape": [5], "auto_pad": "SAME_LOWER"}, [10, 102, 20, 203, 30]),
    ({"strides": [2], "output_shape": [8]}, [1, 10, 102, 20, 203, 30, 300, 0]),
    ({"strides": [2], "pads": [1, 0]}, [10, 102, 20, 203, 30, 300]),
    ({"strides": [2], "auto_pad": "VALID"}, [1, 10, 102, 20, 203, 30, 300]),
]


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize(("attributes", "expected"), OPEN, ids=str)
def test_openvino_where_the_batch_or_a_size_is_open(attributes, expected, place, tmp_path):
    made = node(**attributes)
    made.graph.input[0].type.tensor_type.shape.dim[place].dim_param = "open"
    onnx.save(made, tmp_path / "model.onnx")
    compiled = openvino.compile_model(openvino.convert_model(str(tmp_path / "model.onnx")), "CPU")
    assert cells(compiled(X)[0]) == expected
    layer = ONNX.read(attributes, kernel=3, coarse=3, ndim=1)
    told = OPEN_SIZES in ONNX.disagreements(attributes, layer)
    assert told == (cells(read_result(**attributes)) != expected)
