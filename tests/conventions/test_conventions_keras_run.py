"""Keras's dialect in Keras, on TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from dialect_cases import KERAS_CASES as CASES
from dialect_cases import arrays, channels_first, channels_last, layers, run, transposed, up_to, wanted
from hypothesis import given, settings

from tconv.conventions import DIALECTS, Layer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what TensorFlow says to itself while it is imported
    pytest.importorskip("tensorflow", exc_type=ModuleNotFoundError)
    import keras

pytestmark = pytest.mark.tensorflow
KERAS = DIALECTS["keras"]


def check_code(layer):
    x, w, b = arrays(layer)
    y = run(KERAS.write(layer).code, x=channels_last(x), w=w, b=b)["y"]
    np.testing.assert_array_equal(channels_first(np.asarray(y)), wanted(layer))


@pytest.mark.parametrize("layer", up_to(3), ids=lambda layer: str(layer.geometry))
def test_the_code_gives_our_result(layer):
    check_code(layer)


@given(layer=layers())
@settings(max_examples=40)
def test_the_code_gives_our_result_for_any_layer(layer):
    check_code(layer)


def result(kernel, coarse, dtype="float32", **parameters):
    """Of a layer of one axis with taps 1, 10, 100, ... on cells 1, 2, 3, ..."""
    layer = keras.layers.Conv1DTranspose(1, kernel, use_bias=False, dtype=dtype, **parameters)
    layer.build((None, None, 1))
    layer.set_weights([10.0 ** np.arange(kernel).reshape(kernel, 1, 1)])
    return np.asarray(layer(np.arange(1, coarse + 1, dtype=dtype).reshape(1, coarse, 1))).ravel()


@pytest.mark.parametrize(("kernel", "stride", "padding", "added"), CASES)
def test_what_is_read_is_what_keras_computes(kernel, stride, padding, added):
    said = {"strides": stride, "padding": padding, "output_padding": added}
    layer = KERAS.read(said, kernel=kernel, coarse=3, ndim=1)
    if KERAS.disagreements(said, layer):
        with pytest.raises(Exception, match=r"primitive descriptor|doesn't match computed"):
            result(kernel, 3, **said)
        return
    w = 10.0 ** np.arange(kernel).reshape(1, 1, kernel)
    expected = transposed(Layer(layer.geometry, 1, 1), np.array([[[1.0, 2.0, 3.0]]]), w, None)
    np.testing.assert_array_equal(result(kernel, 3, **said), expected.ravel())


def test_dilation_on_a_cpu_is_for_float32():
    said = {"dilation_rate": 2, "padding": "same"}
    np.testing.assert_array_equal(result(3, 3, **said), [13, 20, 130])
    with pytest.raises(Exception, match="do not yet support dilation rates larger than 1"):
        result(3, 3, "float64", **said)


def test_what_keras_itself_refuses():
    with pytest.raises(ValueError, match="not supported in conjunction with"):
        keras.layers.Conv2DTranspose(1, 3, strides=2, dilation_rate=2)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
        keras.layers.Conv2DTranspose(1, 3, groups=2)
    with pytest.raises(ValueError, match="strictly less than"):
        keras.layers.Conv2DTranspose(1, 3, strides=2, output_padding=2)


ON_JAX = """
import json, sys
import numpy as np, keras
results = []
for kernel, stride, padding, added in json.load(sys.stdin):
    layer = keras.layers.Conv1DTranspose(
        1, kernel, strides=stride, padding=padding, output_padding=added, use_bias=False
    )
    layer.build((None, None, 1))
    layer.set_weights([10.0 ** np.arange(kernel).reshape(kernel, 1, 1)])
    results.append(np.asarray(layer(np.array([[[1.0], [2.0], [3.0]]], np.float32))).ravel().tolist())
print(json.dumps(results))
"""


def test_keras_on_jax_computes_what_is_read_and_also_what_tensorflow_refuses():
    pytest.importorskip("jax", exc_type=ModuleNotFoundError)
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    finished = subprocess.run(
        [sys.executable, "-c", ON_JAX],
        input=json.dumps(CASES),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    for case, y in zip(CASES, json.loads(finished.stdout.splitlines()[-1]), strict=True):
        kernel, stride, padding, added = case
        said = {"strides": stride, "padding": padding, "output_padding": added}
        g = KERAS.read(said, kernel=kernel, coarse=3, ndim=1).geometry
        w = 10.0 ** np.arange(kernel).reshape(1, 1, kernel)
        np.testing.assert_array_equal(
            y, transposed(Layer(g, 1, 1), np.array([[[1.0, 2.0, 3.0]]]), w, None).ravel(), str(case)
        )
