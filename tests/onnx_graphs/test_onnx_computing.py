"""Weights that are computed from constants: operators as in ONNX Runtime, whole layers, and what is not computed."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import branch, model, node, operators, run, same_results, tensor, up, value, whole  # noqa: E402

from tconv.onnx import VARIANTS, computing, inspect, rewrite  # noqa: E402
from tconv.onnx.graphs import scopes  # noqa: E402

RNG = np.random.default_rng(0)
A, B = whole(RNG, 2, 3, 4), np.abs(whole(RNG, 2, 3, 1)) + 1
BYTES = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
SCALE, ZERO = np.array([0.5, 0.25, 2], np.float32), np.array([1, 0, -3], np.int8)
ONE, AXES, TRUE = np.array(1.0, np.float32), np.array([1], np.int64), np.array([True])
MINUS, ENDS = np.array([-1], np.int64), np.array([0, 1], np.int64)
ELEMENTWISE = ("Abs", "Ceil", "Exp", "Floor", "Neg", "Identity")
PAIRS = ("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Sum")
REDUCED = ("L1", "L2", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
#: For each operator: arrays, attributes, and operator sets in which the call has that form.
CASES = {
    **{name: ((A,), {}, (7, 13, 21)) for name in ELEMENTWISE},
    **{name: ((B,), {}, (7, 13, 21)) for name in ("Log", "Reciprocal", "Sqrt")},
    **{name: ((A, B), {}, (8, 13, 21)) for name in PAIRS},
    **{f"Reduce{name}": ((A,), {"axes": [1]}, (9, 11)) for name in REDUCED},
    "Round": ((A / 4,), {}, (11, 21)),
    "Sign": ((A,), {}, (9, 21)),
    "Equal": ((A, B), {}, (11, 21)),
    "Clip": ((A, -ONE, ONE), {}, (12, 21)),
    "Where": ((TRUE, A, B), {}, (9, 21)),
    "MatMul": ((A, whole(RNG, 2, 4, 5)), {}, (9, 21)),
    "Cast": ((BYTES,), {"to": 1}, (9, 13, 21)),
    "CastLike": ((BYTES, ONE), {}, (15, 21)),
    "DequantizeLinear": ((BYTES, SCALE, ZERO), {"axis": 1}, (13, 19, 21)),
    "QuantizeLinear": ((A, SCALE, ZERO), {"axis": 1}, (13, 19, 21)),
    "Concat": ((A, A), {"axis": 1}, (9, 13, 21)),
    "ConstantOfShape": ((np.array([2, 3], np.int64),), {"value": tensor("v", np.ones(1, np.float32))}, (9, 21)),
    "Expand": ((B, np.array([2, 3, 4], np.int64)), {}, (8, 21)),
    "Flatten": ((A,), {"axis": 1}, (9, 21)),
    "Gather": ((A, ENDS), {"axis": 1}, (9, 13, 21)),
    "Pad": ((A, np.array([0, 1, 0, 0, 0, 2], np.int64)), {}, (13, 21)),
    "Reshape": ((A, np.array([3, 0, -1], np.int64) + np.array([0, 2, 0])), {}, (9, 13, 21)),
    "Shape": ((A,), {}, (9, 21)),
    "Slice": ((A, AXES, MINUS, AXES), {}, (10, 13, 21)),
    "Split": ((A,), {"axis": 2}, (11,)),
    "Squeeze": ((B,), {"axes": [2]}, (9, 11)),
    "Tile": ((A, np.array([1, 2, 1], np.int64)), {}, (9, 21)),
    "Transpose": ((A,), {"perm": [2, 0, 1]}, (7, 13, 21)),
    "Unsqueeze": ((A,), {"axes": [1]}, (9, 11)),
}
#: Forms that came later.
MORE = [
    *[(f"Reduce{name}", (A, AXES), {}, 18) for name in REDUCED],
    ("Squeeze", (B, np.array([2], np.int64)), {}, 13),
    ("Unsqueeze", (A, AXES), {}, 13),
    ("DequantizeLinear", (BYTES, SCALE[0], ZERO[0]), {}, 10),
    ("DequantizeLinear", (BYTES.astype(np.int32), SCALE[0]), {}, 13),
    ("QuantizeLinear", (A, SCALE[0], np.array(128, np.uint8)), {}, 10),
    ("Clip", (A,), {"min": -1.0, "max": 1.0}, 9),
    ("Cast", (A,), {"to": 11}, 17),
]
EVERY = [(name, arrays, given, opset) for name, (arrays, given, opsets) in CASES.items() for opset in opsets] + MORE


def constant(arrays, operator, given, opset, outputs=("y",)):
    """A model that computes constants from arrays, and has an input beside them."""
    names = [f"c{i}" for i in range(len(arrays))]
    made = onnx.helper.make_node(operator, names, list(outputs), "made", **given)
    x, y = value("x", [1]), onnx.helper.make_empty_tensor_value_info(outputs[0])
    return model([made], [x], [y], dict(zip(names, arrays, strict=True)), opset)


def test_every_operator_has_a_case():
    assert set(CASES) == computing.OPERATORS


@pytest.mark.parametrize(("operator", "arrays", "given", "opset"), EVERY, ids=lambda one: str(one)[:20])
def test_an_operator_gives_what_onnx_runtime_gives(operator, arrays, given, opset):
    made = constant(arrays, operator, given, opset, ("y", "z") if operator == "Split" else ("y",))
    found = scopes(made)[0].constant("y")
    assert not isinstance(found, str), found
    computed, expected = onnx.numpy_helper.to_array(found), run(made, x=np.ones(1, np.float32))[0]
    assert (computed.dtype, computed.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(computed, expected, rtol=1e-6, atol=0)


def layer_of(nodes, weights, opset=17):
    """A layer whose weights, (4, 3, 4, 4), are the last result of these nodes."""
    layer = up(["x", nodes[-1].output[0]], strides=[2, 2], pads=[1, 1, 1, 1])
    return model([*nodes, layer], [value("x", ["N", 4, "H", "W"])], [value("y", [None] * 4)], weights, opset)


def weight_norm():
    """As torch.onnx leaves it; g is a norm's multiple, so that all is exact."""
    v = np.zeros((4, 3, 4, 4), np.float32)
    v[:, 0, 0, 0], v[:, 1, 2, 3] = 3, 4
    axes = tensor("axes", np.array([1, 2, 3], np.int64))
    nodes = [
        node("Constant", [], "axes", value=axes),
        node("ReduceL2", ["v", "axes"], "norm", keepdims=1),
        node("Div", ["v", "norm"], "direction"),
        node("Mul", ["direction", "g"], "w"),
    ]
    return layer_of(nodes, {"v": v, "g": np.full((4, 1, 1, 1), 5, np.float32)}, 18)


def low_rank():
    """LoRA: the weights and a product."""
    nodes = [
        node("MatMul", ["b", "a"], "ba"),
        node("Reshape", ["ba", "s"], "delta"),
        node("Add", ["w0", "delta"], "w"),
    ]
    weights = {"b": whole(RNG, 4, 2), "a": whole(RNG, 2, 48), "s": np.array([4, 3, 4, 4]), "w0": whole(RNG, 4, 3, 4, 4)}
    return layer_of(nodes, weights)


def from_another_layout():
    """Weights of Keras, in float16."""
    nodes = [node("Cast", ["k"], "f", to=1), node("Transpose", ["f"], "w", perm=[3, 2, 0, 1])]
    return layer_of(nodes, {"k": whole(RNG, 4, 4, 3, 4).astype(np.float16)})


def dequantized():
    nodes = [node("DequantizeLinear", ["q", "s", "z"], "w")]
    weights = {"q": RNG.integers(-9, 9, (4, 3, 4, 4)).astype(np.int8), "s": ONE * 2, "z": np.array(0, np.int8)}
    return layer_of(nodes, weights)


MODELS = [weight_norm, low_rank, from_another_layout, dequantized]


@pytest.mark.parametrize("variant", ["auto", *VARIANTS])
@pytest.mark.parametrize("make", MODELS)
def test_layers_whose_weights_are_computed(make, variant):
    made = make()
    (layer,) = inspect(made)
    assert (layer.is_constant, layer.weights, layer.layer.out_channels) == (True, "FLOAT", 3)
    rewriting = rewrite(made, variant=variant)
    if variant == "conv_per_block":
        assert rewriting.layers[0].reason == "conv_per_block must group some phases and not others; here it is " + (
            "conv_per_phase"
        )
        return
    assert rewriting.changed == 1
    assert not {"ConvTranspose", "ReduceL2", "MatMul", "Cast"} & set(operators(rewriting.model))
    assert not {tensor.name for tensor in made.graph.initializer} & {t.name for t in rewriting.model.graph.initializer}
    same_results(made, rewriting.model, {"x": whole(RNG, 2, 4, 5, 3)}, {"x": whole(RNG, 1, 4, 1, 1)})


def test_what_others_read_of_the_weights_stays():
    made = low_rank()
    made.graph.output.append(value("delta", [4, 3, 4, 4]))
    after = rewrite(made).model
    assert [node.op_type for node in after.graph.node][:2] == ["MatMul", "Reshape"]
    assert {"a", "b", "s"} <= {tensor.name for tensor in after.graph.initializer}
    same_results(made, after, {"x": whole(RNG, 2, 4, 5, 3)})


def test_weights_for_the_graph_of_an_if():
    choice = node("If", ["c"], "y", "if", then_branch=branch("t", [1] * 4), else_branch=branch("e", [0] * 4))
    inputs = [value("x", ["N", 2, "H", "W"]), value("c", [], onnx.TensorProto.BOOL)]
    nodes = [node("Neg", ["v"], "w", "negation"), choice]
    made = model(nodes, inputs, [value("y", [None] * 4)], {"v": whole(RNG, 2, 3, 4, 4)})
    rewriting = rewrite(made)
    assert rewriting.changed == 2
    assert operators(rewriting.model) == ["If"]
    feeds = [{"x": whole(RNG, 1, 2, 3, 3), "c": np.array(chosen)} for chosen in (True, False)]
    same_results(made, rewriting.model, *feeds)


def test_long_chains():
    nodes = [node("Identity", [f"w{i}"], f"w{i + 1}") for i in range(2000)]
    nodes += [node("Neg", [f"w{i}"], f"w{i + 1}") for i in range(2000, 2100)]
    assert rewrite(layer_of(nodes, {"w0": whole(RNG, 4, 3, 4, 4)})).changed == 1


def reason(made):
    return inspect(made)[0].weights


def test_what_is_not_constant_is_named():
    chain = [node("Mul", ["v", "g"], "u", "scaling"), node("Neg", ["u"], "w", "negation")]
    made = layer_of(chain, {"v": whole(RNG, 4, 3, 4, 4)})
    made.graph.input.append(value("g", [1]))
    made.graph.node[-1].input[1] = "w"
    assert reason(made) == "'w' is computed, by Neg 'negation': 'g' is an input"
    made = layer_of([node("Relu", ["v"], "r", "relu"), *chain[1:]], {"v": whole(RNG, 4, 3, 4, 4)})
    made.graph.node[1].input[0] = "r"
    assert reason(made) == "'w' is computed, by Neg 'negation': 'r' is computed, by Relu 'relu'"


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Expand", ["v", "huge"], "w")], "constants of the model must take at most 2.0 GiB to compute"),
        ([node("MatMul", ["v", "long"], "w")], "it cannot be computed: "),
        ([node("Reshape", ["v", "wrong"], "w")], "it cannot be computed: "),
        ([node("Cast", ["v"], "w", to=onnx.TensorProto.STRING)], "it cannot be computed: texts have no size"),
        ([node("ConstantOfShape", ["endless"], "w")], "constants of the model must take at most 2.0 GiB to compute"),
    ],
)
def test_strangers_constants(nodes, message):
    """None of these is computed, and no memory of their sizes asked for."""
    weights = {
        "v": whole(RNG, 4, 3, 4, 1),
        "huge": np.array([2**20, 4, 3, 4, 2**20]),
        "long": whole(RNG, 7),
        "wrong": np.array([5, 5]),
        "endless": np.array([2**20, 2**20, 2**10, 4]),
    }
    assert message in reason(layer_of(nodes, weights))


def test_the_budget_is_that_of_the_whole_model(monkeypatch):
    monkeypatch.setattr(computing, "MOST_BYTES", 3000)
    nodes = [node("Neg", ["v"], f"w{i}") for i in range(3)]
    scope = scopes(layer_of(nodes, {"v": np.ones((4, 3, 4, 4), np.float32)}))[0]
    scope.budget.left = 3000
    found = [scope.constant(f"w{i}") for i in range(3)]
    assert [isinstance(each, str) for each in found] == [False, True, True]
