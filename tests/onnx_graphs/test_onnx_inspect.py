"""What is said of the transposed convolutions of a model."""

from __future__ import annotations

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import model, one_layer, up, value, whole  # noqa: E402
from onnx import helper  # noqa: E402
from test_onnx_rewrite import branch, function_model, node  # noqa: E402

import tconv  # noqa: E402
from tconv.conventions.onnx import OPEN_SIZES  # noqa: E402
from tconv.onnx import inspect, rewrite  # noqa: E402

RNG = np.random.default_rng(0)


def decoder():
    """A convolution, a transposed one, and a matrix product."""
    nodes = [
        node("Conv", ["x", "k"], "a", "conv", pads=[1, 1, 1, 1]),
        up(["a", "w", "b"], "t", "up", strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 0], group=2),
        node("Relu", ["t"], "r"),
        node("Transpose", ["r"], "flat", perm=[0, 2, 3, 1]),
        node("MatMul", ["flat", "m"], "y"),
    ]
    weights = {"k": whole(RNG, 4, 3, 3, 3), "w": whole(RNG, 4, 3, 3, 5), "b": whole(RNG, 6), "m": whole(RNG, 6, 2)}
    return model(nodes, [value("x", ["N", 3, "H", 10])], [value("y", [None] * 4)], weights)


def test_geometry_cost_and_share():
    found = inspect(decoder(), shapes={"x": (2, 3, 8, 10)})
    (layer,) = found
    geometry = tconv.Geometry.conv_transpose((8, 10), (3, 5), stride=2, padding=((1, 0), (0, 1)), output_padding=(1, 0))
    assert (layer.name, layer.place, layer.problem, layer.is_constant) == ("up", "", "", True)
    assert layer.layer == tconv.Layer(geometry, 4, 6, 2, bias=True)
    assert (layer.x, layer.y) == ((2, 4, 8, 10), (2, 6, 17, 22))
    assert layer.flops == 2 * geometry.work(4, 6, groups=2).flops
    others = 2 * (2 * 4 * 8 * 10) * 3 * 9 + 2 * (2 * 17 * 22 * 2) * 6
    assert found.flops == layer.flops + others
    assert layer.share == pytest.approx(layer.flops / found.flops)


def test_flops_as_counters_count_them():
    found = inspect(decoder(), shapes={"x": (2, 3, 8, 10)})
    assert found[0].counter_flops == 2 * 2 * (4 * 3) * (8 * 10) * (3 * 5)
    assert found.counter_flops - found[0].counter_flops == found.flops - found[0].flops
    everything = inspect(one_layer(whole(RNG, 2, 3, 2), strides=[2]), shapes={"x": (1, 2, 5)})
    assert (everything.flops, everything.counter_flops) == (120, 120)
    assert everything.footnote == "120 flops: every tap of every cell lands in the result"


def unet(*more):
    """Down and up again: even sizes come back, odd ones are one too long to be put beside what they were."""
    nodes = [
        node("Conv", ["x", "k"], "d", "down", strides=[2, 2], pads=[1] * 4),
        up(["d", "w"], "u", "up", strides=[2, 2]),
        node("Concat", ["x", "u"], "both", "skip", axis=1),
        *more,
        node("Relu", ["both"], "y"),
    ]
    weights = {"k": whole(RNG, 4, 3, 3, 3), "w": whole(RNG, 4, 3, 2, 2)}
    return model(nodes, [value("x", ["N", 3, "H", "W"])], [value("y", [None] * 4)], weights)


def test_sizes_that_are_impossible():
    assert inspect(unet(), shapes={"x": (1, 3, 24, 24)}).impossible == ""
    assert inspect(unet()).impossible == ""
    found = inspect(unet(), shapes={"x": (1, 3, 25, 24)})
    assert found.impossible.startswith(
        "sizes are impossible at Concat 'skip': it is given 'x' 1x3x25x24, 'u' 1x3x26x24; "
    )
    assert str(found).splitlines()[-1] == found.impossible
    assert found.as_dict()["impossible"] == found.impossible
    assert found[0].layer.geometry.fine == (26, 24)


@pytest.mark.parametrize("operator", ["Add", "Mul", "MatMul", "Concat"])
def test_where_sizes_are_impossible(operator):
    """Names that nodes share, or lack, do not hide which one it is."""
    more = [
        node(operator, ["d", "d"], f"same{i}", "", **({"axis": 1} if operator == "Concat" else {})) for i in range(2)
    ]
    wrong = node(operator, ["d", "x"], "wrong", "", **({"axis": 1} if operator == "Concat" else {}))
    found = inspect(unet(*more, wrong), shapes={"x": (1, 3, 24, 24)})
    assert f"at {operator} of 'wrong': it is given 'd' 1x4x12x12, 'x' 1x3x24x24; " in found.impossible


def test_a_layer_that_has_no_result_at_these_sizes():
    made = one_layer(whole(RNG, 2, 3, 3), pads=[2, 2])
    assert inspect(made, shapes={"x": (1, 2, 4)}).impossible == ""
    found = inspect(made, shapes={"x": (1, 2, 1)})
    assert found.impossible == f"sizes are impossible at 'up': {found[0].problem}"


def test_operators_that_onnx_does_not_know_are_no_misfit():
    made = unet(helper.make_node("Own", ["d"], ["own"], domain="own"), node("Relu", ["own"], "r"))
    made.opset_import.append(helper.make_opsetid("own", 1))
    assert inspect(made, shapes={"x": (1, 3, 24, 24)}).impossible == ""


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"auto_pad": "SAME_UPPER"}, True),
        ({"auto_pad": "SAME_LOWER", "output_shape": [9]}, False),  # an even crop
        ({"output_shape": [9]}, True),
        ({"output_shape": [12]}, False),  # it grows
        ({"pads": [1, 1]}, False),
    ],
)
def test_what_openvino_computes_wrongly_while_sizes_are_open(attributes, said):
    """Sizes that are given to `inspect` are not in the model that OpenVINO loads."""
    w, shapes = whole(RNG, 2, 3, 5), {"x": (1, 2, 4)}
    fixed = one_layer(w, sizes=[4], strides=[2], **attributes)
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    open_batch = one_layer(w, sizes=[4], strides=[2], **attributes)
    assert OPEN_SIZES not in inspect(fixed)[0].disagreements
    assert (OPEN_SIZES in inspect(open_batch)[0].disagreements) == said
    assert (OPEN_SIZES in inspect(open_batch, shapes=shapes)[0].disagreements) == said
    assert rewrite(open_batch).changed == 1  # nothing that runtimes take to mean different things


def test_sizes_that_are_open():
    found = inspect(decoder())
    assert (found[0].x, found[0].y) == ((None, 4, None, 10), (None, 6, None, 22))
    assert (found[0].flops, found[0].share, found.flops, found.unknown) == (None, None, None, 3)
    assert found[0].layer.geometry.stride == (2, 2)
    assert found.heading == "1 transposed convolution; the sizes of 3 nodes are not known"


def test_the_table():
    assert str(inspect(decoder(), shapes={"x": (1, 3, 8, 10)})) == (
        "1 transposed convolution, 50.7% of the model's flops\n"
        "\n"
        "layer  coarse -> fine  channels          kernel  stride  padding                 flops  share  coverage\n"
        "up     8x10 -> 17x22   4 -> 6, 2 groups  3x5     2       (1, 0) x (0, 1) + 1x0  27.0 k  50.7%  uneven\n"
        "27,048 flops, of taps that land in the result; counters, which take every tap of every cell, say 28,800\n"
        "up: coverage: axis 0: kernel 3 is no multiple of stride 2: 1 in every 2 fine positions get 2 taps, the rest "
        "1; axis 1: kernel 5 is no multiple of stride 2: 1 in every 2 fine positions get 3 taps, the rest 2; the last "
        "position of axis 0 is beyond every tap\n"
        "up: onnx.reference fails for groups of more than one input or output channel; ONNX Runtime is right."
    )


def test_names_hold_no_commands_to_the_terminal():
    made = one_layer(whole(RNG, 2, 3, 3))
    made.graph.node[0].name = "up\x1b[2J"
    assert str(inspect(made)).splitlines()[3].startswith("up?[2J")


def test_json():
    found = inspect(decoder(), shapes={"x": (1, 3, 8, 10)})
    back = json.loads(json.dumps(found.as_dict()))
    (layer,) = back["layers"]
    assert (back["opset"], back["nodes_of_unknown_size"], back["flops"]) == (17, 0, found.flops)
    assert layer["kernel"] == [3, 5]
    assert layer["padding"] == [[1, 0], [0, 1]]
    assert layer["weights"] == "FLOAT"
    assert set(layer) >= {"name", "place", "x", "y", "flops", "share", "coverage", "disagreements", "problem"}


def test_constants_subgraphs_and_functions():
    weights = onnx.numpy_helper.from_array(whole(RNG, 2, 3, 3), "any")
    nodes = [node("Constant", [], "c", value=weights), node("Identity", ["c"], "w"), up()]
    found = inspect(model(nodes, [value("x", ["N", 2, "L"])], [value("y", [None] * 3)]))
    assert (found[0].is_constant, found[0].layer.out_channels) == (True, 3)

    choice = node("If", ["c"], "y", "if", then_branch=branch("t", [1] * 4), else_branch=branch("e", [0] * 4))
    inputs = [value("x", ["N", 2, "H", "W"]), value("c", [], onnx.TensorProto.BOOL)]
    found = inspect(model([choice], inputs, [value("y", [None] * 4)], {"w": whole(RNG, 2, 3, 4, 4)}))
    assert {layer.name: layer.place for layer in found} == {
        "t_up": "If 'if', then_branch",
        "e_up": "If 'if', else_branch",
    }
    paddings = {layer.name: layer.layer.geometry.padding for layer in found}
    assert paddings == {"t_up": ((1, 1), (1, 1)), "e_up": ((0, 0), (0, 0))}

    found = inspect(function_model(RNG), shapes={"x": (1, 2, 3, 5)})
    assert [layer.layer.geometry.fine for layer in found] == [(6, 10), (12, 20)]
    assert sum(layer.share for layer in found) == pytest.approx(1)


def test_weights_that_are_not_constant_and_nodes_that_cannot_be():
    x, w, y = value("x", ["N", 2, "L"]), value("w", [2, 3, 3]), value("y", [None] * 3)
    found = inspect(model([up()], [x, w], [y]))
    assert (found[0].layer.geometry.kernel, found[0].is_constant) == ((3,), False)
    assert found.remarks[0] == ("up", "weights are not constant: 'w' is an input")
    found = inspect(model([up()], [x, value("w", [None] * 3)], [y]))
    assert found[0].layer is None
    assert found.remarks[0] == ("up", "cannot be read: the shape of the weights must be known; it is not")
    assert str(found).splitlines()[3].split() == ["up", *"???????"]
    found = inspect(one_layer(whole(RNG, 2, 3, 3), strides=[2], pads=[-1, 0]))
    assert found[0].problem == "pads[0] must be an integer of at least 0; got -1"
    assert found.as_dict()["layers"][0]["kernel"] is None


def test_a_model_without_any():
    found = inspect(model([node("Relu", ["x"], "y")], [value("x", [1])], [value("y", [1])]))
    assert (len(found), str(found)) == (0, "0 transposed convolutions")


def test_a_path_is_read(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(decoder().SerializeToString())
    assert len(inspect(path)) == len(inspect(str(path))) == 1


@pytest.mark.parametrize(
    ("shapes", "kind", "message"),
    [
        ({"z": (1,)}, ValueError, "shapes must name inputs of the model, which are \"x\"; got 'z'"),
        (
            {"x": (1, 3, 8)},
            ValueError,
            "shapes['x'] must be a shape (any, 3, any, 10), as the model says; got (1, 3, 8)",
        ),
        (
            {"x": (1, 4, 8, 10)},
            ValueError,
            "shapes['x'] must be a shape (any, 3, any, 10), as the model says; got (1, 4, 8, 10)",
        ),
        ({"x": 3}, TypeError, "shapes['x'] must be a shape; got 3 of type int"),
        ([1], TypeError, "shapes must map names of inputs to shapes; got [1]"),
    ],
)
def test_wrong_shapes(shapes, kind, message):
    with pytest.raises(kind) as caught:
        inspect(decoder(), shapes=shapes)
    assert str(caught.value) == f"onnx.inspect: {message}"
