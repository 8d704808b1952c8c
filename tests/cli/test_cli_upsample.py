"""`tconv upsample`: files in, files out, and every way in which they can be wrong."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tconv.upsample import upsample as enlarged


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3)).save(path)
    return path


def test_upsample(run, photo):
    target = photo.parent / "large.png"
    code, out, err = run("upsample", photo, "--scale", 3, "--kernel", "bicubic", "-o", target)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == ["read", "kernel", "written"]
    assert "kernel   bicubic: 11 taps an axis, stride 3\n" in out
    with Image.open(photo) as small, Image.open(target) as large:
        expected = enlarged(np.asarray(small), 3, "bicubic")
        assert (np.asarray(large) == expected).all()


def test_upsample_as_json(run_json, photo):
    target = photo.parent / "large.webp"
    assert run_json("upsample", photo, "--scale", 2, "-o", target) == {
        "photo": str(photo),
        "output": str(target),
        "scale": 2,
        "kernel": "bilinear",
        "kernel_size": [4, 4],
        "width": 10,
        "height": 8,
        "mode": "RGB",
        "strips": 1,
        "phase_sums": {"least": 1.0, "most": 1.0},
    }


@pytest.mark.parametrize(
    ("kernel", "note"),
    [
        (np.ones((3, 3)) / 2.25, "the weights of a phase sum to 0.4444 to 1.778, not to 1: even areas"),
        (np.ones((2, 2)) / 2, "the weights of a phase sum to 0.5, not to 1: the brightness changes"),
        (np.ones((4, 4)) / 4, ""),
    ],
)
def test_upsample_with_a_kernel_of_ones_own(run, photo, kernel, note):
    np.save(photo.parent / "kernel.npy", kernel)
    code, out, err = run("upsample", photo, "--scale", 2, "--kernel", photo.parent / "kernel.npy", "-o", photo)
    assert (code, err) == (0, "")
    assert note in out
    assert ("note " in out) == bool(note)


def test_wrong_kernels_are_usage_errors(run, photo):
    def complaint(kernel):
        code, out, err = run("upsample", photo, "--scale", 2, "--kernel", kernel, "-o", photo.parent / "out.png")
        assert (code, out) == (2, "")
        return err.splitlines()[0]

    path = photo.parent / "kernel.npy"
    expected = "tconv upsample: --kernel must be "
    assert complaint("cubic") == f"{expected}nearest, bilinear, bicubic or the path of a .npy file; got 'cubic'"
    path.write_text("not an array")
    assert complaint(path) == f"{expected}a .npy file that holds one array of numbers; {path} does not"
    np.save(path, np.array([{}], dtype=object))
    assert complaint(path) == f"{expected}a .npy file that holds one array of numbers; {path} does not"
    np.savez(path.with_suffix(".npz"), np.ones(3))
    path.with_suffix(".npz").replace(path)
    assert complaint(path) == f"{expected}a .npy file that holds one array of numbers; {path} is an archive"
    np.save(path, np.array(["a"]))
    assert complaint(path) == (
        f'{expected}"nearest", "bilinear", "bicubic" or an array of numbers; got an array of dtype <U1'
    )
    np.save(path, np.ones((1, 2)))
    text = (
        "tconv upsample: --kernel must have 2 axes of at least scale = 2 taps each, so that every fine cell is reached"
    )
    assert complaint(path) == f"{text}; got shape (1, 2)"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("photo.png --scale 0 -o out.png", 2, "--scale must be an integer of at least 1; got 0"),
        (
            "photo.png --scale 1.5 -o out.png",
            2,
            "--scale must be an integer of at least 1; got '1.5'; a transposed convolution enlarges by its stride, a "
            "whole number\n",
        ),
        ("photo.png --scale 2", 2, "--output must be given"),
        ("--scale 2 -o out.png", 2, "PHOTO must be given"),
        (
            "photo.png --scale 2 -o out.xyz",
            2,
            "--output must end in the extension of a picture format, such as .png, .jpg or .tif; got 'out.xyz'",
        ),
        (
            "photo.png --scale 2 -o out.ico",
            2,
            "--output must be in a format that holds pictures of any size, such as .png; got ICO\n",
        ),
        (
            "deep.png --scale 2 -o out.webp",
            2,
            "--output must be in a format that holds I;16 pictures, such as .png; got WEBP\n",
        ),
        ("cut.jpg --scale 2 -o out.png", 1, "cut.jpg is a broken picture: image file is truncated ("),
        (
            "photo.png --scale 2 -o out.png --kernel huge.npy",
            2,
            "--kernel must hold weights whose sums are within float32, in which uint8 pictures are computed; "
            "got weights up to 1e+300\n",
        ),
        ("photo.png --scale 20000 -o out.jpg", 2, "--output must have at most 65500 pixels a side as JPEG; it would "),
        ("photo.png --scale 9999 -o out.webp", 2, "--output must have at most 16383 pixels a side as WEBP; it would "),
        ("photo.png --scale 90000000 -o out.png", 2, "the enlarged picture must fit into memory, "),
        ("photo.png --scale 2 --page 0 -o out.png", 2, "--page must be an integer of at least 1; got 0\n"),
        ("photo.png --scale 2 --page 2 -o out.png", 1, "photo.png has 1 page; --page is 2\n"),
        ("none.png --scale 2 -o out.png", 1, "none.png: No such file or directory"),
        (". --scale 2 -o out.png", 1, ".: Is a directory"),
        ("text.png --scale 2 -o out.png", 1, "text.png is not a picture in a format that Pillow reads"),
        ("photo.png --scale 2 -o nowhere/out.png", 1, "nowhere: No such folder"),
        ("photo.png --scale 2 -o folder.png", 1, "folder.png: Is a directory"),
        ("photo.png --scale 2 -o out.png --kernel none.npy", 1, "none.npy: No such file or directory"),
    ],
)
def test_wrong_files_and_options(run, photo, monkeypatch, arguments, code, message):
    monkeypatch.chdir(photo.parent)
    (photo.parent / "text.png").write_text("no picture")
    (photo.parent / "folder.png").mkdir()
    Image.fromarray(np.full((2, 2), 40000, np.uint16)).save("deep.png")
    Image.effect_noise((90, 90), 50).save("whole.jpg")
    (photo.parent / "cut.jpg").write_bytes((photo.parent / "whole.jpg").read_bytes()[:2000])
    np.save("huge.npy", np.full((4, 4), 1e300))
    returned, out, err = run("upsample", *arguments.split())
    assert (returned, out) == (code, "")
    assert err.startswith(f"tconv upsample: {message}")
    assert "Traceback" not in err
    assert not (photo.parent / "out.png").exists()


def test_progress_is_shown_on_the_error_stream_of_a_terminal(run, photo, monkeypatch):
    target = photo.parent / "out.png"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(sys.modules["tconv.upsample"], "STRIP", 1)
    code, out, err = run("upsample", photo, "--scale", 2, "-o", target, "--json")
    assert code == 0
    assert json.loads(out)["strips"] == 4
    assert "upsample photo.png" in err
    assert "4/4" in err


def test_a_full_disk_is_said_without_its_number(run, photo, monkeypatch):
    save, target = Image.Image.save, photo.parent / "full.png"

    def full(image, to, *given, **options):
        if getattr(to, "name", "") == target.name:  # beside its place, which it never gets
            raise OSError(28, "No space left on device")
        save(image, to, *given, **options)

    monkeypatch.setattr(Image.Image, "save", full)
    message = f"tconv upsample: {target}: No space left on device\n"
    assert run("upsample", photo, "--scale", 2, "-o", target) == (1, "", message)


def test_an_error_without_a_file_is_said_without_its_number(run, photo, monkeypatch):
    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tconv.cli.upsample.enlarge", fails)
    message = "tconv upsample: No space left on device\n"
    assert run("upsample", photo, "--scale", 2, "-o", photo) == (1, "", message)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking them")
def test_who_is_asked_to_end_leaves_nothing_half_written(tmp_path):
    zarr = pytest.importorskip("zarr", exc_type=ModuleNotFoundError)
    zarr.create_array(tmp_path / "in.zarr", shape=(40, 30), chunks=(10, 30), dtype="uint8")
    before = sorted(tmp_path.rglob("*"))
    program = """
import os, signal, sys
from tconv import bands
from tconv.cli import main

def asked_to_end(strips):
    assert any(name.startswith(".out.zarr") for name in os.listdir(folder))
    os.kill(os.getpid(), signal.SIGTERM)
    yield from strips

folder, bands._in_bands = sys.argv[1], asked_to_end
main(["upsample", folder + "/in.zarr", "--scale", "2", "-o", folder + "/out.zarr"])
"""
    ended = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (143, "")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_others_say_of_signals_stays(run, photo):
    def ignored(*_):
        raise AssertionError("nobody sent a signal")

    default = signal.signal(signal.SIGTERM, ignored)
    try:
        run("upsample", photo, "--scale", 2, "-o", photo)
        assert signal.getsignal(signal.SIGTERM) is ignored
    finally:
        signal.signal(signal.SIGTERM, default)
    run("upsample", photo, "--scale", 2, "-o", photo)
    assert signal.getsignal(signal.SIGTERM) is default
