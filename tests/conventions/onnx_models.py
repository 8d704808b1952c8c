"""Models of one ConvTranspose node, run by ONNX Runtime and by onnx.reference, for the tests of ONNX's dialect."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from dialect_cases import transposed

from tconv.conventions import DIALECTS, Layer

ONNX = DIALECTS["onnx"]
X, W = np.array([[[1, 2, 3]]], np.float32), np.array([[[1, 10, 100]]], np.float32)


def model(nodes, initializers, shape):
    """A graph from x, of this shape, to y."""
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None] * len(shape))
    graph = onnx.helper.make_graph(nodes, "graph", [x], [y], initializers)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)


def session(made):
    options = ort.SessionOptions()
    options.log_severity_level = 4  # refusals are raised as well as logged
    return ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_ort(made, x):
    return session(made).run(None, {"x": x})[0]


def run_reference(made, x):
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(made).run(None, {"x": x})[0]


def node(x=X, w=W, **attributes):
    """A model of one ConvTranspose node."""
    made = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes)
    return model([made], [onnx.numpy_helper.from_array(w, "w")], x.shape)


def cells(y):
    return y.ravel().astype(int).tolist()


def read_result(x=X, w=W, **attributes):
    """The result by definition of what is read from these attributes."""
    layer = ONNX.read(attributes, kernel=w.shape[2:], coarse=x.shape[2:])
    groups = attributes.get("group", 1)
    return transposed(Layer(layer.geometry, x.shape[1], w.shape[1] * groups, groups), x, w, None)
