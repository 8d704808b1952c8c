"""ONNX's dialect against ONNX Runtime and the node tests inside the onnx package."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from dialect_cases import arrays, layers, run, transposed, up_to, wanted
from hypothesis import given

from tconv import Geometry
from tconv.conventions import DIALECTS, Layer

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from onnx_models import ONNX, X, model, node, read_result, run_ort  # noqa: E402


def check_code(layer):
    x, w, b = arrays(layer)
    left = run(ONNX.write(layer).code, w=w, b=b)
    made = model(left["nodes"], left["arrays"], x.shape)
    onnx.checker.check_model(made)
    np.testing.assert_array_equal(run_ort(made, x), wanted(layer))


@pytest.mark.parametrize("layer", up_to(3), ids=lambda layer: str(layer.geometry))
def test_the_code_gives_our_result(layer):
    check_code(layer)


@given(layers())
def test_the_code_gives_our_result_for_any_layer(layer):
    check_code(layer)


def node_cases():
    """The ConvTranspose cases that ship inside the onnx package."""
    node_tests = import_module("onnx.backend.test.case.node")
    import_module("onnx.backend.test.case.node.convtranspose")  # files its cases with the package
    return [case for case in node_tests._NodeTestCases if case.model.graph.node[0].op_type == "ConvTranspose"]


def test_the_node_cases_are_found():
    assert len(node_cases()) >= 11


@pytest.mark.parametrize("case", node_cases(), ids=lambda case: case.name)
def test_the_node_cases_of_the_onnx_package_pass(case):
    made = case.model.graph.node[0]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in made.attribute}
    attributes = {name: v.decode() if isinstance(v, bytes) else v for name, v in attributes.items()}
    for inputs, outputs in case.data_sets:
        x, w, *_ = inputs
        layer = ONNX.read(attributes, kernel=w.shape[2:], coarse=x.shape[2:], in_channels=x.shape[1])
        assert layer.geometry.fine == outputs[0].shape[2:]
        np.testing.assert_allclose(transposed(layer, x, w, None), outputs[0], rtol=1e-6)


ATTRIBUTES = [
    {"strides": [2]},
    {"strides": [2], "output_padding": [1]},
    {"strides": [2], "pads": [1, 0]},
    {"strides": [2], "pads": [0, 2], "output_padding": [1]},
    {"strides": [2], "dilations": [2], "pads": [2, 1]},
    {"strides": [2], "auto_pad": "VALID", "output_padding": [1]},
    {"strides": [2], "auto_pad": "SAME_UPPER"},
    {"strides": [2], "auto_pad": "SAME_LOWER"},
    {"strides": [2], "auto_pad": "SAME_UPPER", "output_padding": [1]},
    {"strides": [2], "auto_pad": "SAME_LOWER", "output_padding": [1]},
    {"strides": [1], "auto_pad": "SAME_UPPER", "dilations": [2]},
    {"strides": [2], "output_shape": [6]},
    {"strides": [2], "output_shape": [4]},
    {"strides": [2], "output_shape": [8]},
    {"strides": [2], "output_shape": [6], "output_padding": [1]},
    {"strides": [2], "output_shape": [6], "auto_pad": "SAME_UPPER"},
    {"strides": [2], "output_shape": [6], "auto_pad": "SAME_LOWER"},
    {"strides": [2], "output_shape": [6], "auto_pad": "VALID"},
    {"strides": [4], "output_shape": [13]},
    {"strides": [4], "output_shape": [14], "auto_pad": "SAME_UPPER"},
]


@pytest.mark.parametrize("attributes", ATTRIBUTES, ids=str)
def test_what_is_read_is_what_onnx_runtime_computes(attributes):
    np.testing.assert_array_equal(run_ort(node(**attributes), X), read_result(**attributes))


def test_pads_are_the_lows_and_then_the_highs():
    x, w = np.ones((1, 1, 2, 3), np.float32), np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    attributes = {"strides": [2, 2], "pads": [1, 0, 2, 1]}
    assert ONNX.read(attributes, kernel=3).geometry.padding == ((1, 2), (0, 1))
    np.testing.assert_array_equal(run_ort(node(x, w, **attributes), x), read_result(x, w, **attributes))


def test_same_upper_is_kerass_same():
    for kernel in (2, 3, 4, 5):
        upper = ONNX.read({"strides": 2, "auto_pad": "SAME_UPPER"}, kernel=kernel)
        keras = DIALECTS["keras"].read({"strides": 2, "padding": "same"}, kernel=kernel)
        assert upper.geometry == keras.geometry


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "keywords", "message"),
    [
        (
            {"output_shape": [6], "pads": [1, 1]},
            {"kernel": 3, "coarse": 3, "ndim": 1},
            "onnx.read: pads must be left out with output_shape, for which ONNX ignores them; got pads [1, 1] and "
            "output_shape [6]\n  called with output_shape=[6], pads=[1, 1]",
        ),
        (
            {"auto_pad": "SAME", "strides": [2]},
            {"kernel": 3},
            'onnx.read: auto_pad must be one of "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"; got \'SAME\'\n'
            "  called with auto_pad='SAME', strides=[2]",
        ),
        (
            {"auto_pad": "VALID", "pads": [0, 0]},
            {"kernel": 3, "ndim": 1},
            "onnx.read: pads must be left out with auto_pad=VALID; got [0, 0]\n"
            "  called with auto_pad='VALID', pads=[0, 0]",
        ),
        (
            {"pads": [1, 1]},
            {"kernel": (3, 3)},
            "onnx.read: pads must be an integer or a sequence of 4 integers, one an end of an axis, all lows first; "
            "got [1, 1]\n"
            "  called with pads=[1, 1]",
        ),
        (
            {"pads": [1, -1]},
            {"kernel": 3, "ndim": 1},
            "onnx.read: pads[1] must be an integer of at least 0; got -1\n  called with pads=[1, -1]",
        ),
        (
            {"strides": [2], "output_padding": [2]},
            {"kernel": 3},
            "onnx.read: output_padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2\n"
            "  called with strides=[2], output_padding=[2]",
        ),
        (
            {"output_shape": [6]},
            {"kernel": 3},
            "onnx.read: coarse must be given with output_shape, which says a size; got none\n"
            "  called with output_shape=[6]",
        ),
    ],
)
def test_attributes_that_cannot_be(attributes, keywords, message):
    with pytest.raises(ValueError) as caught:
        ONNX.read(attributes, **keywords)
    assert str(caught.value) == message


def test_the_longest_case_in_full():
    layer = Layer(Geometry.conv_transpose(3, 2, stride=2, padding=((1, -3),)), 1, 1, bias=True)
    saying = ONNX.write(layer)
    assert (saying.crop, saying.pad) == (((1, 0),), ((0, 2),))
    assert saying.code == (
        "import numpy as np\n"
        "from onnx import helper, numpy_helper\n"
        "\n"
        "# the nodes and initializers (arrays) of a graph from x to y, both (N, channels, *size)\n"
        "# w: (Cin, Cout/groups, *kernel)\n"
        "arrays = [\n"
        '    numpy_helper.from_array(w, "w"),\n'
        '    numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 2]), "zeros"),\n'
        '    numpy_helper.from_array(np.array([1]), "first"),\n'
        '    numpy_helper.from_array(np.array([2147483648]), "last"),\n'
        '    numpy_helper.from_array(np.array([2]), "axes"),\n'
        '    numpy_helper.from_array(b.reshape(-1, 1), "b"),\n'
        "]\n"
        "nodes = [\n"
        '    helper.make_node("ConvTranspose", ["x", "w"], ["y0"], dilations=[1], group=1, kernel_shape=[2], '
        "output_padding=[1], pads=[0, 0], strides=[2]),\n"
        '    helper.make_node("Pad", ["y0", "zeros"], ["y1"]),\n'
        '    helper.make_node("Slice", ["y1", "first", "last", "axes"], ["y2"]),\n'
        '    helper.make_node("Add", ["y2", "b"], ["y"]),\n'
        "]\n"
    )
