"""How wide printed tables are: as wide as they need to be in a pipe or a file, folded where COLUMNS says how wide."""

import subprocess
import sys

import numpy as np
import pytest
from bench_layers import measured, record, small_layer

#: With the columns beside it, longer than a terminal is wide.
NAME = "decoder.upsampling." * 4
UNEVEN = "kernel 3 is no multiple of stride 2: 1 in every 2 fine positions get 2 taps, the rest 1"

#: Each command with a table or with facts in two columns, and a text that is in one of them.
COMMANDS = {
    "inspect model.onnx": f"{NAME}   ? -> ?",
    "accelerate model.onnx -o fast.onnx --rounds 3 --threads 1 --shape x=1x2x9": NAME,
    "convert --from torch --to keras --weights in.npz -o out.npz": NAME,
    "bench --show times.json": NAME,
    "cache info": NAME,
    "solve --scale 2 --kernel 3 --dilation 3 --limit 2": UNEVEN,
    "explain --coarse 4 --kernel 3 --stride 2 --dilation 3": UNEVEN,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With what the commands read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TCONV_CACHE_DIR", str(tmp_path / NAME))
    np.savez("in.npz", **{NAME: np.ones((2, 3, 3), np.float32)})
    record([measured(small_layer(NAME), {"prepared": 1e-3, "torch": 2e-3})]).write(tmp_path / "times.json")
    return tmp_path


@pytest.fixture
def model(folder):
    """Of one layer."""
    onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
    pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
    node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], NAME, strides=[2])
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 2, "L"])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    w = onnx.numpy_helper.from_array(np.ones((2, 3, 3), np.float32), "w")
    graph = onnx.helper.make_graph([node], "graph", [x], [y], [w])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_is_as_wide_as_its_lines(run, request, folder, monkeypatch, command):
    if "model.onnx" in command:
        request.getfixturevalue("model")
    code, folded, err = run(command)
    assert (code, err) == (0, "")
    assert COMMANDS[command] not in folded  # at the 80 columns that the tests set
    monkeypatch.delenv("COLUMNS")
    code, whole, err = run(command)
    assert (code, err) == (0, "")
    assert COMMANDS[command] in whole
    assert not any(line.endswith(" ") for line in whole.splitlines())


def test_through_a_real_pipe(model, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    command = [sys.executable, "-m", "tconv", "inspect", str(model)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    header, rule, row = said.splitlines()[2:5]
    assert header.startswith("layer ")
    assert header.endswith("coverage")
    assert row.startswith(NAME)
    assert row.endswith("uneven")
    assert len(rule) >= len(header) > 80
