"""Animations: every step is a frame, frames are equally large, files are small."""

import subprocess

import numpy as np
import pytest
from PIL import Image

from tconv import Geometry
from tconv.draw import animate, animation

UP = Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
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


def test_mp4_goes_through_ffmpeg(tmp_path, monkeypatch):
    asked = []

    def run(command, input, **how):
        asked.append((command, len(input)))
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(animation.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(animation.subprocess, "run", run)
    animate(LINE, "scatter", tmp_path / "a.mp4", width=321)
    [(command, size)] = asked
    wide, high = map(int, command[command.index("-s") + 1].split("x"))
    assert (wide % 2, high % 2, wide) == (0, 0, 320)
    assert size == 3 * wide * high * (3 + animation.HELD - 1)


def test_what_ffmpeg_says_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(animation.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match=r"^animate: MP4 needs the program ffmpeg on the PATH"):
        animate(LINE, "scatter", tmp_path / "a.mp4", width=160)
    monkeypatch.setattr(animation.shutil, "which", lambda name: "/bin/ffmpeg")
    failed = subprocess.CompletedProcess([], 1, b"", b"no such codec\n")
    monkeypatch.setattr(animation.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ValueError, match=r"^animate: ffmpeg could not write a\.mp4: no such codec$"):
        animate(LINE, "scatter", tmp_path / "a.mp4", width=160)


def test_of_many_steps_some_are_taken():
    assert animation.taken(5) == [0, 1, 2, 3, 4]
    some = animation.taken(1000)
    assert (len(some), some[0], some[-1]) == (60, 0, 999)
    assert len(set(some)) == 60


@pytest.mark.quick
@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"path": "a.webm"}, ValueError, "path must end in .gif, .apng, .mp4; got 'a.webm'"),
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
