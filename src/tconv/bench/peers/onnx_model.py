"""A layer as an ONNX model of one node, its weights an initializer so that runtimes may pack them."""

from __future__ import annotations

from tconv.bench.peers.base import Case, load

#: Old enough for any runtime of today: ConvTranspose has not changed since version 11.
OPSET, IR_VERSION = 17, 9


def model(case: Case) -> bytes:
    """The model, serialized: input "x" of fixed size, output "y"."""
    onnx, layer = load("onnx"), case.layer
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node(
        "ConvTranspose",
        ["x", "w"],
        ["y"],
        kernel_shape=layer.each("kernel"),
        strides=layer.each("stride"),
        pads=layer.each("padding") * 2,
        output_padding=layer.each("output_padding"),
        group=layer.groups,
        dilations=layer.each("dilation"),
    )
    x = helper.make_tensor_value_info("x", float32, layer.x_shape)
    y = helper.make_tensor_value_info("y", float32, layer.y_shape)
    w = helper.make_tensor("w", float32, layer.w_shape, case.w.tobytes(), raw=True)
    graph = helper.make_graph([node], "layer", [x], [y], [w])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(made.SerializeToString())
