"""`tconv demo` for real: the numbers that it shows, computed another way, and the figure that it writes."""

import hashlib
import subprocess
import sys
from dataclasses import FrozenInstanceError
from importlib.resources import files

import numpy as np
import pytest
from numpy.testing import assert_allclose
from registry import EXACT, needs_kernels

import tconv
import tconv.demo
from tconv.methods import METHODS
from tconv.plan import planned

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)

DOWN = [name for name in EXACT if "conv" in METHODS[name].operations]
LINE = np.array([1, 3, 3, 1]) / 8
PHOTOGRAPH = "43cbb7c77fef892c67beca6923b8f5d345ed4dfe3626fc0857ffb580dbb89f64"


@pytest.fixture(scope="module")
def reports():
    return []


@pytest.fixture(scope="module")
def demo(reports):
    return tconv.demo.demo(lambda *call: reports.append(call))


def test_the_photograph_is_small_and_its_licence_is_stated():
    data = files("tconv") / "data"
    content = (data / "chelsea.png").read_bytes()
    assert len(content) < 300_000
    assert "CC0" in (data / "README.md").read_text("utf-8")


def test_the_photograph_has_not_changed():
    pixels = tconv.demo.photograph()
    assert pixels.dtype == np.uint8
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == PHOTOGRAPH


def test_down_and_up_are_those_of_pytorch(demo):
    torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
    assert demo.geometry == tconv.Geometry.conv((300, 448), 4, stride=2, padding=1)
    x = torch.as_tensor(demo.photo.astype(np.float64))[None]
    w = torch.as_tensor(np.outer(LINE, LINE))[None, None].repeat(3, 1, 1, 1)
    coarse = torch.nn.functional.conv2d(x, w, stride=2, padding=1, groups=3)
    back = torch.nn.functional.conv_transpose2d(coarse, w, stride=2, padding=1, groups=3)
    assert_allclose(demo.coarse, coarse[0], atol=1e-6)
    assert_allclose(demo.back, back[0], atol=1e-6)


@needs_kernels
def test_every_method_runs_and_agrees_with_the_matrix(demo):
    assert [run.name for run in demo.methods] == EXACT
    for run in demo.methods:
        assert 0 < run.conv_transpose_difference < 1e-6
        assert run.conv_transpose_ms > 0


def test_the_way_down_is_shown_for_the_methods_that_compute_it(demo):
    by_name = {run.name: run for run in demo.methods}
    for name in DOWN:
        assert 0 < by_name[name].conv_difference < 1e-6
        assert by_name[name].conv_ms > 0
    for name in by_name.keys() - set(DOWN):
        assert by_name[name].conv_difference is by_name[name].conv_ms is None


def test_a_machine_without_kernels_shows_the_other_methods(monkeypatch):
    monkeypatch.setattr(
        "tconv.jit.machine.compile.available", lambda: "llvmlite is not installed: pip install llvmlite"
    )
    planned.cache_clear()
    assert tconv.demo._able() == [name for name in EXACT if name != "jit"]
    planned.cache_clear()


def test_a_method_that_is_wrong_would_show(demo):
    geometry = demo.geometry
    weights = np.broadcast_to(np.outer(LINE, LINE).astype(np.float32), (3, 1, 4, 4))
    compare = tconv.demo._oracle(geometry, weights, demo.photo, demo.coarse)
    wrong = demo.coarse.copy()
    wrong[1, 2, 3] += 0.5
    down, up = compare(wrong, demo.back)
    assert down == pytest.approx(0.5, abs=1e-6)
    assert up < 1e-6
    assert compare(None, demo.back) == (None, up)


def test_the_shape_returns_and_the_values_do_not(demo):
    assert demo.back.shape == demo.photo.shape
    assert demo.brightness == pytest.approx(1 / 4, abs=0.002)  # a little less, for the border
    assert demo.best_factor == pytest.approx(4, abs=0.05)
    assert 0.06 < demo.left_over < 0.07
    least = min(np.linalg.norm(f * demo.back - demo.photo) for f in np.linspace(3.9, 4.1, 21))
    assert demo.left_over <= least / np.linalg.norm(demo.photo) + 1e-6
    one, other = demo.inner_products
    assert one == pytest.approx(other, rel=1e-7)


def test_the_matrix_is_that_of_the_library(demo):
    weights = np.broadcast_to(np.outer(LINE, LINE), (3, 1, 4, 4))
    c = tconv.sparse_matrix(demo.geometry, weights, groups=3)
    assert c.shape == (demo.matrix.rows, demo.matrix.columns)
    assert c.nnz == demo.matrix.stored


def test_interpolation_comes_nearer_the_better_it_is(demo):
    assert list(demo.decibels) == ["nearest", "bilinear", "bicubic"]
    assert 31 < demo.decibels["nearest"] < demo.decibels["bilinear"] < demo.decibels["bicubic"] < 33
    squared = np.mean((demo.upsampled.astype(np.float64) - demo.photo) ** 2)
    assert demo.decibels["bilinear"] == pytest.approx(10 * np.log10(1 / squared))
    # away from the border, bilinear upsampling is the transposed convolution times stride ** 2
    inner = (slice(None), slice(1, -1), slice(1, -1))
    assert_allclose(demo.upsampled[inner], 4 * demo.back[inner], atol=1e-6)


def test_one_kernel_makes_a_checkerboard_and_the_other_does_not(demo):
    assert demo.uneven.fine == demo.even.fine == demo.photo.shape[1:]
    assert "kernel 3 is no multiple of stride 2" in demo.uneven.unevenness
    assert demo.even.is_even

    def brightness_of_phases(picture):
        return np.array([picture[:, 2 + r : -2 : 2, 2 + c : -2 : 2].mean() for r in (0, 1) for c in (0, 1)])

    uneven, even = brightness_of_phases(demo.checkerboard), brightness_of_phases(demo.smooth)
    assert_allclose(uneven / uneven.min(), [1, 2, 2, 4], rtol=0.01)
    assert_allclose(even / even.min(), 1, rtol=0.01)


def test_progress_is_reported_step_by_step(demo, reports):
    names = [run.name for run in demo.methods]
    total = len(names) + 4
    assert [(done, of) for done, of, _ in reports] == [(step, total) for step in range(total)]
    assert [what for _, _, what in reports][2:-2] == names


def test_the_result_is_frozen(demo):
    with pytest.raises(FrozenInstanceError):
        demo.photo = None


@pytest.fixture(scope="module")
def sheet(demo):
    from tconv.draw.demo import sheet

    return sheet(demo)


def photos(sheet):
    from tconv.draw.sheet import Photo

    return [item for item in sheet.items if isinstance(item, Photo)]


def texts(sheet):
    from tconv.draw.sheet import Text

    return [item for item in sheet.items if isinstance(item, Text)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_figure_shows_what_was_computed(demo, sheet, tmp_path, theme):
    from tconv.draw.demo import save
    from tconv.draw.themes import THEMES

    path = tmp_path / "figure.png"
    save(demo, path, theme)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape == (sheet.height, sheet.width, 3)
    assert "#{:02x}{:02x}{:02x}".format(*pixels[5, 5]) == THEMES[theme].paper
    # away from frames, the photograph in the first column is the photograph, pixel by pixel, and x in the second is x
    for photo, picture in zip(photos(sheet), (demo.photo, demo.coarse), strict=False):
        expected = np.moveaxis(picture, 0, -1)
        high, wide = expected.shape[:2]
        assert (photo.w, photo.h) == (wide, high)
        shown = pixels[photo.y : photo.y + high, photo.x : photo.x + wide]
        assert_allclose(shown[high // 2 :] / 255, expected[high // 2 :], atol=0.003)


def test_the_right_half_of_what_came_back_is_four_times_as_bright(demo, sheet):
    half = demo.photo.shape[-1] // 2
    back = np.moveaxis(demo.back, 0, -1)
    shown = photos(sheet)[2].pixels / 255
    assert_allclose(shown[:, :half], back[:, :half], atol=0.003)
    assert_allclose(shown[:, half:], np.clip(4 * back[:, half:], 0, 1), atol=0.003)
    assert_allclose(demo.lost, demo.photo - demo.best_factor * demo.back, atol=1e-6)


def test_frames_are_the_window_of_the_cell(demo, sheet):
    from tconv.draw.demo import CELL, LIGHT, WINDOWS
    from tconv.draw.sheet import Rect

    read, cell, written = [
        item for item in sheet.items if isinstance(item, Rect) and item.role.startswith("frame") and item.y > WINDOWS
    ]
    fine, coarse, back = photos(sheet)[4:7]
    assert [photo.pixels.shape for photo in (fine, coarse, back)] == [(16, 24, 3), (8, 12, 3), (16, 24, 3)]
    for frame, photo in ((read, fine), (written, back)):
        edge = photo.w / 24
        where = [round((frame.y - photo.y) / edge), round((frame.x - photo.x) / edge)]
        fields = [axis.projective_field(c) for axis, c in zip(demo.geometry.axes, CELL, strict=True)]
        assert where == [field[0] - side.start for field, side in zip(fields, LIGHT, strict=True)]
        assert round(frame.w / edge) == round(frame.h / edge) == len(fields[0]) == 4
    where = [round((cell.y - coarse.y) * 12 / coarse.w), round((cell.x - coarse.x) * 12 / coarse.w)]
    assert where == [c - side.start // 2 for c, side in zip(CELL, LIGHT, strict=True)]
    row, column = where
    shown = coarse.pixels[row, column] / 255
    window = demo.photo[:, fields[0][0] : fields[0][-1] + 1, fields[1][0] : fields[1][-1] + 1]
    assert_allclose(shown, (window * demo.kernel).sum((1, 2)), atol=0.003)
    assert demo.kernel.sum() == 1


def test_the_words_are_those_of_the_docs(sheet):
    """x lies on the coarse grid, y on the fine one, in their colours."""
    roles = {text.text: text.role for text in texts(sheet) if text.bold}
    assert roles["y, fine"] == "fine"
    assert roles["x = C y, coarse"] == "coarse"
    assert roles["w, kernel"] == "kernel"


def test_drawing_leaves_pyplot_alone(demo):
    program = "import sys, tconv.draw.demo; print('matplotlib.pyplot' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_no_text_of_the_figure_leaves_the_page_or_runs_into_another(sheet):
    from tconv.draw.text import width

    boxes = []
    for text in texts(sheet):
        wide = width(text.text, text.size, bold=text.bold)
        left = text.x - {"start": 0, "middle": wide / 2, "end": wide}[text.anchor]
        boxes.append((left, text.y - 0.75 * text.size, left + wide, text.y + 0.2 * text.size, text.text))
    for i, (left, top, right, bottom, said) in enumerate(boxes):
        assert 0 < left < right < sheet.width, said
        assert 0 < top < bottom < sheet.height, said
        for other in boxes[:i]:
            across, down = min(right, other[2]) - max(left, other[0]), min(bottom, other[3]) - max(top, other[1])
            assert across <= 0 or down <= 0, (said, other[4])
