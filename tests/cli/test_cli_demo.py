"""`tconv demo`: what it prints and where it writes."""

import pytest
from PIL import Image
from registry import EXACT, NO_KERNELS

from tconv.draw.themes import THEMES
from tconv.methods import METHODS

#: What the machine has.
NAMES = [name for name in EXACT if name != "jit" or not NO_KERNELS]


def test_demo(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("demo")
    assert (code, err) == (0, "")
    assert (tmp_path / "tconv-demo.png").stat().st_size > 100_000
    lines = out.splitlines()
    assert lines[:2] == [
        "y: a photograph, 3 channels of 300x448",
        "C: a depthwise convolution, fine 300x448 <-> coarse 150x224: kernel 4, stride 2, padding 1",
    ]
    table = [line.split() for line in lines if " ms " in line]
    assert [row[0] for row in table] == NAMES
    for name, *cells in table:
        only_up = "conv" not in METHODS[name].operations
        assert cells.count("ms") == 2 - only_up
        assert cells[:1] == ["-"] if only_up else float(cells[0]) > 0
    for line in (
        "Cᵀ x, fine        3 channels of 300x448, 0.249 of the brightness of y",
        "nearest multiple  4.025 Cᵀ x is still 6.5% off y",
        "bilinear  31.63 dB from y",
        "kernel 4, stride 2  even: 4 taps reach every fine position away from the border",
    ):
        assert line in lines
    assert lines[-1].startswith("tconv-demo.png written, ")


def test_demo_as_json(run_json, tmp_path):
    target = tmp_path / "figure.png"
    said = run_json("demo", "-o", target)
    assert said["figure"] == str(target)
    assert said["seconds"] < 20
    assert [method["name"] for method in said["methods"]] == NAMES
    for method in said["methods"]:
        absent = "conv" not in METHODS[method["name"]].operations
        assert (method["conv_ms"] is None) == (method["conv_difference"] is None) == absent
    assert max(method["conv_transpose_difference"] for method in said["methods"]) < 1e-6
    assert said["coverage"]["kernel 4, stride 2"] == ""
    assert said["geometry"]["coarse"] == [150, 224]


def test_the_figure_has_a_theme(run, tmp_path):
    target = tmp_path / "figure.png"
    assert run("demo", "-o", target, "--theme", "dark")[0] == 0
    with Image.open(target) as figure:
        assert "#{:02x}{:02x}{:02x}".format(*figure.getpixel((5, 5))[:3]) == THEMES["dark"].paper


def test_an_unknown_theme_is_refused(run, tmp_path, no_work):
    code, out, err = run("demo", "-o", tmp_path / "figure.png", "--theme", "blue")
    message = 'tconv demo: --theme must be one of "light", "dark"; got \'blue\''
    assert (code, out, err) == (2, "", f"{message}\nTry 'tconv demo --help'.\n")


def test_demo_does_not_compute_what_it_cannot_write(run, tmp_path):
    code, out, err = run("demo", "-o", tmp_path / "nowhere" / "figure.png")
    assert (code, out, err) == (1, "", f"tconv demo: {tmp_path / 'nowhere'}: No such folder\n")


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr("tconv.cli.demo.computed", lambda _: pytest.fail("work was done"))


@pytest.mark.parametrize("name", ["figure.jpg", "figure.xyz", "figure", ".png"])
def test_the_figure_is_a_png(run, tmp_path, no_work, name):
    code, out, err = run("demo", "-o", tmp_path / name)
    message = f"tconv demo: --output must end in .png, the format of the figure; got {name!r}"
    assert (code, out, err) == (2, "", f"{message}\nTry 'tconv demo --help'.\n")


def test_a_folder_is_no_place_for_the_figure(run, tmp_path, no_work):
    target = tmp_path / "folder.png"
    target.mkdir()
    assert run("demo", "-o", target) == (1, "", f"tconv demo: {target}: Is a directory\n")


def test_a_full_disk_is_said_with_the_name_of_the_figure(run, tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tconv.cli.demo.computed", lambda _: None)
    monkeypatch.setattr("tconv.draw.demo.save", fails)
    target = tmp_path / "figure.png"
    assert run("demo", "-o", target) == (1, "", f"tconv demo: {target}: No space left on device\n")
