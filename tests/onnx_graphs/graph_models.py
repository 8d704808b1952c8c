"""Models for the tests of tconv.onnx, small whole numbers to fill them with, and ONNX Runtime to run them.

Sums of small whole numbers are exact in float32, so that results are compared without a tolerance.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

FLOAT, BOOL, INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


def value(name, shape, kind=FLOAT):
    """An input or an output; None and text are sizes that are open."""
    return helper.make_tensor_value_info(name, kind, shape)


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def whole(rng, *shape):
    """Small whole numbers."""
    return rng.integers(-4, 5, shape).astype(np.float32)


def up(inputs=("x", "w"), output="y", name="up", **attributes):
    """A ConvTranspose node."""
    return helper.make_node("ConvTranspose", list(inputs), [output], name, **attributes)


def model(nodes, inputs, outputs, weights=(), opset=17, ir_version=8, functions=()):
    """A model; weights are an array a name."""
    initializers = [tensor(name, array) for name, array in dict(weights).items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(f.domain, 1) for f in functions[:1])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version, functions=list(functions))


def one_layer(w, bias=None, *, sizes=None, opset=17, **attributes):
    """A model of one ConvTranspose from x to y; sizes are those of x, open if left out."""
    weights = {"w": w} if bias is None else {"w": w, "b": bias}
    shape = ["N", w.shape[0], *(sizes or [f"size{i}" for i in range(w.ndim - 2)])]
    return model(
        [up(["x", *weights], **attributes)],
        [value("x", shape)],
        [value("y", ["N", None, *[None] * (w.ndim - 2)])],
        weights,
        opset,
    )


def session(made):
    options = ort.SessionOptions()
    options.log_severity_level = 4  # refusals are raised as well as logged
    options.intra_op_num_threads = 1
    return ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(made, **feeds):
    """The results of ONNX Runtime."""
    return session(made).run(None, feeds)


def same_results(before, after, *feeds):
    """Both models give the same numbers, and the second one is in order."""
    onnx.checker.check_model(after, full_check=True)
    first, second = session(before), session(after)
    for feed in feeds:
        for a, b in zip(first.run(None, feed), second.run(None, feed), strict=True):
            np.testing.assert_array_equal(a, b)


def operators(made):
    return [node.op_type for node in made.graph.node]


def node(operator, inputs, output, name="", **attributes):
    return helper.make_node(operator, inputs, [output], name, **attributes)


def branch(name, pads):
    """A branch of an If: a layer on x and w from outside."""
    nodes = [up(output=name, name=f"{name}_up", strides=[2, 2], pads=pads), node("Relu", [name], f"{name}_out")]
    return helper.make_graph(nodes, name, [], [value(f"{name}_out", [None] * 4)])


def growing_loop(rng, rounds=3):
    """A Loop that runs its result, twice as long, through the same layer again."""
    shape = ["N", 2, None]
    body = helper.make_graph(
        [up(["s", "w"], "grown", strides=[2], pads=[1, 0]), node("Identity", ["go"], "goes_on")],
        "body",
        [value("i", [], INT64), value("go", [], BOOL), value("s", shape)],
        [value("goes_on", [], BOOL), value("grown", shape)],
    )
    weights = {"w": whole(rng, 2, 2, 4), "n": np.array(rounds)}
    loop = node("Loop", ["n", "", "x"], "y", "loop", body=body)
    return model([loop], [value("x", ["N", 2, 5])], [value("y", shape)], weights)
