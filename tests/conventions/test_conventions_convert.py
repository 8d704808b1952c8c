"""From one dialect to another: the words, the lines to paste, and what is said about them."""

from __future__ import annotations

import numpy as np
import pytest
from dialect_cases import arrays, run

from tconv import Geometry
from tconv.conventions import ALIASES, DIALECTS, Layer, convert, weight_from_tconv, weight_to_tconv

NAMES = ", ".join(f'"{name}"' for name in DIALECTS)
UP_TWICE = {"kernel_size": 4, "strides": 2, "padding": "same"}


def test_convert_as_on_a_command_line():
    saying = convert(UP_TWICE, source="keras", target="torch", ndim=1)
    assert saying.exact
    assert saying.parameters == {
        "kernel_size": (4,),
        "stride": (2,),
        "padding": (1,),
        "output_padding": (0,),
        "groups": 1,
        "bias": True,
        "dilation": (1,),
    }
    assert saying.code == (
        "import torch\n"
        "\n"
        "w = kernel.transpose(2, 1, 0)  # from (*kernel, Cout, Cin)\n"
        "# x and y: (N, channels, *size)\n"
        "# w: (Cin, Cout/groups, *kernel)\n"
        "layer = torch.nn.ConvTranspose1d(in_channels, out_channels, kernel_size=4, stride=2, padding=1)\n"
        "with torch.no_grad():\n"
        "    layer.weight.copy_(torch.as_tensor(w))\n"
        "    layer.bias.copy_(torch.as_tensor(b))\n"
        "y = layer(x)\n"
    )


@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("target", DIALECTS)
def test_every_dialect_is_converted_to_every_other(source, target):
    layer = Layer(Geometry.conv_transpose((5, 4), 4, stride=2, padding=1), 3, 2, bias=True)
    said = DIALECTS[source].write(layer)
    assert said.exact
    sizes = {"kernel": said.kernel, "coarse": (5, 4), "in_channels": 3, "out_channels": 2, "bias": True}
    saying = convert(said.parameters, source=source, target=target, **sizes)
    assert saying.exact
    direct = DIALECTS[target].write(layer)
    if target == "tconv":
        direct = DIALECTS["tconv"].write_for(layer, DIALECTS[source].channels)
    assert (saying.dialect, saying.parameters) == (target, direct.parameters)
    w = arrays(layer)[1]
    lines = [line for line in saying.code.splitlines() if line.removeprefix("# ").startswith("w = kernel")]
    if not lines:
        assert str(DIALECTS[source].layout({})) == "(Cin, Cout/groups, *kernel)"
    else:
        left = run(lines[0].removeprefix("# "), kernel=weight_from_tconv(w, source))
        np.testing.assert_array_equal(left["w"], w)


def test_a_conversion_says_what_is_cropped_and_who_disagrees():
    saying = convert(
        {"kernel_size": 3, "strides": 2, "padding": "valid"}, source="keras", target="caffe", coarse=(4, 4)
    )
    assert (saying.crop, saying.pad, saying.notes) == (((0, 0),) * 2, ((0, 0),) * 2, ())
    saying = convert({"kernel_size": 3, "strides": 2, "padding": "same"}, source="keras", target="caffe", coarse=(4, 4))
    assert saying.crop == ((0, 1), (0, 1))
    assert saying.notes == (
        "Caffe cannot say this geometry (one pad for both ends, and no output padding): the layer is larger, and "
        "(0, 1) x (0, 1) is cropped.",
        "The slice points hold for coarse size 4x4; they move with it.",
    )
    saying = convert({"auto_pad": "SAME_UPPER", "strides": [4, 4]}, source="onnx", target="jax", kernel=2)
    assert saying.exact
    assert saying.notes == (
        "auto_pad=SAME_UPPER with a kernel that spans less than a stride: the specification says n * stride cells, "
        "which is what is meant here, zeros at the end; ONNX Runtime and OpenVINO leave the shorter result, and "
        "onnx.reference shifts it.",
    )
    assert str(saying).splitlines()[-1] == f"# Note: {saying.notes[0]}"


def test_convert_reaches_tconv_with_the_channels_where_the_source_has_them():
    saying = convert(UP_TWICE, source="keras", target="tconv", ndim=2)
    assert saying.code == (
        "import tconv\n"
        "\n"
        "w = kernel.transpose(3, 2, 0, 1)  # from (*kernel, Cout, Cin)\n"
        "# x and y: (N, *size, channels); w: (Cin, Cout/groups, *kernel)\n"
        'y = tconv.conv_transpose(x, w, b, stride=2, padding=1, layout="channels_last")\n'
    )


@pytest.mark.parametrize(
    ("name", "words", "spelt"),
    [
        ("keras", {"kernel": 4, "stride": 2, "padding": "same"}, {"kernel_size": 4, "strides": 2, "padding": "same"}),
        ("onnx", {"padding": "same", "groups": 2}, {"auto_pad": "SAME_UPPER", "group": 2}),
        ("onnx", {"padding": 1}, {"pads": 1}),
        ("jax", {"padding": "valid", "dilation": 2}, {"padding": "VALID", "rhs_dilation": 2}),
        ("tflite", {"stride": 2, "padding": "same"}, {"stride_h": 2, "stride_w": 2, "padding": "SAME"}),
        ("caffe", {"kernel": 4, "padding": 1, "bias": False}, {"kernel_size": 4, "pad": 1, "bias_term": False}),
    ],
)
def test_our_words_are_spelt_in_the_dialect(name, words, spelt):
    assert DIALECTS[name].spell(words) == spelt


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"source": "cntk", "target": "torch"}, f"convert: source must be one of {NAMES}; got 'cntk'"),
        ({"source": "keras", "target": "T7"}, f"convert: target must be one of {NAMES}; got 'T7'"),
    ],
)
def test_unknown_dialects(keywords, message):
    with pytest.raises(ValueError) as caught:
        convert({}, **keywords)
    assert str(caught.value) == message


# -- names and input as people have them -------------------------------------------------------------------------------


def test_other_names_of_dialects():
    plain = convert(UP_TWICE, source="keras", target="torch")
    for source, target in (("tf", "pytorch"), ("TensorFlow", "PyTorch"), ("Keras", "torch")):
        assert convert(UP_TWICE, source=source, target=target) == plain
    assert all(name in DIALECTS and alias not in DIALECTS for alias, name in ALIASES.items())
    w = np.zeros((3, 3, 8, 16))
    assert weight_to_tconv(w, "tensorflow").shape == weight_to_tconv(w, "keras").shape


#: What Keras 3.15 returns for Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu", name="up").
CONFIG = {
    "name": "up", "trainable": True,
    "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None},
    "filters": 8, "kernel_size": (3, 3), "strides": (2, 2), "padding": "same", "output_padding": None,
    "data_format": "channels_last", "dilation_rate": (1, 1), "activation": "relu", "use_bias": True,
    "kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": None}},
    "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}},
    "kernel_regularizer": None, "bias_regularizer": None, "activity_regularizer": None,
    "kernel_constraint": None, "bias_constraint": None,
}  # fmt: skip


def test_a_whole_configuration_of_keras():
    few = {"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same"}
    plain = convert(few, source="keras", target="torch", in_channels=4)
    saying = convert(CONFIG, source="keras", target="torch", in_channels=4)
    assert (saying.code, saying.parameters) == (plain.code, plain.parameters)
    assert saying.notes == ("The activation 'relu' comes after the layer, and is left to you.", *plain.notes)
    linear = convert(CONFIG | {"activation": "linear"}, source="keras", target="torch", in_channels=4)
    assert linear.notes == plain.notes
    serialized = {"module": "keras.layers", "class_name": "Conv2DTranspose", "config": CONFIG, "registered_name": None}
    assert convert(serialized, source="keras", target="torch", in_channels=4) == saying


def test_the_class_says_how_many_axes():
    config = {"filters": 8, "kernel_size": 4, "strides": 2}
    layer = DIALECTS["keras"].read({"class_name": "Conv1DTranspose", "config": config})
    assert layer.geometry.ndim == 1
    with pytest.raises(ValueError) as caught:
        DIALECTS["keras"].read({"class_name": "Conv2D", "config": config})
    assert str(caught.value).partition("\n")[0] == (
        'keras.read: class_name must be "Conv1DTranspose", "Conv2DTranspose" or "Conv3DTranspose"; got \'Conv2D\''
    )


def test_what_a_configuration_does_not_hold_is_still_refused():
    with pytest.raises(ValueError, match="got 'groups'"):
        convert(CONFIG | {"groups": 2}, source="keras", target="torch")


@pytest.mark.parametrize(("word", "bias"), [("false", False), ("true", True), (False, False)])
def test_booleans_of_prototxt(word, bias):
    fields = {"num_output": 2, "kernel_size": 4, "bias_term": word}
    assert DIALECTS["caffe"].read(fields).bias is bias
    with pytest.raises(TypeError, match="bias_term must be True or False; got 'no'"):
        DIALECTS["caffe"].read(fields | {"bias_term": "no"})
