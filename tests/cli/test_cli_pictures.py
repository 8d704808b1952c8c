"""`tconv draw` and `tconv animate`."""

import pytest
from PIL import Image

from tconv import Geometry
from tconv.draw import VIEWS, figure

UP = ("--coarse", "3x3", "--kernel", 3, "--stride", 2, "--padding", 1)
SAID = "fine 5x5 <-> coarse 3x3: kernel 3, stride 2, padding 1\nwritten to {}\n"


@pytest.mark.parametrize("view", VIEWS)
def test_draw_writes_what_figure_gives(run, tmp_path, view):
    path = tmp_path / "a.svg"
    assert run("draw", view, *UP, "--lang", "zh", "--theme", "dark", "-o", path) == (0, SAID.format(path), "")
    geometry = Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
    assert path.read_text("utf-8") == figure(geometry, view, lang="zh", theme="dark").svg()


def test_without_a_file_the_view_gives_its_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("draw", "scatter", *UP, "--step", 0) == (0, SAID.format("scatter.svg"), "")
    assert "step 1 of 9" in (tmp_path / "scatter.svg").read_text("utf-8")


def test_animate(run, tmp_path):
    path = tmp_path / "a.gif"
    code, out, err = run("animate", "scatter", "--coarse", 3, "--kernel", 2, "--width", 200, "-o", path)
    assert (code, out, err) == (0, f"fine 4 <-> coarse 3: kernel 2, stride 1, padding 0\nwritten to {path}\n", "")
    with Image.open(path) as picture:
        assert (picture.n_frames, picture.size[0]) == (3, 200)


def test_channels_are_those_of_figure(run, tmp_path):
    path, geometry = tmp_path / "a.svg", Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
    said = SAID.format(path)
    given = ("--in-channels", 6, "--out-channels", 4, "--groups", 2, "--step", 3)
    assert run("draw", "channels", *UP, *given, "-o", path) == (0, said, "")
    channels = {"in_channels": 6, "out_channels": 4, "groups": 2}
    assert path.read_text("utf-8") == figure(geometry, "channels", step=3, **channels).svg()
    assert run("draw", "channels", *UP, "--groups", 3, "-o", path) == (0, said, "")
    assert path.read_text("utf-8") == figure(geometry, "channels", groups=3).svg()


def test_channels_are_animated(run, tmp_path):
    path = tmp_path / "a.gif"
    code, _, err = run("animate", "channels", *UP, "--out-channels", 3, "--width", 200, "-o", path)
    assert (code, err) == (0, "")
    with Image.open(path) as picture:
        assert picture.n_frames == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("draw", "spiral", *UP), 'view must be one of "scatter", '),
        (("draw", "scatter", *UP, "--step", 9), "--step must be below 9, the steps of this view; got 9"),
        (("draw", "scatter", *UP, "--lang", "fr"), '--lang must be one of "en", "zh"; got \'fr\''),
        (("draw", "scatter", *UP, "-o", "x.jpg"), "path must end in .svg, .png, .pdf; got 'x.jpg'"),
        (("animate", "scatter", *UP, "-o", "x.svg"), "path must end in .gif, .apng, .png, .mp4; got 'x.svg'"),
        (("animate", "scatter", *UP, "--width", 3), "--width must be an integer of at least 160; got 3"),
        (("animate", "scatter", *UP, "--seconds", 99), "--seconds must be from 0.02 to 60; got 99.0"),
        (("draw", "scatter", *UP, "--width", 300), "--width must be left out where the file is no .png; got 300"),
        (("draw", "scatter", *UP, "--width", "wide"), "--width must be an integer of at least 1; got 'wide'"),
        (("draw", "channels", *UP, "--groups", 2, "--in-channels", 3), "--groups must divide --in-channels = 3; got 2"),
        (
            ("animate", "channels", *UP, "--groups", 2, "--out-channels", 3),
            "--groups must divide --out-channels = 3; got 2",
        ),
        (("draw", "channels", *UP, "--groups", 0), "--groups must be an integer of at least 1; got 0"),
        (("draw", "channels", *UP, "--in-channels", "x"), "--in-channels must be an integer of at least 1; got 'x'"),
        (
            ("draw", "scatter", *UP, "--in-channels", 3),
            '--in-channels must be left out for view "scatter", which shows one channel: view "channels" takes it; '
            "got 3",
        ),
        (("animate", "phases", *UP, "--groups", 3), '--groups must be left out for view "phases", which shows one'),
        (("draw", "scatter", "--kernel", 3), "one of --coarse and --fine must be given; got neither"),
    ],
)
def test_errors(run, given, said):
    code, out, err = run(*given)
    assert (code, out) == (2, "")
    assert err.startswith(f"tconv {given[0]}: {said}")


@pytest.mark.parametrize("command", ["draw", "animate"])
def test_an_unknown_view_lists_the_views(run, command):
    code, out, err = run(command, "spiral", *UP)
    views = ", ".join(f'"{view}"' for view in VIEWS)
    assert (code, out) == (2, "")
    assert err == f"tconv {command}: view must be one of {views}; got 'spiral'\nTry 'tconv {command} --help'.\n"


@pytest.mark.parametrize(("command", "name"), [("draw", "a.svg"), ("animate", "a.gif")])
def test_a_folder_that_is_missing_is_a_failure(run, tmp_path, command, name):
    path = tmp_path / "nowhere" / name
    assert run(command, "scatter", *UP, "-o", path) == (1, "", f"tconv {command}: {path.parent}: No such folder\n")


def test_without_ffmpeg_the_command_fails_and_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = run("animate", "scatter", *UP, "-o", tmp_path / "a.mp4")
    assert (code, out) == (1, "")
    assert err.startswith("tconv animate: MP4 needs the program ffmpeg on the PATH: install it (apt install ffmpeg, ")


def test_width_and_seconds(run, tmp_path):
    assert run("draw", "scatter", *UP, "--width", 300, "-o", tmp_path / "a.png")[0] == 0
    given = ("--coarse", 2, "--kernel", 2, "--width", 200, "--seconds", 0.3, "-o", tmp_path / "b.png")
    assert run("animate", "scatter", *given)[0] == 0
    with Image.open(tmp_path / "a.png") as still, Image.open(tmp_path / "b.png") as moving:
        assert (still.size[0], moving.size[0], moving.n_frames, moving.info["duration"]) == (300, 200, 2, 300)


def test_json(run_json, tmp_path):
    path = tmp_path / "a.svg"
    said = run_json("draw", "scatter", *UP, "-o", path)
    assert (said["written"], said["scene"]["view"], said["scene"]["steps"]) == (str(path), "scatter", 9)
    assert run_json("animate", "scatter", "--coarse", 2, "--kernel", 2, "--width", 160, "-o", tmp_path / "a.gif") == {
        "written": str(tmp_path / "a.gif")
    }
