"""Models from strangers: what is refused, in which words, and what is left behind on disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from needs import needs_links, needs_modes

pytestmark = pytest.mark.quick

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from graph_models import model, one_layer, run, up, value  # noqa: E402

import tconv.onnx  # noqa: E402

W = np.ones((1, 1, 2), np.float32)
X, Y = value("x", ["N", 1, "L"]), value("y", [None] * 3)


def write(folder, made, name="model.onnx"):
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def external(location, dims=(1, 1, 2), **entries):
    """A model whose weights are said to be in a file."""
    made = one_layer(W)
    weights = made.graph.initializer[0]
    del weights.dims[:]
    weights.dims.extend(dims)
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, entry in {"location": location, **entries}.items():
        weights.external_data.add(key=key, value=str(entry))
    return made


def refusal(made, folder=None):
    """What is said of a model: of one in memory, or of the file that is written to a folder."""
    read, given = (tconv.onnx.inspect, made) if folder is None else (tconv.onnx.load, write(folder, made))
    with pytest.raises(ValueError) as caught:
        read(given)
    return str(caught.value).partition("\n")[0].partition(": ")[2]


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_model_comes_back(tmp_path):
    made = one_layer(W)
    path = tmp_path / "model.onnx"
    tconv.onnx.save(made, path)
    assert tconv.onnx.load(path) == tconv.onnx.load(str(path)) == made
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_weights_in_the_models_own_folder_are_read(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.bin").write_bytes(b"head" + np.array([2, 3], np.float32).tobytes())
    made = external("weights/w.bin", offset=4, length=8)
    loaded = tconv.onnx.load(write(tmp_path, made))
    x = np.ones((1, 1, 1), np.float32)
    np.testing.assert_array_equal(run(loaded, x=x)[0], [[[2, 3]]])
    tconv.onnx.save(loaded, tmp_path / "whole.onnx")
    assert tconv.onnx.load(tmp_path / "whole.onnx") == loaded


LOCATIONS = ("../secret", "/etc/hostname", "link", "folder/../../secret", "", "nowhere", "a\0b", "folder")


@needs_links
@pytest.mark.parametrize("location", LOCATIONS)
def test_external_data_that_is_no_file_in_the_folder(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(8))
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    message = refusal(external(location), folder)
    assert message.startswith("the external data of tensor 'w' must be a file in the model's folder; ")
    assert repr(location) in message


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"offset": 4},
            "must lie within its file 'w.bin' of 8 bytes; got offset 4 and length 8: the file is truncated, or another "
            "one",
        ),
        ({"offset": -4}, "must have as offset an integer of at least 0; got '-4'"),
        ({"length": 4}, "must have length 8, as its type FLOAT and dimensions [1, 1, 2] say; got 4"),
        ({"length": 10**30}, f"must have as length an integer of at least 0; got '{10**30}'"),
    ],
)
def test_external_data_of_the_wrong_size(tmp_path, entries, message):
    (tmp_path / "w.bin").write_bytes(bytes(8))
    assert refusal(external("w.bin", **entries), tmp_path) == f"the external data of tensor 'w' {message}"


def test_absurd_external_dimensions_are_refused_before_anything_is_allocated(tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(8))
    message = refusal(external("w.bin", dims=(2**40, 2**40, 2)), tmp_path)
    assert message == (
        "the dimensions of tensor 'w' must make a size below 2**63 bytes; got [1099511627776, 1099511627776, 2]"
    )
    with pytest.raises(MemoryError, match="the model's external weights must fit into memory"):
        tconv.onnx.load(write(tmp_path, external("w.bin", dims=(2**58, 1, 2))))


def test_every_truncated_file_is_refused(tmp_path):
    content = one_layer(W).SerializeToString()
    path = tmp_path / "model.onnx"
    words = ("the file must hold a whole", "model must hold a graph", "model must import an operator set")
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError) as caught:
            tconv.onnx.load(path)
        assert str(caught.value).startswith(tuple(f"onnx.load: {word}" for word in words))


def test_files_that_are_none():
    with pytest.raises(FileNotFoundError):
        tconv.onnx.load("nowhere.onnx")
    with pytest.raises(IsADirectoryError):
        tconv.onnx.load(Path(__file__).parent)
    with pytest.raises(ValueError) as caught:
        tconv.onnx.load(__file__)
    assert str(caught.value) == (
        "onnx.load: the file must hold a whole ONNX model; it is truncated, or holds something else\n"
        f"  called with path={tconv.checks.shorten(__file__)}"
    )


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        tconv.onnx.save(one_layer(W), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_where_nothing_can_be_saved(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such folder"):
        tconv.onnx.save(one_layer(W), tmp_path / "nowhere" / "model.onnx")
    with pytest.raises(IsADirectoryError):
        tconv.onnx.save(one_layer(W), tmp_path)
    with pytest.raises(ValueError, match="model must hold its weights itself; some are in external files"):
        tconv.onnx.save(external("w.bin"), tmp_path / "model.onnx")


@needs_modes
def test_a_saved_file_is_as_open_as_any_other(tmp_path):
    path, other = tmp_path / "model.onnx", tmp_path / "other"
    other.write_bytes(b"")
    tconv.onnx.save(one_layer(W), path)
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o640)
    tconv.onnx.save(one_layer(W), path)
    assert path.stat().st_mode & 0o777 == 0o640


# -- models ------------------------------------------------------------------------------------------------------------


def test_tensors_that_do_not_hold_what_they_say():
    made = one_layer(W)
    made.graph.initializer[0].dims[0] = 2**50
    assert refusal(made) == (
        "tensor 'w' must hold 9007199254740992 bytes, as its type FLOAT and dimensions [1125899906842624, 1, 2] say; "
        "it holds 8"
    )
    made.graph.initializer[0].dims[0] = -1
    assert refusal(made) == "the dimensions of tensor 'w' must be at least 0; got [-1, 1, 2]"
    made = one_layer(W)
    made.graph.initializer[0].CopyFrom(onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (1, 1, 2), [1, 2]))
    made.graph.initializer[0].float_data.append(3)
    assert refusal(made) == "tensor 'w' must hold 2 entries, as its type FLOAT and dimensions [1, 1, 2] say; it holds 3"


def test_absurd_geometry_needs_no_memory():
    layer = tconv.onnx.inspect(one_layer(W, sizes=[2**40], strides=[2**40], dilations=[2**40]))[0]
    assert layer.y[2] == (2**40 - 1) * 2**40 + 2**40 + 1
    assert tconv.onnx.rewrite(one_layer(W, dilations=[2**40])).changed == 0


def test_cycles_and_missing_values():
    loop = model([up(["a", "w"], "b", "first"), up(["b", "w"], "a", "second")], [X], [value("a", None)], {"w": W})
    assert refusal(loop) == (
        "ConvTranspose 'first' in the graph must read values that exist; 'a' is made only by it or after it: the nodes "
        "form a cycle, or are out of order"
    )
    assert refusal(model([up()], [X], [Y])) == (
        "ConvTranspose 'up' in the graph must read values that exist; 'w' is neither an input, nor a weight, nor made "
        "by a node: the model is incomplete"
    )
    assert refusal(model([], [X], [Y])) == "the outputs of the graph must be made in it; nothing makes 'y'"
    twice = model([up(name="a"), up(name="b")], [X], [Y], {"w": W})
    assert refusal(twice) == "each value must be made once; ConvTranspose 'b' in the graph makes 'y' again"
    same = model([up()], [X, X], [Y], {"w": W})
    assert refusal(same) == "inputs of the model must have different names; 'x' is there twice"


def function(name, *called):
    results = [*(f"y{i}" for i in range(len(called) - 1)), "y"]
    nodes = [onnx.helper.make_node(f, ["x"], [y], domain="own") for f, y in zip(called, results, strict=True)]
    return onnx.helper.make_function("own", name, ["x"], ["y"], nodes, [onnx.helper.make_opsetid("own", 1)])


def calling(*functions):
    call = onnx.helper.make_node(functions[0].name, ["x"], ["y"], domain="own")
    return model([call], [X], [Y], functions=functions)


def test_functions_that_call_themselves_or_expand_without_end():
    assert refusal(calling(function("F", "G"), function("G", "F"))).startswith(
        "functions of the model must not call themselves; "
    )
    tower = [function(f"F{i}", *[f"F{i + 1}"] * 10) for i in range(30)]
    tower.append(function("F30", "Unknown"))
    assert refusal(calling(*tower)) == (
        f"functions of the model must expand to at most 1000000 nodes; they make {10**30}"
    )


def test_what_is_no_model():
    with pytest.raises(TypeError) as caught:
        tconv.onnx.inspect(3)
    assert str(caught.value) == "onnx.inspect: model must be a path or an onnx.ModelProto; got 3"
    assert refusal(onnx.ModelProto()) == (
        "model must hold a graph and an ir_version; it is empty, truncated, or no ONNX model"
    )


def test_damaged_files_are_refused_in_our_words_or_read(tmp_path):
    """Bytes of good models are changed at random; nothing but our own errors may come of it."""
    rng, path, refusals = np.random.default_rng(0), tmp_path / "model.onnx", []
    shaped = one_layer(W, sizes=[3], strides=[2], output_shape=[7]).SerializeToString()
    for _ in range(400):
        content = bytearray(shaped)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.choice([0, 1, 127, 128, 255, content[place] ^ (1 << int(rng.integers(8)))])
        path.write_bytes(bytes(content))
        try:
            read = tconv.onnx.load(path)
            str(tconv.onnx.inspect(read)), str(tconv.onnx.rewrite(read))
        except (ValueError, MemoryError) as error:
            refusals.append(str(error))
    assert 100 < len(refusals) < 350
    assert all(refusal.startswith("onnx.") for refusal in refusals)


def test_texts_that_are_none_and_nodes_without_inputs():
    made = one_layer(W)
    content = made.SerializeToString().replace(b"ConvTranspose", b"ConvTransp\xff\xfe\xfd")
    with pytest.raises(ValueError, match="names in the graph must be UTF-8 text"):
        tconv.onnx.inspect(onnx.ModelProto.FromString(content))
    assert refusal(model([up(["x"])], [X], [Y])) == (
        "ConvTranspose 'up' in the graph must have 2 inputs and an output; it has ['x']"
    )


def test_calls_that_do_not_fit_their_functions():
    inner = onnx.helper.make_function("own", "F", ["x"], ["y"], [up(["x", "x"])], [onnx.helper.make_opsetid("", 17)])
    call = onnx.helper.make_node("F", ["x", "x"], ["y"], domain="own")
    message = refusal(model([call], [X], [Y], functions=[inner]))
    assert message.startswith("functions of the model must fit their calls; ")


def test_external_weights_of_a_model_in_memory_are_asked_for():
    made = external("w.bin")
    assert tconv.onnx.inspect(made)[0].layer is not None
    assert tconv.onnx.rewrite(made).layers[0].reason == (
        "the weights must be in the model; 'w' is in an external file: use tconv.onnx.load"
    )
