"""A day with ONNX models, from the command line, as somebody would spend it who has read the README and nothing else.

A vocoder with weight_norm, the same quantized, a head of an old export, a decoder from Keras, a U-Net at an odd size:
each met something once that would have made that person leave.
"""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
ort = pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from tconv.cli import main  # noqa: E402

QUICKLY = ("--rounds", 3, "--threads", 1, "--json")


@pytest.fixture
def tconv(capsys):
    """Type a command: its exit code, what it prints, and what it says on the error stream."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


def weights(name, *shape):
    rng = np.random.default_rng(len(name) + sum(shape))
    return numpy_helper.from_array((rng.normal(size=shape) / 8).astype(np.float32), name)


def saved(path, nodes, tensors, shape, opset=17):
    """A model from x, of this shape, to y, in a file."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))
    graph = helper.make_graph(nodes, "model", [x], [y], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def results(path, x):
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def vocoder(path, weight_norm=True):
    """Two layers of a HiFi-GAN with their convolutions; weight_norm is what torch.onnx makes of it."""
    nodes, tensors, last = [], [], "x"
    for i, (cin, kernel, stride) in enumerate([(32, 16, 8), (16, 16, 8)]):
        w = f"w{i}"
        if weight_norm:
            tensors += [weights(f"v{i}", cin, cin // 2, kernel), weights(f"g{i}", cin, 1, 1)]
            axes = numpy_helper.from_array(np.array([1, 2], np.int64), f"axes{i}")
            nodes += [
                helper.make_node("Constant", [], [axes.name], value=axes),
                helper.make_node("ReduceL2", [f"v{i}", axes.name], [f"norm{i}"], keepdims=1),
                helper.make_node("Div", [f"v{i}", f"norm{i}"], [f"unit{i}"]),
                helper.make_node("Mul", [f"unit{i}", f"g{i}"], [w]),
            ]
        else:
            tensors.append(weights(w, cin, cin // 2, kernel))
        pads = [(kernel - stride) // 2] * 2
        nodes += [
            helper.make_node("LeakyRelu", [last], [f"a{i}"], alpha=0.1),
            helper.make_node("ConvTranspose", [f"a{i}", w], [f"u{i}"], f"/ups.{i}", strides=[stride], pads=pads),
            helper.make_node("Conv", [f"u{i}", f"k{i}"], [f"c{i}"], f"/res.{i}", pads=[1, 1]),
        ]
        tensors.append(weights(f"k{i}", cin // 2, cin // 2, 3))
        last = f"c{i}"
    nodes.append(helper.make_node("Tanh", [last], ["y"]))
    return saved(path, nodes, tensors, ["N", 32, "T"], 18)


def test_a_vocoder_with_weight_norm(tconv, tmp_path):
    path, fast = vocoder(tmp_path / "vocoder.onnx"), tmp_path / "fast.onnx"
    code, out, _ = tconv("inspect", path, "--shape", "x=1x32x20", "--json")
    found = json.loads(out)
    assert code == 0
    assert [layer["constant_weights"] for layer in found["layers"]] == [True, True]
    assert 0.5 < sum(layer["share"] for layer in found["layers"]) < 1
    code, out, _ = tconv(
        "accelerate", path, "-o", fast, "--shape", "x=1x32x20", "--rounds", 3, "--threads", 1, "--json"
    )
    done = json.loads(out)
    assert code == 0
    for layer in done["layers"]:
        assert (layer["reason"], {"original", "one_conv"} <= set(layer["seconds"])) == ("", True)
    x = np.random.default_rng(0).normal(size=(2, 32, 11)).astype(np.float32)
    np.testing.assert_allclose(results(fast, x), results(path, x), rtol=1e-4, atol=1e-5)


def test_the_same_quantized(tconv, tmp_path):
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Sounds(CalibrationDataReader):
        left = iter([{"x": np.random.default_rng(i).normal(size=(1, 32, 20)).astype(np.float32)} for i in range(3)])

        def get_next(self):
            return next(self.left, None)

    path, small = vocoder(tmp_path / "vocoder.onnx", weight_norm=False), tmp_path / "small.onnx"
    logging.disable(logging.WARNING)  # it recommends to prepare the model
    try:
        quantize_static(path, small, Sounds())
    finally:
        logging.disable(logging.NOTSET)
    fast = tmp_path / "fast.onnx"
    code, out, _ = tconv(
        "accelerate", small, "-o", fast, "--shape", "x=1x32x20", "--rounds", 3, "--threads", 1, "--json"
    )
    done = json.loads(out)
    assert code == 0
    for layer in done["layers"]:
        assert (layer["reason"], {"original", "one_conv"} <= set(layer["seconds"])) == ("", True)
    assert done["failure"] == ""
    assert fast.stat().st_size < 2 * small.stat().st_size  # the weights are bytes still
    x = np.random.default_rng(9).normal(size=(1, 32, 20)).astype(np.float32)
    assert np.square(results(fast, x) - results(small, x)).mean() ** 0.5 < 1e-3


def test_a_head_of_an_old_export(tconv, tmp_path):
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "head", strides=[32, 32], pads=[16] * 4)
    path = saved(tmp_path / "head.onnx", [node], [weights("w", 8, 2, 64, 64)], ["N", 8, "H", "W"], opset=9)
    fast = tmp_path / "fast.onnx"
    code, out, _ = tconv(
        "accelerate", path, "-o", fast, "--shape", "x=1x8x5x5", "--rounds", 3, "--threads", 1, "--json"
    )
    (layer,) = json.loads(out)["layers"]
    assert (code, layer["reason"]) == (0, "")
    assert {"one_conv", "conv_per_block"} <= set(layer["seconds"])
    assert [entry.version for entry in onnx.load(fast).opset_import] == [9]
    x = np.random.default_rng(0).normal(size=(1, 8, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(results(fast, x), results(path, x), rtol=1e-4, atol=1e-5)


def from_keras(path):
    """A layer as tf2onnx says padding="same"."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", strides=[2, 2], auto_pad="SAME_UPPER")
    return saved(path, [node], [weights("w", 8, 4, 3, 3)], ["N", 8, 16, 16])


KNOWN = "OpenVINO (2026.4) computes something else where the batch or a size of x is open"


def test_a_decoder_from_keras_that_openvino_will_run(tconv, tmp_path):
    code, out, _ = tconv("inspect", from_keras(tmp_path / "decoder.onnx"), "--shape", "x=1x8x16x16")
    assert code == 0
    assert KNOWN in " ".join(out.split())


def test_a_decoder_from_keras_in_openvino(tconv, tmp_path):
    pytest.importorskip("openvino", exc_type=ModuleNotFoundError)
    arguments = ("-o", tmp_path / "fast.onnx", "--shape", "x=1x8x16x16", "--runtime", "openvino", "--rounds", 3)
    code, out, _ = tconv("accelerate", from_keras(tmp_path / "decoder.onnx"), *arguments)
    told = " ".join(out.split())
    assert code == 0
    assert "its result has shape (1, 4, 32, 32), and not (1, 4, 33, 33)" in told
    assert KNOWN in told


def test_numbers_to_compare_with_those_of_a_counter(tconv, tmp_path):
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", strides=[2, 2], pads=[1] * 4)
    path = saved(tmp_path / "up.onnx", [node], [weights("w", 4, 6, 4, 4)], [2, 4, 8, 8])
    code, out, _ = tconv("inspect", path)
    assert code == 0
    assert (
        "86,400 flops, of taps that land in the result; counters, which take every tap of every cell, say 98,304" in out
    )


def test_a_unet_at_an_odd_size(tconv, tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "c"], ["d"], "down", strides=[2, 2], pads=[0] * 4),
        helper.make_node("ConvTranspose", ["d", "w"], ["u"], "up", strides=[2, 2]),
        helper.make_node("Concat", ["u", "x"], ["y"], "skip", axis=1),
    ]
    tensors = [weights("c", 8, 3, 2, 2), weights("w", 8, 4, 2, 2)]
    path = saved(tmp_path / "unet.onnx", nodes, tensors, ["N", 3, "H", "W"])
    assert tconv("inspect", path, "--shape", "x=1x3x24x24")[0] == 0
    code, out, error = tconv("inspect", path, "--shape", "x=1x3x25x25")
    assert code == 1
    assert out.startswith("1 transposed convolution")
    assert "impossible at Concat 'skip': it is given 'u' 1x4x24x24, 'x' 1x3x25x25" in error
