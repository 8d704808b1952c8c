"""Rewritten models against the models they come from, in ONNX Runtime: all geometries, all variants."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import (  # noqa: E402
    branch,
    growing_loop,
    model,
    node,
    one_layer,
    operators,
    run,
    same_results,
    tensor,
    up,
    value,
    whole,
)

import tconv.onnx  # noqa: E402
from tconv.onnx import VARIANTS, rewrite  # noqa: E402


def drawn(rng, ndim):
    """A layer's model, its sizes open or not, of any operator set, and an x for it."""
    group, per_group, cout = (int(n) for n in rng.integers(1, (4, 3, 4)))
    if rng.random() < 0.2:
        per_group, cout = 1, 1  # depthwise
    most_kernel, most_stride, most_size = [(8, 7, 9), (5, 4, 6), (4, 3, 5)][ndim - 1]
    kernel, stride, size = (rng.integers(1, most, ndim).tolist() for most in (most_kernel, most_stride, most_size))
    dilation = rng.integers(1, 4, ndim).tolist() if rng.random() < 0.4 else [1] * ndim
    added = [int(rng.integers(0, s)) if rng.random() < 0.5 else 0 for s in stride]
    eff = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    room = [(n - 1) * s + e + a - 1 for n, s, e, a in zip(size, stride, eff, added, strict=True)]
    lows = [int(rng.integers(0, min(r, e) + 1)) for r, e in zip(room, eff, strict=True)]
    highs = [int(rng.integers(0, min(r - low, e) + 1)) for r, low, e in zip(room, lows, eff, strict=True)]
    made = one_layer(
        whole(rng, group * per_group, cout, *kernel),
        whole(rng, group * cout) if rng.random() < 0.5 else None,
        sizes=[f"size{i}" if rng.random() < 0.5 else n for i, n in enumerate(size)],
        opset=int(rng.choice([11, 12, 13, 17, 21])),
        strides=stride,
        dilations=dilation,
        pads=lows + highs,
        output_padding=added,
        group=group,
    )
    return made, whole(rng, 2, group * per_group, *size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_random_layers_in_every_variant(ndim):
    rng, count = np.random.default_rng(ndim), Counter()
    for _ in range(80):
        made, x = drawn(rng, ndim)
        before = made.SerializeToString()
        for variant in (*VARIANTS, "auto"):
            rewriting = rewrite(made, variant=variant)
            if rewriting.changed:
                assert "ConvTranspose" not in operators(rewriting.model)
                same_results(made, rewriting.model, {"x": x})
            else:
                assert rewriting.layers[0].reason.startswith(f"{variant} must ")
                assert operators(rewriting.model) == ["ConvTranspose"]
            count[variant] += rewriting.changed
        assert made.SerializeToString() == before
    assert count["one_conv"] == count["auto"] == 80
    assert count["conv_per_phase"] > 40
    assert count["conv_per_block"] > 5
    assert (count["depth_to_space"] > 5) == (ndim == 2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_model_serves_all_sizes(variant):
    """What is open stays open: pads and crops do not depend on it."""
    rng = np.random.default_rng(0)
    made = one_layer(whole(rng, 2, 3, 5, 5), whole(rng, 3), strides=[3, 3], pads=[2, 1, 1, 3], output_padding=[1, 2])
    rewritten = rewrite(made, variant=variant).model
    read = {name for each in rewritten.graph.node for name in each.input}
    assert {tensor.name for tensor in rewritten.graph.initializer} <= read
    same_results(made, rewritten, *({"x": whole(rng, *shape)} for shape in ((1, 2, 2, 2), (3, 2, 9, 4), (2, 2, 5, 31))))


@pytest.mark.parametrize("auto_pad", ["VALID", "SAME_UPPER", "SAME_LOWER"])
def test_auto_pad(auto_pad):
    rng = np.random.default_rng(0)
    made = one_layer(whole(rng, 2, 3, 4, 3), strides=[2, 3], auto_pad=auto_pad)
    for variant in ("one_conv", "conv_per_phase"):
        same_results(made, rewrite(made, variant=variant).model, {"x": whole(rng, 2, 2, 5, 6)})


def test_an_output_shape_of_known_sizes():
    rng = np.random.default_rng(0)
    made = one_layer(whole(rng, 2, 3, 4), sizes=[5], strides=[2], output_shape=[9])
    rewriting = rewrite(made)
    assert rewriting.changed == 1
    same_results(made, rewriting.model, {"x": whole(rng, 2, 2, 5)})


def test_layers_of_published_networks_in_the_variant_that_is_meant_for_them():
    rng = np.random.default_rng(0)
    for kernel, stride, pad, variant in ((16, 8, 4, "conv_per_block"), (64, 32, 16, "auto"), (9, 3, 4, "one_conv")):
        made = one_layer(whole(rng, 1, 1, kernel), strides=[stride], pads=[pad, pad])
        same_results(made, rewrite(made, variant=variant).model, {"x": whole(rng, 1, 1, 7)})


# -- where in a model --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["one_conv", "depth_to_space", "conv_per_phase"])
def test_both_branches_of_an_if_and_shared_weights(variant):
    rng = np.random.default_rng(0)
    choice = node("If", ["c"], "y", "if", then_branch=branch("t", [1] * 4), else_branch=branch("e", [0] * 4))
    made = model(
        [up(output="outer", name="outer_up", strides=[2, 2]), choice],
        [value("x", ["N", 2, "H", "W"]), value("c", [], onnx.TensorProto.BOOL)],
        [value("y", [None] * 4), value("outer", [None] * 4)],
        {"w": whole(rng, 2, 3, 4, 4)},
    )
    rewriting = rewrite(made, variant=variant)
    places = ["", "If 'if', else_branch", "If 'if', then_branch"]
    assert sorted(layer.place for layer in rewriting.layers) == places
    assert rewriting.changed == 3
    assert "w" not in {tensor.name for tensor in rewriting.model.graph.initializer}
    x = whole(rng, 2, 2, 3, 5)
    same_results(made, rewriting.model, {"x": x, "c": np.array(True)}, {"x": x, "c": np.array(False)})
    (partly,) = (rewrite(made, variant=variant, layers=["t_up"]),)
    assert partly.changed == 1
    assert "w" in {tensor.name for tensor in partly.model.graph.initializer}
    same_results(made, partly.model, {"x": x, "c": np.array(True)}, {"x": x, "c": np.array(False)})


def test_the_body_of_a_loop_whose_sizes_grow():
    rng = np.random.default_rng(0)
    made = growing_loop(rng)
    for variant in ("one_conv", "conv_per_phase"):
        rewriting = rewrite(made, variant=variant)
        assert rewriting.changed == 1
        same_results(made, rewriting.model, {"x": whole(rng, 2, 2, 5)})


def function_model(rng):
    """Two calls of a function, which is handed pads and weights."""
    inner = up(name="inner", strides=[2, 2])
    inner.attribute.add(name="pads", ref_attr_name="pads", type=onnx.AttributeProto.INTS)
    opsets = [onnx.helper.make_opsetid("", 17)]
    function = onnx.helper.make_function("own", "Up", ["x", "w"], ["y"], [inner], opsets, ["pads"])
    calls = [
        onnx.helper.make_node("Up", ["x", "w"], ["y"], domain="own", pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Up", ["y", "v"], ["z"], domain="own", pads=[0, 0, 0, 0]),
    ]
    weights = {"w": whole(rng, 2, 3, 4, 4), "v": whole(rng, 3, 1, 2, 2)}
    shape = ["N", 2, "H", "W"]
    return model(calls, [value("x", shape)], [value("z", [None] * 4)], weights, functions=[function])


def test_functions_are_put_in_the_places_of_their_calls():
    rng = np.random.default_rng(0)
    made = function_model(rng)
    rewriting = rewrite(made, variant="depth_to_space")
    assert rewriting.changed == 2
    assert operators(rewriting.model) == ["Conv", "DepthToSpace", "Slice", "Conv", "DepthToSpace"]
    same_results(made, rewriting.model, {"x": whole(rng, 2, 2, 3, 5)})
    assert operators(rewrite(made, layers=[]).model) == ["Up", "Up"]


def test_weights_from_constant_nodes_go_with_their_nodes():
    rng = np.random.default_rng(0)
    weights = onnx.numpy_helper.from_array(whole(rng, 2, 3, 3), "any")
    nodes = [node("Constant", [], "c", value=weights), node("Identity", ["c"], "w"), up(strides=[2])]
    made = model(nodes, [value("x", ["N", 2, "L"])], [value("y", [None] * 3)])
    rewriting = rewrite(made, variant="one_conv")
    assert operators(rewriting.model)[0] == "Conv"
    assert not {"Constant", "Identity"} & set(operators(rewriting.model))
    same_results(made, rewriting.model, {"x": whole(rng, 2, 2, 4)})


@pytest.mark.parametrize("outer", [True, False])
def test_weights_go_from_inner_graphs_and_from_those_around_them(outer):
    """Whether or not the outer graph has a layer too, whose weights go with the node that made them."""
    rng = np.random.default_rng(0)
    weights = onnx.numpy_helper.from_array(whole(rng, 2, 3, 4, 4), "any")
    branches = {}
    for name in ("then", "else"):
        held = branch(name, [1] * 4)
        if name == "then":
            held.node.insert(0, node("Identity", ["c"], "w"))
        else:
            held.initializer.append(tensor("w", whole(rng, 2, 3, 4, 4)))
        branches[f"{name}_branch"] = held
    nodes = [node("Constant", [], "c", value=weights), node("If", ["go"], "y", "if", **branches)]
    results = [value("y", [None] * 4)]
    if outer:
        nodes.append(up(("x", "c"), "outer", "outer_up", strides=[2, 2]))
        results.append(value("outer", [None] * 4))
    made = model(nodes, [value("x", ["N", 2, "H", "W"]), value("go", [], onnx.TensorProto.BOOL)], results)
    rewriting = rewrite(made, variant="one_conv")
    assert rewriting.changed == 2 + outer
    assert "Constant" not in operators(rewriting.model)
    for attribute in next(each for each in rewriting.model.graph.node if each.op_type == "If").attribute:
        assert "Identity" not in [each.op_type for each in attribute.g.node]
        assert "w" not in [each.name for each in attribute.g.initializer]
    x = whole(rng, 1, 2, 3, 4)
    same_results(made, rewriting.model, {"x": x, "go": np.array(True)}, {"x": x, "go": np.array(False)})


# -- folding -----------------------------------------------------------------------------------------------------------


def normalized(rng, opset=17, bias=False, extra=(), **attributes):
    weights = {"w": whole(rng, 4, 3, 3, 3), "bias": whole(rng, 6)}
    parts = {
        "scale": whole(rng, 6) + 0.5,
        "shift": whole(rng, 6),
        "mean": whole(rng, 6),
        "var": whole(rng, 6) ** 2 + 0.3,
    }
    parts = {name: part.astype(np.float32) for name, part in parts.items()}
    nodes = [
        up(["x", "w", *(["bias"] if bias else [])], "t", strides=[2, 3], group=2, dilations=[2, 1]),
        onnx.helper.make_node("BatchNormalization", ["t", *parts], ["y", *extra], "norm", **attributes),
    ]
    return model(nodes, [value("x", ["N", 4, "H", "W"])], [value("y", [None] * 4)], weights | parts, opset)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("variant", ["one_conv", "conv_per_phase", "conv_per_block"])
def test_a_batch_normalization_goes_into_weights_and_bias(bias, variant):
    rng = np.random.default_rng(0)
    made = normalized(rng, bias=bias, epsilon=1e-3)
    rewriting = rewrite(made, variant=variant)
    assert rewriting.layers[0].folded == "norm"
    assert "BatchNormalization" not in operators(rewriting.model)
    assert not {"w", "scale", "mean"} & {tensor.name for tensor in rewriting.model.graph.initializer}
    onnx.checker.check_model(rewriting.model, full_check=True)
    x = whole(rng, 2, 4, 3, 5)
    np.testing.assert_allclose(run(rewriting.model, x=x)[0], run(made, x=x)[0], rtol=1e-5, atol=1e-4)


def kept(made):
    rewriting = rewrite(made)
    assert rewriting.changed == 1
    assert rewriting.layers[0].folded == ""
    return operators(rewriting.model)[-1] == "BatchNormalization"


def test_a_batch_normalization_stays_where_folding_it_is_not_exact():
    rng = np.random.default_rng(0)
    assert kept(normalized(rng, training_mode=1, extra=["running_mean", "running_var"]))
    made = normalized(rng)
    made.graph.output.append(value("t", [None] * 4))  # its result is asked for as well
    assert kept(made)
    made = normalized(rng)
    made.graph.initializer[5].CopyFrom(onnx.numpy_helper.from_array(np.full(6, -1, np.float32), "var"))
    assert kept(made)
    made = normalized(rng)
    made.graph.input.append(value("scale", [6]))  # a default that may be replaced
    assert kept(made)


# -- what stays, and what is left alone --------------------------------------------------------------------------------


def test_names_documentation_and_metadata_stay():
    rng = np.random.default_rng(0)
    made = one_layer(whole(rng, 2, 3, 4, 4), strides=[2, 2], doc_string="what it is for")
    made.graph.node[0].metadata_props.add(key="layer", value="decoder.3")
    made.metadata_props.add(key="author", value="someone")
    made.producer_name = "exporter"
    made.graph.doc_string = "a graph"
    for variant in VARIANTS[:3]:
        rewritten = rewrite(made, variant=variant).model
        convolutions = [node for node in rewritten.graph.node if node.op_type == "Conv"]
        assert convolutions[0].name == "up"
        for each in convolutions:
            assert (each.doc_string, each.metadata_props[0].value) == ("what it is for", "decoder.3")
        assert rewritten.metadata_props == made.metadata_props
        assert rewritten.opset_import == made.opset_import
        assert (rewritten.producer_name, rewritten.graph.doc_string) == ("exporter", "a graph")
        assert (rewritten.graph.input, rewritten.graph.output) == (made.graph.input, made.graph.output)
        assert rewritten.graph.node[-1].output[0] == "y"


def test_shapes_are_inferred_through_what_was_written():
    rng = np.random.default_rng(0)
    made = one_layer(whole(rng, 2, 3, 5, 4), sizes=[6, 7], strides=[3, 2], pads=[1, 1, 0, 0])
    made.graph.output[0].type.tensor_type.ClearField("shape")
    for variant in ("one_conv", "conv_per_phase"):
        rewritten = onnx.shape_inference.infer_shapes(rewrite(made, variant=variant).model, strict_mode=True)
        sizes = [size.dim_value for size in rewritten.graph.output[0].type.tensor_type.shape.dim]
        assert sizes[1:] == [3, 19, 15]


def reason(made, **keywords):
    rewriting = rewrite(made, **keywords)
    (layer,) = rewriting.layers
    assert layer.variant is None
    assert operators(rewriting.model) == operators(made)
    return layer.reason


def test_what_is_left_alone_and_why():
    rng = np.random.default_rng(0)
    w = whole(rng, 2, 3, 3)
    short = reason(one_layer(w, strides=[4], auto_pad="SAME_UPPER"))
    assert short.startswith("runtimes disagree: auto_pad=SAME_UPPER with a kernel that spans less than a stride")
    assert reason(one_layer(w, sizes=[5], strides=[2], output_shape=[9], auto_pad="SAME_UPPER")) == (
        "runtimes disagree: OpenVINO ignores auto_pad=SAME_UPPER where output_shape is given, and puts the odd crop in "
        "front."
    )
    assert reason(one_layer(w, sizes=[5], strides=[2], output_shape=[14])) == (
        "runtimes disagree: ONNX Runtime refuses a result that is longer by a stride or more than the kernel and the "
        "crop make it."
    )
    assert (
        reason(one_layer(w, strides=[2], output_shape=[9]))
        == "coarse must be given with output_shape, which says a size; got none"
    )
    assert reason(one_layer(w, opset=6)).startswith("the model must use operator set 7 or newer; it uses 6")
    assert reason(one_layer(w, strides=[2000])) == "a stride must be at most 1024; it is 2000"


def test_weights_that_are_not_constant():
    rng = np.random.default_rng(0)
    x, y, w = value("x", ["N", 2, "L"]), value("y", [None] * 3), whole(rng, 2, 3, 3)
    given = value("w", [2, 3, 3])
    assert reason(model([up()], [x, given], [y])) == "the weights must be constant; 'w' is an input"
    assert reason(model([up()], [x, given], [y], {"w": w})) == (
        "the weights must be constant; 'w' is an input of the model as well, so whoever runs it may give another value"
    )
    nodes = [node("Relu", ["w"], "v", "relu"), up(["x", "v"])]
    assert reason(model(nodes, [x], [y], {"w": w})) == "the weights must be constant; 'v' is computed, by Relu 'relu'"


def test_forms_that_would_be_too_large():
    rng = np.random.default_rng(0)
    many = one_layer(whole(rng, 1, 1, 9, 9), strides=[9, 9])
    assert reason(many, variant="conv_per_phase") == "conv_per_phase must take at most 64 convolutions; it takes 81"
    wide = one_layer(np.zeros((64, 64, 1, 1), np.float32), strides=[100, 100])
    assert reason(wide, variant="one_conv") == (
        "the weights must not grow more than 8 times; from 16.0 KiB they grow to 156.2 MiB"
    )


def test_the_report():
    rng = np.random.default_rng(0)
    made = normalized(rng)
    rewriting = rewrite(made, variant="one_conv")
    assert str(rewriting) == (
        "1 of 1 transposed convolution rewritten\n\nlayer  variant   remark\nup     one_conv  with norm folded into it"
    )
    layer = {"name": "up", "place": "", "variant": "one_conv", "reason": "", "folded": "norm"}
    assert rewriting.as_dict() == {"changed": 1, "layers": [layer]}
    alone = rewrite(made, layers=[])
    assert str(alone).endswith("layer  variant     remark\nup     left alone  not asked for")
    assert str(rewrite(model([node("Relu", ["x"], "y")], [value("x", [1])], [value("y", [1])]))) == (
        "0 of 0 transposed convolutions rewritten"
    )


def test_a_variant_for_each_layer():
    rng = np.random.default_rng(0)
    made = function_model(rng)
    names = [layer.name for layer in tconv.onnx.inspect(made)]
    rewriting = rewrite(made, layers={names[0]: "conv_per_phase", names[1]: "depth_to_space"})
    assert [layer.variant for layer in rewriting.layers] == ["conv_per_phase", "depth_to_space"]


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        (
            {"variant": "fast"},
            ValueError,
            'variant must be one of "auto", "one_conv", "depth_to_space", "conv_per_phase", "conv_per_block"; got '
            "'fast'\n  called with variant='fast', layers=None",
        ),
        (
            {"layers": ["down"]},
            ValueError,
            "layers must name transposed convolutions of the model, which are \"up\"; got 'down'\n"
            "  called with variant='auto', layers=['down']",
        ),
        (
            {"layers": "up"},
            TypeError,
            "layers must be names, or a variant for each name; got 'up'\n  called with variant='auto', layers='up'",
        ),
    ],
)
def test_wrong_arguments(keywords, kind, message):
    made = one_layer(np.ones((1, 1, 2), np.float32))
    with pytest.raises(kind) as caught:
        rewrite(made, **keywords)
    assert str(caught.value) == f"onnx.rewrite: {message}"
