"""A day of somebody who learns: what a transposed convolution is, with every slip that one makes on the way.

Each test is an hour. What fails in it says what to do, that is done, and the day goes on.
"""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import tconv
from tconv.cli import main

pytestmark = pytest.mark.quick

TCONV = f'"{sys.executable}" -m tconv'
PHOTO = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)  # as Pillow gives it


def said(call):
    """The first line of the error, which is what one reads."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    return str(caught.value).partition("\n")[0]


def test_nine_o_clock_a_photograph_and_a_layer():
    w = np.random.default_rng(1).normal(size=(3, 8, 4, 4)).astype(np.float32)
    x = PHOTO
    assert said(lambda: tconv.conv_transpose(x, w)).endswith('; x.astype("float32")?')
    x = x.astype("float32")
    assert said(lambda: tconv.conv_transpose(x, w)).endswith('; x has 3 channels last: layout="channels_last"?')
    assert said(lambda: tconv.conv_transpose(x, w, layout="NHWC")).endswith('; did you mean "channels_last"?')
    last = {"layout": "channels_last"}
    assert "texts call a fractional stride 1/2" in said(lambda: tconv.conv_transpose(x, w, stride=0.5, **last))
    assert said(lambda: tconv.conv_transpose(x, w, stride=2, padding="SAME", **last)).endswith('; did you mean "same"?')
    y = tconv.conv_transpose(x, w, stride=2, padding="same", **last)
    assert y.shape == (96, 128, 8)
    first = tconv.conv_transpose(np.moveaxis(x, -1, 0), w, stride=2, padding=1)
    assert np.allclose(y, np.moveaxis(first, 0, -1), atol=1e-2)


def test_ten_o_clock_weights_from_elsewhere():
    x = np.ones((1, 16, 32, 32), np.float32)
    right = np.random.default_rng(2).normal(size=(16, 8, 3, 3)).astype(np.float32)
    for w, code in (
        (right.swapaxes(0, 1), "w.swapaxes(0, 1)"),
        (right.transpose(2, 3, 1, 0), "w.transpose(3, 2, 0, 1)"),
    ):
        hint = said(lambda w=w: tconv.conv_transpose(x, w, stride=2))
        assert hint.endswith(f"{code}?")
        turned = np.ascontiguousarray(eval(code, {"w": w}))
        assert np.array_equal(tconv.conv_transpose(x, turned, stride=2), tconv.conv_transpose(x, right, stride=2))
    grey, kernel = x[0, 0], right[0, 0]
    assert said(lambda: tconv.conv_transpose(grey, kernel)).endswith("x[None] and w[None, None]?")
    assert tconv.conv_transpose(grey[None], kernel[None, None]).shape == (1, 34, 34)


def test_eleven_o_clock_what_fits_by_chance():
    """64 rows are taken for 64 channels: nothing fails, and the plan says what is odd."""
    assert tconv.conv_transpose(np.ones((64, 48, 3), np.float32), np.ones((64, 8, 3, 3), np.float32)).shape == (
        8,
        50,
        5,
    )
    assert "looks like 3 channels last" in str(tconv.plan((64, 48, 3), (64, 8, 3, 3)))


def test_noon_the_picture_of_the_textbook():
    geometry = tconv.Geometry.conv_transpose(3, 3, stride=2, padding=1, output_padding=1)
    x, w = np.array([[1.0, 2, 3]]), np.array([[[1.0, 2, 3]]])
    assert tconv.zero_inserted(x, geometry).tolist() == [[1, 0, 2, 0, 3]]
    read = tconv.zero_inserted(x, geometry, padded=True)
    assert read.tolist() == [[0, 1, 0, 2, 0, 3, 0, 0]]
    by_hand = [[sum(read[0, o + t] * w[0, 0, 2 - t] for t in range(3)) for o in range(geometry.fine[0])]]
    assert np.array_equal(by_hand, tconv.conv_transpose(x, w, **geometry.keywords))


def test_two_o_clock_the_command_line(capsys):
    """Sizes as they come to the fingers, and what they lead to."""
    for size in ("32x32", "32,32", "32*32", "(32, 32)"):
        assert main(["size", "--coarse", size, "--kernel", "4", "--stride", "2", "--padding", "1", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["fine"] == [64, 64]
    assert main(["size", "--coarse", "32x32x3", "--kernel", "4", "--stride", "2"]) == 0
    assert "if 3 counts channels, the size is 32x32" in capsys.readouterr().out
    assert main(["solve", "--coarse", "32", "--scale", "1.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["solutions"][0]["fine"] == [48]
    for command, wrong in (
        ("size --coarse 32", "--kernel must be given"),
        ("size --kernel 3", "one of --coarse and --fine must be given; got neither"),
        ("size --coarse 32 --kernel 3 --stride 0.5", "what texts call a fractional stride 1/2"),
        ("solve --coarse 32", "--scale alone; got --coarse alone"),
        ("explain --coarse 32 --kernel 3 --plan --dtype fp32", 'did you mean "float32"?'),
        ("explain --coarse 32 --kernel 3 --plan --layout NHWC", 'did you mean "channels_last"?'),
    ):
        assert main(command.split()) == 2
        assert wrong in capsys.readouterr().err


def test_three_o_clock_help(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    names = re.findall(r"^  (\w+)  ", capsys.readouterr().out.partition("Commands:\n")[2], re.MULTILINE)
    assert {"size", "explain", "solve", "convert", "bench"} <= set(names)
    for name in names:
        assert main([name, "--help"]) == 0
        shown = capsys.readouterr().out
        assert not re.search(r"<\w+>|\]\.\.\.\]", shown)
        for example in re.findall(r"^ +(tconv .*)", shown, re.MULTILINE):
            assert example.split()[1] == name


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_four_o_clock_pipes_and_tabs():
    piped = f"{TCONV} explain --coarse 32x32 --kernel 4 --stride 2 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "fine 66x66 <-> coarse 32x32: kernel 4, stride 2, padding 0\n"
    asked = f"_TCONV_COMPLETE=complete_bash COMP_WORDS='tconv conv' COMP_CWORD=1 {TCONV}"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
    assert done.stdout.split() == ["convert"]
