"""`tconv accelerate`: what it writes, and what it refuses before it measures."""

import numpy as np
import pytest
from needs import needs_links

onnx = pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
pytest.importorskip("onnxruntime", exc_type=ModuleNotFoundError)
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

pytestmark = pytest.mark.usefixtures("piped")


@pytest.fixture
def path(tmp_path):
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "up", strides=[2])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, "L"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 3)
    graph = helper.make_graph([node], "graph", [x], [y], [numpy_helper.from_array(np.ones((2, 3, 3), np.float32), "w")])
    path = tmp_path / "model.onnx"
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


def test_a_model_is_written_and_the_report_printed(run, path, tmp_path):
    before, target = path.read_bytes(), tmp_path / "fast.onnx"
    code, out, err = run("accelerate", path, "-o", target, "--rounds", 3, "--threads", 1, "--shape", "x=1x2x9")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1] == "onnxruntime, 1 thread, on x 1x2x9"
    columns = " ".join(lines[3].split())
    assert columns == "layer ms one_conv depth_to_space conv_per_phase conv_per_block outcome"
    assert lines[-1] in (f"wrote {what} to {target}" for what in ("the model as it was", "the faster model"))
    assert path.read_bytes() == before
    onnx.checker.check_model(onnx.load(target))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fast.onnx", "model.onnx"]


def test_json(run_json, path, tmp_path):
    np.savez(tmp_path / "feeds.npz", x=np.ones((3, 2, 4), np.float32))
    arguments = ("accelerate", path, "-o", tmp_path / "fast.onnx", "--rounds", 3, "--feeds", tmp_path / "feeds.npz")
    report = run_json(*arguments)
    assert report["output"] == str(tmp_path / "fast.onnx")
    assert report["shapes"] == {"x": [3, 2, 4]}
    assert set(report["layers"][0]["seconds"]) >= {"original", "one_conv"}


def test_the_model_is_never_written_over(run, path):
    assert run("accelerate", path, "-o", path)[::2] == (
        2,
        f"tconv accelerate: --output must be another file than the model; got {str(path)!r} for both\n"
        "Try 'tconv accelerate --help'.\n",
    )


@needs_links
def test_nor_through_a_link(run, path):
    link = path.parent / "link.onnx"
    link.symlink_to(path)
    assert run("accelerate", path, "-o", link)[0] == 2


def test_wrong_use(run, path, tmp_path):
    target = tmp_path / "fast.onnx"
    for arguments, message in (
        (("-o", target, "--runtime", "x"), 'runtime must be one of "onnxruntime", "openvino"; got \'x\''),
        (("-o", target, "--rounds", 1), "--rounds must be an integer of at least 3; got 1"),
        (("-o", target, "--feeds", path), f"--feeds must be a .npz file of arrays of numbers; {path} is not"),
    ):
        code, out, err = run("accelerate", path, *arguments)
        assert (code, out) == (2, "")
        assert err == f"tconv accelerate: {message}\nTry 'tconv accelerate --help'.\n"
    assert run("accelerate", path, "-o", tmp_path / "no" / "fast.onnx")[0] == 1
    assert run("accelerate", tmp_path / "no.onnx", "-o", target)[0] == 1
    assert not target.exists()
