"""Measuring which layers to rewrite. How fast anything is, is no matter for a test: here clocks are set by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import model, node, one_layer, operators, run, up, value, whole  # noqa: E402
from test_onnx_rewrite import normalized  # noqa: E402

from tconv.conventions.onnx import OPEN_SIZES  # noqa: E402
from tconv.measuring.contest import ORIGINAL  # noqa: E402
from tconv.onnx import accelerate, acceleration, contest  # noqa: E402


def two_layers():
    rng = np.random.default_rng(0)
    nodes = [
        up(["x", "w"], "a", "first", strides=[8], pads=[4, 4]),
        node("Relu", ["a"], "r"),
        up(["r", "v"], "y", "second", strides=[2]),
    ]
    weights = {"w": whole(rng, 4, 3, 16), "v": whole(rng, 3, 2, 2)}
    return model(nodes, [value("x", ["N", 4, "L"])], [value("y", [None] * 3)], weights)


@pytest.fixture
def clocks(monkeypatch):
    """Set how many times as long as the original each form takes, by the number of nodes of its model or by name."""

    def set_to(ratio):
        def in_turns(runs, first, effort):
            for each in runs.values():
                each()
            return {name: [ratio(name)] * effort.rounds for name in runs}

        monkeypatch.setattr(contest, "in_turns", in_turns)

    return set_to


def test_what_wins_is_kept(clocks):
    clocks(lambda name: {ORIGINAL: 1.0, "one_conv": 0.5, "conv_per_block": 0.25}.get(name, 0.8))
    made = two_layers()
    before = made.SerializeToString()
    done = accelerate(made, shapes={"x": (2, 4, 5)}, threads=1)
    assert made.SerializeToString() == before
    assert [layer.variant for layer in done.layers] == ["conv_per_block", "one_conv"]
    assert (done.changed, done.before, done.after, done.layers[0].gain) == (2, 1.0, 0.8, 4.0)
    assert done.difference <= 1e-6
    assert "ConvTranspose" not in operators(done.model)
    x = whole(np.random.default_rng(1), 3, 4, 7)
    np.testing.assert_array_equal(run(done.model, x=x)[0], run(made, x=x)[0])
    assert str(done) == (
        "1.25 times as fast, 1e+03 ms before, 800 ms after; 2 layers rewritten\n"
        "onnxruntime, 1 thread, on x 2x4x5\n"
        "\n"
        "layer      ms  one_conv  depth_to_space  conv_per_phase  conv_per_block  outcome\n"
        "first   1e+03       500               -             800             250  conv_per_block, 4.00 times as fast\n"
        "second  1e+03       500               -             800               -  one_conv, 2.00 times as fast"
    )


def test_what_does_not_win_by_more_than_the_noise_is_left_alone(clocks):
    clocks(lambda name: 1.0 if name == ORIGINAL else 0.98)
    made = two_layers()
    done = accelerate(made, threads=1)
    assert (done.changed, done.before, done.after) == (0, None, None)
    assert done.model == made
    assert done.model is not made
    assert done.verdict == "no layer is faster by more than the noise in another form: the model is left alone"
    assert done.shapes == {"x": (1, 4, 64)}
    assert done.rows()[1][-1] == "left alone"


def test_layers_that_win_on_their_own_only(clocks):
    clocks(lambda name: 1.1 if name == "rewritten" else 1.0 if name == ORIGINAL else 0.5)
    made = two_layers()
    done = accelerate(made, threads=1)
    assert (done.changed, done.before, done.after, done.model) == (0, 1.0, 1.1, made)
    assert done.verdict == (
        "layers are faster on their own, the whole model is not (1e+03 ms before, 1.1e+03 ms after): it is left alone"
    )


def test_it_measures_for_real():
    done = accelerate(two_layers(), feeds={"x": np.ones((1, 4, 3), np.float32)}, threads=1, rounds=3)
    for layer in done.layers:
        assert {ORIGINAL, "one_conv"} <= set(layer.seconds)
        assert all(seconds > 0 for seconds in layer.seconds.values())
        assert layer.failures["depth_to_space"].startswith("depth_to_space must have two axes of one stride")
    assert json.loads(json.dumps(done.as_dict()))["shapes"] == {"x": [1, 4, 3]}


def test_wrong_results_lose(clocks, monkeypatch):
    clocks(lambda name: 1.0 if name == ORIGINAL else 0.5)
    true = acceleration.rewrite

    def wrong(layer, variant):
        rewriting = true(layer, variant=variant)
        for tensor in rewriting.model.graph.initializer:
            if variant == "one_conv" and tensor.data_type == onnx.TensorProto.FLOAT:
                changed = onnx.numpy_helper.to_array(tensor) * np.float32(1.001)
                tensor.CopyFrom(onnx.numpy_helper.from_array(changed, tensor.name))
        return rewriting

    monkeypatch.setattr(acceleration, "rewrite", wrong)
    done = accelerate(two_layers(), threads=1)
    assert [layer.variant for layer in done.layers] == ["conv_per_phase", "conv_per_phase"]
    text = done.layers[0].failures["one_conv"]
    assert text == "its result differs by 1.0e-03 of the largest value; the limit is 0.0001"


def test_a_batch_normalization_is_measured_with_its_layer(clocks):
    clocks(lambda name: 1.0 if name == ORIGINAL else 0.5)
    done = accelerate(normalized(np.random.default_rng(0)), shapes={"x": (1, 4, 5, 6)}, threads=1)
    assert done.changed == 1
    assert "BatchNormalization" not in operators(done.model)


def test_a_model_without_layers_is_left_alone():
    done = accelerate(model([node("Relu", ["x"], "y")], [value("x", [1])], [value("y", [1])]), threads=1)
    assert done.verdict == "the model has no transposed convolution: it is left alone"


def test_progress_is_told(clocks):
    clocks(lambda name: 1.0 if name == ORIGINAL else 0.5)
    told = []
    accelerate(two_layers(), threads=1, progress=lambda *step: told.append(step))
    assert told == [(0, 2, "first"), (1, 2, "second"), (2, 2, "the whole model")]


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"runtime": "tensorrt"}, ValueError, 'runtime must be one of "onnxruntime", "openvino"; got \'tensorrt\''),
        ({"threads": 0}, ValueError, "threads must be an integer of at least 1; got 0"),
        ({"rounds": 2}, ValueError, "rounds must be an integer of at least 3; got 2"),
        ({"feeds": {"z": 1}}, ValueError, "feeds must name inputs of the model, which are \"x\"; got 'z'"),
        ({"feeds": {"x": 1}}, TypeError, "feeds['x'] must be a NumPy array; got 1"),
        ({"feeds": 3}, TypeError, "feeds must map names of inputs to arrays; got 3"),
    ],
)
def test_wrong_arguments(keywords, kind, message):
    with pytest.raises(kind) as caught:
        accelerate(two_layers(), **keywords)
    assert str(caught.value).partition("\n")[0] == f"onnx.accelerate: {message}"


def test_models_that_do_not_run_and_inputs_that_cannot_be_drawn():
    made = one_layer(np.ones((1, 1, 2), np.float32))
    made.ir_version = 99
    with pytest.raises(ValueError, match=r"model must run in onnxruntime; .*Unsupported model IR version"):
        accelerate(made)
    with pytest.raises(MemoryError, match="input 'x' must fit into memory"):
        accelerate(one_layer(np.ones((1, 1, 2), np.float32)), shapes={"x": (1, 1, 2**50)})
    made = model([up()], [value("x", None)], [value("y", None)], {"w": np.ones((1, 1, 2), np.float32)})
    with pytest.raises(ValueError, match="feeds must hold input 'x', for which nothing can be drawn: its shape is not"):
        accelerate(made)
    made = one_layer(np.ones((1, 1, 2), np.float32))
    made.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.STRING
    with pytest.raises(ValueError, match="for which nothing can be drawn: it is of another type"):
        accelerate(made)


def test_where_no_other_form_gives_the_same(clocks, monkeypatch):
    """As in OpenVINO, which computes auto_pad SAME wrongly while sizes are open, so that all correct forms lose."""
    clocks(lambda name: 1.0)
    made = one_layer(np.ones((2, 3, 3, 3), np.float32), strides=[2, 2], auto_pad="SAME_UPPER")
    monkeypatch.setattr(contest, "disagreement", lambda results, expected: "its result has another shape")
    done = accelerate(made, shapes={"x": (1, 2, 4, 4)}, threads=1)
    assert done.verdict == "no layer could be measured in another form: the model is left alone"
    assert done.rows()[0][1:] == [
        "1e+03", "-", "-", "-", "-", "left alone: as a convolution its result has another shape",
    ]  # fmt: skip
    assert set(done.layers[0].failures) == {"one_conv", "depth_to_space", "conv_per_phase", "conv_per_block"}


def test_openvino_and_open_sizes():
    pytest.importorskip("openvino", exc_type=ModuleNotFoundError)
    made = one_layer(np.ones((2, 3, 3, 3), np.float32), strides=[2, 2], auto_pad="SAME_UPPER")
    done = accelerate(made, runtime="openvino", shapes={"x": (1, 2, 16, 16)}, threads=1, rounds=3)
    assert done.layers[0].reason == (
        f"left alone: as a convolution its result has shape (1, 3, 32, 32), and not (1, 3, 33, 33). {OPEN_SIZES}"
    )
    for size, fixed in zip(made.graph.input[0].type.tensor_type.shape.dim, (1, 2, 16, 16), strict=True):
        size.dim_value = fixed
    done = accelerate(made, runtime="openvino", threads=1, rounds=3)
    assert {"one_conv", "conv_per_phase"} <= set(done.layers[0].seconds)


def test_openvino():
    pytest.importorskip("openvino", exc_type=ModuleNotFoundError)
    done = accelerate(two_layers(), runtime="openvino", threads=1, rounds=3)
    assert all("one_conv" in layer.seconds for layer in done.layers)
