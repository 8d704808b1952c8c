"""Caffe's dialect in OpenCV 4, which reads Caffe's files (OpenCV 5 does not)."""

from __future__ import annotations

import numpy as np
import pytest
from dialect_cases import arrays, up_to, wanted

from tconv.conventions import DIALECTS

cv2 = pytest.importorskip("cv2", exc_type=ModuleNotFoundError)
if not hasattr(cv2.dnn, "readNetFromCaffe"):
    pytest.skip("OpenCV 5 reads no Caffe files", allow_module_level=True)

CAFFE = DIALECTS["caffe"]


def message(field, payload):
    """One length-delimited field of a protocol buffer."""
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def varint(number):
    encoded = b""
    while number > 127:
        encoded, number = encoded + bytes([number & 127 | 128]), number >> 7
    return encoded + bytes([number])


def caffemodel(weights):
    """The weights file: layer = 100 { name = 1, type = 2, blobs = 7 { data = 5, shape = 7 { dim = 1 } } }."""
    layers = b""
    for (name, kind), blobs in weights.items():
        encoded = message(1, name.encode()) + message(2, kind.encode())
        for blob in blobs:
            shape = message(7, message(1, b"".join(map(varint, blob.shape))))
            encoded += message(7, shape + message(5, blob.astype("<f4").tobytes()))
        layers += message(100, encoded)
    return layers


def run_opencv(text, layer):
    x, w, b = arrays(layer)
    shape = " ".join(f"dim: {size}" for size in x.shape)
    last = 'layer { name: "last" type: "Power" bottom: "y" top: "last" }'  # OpenCV asks for layers, not for blobs
    net = f'input: "x"\ninput_shape {{ {shape} }}\n{text}{last}'
    late = '"up_bias"' in text
    weights = {("up", "Deconvolution"): [w, b] if layer.bias and not late else [w]}
    if '"zeros"' in text:
        weights["zeros", "Convolution"] = [np.ones((layer.out_channels, 1, 1, 1))]
    if late:
        weights["up_bias", "Scale"] = [np.ones_like(b), b]
    read = cv2.dnn.readNetFromCaffe(np.frombuffer(net.encode(), np.uint8), np.frombuffer(caffemodel(weights), np.uint8))
    read.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    read.enableFusion(False)
    read.setInput(x, "x")
    return read.forward("last")


@pytest.mark.parametrize(
    "layer", [layer for layer in up_to(2) if layer.geometry.ndim == 2], ids=lambda layer: str(layer.geometry)
)
def test_opencv_runs_the_prototxt(layer):
    saying = CAFFE.write(layer)
    y = run_opencv(saying.code, layer)
    dilated = max(layer.geometry.dilation) > 1
    assert dilated == any("OpenCV" in note for note in saying.notes)
    assert np.array_equal(y, wanted(layer)) is not dilated
