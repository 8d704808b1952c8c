"""Models of operator sets 7 to 10 and of IR version 3, rewritten in the operators that they have."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import model, node, one_layer, operators, run, same_results, session, up, value, whole  # noqa: E402

from tconv.onnx import VARIANTS, accelerate, inspect, rewrite  # noqa: E402

RNG = np.random.default_rng(0)
#: Geometries with a crop at either end, phases that no tap reaches, dilation, groups, auto_pad and output_shape.
LAYERS = [
    {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"strides": [3, 2], "pads": [0, 1, 1, 0], "output_padding": [1, 0]},
    {"strides": [5, 4]},
    {"strides": [2, 2], "dilations": [2, 2]},
    {"strides": [2, 2], "group": 2},
    {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
]


def old(opset, ir_version=4, w=None, **attributes):
    w = whole(RNG, 2, 3, 3, 4) if w is None else w
    made = one_layer(w, whole(RNG, w.shape[1] * attributes.get("group", 1)), **attributes)
    made.opset_import[0].version, made.ir_version = opset, ir_version
    if ir_version < 4:  # each initializer has to be an input
        made.graph.input.extend(value(each.name, list(each.dims)) for each in made.graph.initializer)
    return made


@pytest.mark.parametrize("opset", [7, 8, 9, 10])
@pytest.mark.parametrize("attributes", LAYERS, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
def test_forms_in_old_operators(opset, attributes, variant):
    made = old(opset, 3 if opset < 9 else 4, **attributes)
    (layer,) = rewrite(made, variant=variant).layers
    if layer.variant is None:
        assert layer.reason.startswith(REASONS[variant])
        return
    after = rewrite(made, variant=variant).model
    assert (after.opset_import[0].version, after.ir_version) == (opset, made.ir_version)
    assert after.graph.input[0].name == "x"
    same_results(made, after, {"x": whole(RNG, 2, 2, 5, 3)}, {"x": whole(RNG, 1, 2, 1, 1)})


REASONS = {
    "one_conv": "positions that no tap reaches must have operator set 8 or newer, which has Expand; the model uses 7",
    "depth_to_space": "depth_to_space must have ",
    "conv_per_phase": "positions that no tap reaches must have operator set 8 or newer, which has Expand",
    "conv_per_block": "",
}


def test_depth_to_space_has_its_mode_from_version_11_on():
    made = old(10, strides=[2, 2])
    assert rewrite(made, variant="depth_to_space").layers[0].reason == (
        "depth_to_space must have operator set 11 or newer, where DepthToSpace has a mode; the model uses 10"
    )


def test_older_still():
    (layer,) = rewrite(old(6, strides=[2, 2])).layers
    assert layer.reason == (
        "the model must use operator set 7 or newer; it uses 6, which onnx.version_converter.convert_version raises"
    )


def test_inputs_that_were_weights_in_ir_version_3():
    """There an initializer is an input as well, and constant all the same; later it is only a default."""
    made = old(8, 3, strides=[2, 2])
    assert inspect(made)[0].is_constant
    after = rewrite(made, variant="one_conv").model
    assert {each.name for each in after.graph.initializer} < {each.name for each in after.graph.input}
    assert [each.name for each in session(after).get_inputs()] == ["x"]
    made.ir_version = 4
    assert "is an input of the model as well" in inspect(made)[0].weights


def test_what_the_converter_of_onnx_would_change_stays_as_it_is():
    """It makes a Resize of half pixels of a linear Upsample, which computes other values; we leave both alone."""
    nodes = [
        node("Upsample", ["x", "scales"], "u", "upsample", mode="linear"),
        up(["u", "w"], "y", strides=[4, 4]),
    ]
    weights = {"scales": np.array([1, 1, 2, 2], np.float32), "w": whole(RNG, 2, 1, 8, 8)}
    made = model(nodes, [value("x", ["N", 2, 4, 4])], [value("y", [None] * 4)], weights, 9, 4)
    after = rewrite(made, variant="one_conv").model
    x = whole(RNG, 1, 2, 4, 4)
    np.testing.assert_allclose(run(after, x=x)[0], run(made, x=x)[0], rtol=1e-6)
    converted = onnx.version_converter.convert_version(made, 11)
    assert not np.allclose(run(converted, x=x)[0], run(made, x=x)[0], rtol=1e-3)


def test_normalization_of_every_position_is_not_folded():
    nodes = [up(["x", "w"], "u", strides=[2, 2]), node("BatchNormalization", ["u", *["one"] * 4], "y", spatial=0)]
    weights = {"w": whole(RNG, 2, 3, 2, 2), "one": np.ones(3, np.float32)}
    made = model(nodes, [value("x", ["N", 2, 4, 4])], [value("y", [None] * 4)], weights, 8, 4)
    assert "BatchNormalization" in operators(rewrite(made).model)
    del made.graph.node[1].attribute[:]
    assert "BatchNormalization" not in operators(rewrite(made).model)


def test_a_large_stride_of_version_9_is_a_candidate():
    made = old(9, w=whole(RNG, 4, 2, 64, 64), strides=[32, 32], pads=[16, 16, 16, 16])
    done = accelerate(made, shapes={"x": (1, 4, 4, 4)}, threads=1, rounds=3)
    assert {"one_conv", "conv_per_block"} <= set(done.layers[0].seconds)
