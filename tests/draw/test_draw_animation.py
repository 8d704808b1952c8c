"""Animations: every step is a frame, frames are equally large, files are small."""

import ast
import sys
from dataclasses import replace

import numpy as np
import pytest
from needs import needs_scripts

from tconv import Geometry
from tconv.draw import VIEWS, animate, figure
from tconv.draw.themes import THEMES

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)
animation = pytest.importorskip("tconv.draw.animation", exc_type=ModuleNotFoundError)
pixels = pytest.importorskip("tconv.draw.raster", exc_type=ModuleNotFoundError).pixels

UP = Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
FOUR = Geometry.conv_transpose((2, 2), 3, stride=2, padding=1)
LINE = Geometry.conv_transpose(3, 2, stride=2)


def test_frames_are_steps_and_a_file_is_small(tmp_path):
    path, seen = tmp_path / "a.gif", []
    animate(UP, "scatter", path, progress=lambda done, total: seen.append((done, total)))
    with Image.open(path) as picture:
        assert (picture.n_frames, picture.size[0], picture.info["loop"]) == (9, 640, 0)
        durations, frames = [], []
        for number in range(9):
            picture.seek(number)
            durations.append(picture.info["duration"])
            frames.append(np.asarray(picture.convert("RGB")))
    assert durations == [800] * 8 + [2400]
    assert len({frame.tobytes() for frame in frames}) == 9
    assert seen == [(number, 9) for number in range(1, 10)]
    assert path.stat().st_size <= 300_000


def test_apng(tmp_path):
    path = tmp_path / "a.apng"
    animate(LINE, "scatter", path, width=320, seconds=0.5, theme="dark")
    with Image.open(path) as picture:
        assert (picture.format, picture.n_frames, picture.size[0]) == ("PNG", 3, 320)


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    """A program of that name on the PATH: it does what a Python text says, with the target as `target`."""

    def does(text):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "ffmpeg"
        start = "import pathlib, sys\ntarget, sent = pathlib.Path(sys.argv[-1]), sys.stdin.buffer"
        program.write_text(f"#!{sys.executable}\n{start}\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return does


@needs_scripts
def test_mp4_goes_through_ffmpeg(tmp_path, ffmpeg):
    ffmpeg("target.write_text(f'{sys.argv[1:-1]}\\n{len(sent.read())}')")
    animate(LINE, "scatter", tmp_path / "a.mp4", width=321, seconds=0.5)
    command, size = (tmp_path / "a.mp4").read_text().splitlines()
    given = ast.literal_eval(command)
    wide, high = map(int, given[given.index("-s") + 1].split("x"))
    assert (wide % 2, high % 2, wide) == (0, 0, 322)
    assert given[given.index("-r") + 1] == "2.0"
    assert int(size) == 3 * wide * high * (3 + animation.HELD - 1)


def test_without_ffmpeg_nothing_is_painted(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(animation, "pixels", lambda *_: pytest.fail("work was done"))
    with pytest.raises(FileNotFoundError) as error:
        animate(LINE, "scatter", tmp_path / "a.mp4", width=160)
    assert str(error.value) == (
        "MP4 needs the program ffmpeg on the PATH: install it (apt install ffmpeg, brew install ffmpeg, winget install "
        "ffmpeg), or write .gif or .apng, which need none"
    )


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("sys.exit('no such codec')", "no such codec"),  # reads nothing: the pipe breaks
        ("sent.read(); sys.exit('no such codec')", "no such codec"),
        ("sent.read(); sys.exit(3)", "it ended with 3"),
        ("sent.read()", "it ended with 0"),
    ],
)
@needs_scripts
def test_what_ffmpeg_says_is_told(tmp_path, ffmpeg, does, said):
    ffmpeg(does)
    with pytest.raises(OSError) as error:
        animate(LINE, "scatter", tmp_path / "a.mp4")
    assert str(error.value) == f"ffmpeg could not write the animation: {said}"
    assert not (tmp_path / "a.mp4").exists()


def test_lower_sheets_are_filled_up_and_ticks_stay_at_the_foot():
    sheets = [figure(LINE, step=step).sheet for step in (0, 1)]
    high = replace(sheets[1], height=sheets[1].height + 100)
    low, same = animation.equally_high([sheets[0], high])
    assert same.items[1:] == high.items[1:]
    assert low.height == same.height == high.height
    assert low.items[0] == replace(sheets[0].items[0], h=high.height)
    for before, after in zip(sheets[0].items[1:], low.items[1:], strict=True):
        assert after == (replace(before, y=before.y + 100) if "tick" in before.role else before)


@pytest.mark.parametrize("theme", THEMES)
def test_flat_colours_of_a_gif_are_those_of_the_theme(tmp_path, theme):
    path = tmp_path / "a.gif"
    animate(FOUR, "scatter", path, theme=theme, width=480)
    with Image.open(path) as picture:
        seen = set()
        for number in range(4):
            picture.seek(number)
            frame = np.asarray(picture.convert("RGB"))
            exact = pixels(figure(FOUR, "scatter", step=number, theme=theme).sheet, THEMES[theme], 480)
            assert np.abs(frame.astype(int) - exact).mean() < 1
            colours, counts = np.unique(exact.reshape(-1, 3), axis=0, return_counts=True)
            for colour in colours[counts > 1000]:
                flat = (exact == colour).all(axis=-1)
                assert (frame[flat] == colour).all()
            seen |= {tuple(colour) for colour in np.unique(frame.reshape(-1, 3), axis=0)}
    assert len(seen) <= animation.COLOURS


def test_a_palette_of_few_colours_has_no_others():
    frame = np.array([[[0, 0, 0], [255, 0, 7]]], np.uint8)
    palette = animation.common_palette([frame, frame], THEMES["light"])
    assert sorted(map(tuple, palette.tolist())) == [(0, 0, 0), (255, 0, 7)]
    np.testing.assert_array_equal(np.asarray(animation.in_palette(frame, palette).convert("RGB")), frame)


def test_a_view_of_one_step_is_a_still_picture(tmp_path):
    for name in ("a.gif", "a.png"):
        animate(UP, "sizes", tmp_path / name, width=160)
        with Image.open(tmp_path / name) as picture:
            assert getattr(picture, "n_frames", 1) == VIEWS["sizes"].steps(UP) == 1


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.gif"
    path.write_text("old")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        animate(LINE, "scatter", path, width=160, progress=stop)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.gif", "old")]
    with pytest.raises(FileNotFoundError, match="No such folder"):
        animate(LINE, "scatter", tmp_path / "nowhere" / "a.gif")


def test_of_many_steps_some_are_taken():
    assert animation.taken(5) == [0, 1, 2, 3, 4]
    some = animation.taken(1000)
    assert (len(some), some[0], some[-1]) == (60, 0, 999)
    assert len(set(some)) == 60


@pytest.mark.quick
@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"path": "a.webm"}, ValueError, "path must end in .gif, .apng, .png, .mp4; got 'a.webm'"),
        ({"path": 3}, TypeError, "path must be a path; got 3 of type int"),
        ({"width": 20000}, ValueError, "width must be an integer of at most 10000; got 20000"),
        ({"seconds": 0.001}, ValueError, "seconds must be from 0.02 to 60; got 0.001"),
        ({"width": 10}, ValueError, "width must be an integer of at least 160; got 10"),
        ({"seconds": 0}, ValueError, "seconds must be more than 0 and finite; got 0"),
        ({"seconds": "1"}, TypeError, "seconds must be a number; got '1' of type str"),
        ({"theme": "blue"}, ValueError, 'theme must be one of "light", "dark"; got \'blue\''),
    ],
)
def test_errors(given, kind, text):
    with pytest.raises(kind) as error:
        animate(**{"geometry": LINE, "view": "scatter", "path": "a.gif", **given})
    assert str(error.value) == f"animate: {text}"
