"""`tconv inspect`: what it prints of a model, and of files that are none."""

import json
import subprocess
import sys

import pytest

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
import numpy as np  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


@pytest.fixture
def path(tmp_path):
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", strides=[2, 2], pads=[1, 1, 1, 1])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, "H", "W"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    w = numpy_helper.from_array(np.ones((16, 8, 3, 3), np.float32), "w")
    graph = helper.make_graph([node], "graph", [x], [y], [w])
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return path


def test_a_model(run, monkeypatch, path):
    monkeypatch.setenv("COLUMNS", "100")
    before = path.read_bytes()
    code, out, err = run("inspect", path, "--shape", "x=1x16x8x8")
    assert (code, err) == (0, "")
    assert [" ".join(line.split()) for line in out.splitlines()[:5] if "─" not in line] == [
        "1 transposed convolution, 100.0% of the model's flops",
        "",
        "layer coarse -> fine channels kernel stride padding flops share coverage",
        "up 8x8 -> 15x15 16 -> 8 3 2 1 123.9 k 100.0% uneven",
    ]
    assert "coverage: kernel 3 is no multiple of stride 2" in " ".join(out.split())
    assert path.read_bytes() == before


def test_json(run_json, path):
    (layer,) = run_json("inspect", path)["layers"]
    assert (layer["name"], layer["x"], layer["kernel"], layer["flops"]) == ("up", [None, 16, None, None], [3, 3], None)
    (layer,) = run_json("inspect", path, "--shape", "x=1x16x8x8")["layers"]
    assert (layer["y"], layer["share"]) == ([1, 8, 15, 15], 1.0)


def test_impossible_sizes_are_told_with_all_else_and_are_a_failure(run, path):
    model = onnx.load(path)
    model.graph.node[0].attribute[0].ints[:] = [3, 3, 3, 3]
    path.write_bytes(model.SerializeToString())
    assert run("inspect", path, "--shape", "x=1x16x8x8")[0] == 0
    code, out, err = run("inspect", path, "--shape", "x=1x16x2x2")
    assert (code, out.splitlines()[0]) == (1, "1 transposed convolution; the sizes of 1 node are not known")
    assert err.startswith("tconv inspect: sizes are impossible at 'up': ")
    code, out, err = run("inspect", path, "--shape", "x=1x16x2x2", "--json")
    assert (code, f"tconv inspect: {json.loads(out)['impossible']}\n") == (1, err)


def test_files_that_cannot_be_read(run, tmp_path, path):
    assert run("inspect", tmp_path / "no.onnx") == (
        1,
        "",
        f"tconv inspect: {tmp_path / 'no.onnx'}: No such file or directory\n",
    )
    path.write_bytes(path.read_bytes()[:100])
    assert run("inspect", path) == (
        1,
        "",
        f"tconv inspect: {path}: the file must hold a whole ONNX model; it is truncated, or holds something else\n",
    )


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("x", "--shape must be the name of an input and its shape, such as x=1x3x64x64; got 'x'"),
        ("x=a", "--shape must be an integer or one for each axis, such as 4 or 4x3; got 'a'"),
        ("z=1x2", "shapes must name inputs of the model, which are \"x\"; got 'z'"),
    ],
)
def test_wrong_shapes(run, path, shape, message):
    assert run("inspect", path, "--shape", shape) == (
        2,
        "",
        f"tconv inspect: {message}\nTry 'tconv inspect --help'.\n",
    )


def test_without_onnx_one_line_says_what_to_install(path):
    program = "import sys; sys.modules['onnx'] = None; from tconv.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "inspect", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "tconv: this command needs onnx, which is not installed: pip install 'tconv[onnx]'\n"
