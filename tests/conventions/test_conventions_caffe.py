"""Caffe's dialect: its prototxt run by a small interpreter of the layers as Caffe documents them.

Caffe itself is no package that pip installs; a program that reads its files runs in test_conventions_caffe_run.py.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from dialect_cases import GROWN, LAYERS, arrays, layers, transposed, wanted
from hypothesis import given

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer

pytestmark = pytest.mark.quick

CAFFE = DIALECTS["caffe"]


def parse(text):
    """Prototxt as a list of (field, value or list of the same), comments left out."""
    text = re.sub(r"#.*", "", text)
    tokens = iter(re.findall(r'[{}]|"[^"]*"|[\w.\-]+:?', text))

    def block():
        fields = []
        for token in tokens:
            if token == "}":
                break
            if token.endswith(":"):
                fields.append((token[:-1], next(tokens).strip('"')))
            else:
                assert next(tokens) == "{"
                fields.append((token, block()))
        return fields

    return block()


def all_of(fields, name):
    return [value for field, value in fields if field == name]


def per_axis(fields, name, ndim, default):
    values = [int(value) for value in all_of(fields, name)] or [default]
    return tuple(values) if len(values) == ndim else tuple(values * ndim)


def deconvolution(fields, x, w, b):
    """L = (n - 1) s - 2p + d (k - 1) + 1, the bias inside: by what Caffe documents of its fields."""
    ndim = x.ndim - 2
    stride, pad = per_axis(fields, "stride", ndim, 1), per_axis(fields, "pad", ndim, 0)
    dilation, kernel = per_axis(fields, "dilation", ndim, 1), per_axis(fields, "kernel_size", ndim, 0)
    assert kernel == w.shape[2:]
    (cout,) = map(int, all_of(fields, "num_output"))
    g = Geometry.conv_transpose(x.shape[2:], kernel, stride=stride, padding=pad, dilation=dilation)
    groups = int(all_of(fields, "group")[0])
    has_bias = all_of(fields, "bias_term") == ["true"]
    assert (len(w), w.shape[1] * groups) == (x.shape[1], cout)
    return transposed(Layer(g, x.shape[1], cout, groups), x, w, b if has_bias else None)


def interpret(text, x, w, b):
    """Run the layers that the dialect writes, each as Caffe's documentation has it."""
    blobs = {"x": x}
    for _, layer in parse(text):
        kind, bottom, tops = all_of(layer, "type")[0], blobs[all_of(layer, "bottom")[0]], all_of(layer, "top")
        if kind == "Deconvolution":
            results = [deconvolution(all_of(layer, "convolution_param")[0], bottom, w, b)]
        elif kind == "Convolution":  # one tap of 1 for each channel, on a padded blob
            fields = all_of(layer, "convolution_param")[0]
            assert all_of(fields, "num_output") == all_of(fields, "group") == [str(bottom.shape[1])]
            assert (all_of(fields, "kernel_size"), all_of(fields, "bias_term")) == (["1"], ["false"])
            assert all_of(fields, "weight_filler")[0] == [("type", "constant"), ("value", "1")]
            margin = int(all_of(fields, "pad")[0])
            results = [np.pad(bottom, [(0, 0), (0, 0)] + [(margin, margin)] * (bottom.ndim - 2))]
        elif kind == "Slice":
            fields = all_of(layer, "slice_param")[0]
            points = [int(point) for point in all_of(fields, "slice_point")]
            results = np.split(bottom, points, axis=int(all_of(fields, "axis")[0]))
            assert all(part.size for part in results), "Caffe refuses empty slices"
        else:
            assert (kind, all_of(layer, "scale_param")) == ("Scale", [[("bias_term", "true")]])
            results = [bottom + b.reshape(-1, *[1] * (bottom.ndim - 2))]
        blobs |= dict(zip(tops, results, strict=True))
    return blobs["y"]


@pytest.mark.parametrize("layer", LAYERS + GROWN, ids=lambda layer: str(layer.geometry))
def test_the_prototxt_gives_our_result(layer):
    np.testing.assert_array_equal(interpret(CAFFE.write(layer).code, *arrays(layer)), wanted(layer))


@given(layers())
def test_the_prototxt_gives_our_result_for_any_layer(layer):
    np.testing.assert_array_equal(interpret(CAFFE.write(layer).code, *arrays(layer)), wanted(layer))


# -- fields ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 8])
def test_the_bilinear_upsampling_of_caffe_scales_by_the_stride(stride):
    """The rule beside Caffe's bilinear filler: kernel 2s - s mod 2 and pad ceil((s - 1) / 2)."""
    parameters = {"kernel_size": 2 * stride - stride % 2, "stride": stride, "pad": -(-(stride - 1) // 2)}
    assert CAFFE.read(parameters, coarse=(7, 5)).geometry.fine == (7 * stride, 5 * stride)


def test_height_and_width_are_one_field():
    apart = {"kernel_h": 3, "kernel_w": 4, "stride_h": 2, "stride_w": 1, "pad_h": 1, "pad_w": 0, "num_output": 5}
    together = {"kernel_size": (3, 4), "stride": (2, 1), "pad": (1, 0), "num_output": 5}
    assert CAFFE.read(apart) == CAFFE.read(together)
    assert CAFFE.read(apart).out_channels == 5


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            {"kernel_size": 3, "stride_h": 2},
            'caffe.read: stride_h and stride_w must be given together and without stride; got "stride_h"\n'
            "  called with kernel_size=3, stride_h=2",
        ),
        (
            {"kernel_size": 3, "kernel_h": 2, "kernel_w": 2},
            "caffe.read: kernel_h and kernel_w must be given together and without kernel_size; got "
            '"kernel_h", "kernel_w"\n  called with kernel_size=3, kernel_h=2, kernel_w=2',
        ),
        (
            {"kernel_size": 3, "pad": (1, -1)},
            "caffe.read: pad[1] must be an integer of at least 0; got -1\n  called with kernel_size=3, pad=(1, -1)",
        ),
        (
            {"kernel_size": 3, "output_padding": 1},
            'caffe.read: parameters must be named "num_output", "kernel_size", "kernel_h", "kernel_w", "stride", '
            '"stride_h", "stride_w", "pad", "pad_h", "pad_w", "dilation", "group", "bias_term"; got '
            "'output_padding'\n  called with kernel_size=3, output_padding=1",
        ),
    ],
)
def test_fields_that_cannot_be(parameters, text):
    with pytest.raises(ValueError) as caught:
        CAFFE.read(parameters)
    assert str(caught.value) == text


def test_output_padding_is_a_crop_less():
    saying = CAFFE.write(Layer(Geometry.conv_transpose((5, 5), 3, stride=2, padding=1, output_padding=1), 4, 2))
    assert (saying.parameters["pad"], saying.crop, saying.pad) == ((0, 0), ((1, 0), (1, 0)), ((0, 0), (0, 0)))
    assert saying.code == (
        "# x and y: (N, channels, *size); the weights are tconv's w as it is, (Cin, Cout/group, *kernel)\n"
        '# net.params["up"][0].data[...] = w\n'
        'layer { name: "up" type: "Deconvolution" bottom: "x" top: "y0"\n'
        "  convolution_param { num_output: 2 kernel_size: 3 stride: 2 pad: 0 dilation: 1 group: 1 "
        "bias_term: false } }\n"
        'layer { name: "crop0" type: "Slice" bottom: "y0" top: "low0" top: "y1" '
        "slice_param { axis: 2 slice_point: 1 } }\n"
        'layer { name: "crop1" type: "Slice" bottom: "y1" top: "low1" top: "y" '
        "slice_param { axis: 3 slice_point: 1 } }\n"
    )
