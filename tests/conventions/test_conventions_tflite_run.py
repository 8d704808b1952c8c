"""TFLite's dialect in TensorFlow and, converted, in the TFLite interpreter."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
from dialect_cases import arrays, channels_first, channels_last, layers, run, transposed, up_to, wanted
from hypothesis import given, settings

from tconv.conventions import DIALECTS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what TensorFlow says to itself while it is imported
    tf = pytest.importorskip("tensorflow", exc_type=ModuleNotFoundError)

pytestmark = pytest.mark.tensorflow
TFLITE = DIALECTS["tflite"]
LAYERS = [layer for layer in up_to(2) if layer.geometry.ndim == 2]


def interpreted(function, x):
    """The result of a function after conversion, and the operators of the model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf.lite is on its way to a package of its own
        concrete = tf.function(function).get_concrete_function(tf.TensorSpec(x.shape, tf.float32))
        model = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
        interpreter = tf.lite.Interpreter(model_content=model)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return y, interpreter.get_tensor_details(), [op["op_name"] for op in interpreter._get_ops_details()]


def check_code(layer):
    x, w, b = arrays(layer)
    left = run(TFLITE.write(layer).code, x=tf.constant(channels_last(x)), w=w, b=b)
    np.testing.assert_array_equal(channels_first(np.asarray(left["y"])), wanted(layer))
    return left


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: str(layer.geometry))
def test_the_code_gives_our_result_before_and_after_conversion(layer):
    left = check_code(layer)
    y, _, operators = interpreted(left["layer"], channels_last(arrays(layer)[0]))
    np.testing.assert_allclose(channels_first(y), wanted(layer), rtol=1e-5, atol=1e-4)
    assert "TRANSPOSE_CONV" in operators


@given(layer=layers(min_ndim=2, max_ndim=2))
@settings(max_examples=40)
def test_the_code_gives_our_result_for_any_layer(layer):
    check_code(layer)


CASES = [
    (word, kernel, stride, size)
    for word in ("SAME", "VALID")
    for kernel in (1, 2, 3, 5)
    for stride in (1, 2, 4)
    for size in range(
        2 * stride + (1 if word == "SAME" else kernel), 2 * stride + (1 if word == "SAME" else kernel) + stride
    )
]


@pytest.mark.parametrize(("word", "kernel", "stride", "size"), CASES)
def test_what_is_read_is_what_tflite_computes(word, kernel, stride, size):
    said = {"padding": word, "stride_h": stride, "stride_w": 1, "output_shape": (1, size, 1, 2)}
    layer = TFLITE.read(said, kernel=(kernel, 1), coarse=(3, 1), in_channels=3, out_channels=2)
    x, w, _ = arrays(layer)
    weights = w.transpose(2, 3, 1, 0)

    def function(given):
        return tf.nn.conv2d_transpose(given, weights, (2, size, 1, 2), (stride, 1), word)

    y, tensors, operators = interpreted(function, channels_last(x))
    np.testing.assert_allclose(channels_first(y), transposed(layer, x, w, None), rtol=1e-5, atol=1e-4)
    assert "TRANSPOSE_CONV" in operators
    assert [2, kernel, 1, 3] in [tensor["shape"].tolist() for tensor in tensors]  # (Cout, kh, kw, Cin)
