"""`tconv convert --weights`: a file in, a file out, and what was done in between."""

from __future__ import annotations

import numpy as np
import pytest

W = np.arange(4 * 3 * 2 * 2, dtype=np.float32).reshape(4, 3, 2, 2)

TABLE = """\
1 of 3 arrays: from torch (Cin, Cout/groups, *kernel) to keras (*kernel, Cout, Cin)

array        type      before    after     outcome
────────────────────────────────────────────────────
up.weight    float32   4x3x2x2   2x2x3x4   converted
up.bias      float32   3         3         copied
in?.weight   int8      1x2x3     1x2x3     copied

wrote out.npz
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("in.npz", **{"up.weight": W, "up.bias": W[0, :, 0, 0], "in\n.weight": np.zeros((1, 2, 3), np.int8)})
    return tmp_path


def test_a_file_is_converted(run, folder):
    said = run("convert --from torch --to keras --weights in.npz -o out.npz --name up.*")
    assert said == (0, TABLE, "")
    with np.load("out.npz") as archive:
        np.testing.assert_array_equal(archive["up.weight"], W.transpose(2, 3, 1, 0))


def test_as_json(run_json, folder):
    said = run_json(
        "convert --from torch --to jax --weights in.npz --output out.npy --name up.weight --transpose-kernel"
    )
    assert (said["path"], said["output"], said["source"], said["target"]) == ("in.npz", "out.npy", "torch", "jax")
    assert said["layouts"] == ["(Cin, Cout/groups, *kernel)", "(*kernel, Cout/groups, Cin)"]
    assert [array["after"] for array in said["arrays"]] == [[2, 2, 3, 4], None, None]
    np.testing.assert_array_equal(np.load("out.npy"), W.transpose(2, 3, 1, 0))


def test_groups_and_dilation(run, folder):
    code, _, _ = run(
        "convert --from tconv --to keras --weights in.npz -o out.npz --name up.weight --groups 2 --dilation 2x1"
    )
    assert code == 0
    with np.load("out.npz") as archive:
        assert archive["up.weight"].shape == (3, 2, 6, 4)
        assert np.count_nonzero(archive["up.weight"]) == np.count_nonzero(W)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--weights in.npz", 2, "--output must be given with --weights"),
        ("--weights in.npz -o in.npz", 2, "--output must be another file than path; got 'in.npz' for both"),
        ("--weights in.npz -o o.npz --kernel 4", 2, "--kernel must be left out with --weights, which converts a file"),
        ("--weights in.npz -o o.npz a=4", 2, "NAME=VALUE must be left out with --weights, which converts a file"),
        ("-o o.npz --kernel 4", 2, "--output must be left out without --weights, which converts a layer"),
        (
            "--weights in.npz -o o.npz --name up.bias",
            2,
            "--name must be of arrays of at least 3 axes; 'up.bias' has 1 axis",
        ),
        ("--weights in.h5 -o o.npz", 2, "--weights must end in .npy, .npz, .safetensors, .pt or .pth; got 'in.h5'"),
        ("--weights no.npz -o o.npz", 1, "no.npz: No such file or directory"),
        ("--weights in.npz -o no/o.npz", 1, "no: No such folder"),
        ("--weights broken.npz -o o.npz", 1, "broken.npz: broken.npz must be an archive of arrays, as numpy.savez"),
        (
            "--weights in.npz -o o.npz --name up.weight --groups 3",
            1,
            "in.npz: 'up.weight' cannot be converted: groups must divide the input channels of w = 4; got 3",
        ),
    ],
)
def test_refusals(run, folder, arguments, code, message):
    (folder / "broken.npz").write_bytes(b"PK and nothing else")
    before = sorted(folder.iterdir())
    found, out, err = run("convert --from torch --to keras", *arguments.split())
    assert (found, out) == (code, "")
    assert err.startswith(f"tconv convert: {message}")
    assert sorted(folder.iterdir()) == before
