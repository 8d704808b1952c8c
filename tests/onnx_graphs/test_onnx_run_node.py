"""ConvTranspose nodes computed by tconv: against the onnx package's own cases, ONNX Runtime, and onnx.reference."""

from __future__ import annotations

from collections import Counter
from importlib import import_module

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import model as graph_model  # noqa: E402
from graph_models import run, up, value, whole  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

import tconv.onnx  # noqa: E402

AUTO_PADS = ("VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET")
SIZED = tuple(f"shape {rest}".strip() for rest in ("", "pads", *AUTO_PADS))


def node_cases():
    """The ConvTranspose cases that ship inside the onnx package."""
    node_tests = import_module("onnx.backend.test.case.node")
    import_module("onnx.backend.test.case.node.convtranspose")  # files its cases with the package
    return [case for case in node_tests._NodeTestCases if case.model.graph.node[0].op_type == "ConvTranspose"]


def test_the_cases_of_the_onnx_package_are_found():
    assert len(node_cases()) >= 11


@pytest.mark.parametrize("case", node_cases(), ids=lambda case: case.name)
def test_the_cases_of_the_onnx_package(case):
    evaluator = ReferenceEvaluator(case.model, new_ops=[tconv.onnx.ConvTranspose])
    for inputs, (expected,) in case.data_sets:
        result = tconv.onnx.run_node(case.model.graph.node[0], list(inputs))
        assert result.dtype == expected.dtype
        np.testing.assert_allclose(result, expected, rtol=1e-6)
        names = [given.name for given in case.model.graph.input]
        (result,) = evaluator.run(None, dict(zip(names, inputs, strict=True)))
        np.testing.assert_allclose(result, expected, rtol=1e-6)


def drawn(rng, how):
    """Attributes of a node and its inputs x, w and perhaps a bias."""
    ndim = int(rng.integers(1, 4))
    group, per_group, cout = (int(n) for n in rng.integers(1, (4, 3, 4)))
    most_kernel, most_stride, most_size = [(7, 6, 9), (5, 4, 6), (4, 3, 5)][ndim - 1]
    kernel, stride, size = (rng.integers(1, most, ndim).tolist() for most in (most_kernel, most_stride, most_size))
    dilation = rng.integers(1, 4, ndim).tolist() if rng.random() < 0.4 else [1] * ndim
    added = [
        int(rng.integers(0, max(s, d))) if rng.random() < 0.4 else 0 for s, d in zip(stride, dilation, strict=True)
    ]
    eff = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    full = [(n - 1) * s + e + a for n, s, e, a in zip(size, stride, eff, added, strict=True)]
    attributes = {"strides": stride, "dilations": dilation, "group": group, "output_padding": added}
    attributes = {name: entry for name, entry in attributes.items() if rng.random() < 0.9 or entry != [1] * ndim}
    if rng.random() < 0.5:
        attributes["kernel_shape"] = kernel
    if how.endswith("pads"):
        room = [min(e, f - 1) for e, f in zip(eff, full, strict=True)] if how == "pads" else eff
        lows = [int(rng.integers(0, r + 1)) for r in room]
        attributes["pads"] = lows + [int(rng.integers(0, r - low + 1)) for r, low in zip(room, lows, strict=True)]
    if how.endswith(AUTO_PADS):
        attributes["auto_pad"] = how.split()[-1]
    if how.startswith("shape"):
        attributes["output_shape"] = [int(rng.integers(max(1, f - 6), f + 3)) for f in full]
    inputs = [whole(rng, 2, group * per_group, *size), whole(rng, group * per_group, cout, *kernel)]
    return attributes, inputs + [whole(rng, group * cout)] * int(rng.integers(0, 2))


def outcome(attributes, inputs):
    """How our result and that of ONNX Runtime compare, and where they do not agree that this is known, and why."""
    names = ["x", "w", "b"][: len(inputs)]
    node = up(names, **attributes)
    infos = [value(name, array.shape) for name, array in zip(names, inputs, strict=True)]
    made = graph_model([node], infos, [value("y", None)], opset=13)
    (layer,) = tconv.onnx.inspect(made)
    ours = tconv.onnx.run_node(node, inputs, method="phases")
    notes = " ".join(layer.disagreements)
    assert ours.shape == layer.y
    try:
        (theirs,) = run(made, **dict(zip(names, inputs, strict=True)))
    except Exception as refusal:
        if "is inconsistent with input spatial dimensions" not in str(refusal):
            raise
        assert "ONNX Runtime refuses a result that is longer by a stride or more" in notes
        return "refused"
    assert "ONNX Runtime refuses" not in notes
    if theirs.shape == ours.shape:
        np.testing.assert_array_equal(ours, theirs)
        return "equal"
    assert attributes["auto_pad"].startswith("SAME")
    assert "ONNX Runtime and OpenVINO leave the shorter result" in notes
    np.testing.assert_array_equal(ours[tuple(map(slice, theirs.shape))], theirs)
    return "shorter"


@pytest.mark.parametrize("how", ["", "pads", *AUTO_PADS, *SIZED])
def test_random_attributes_against_onnx_runtime(how):
    """600 sets in all; where ONNX Runtime refuses or leaves a shorter result, the notes say so, and nowhere else."""
    rng = np.random.default_rng(len(how))
    outcomes = Counter(outcome(*drawn(rng, how)) for _ in range(50))
    assert outcomes["equal"] > 15
    assert set(outcomes) <= {"equal", "refused", *(["shorter"] if how.startswith("SAME") else [])}


@pytest.mark.parametrize(("cin", "cout"), [(1, 2), (2, 1), (2, 2)])
def test_the_operator_is_right_where_the_reference_fails_for_groups(cin, cout):
    rng = np.random.default_rng(0)
    x, w = whole(rng, 1, 2 * cin, 3), whole(rng, 2 * cin, cout, 3)
    made = graph_model([up(group=2)], [value("x", x.shape), value("w", w.shape)], [value("y", None)])
    with pytest.raises(ValueError):
        ReferenceEvaluator(made).run(None, {"x": x, "w": w})
    (result,) = ReferenceEvaluator(made, new_ops=[tconv.onnx.ConvTranspose]).run(None, {"x": x, "w": w})
    np.testing.assert_array_equal(result, run(made, x=x, w=w)[0])


def test_the_operator_is_right_where_the_reference_fails_for_an_output_shape():
    rng = np.random.default_rng(0)
    x, w = whole(rng, 1, 1, 3), whole(rng, 1, 1, 3)
    made = graph_model(
        [up(strides=[2], output_shape=[6])], [value("x", x.shape), value("w", w.shape)], [value("y", None)]
    )
    with pytest.raises(ValueError):
        ReferenceEvaluator(made).run(None, {"x": x, "w": w})
    (result,) = ReferenceEvaluator(made, new_ops=[tconv.onnx.ConvTranspose]).run(None, {"x": x, "w": w})
    np.testing.assert_array_equal(result, run(made, x=x, w=w)[0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_dtype_stays(dtype):
    x, w = np.ones((1, 1, 2), dtype), np.ones((1, 1, 2), dtype)
    assert tconv.onnx.run_node(up(), [x, w, None]).dtype == dtype


X, W = np.ones((1, 2, 3)), np.ones((2, 1, 3))


@pytest.mark.parametrize(
    ("node", "inputs", "kind", "message"),
    [
        ("up", [X, W], TypeError, "node must be an onnx.NodeProto; got 'up'"),
        (
            onnx.helper.make_node("Conv", ["x", "w"], ["y"], "down"),
            [X, W],
            ValueError,
            "node must be a ConvTranspose of the standard's domain; got Conv 'down'",
        ),
        (up(), [X], ValueError, "inputs must be x, w and perhaps a bias; got 1"),
        (up(), [X, None], TypeError, "w must be a NumPy array; got None of type NoneType"),
        (
            up(),
            [X, W[0]],
            ValueError,
            "the weights must have shape (Cin, Cout / group, *kernel), no axis empty; got (1, 3)",
        ),
        (up(), [X[..., None], W], ValueError, "x must have 3 axes, as the weights have; got 4"),
        (up(), [X[:, :1], W], ValueError, "x must have 2 channels, the first size of the weights; got 1"),
        (up(group=3), [X, W], ValueError, "group must divide in_channels = 2; got 3"),
        (up(kernel_shape=[2]), [X, W], ValueError, "kernel must be (2,), as the parameter kernel_shape says; got (3,)"),
        (
            up(pads=[0, 0], auto_pad="VALID"),
            [X, W],
            ValueError,
            "pads must be left out with auto_pad=VALID; got [0, 0]",
        ),
        (
            up(strides=[2], output_shape=[1, 1, 6]),
            [X, W],
            ValueError,
            "output_shape must be an integer or a sequence of 1 integer, one an axis; got [1, 1, 6]",
        ),
        (
            up(pads=[9, 9]),
            [X, W],
            ValueError,
            "padding must leave at least 1 cell; (9, 9) crops coarse size 3 to fine size -13",
        ),
    ],
)
def test_what_a_node_cannot_be(node, inputs, kind, message):
    with pytest.raises(kind) as caught:
        tconv.onnx.run_node(node, inputs)
    assert str(caught.value) == f"onnx.run_node: {message}"
