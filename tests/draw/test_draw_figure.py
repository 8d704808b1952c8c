"""`figure`: its arguments, what it refuses, what it saves."""

import re
import subprocess
import sys
import time
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest

import tconv
from tconv import Geometry
from tconv.draw import VIEWS, figure
from tconv.draw.sheet import Photo, Rect, Sheet
from tconv.draw.svg import svg
from tconv.draw.themes import THEMES, look

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)
raster = pytest.importorskip("tconv.draw.raster", exc_type=ModuleNotFoundError)

pytestmark = pytest.mark.quick

UP = Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"geometry": (3, 3)}, TypeError, "geometry must be a tconv.Geometry; got (3, 3)"),
        ({"view": "spiral"}, ValueError, "view must be one of {views}; got 'spiral'"),
        ({"view": 3}, TypeError, "view must be one of {views}; got 3 of type int"),
        ({"lang": "fr"}, ValueError, 'lang must be one of "en", "zh"; got \'fr\''),
        ({"theme": "blue"}, ValueError, 'theme must be one of "light", "dark"; got \'blue\''),
        ({"step": 9}, ValueError, "step must be below 9, the steps of this view; got 9"),
        ({"step": -1}, ValueError, "step must be an integer of at least 0; got -1"),
        (
            {"x": np.ones((3, 4))},
            ValueError,
            "x must be an array of numbers of shape (3, 3); got float64 of shape (3, 4)",
        ),
        ({"w": "abc"}, ValueError, "w must be an array of numbers of shape (3, 3); got <U3 of shape ()"),
    ],
)
def test_errors(given, kind, text):
    with pytest.raises(kind) as error:
        figure(**{"geometry": UP, "view": "scatter", **given})
    views = ", ".join(f'"{view}"' for view in VIEWS)
    assert str(error.value) == f"figure: {text.format(views=views)}"


def test_values_of_ones_own():
    x = np.array([[1.5, 0, 0], [0, 2, 0], [0, 0, 3]])
    w = np.eye(3)
    scene = figure(UP, "scatter", step=8, x=x, w=w).scene
    assert [cell.text for cell in scene.grid("x").cells] == ["1.5", "0", "0", "0", "2", "0", "0", "0", "3"]
    y = tconv.conv_transpose(x[None], w[None, None], stride=2, padding=1)[0]
    kept = [float(cell.text) for cell in scene.grid("y").cells if cell.kind == "fine"]
    np.testing.assert_array_equal(kept, y.reshape(-1))


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_save(tmp_path, form, theme):
    picture = figure(UP, theme=theme)
    for name in ("one", "two"):
        picture.save(tmp_path / f"{name}.{form}")
    first, second = (tmp_path / f"{name}.{form}" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    starts = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert first.read_bytes().startswith(starts[form])


def test_other_endings_are_refused_before_any_work(tmp_path):
    with pytest.raises(ValueError, match=r"^Figure\.save: path must end in \.svg, \.png, \.pdf; got '.*x\.txt'$"):
        figure(UP).save(tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"path": 3}, TypeError, "path must be a path; got 3 of type int"),
        ({"path": "a.svg", "width": 300}, ValueError, "width must be left out where the file is no .png; got 300"),
        ({"path": "a.png", "width": 10}, ValueError, "width must be an integer of at least 160; got 10"),
        ({"path": "a.png", "width": 20000}, ValueError, "width must be an integer of at most 10000; got 20000"),
        ({"path": "a.png", "width": "9"}, TypeError, "width must be an integer of at least 160; got '9' of type str"),
    ],
)
def test_errors_of_save(tmp_path, monkeypatch, given, kind, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind) as error:
        figure(UP).save(**given)
    assert str(error.value) == f"Figure.save: {text}"
    assert list(tmp_path.iterdir()) == []


def test_a_png_is_as_wide_as_asked(tmp_path):
    sizes = []
    for width in (None, 400, 801):
        figure(UP).save(tmp_path / "a.png", width=width)
        with Image.open(tmp_path / "a.png") as picture:
            sizes.append(picture.size[0])
    assert sizes == [1600, 400, 801]


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.svg"
    path.write_text("old")

    def fails(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("tconv.placing.Path.replace", fails)
        with pytest.raises(OSError, match="No space left"):
            figure(UP).save(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.svg", "old")]
    with pytest.raises(FileNotFoundError, match="No such folder"):
        figure(UP).save(tmp_path / "nowhere" / "a.svg")


def test_chinese_without_a_font_is_refused_and_svg_needs_none(tmp_path, monkeypatch):
    monkeypatch.setattr(raster, "CHINESE", ("Song",))
    raster._chinese.cache_clear()
    picture = figure(UP, lang="zh")
    picture.save(tmp_path / "a.svg")
    try:
        for form in ("png", "pdf"):
            with pytest.raises(ValueError) as error:
                picture.save(tmp_path / f"a.{form}")
            assert str(error.value) == (
                'Figure.save: lang must be "en" where no font has Chinese letters: install one, such as Song '
                "(fonts-noto-cjk on Debian and Ubuntu), or write .svg, which needs none"
            )
    finally:
        raster._chinese.cache_clear()
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]


def test_a_picture_is_painted_in_a_third_of_a_second():
    sheet = figure(Geometry.conv_transpose((20, 30), (5, 7), stride=3, dilation=2, padding=2)).sheet

    def seconds():
        start = time.process_time()
        raster.pixels(sheet, THEMES["light"], 640)
        return time.process_time() - start

    assert min(seconds() for _ in range(4)) < 0.3


def test_a_sheet_is_painted_where_it_says():
    """Corners of cells have the colour of the cell, whatever the width."""
    sheet = figure(UP, "scatter", step=8).sheet
    for width in (640, 1600):
        frame = raster.pixels(sheet, THEMES["light"], width)
        scale = width / sheet.width
        assert frame.shape == (int(sheet.height * scale + 1e-6), width, 3)
        cells = [item for item in sheet.items if isinstance(item, Rect) and item.role in ("coarse", "fine", "kernel")]
        assert len(cells) == 8 + 25 + 18
        for item in cells:
            at = int((item.y + item.h * 0.15) * scale), int((item.x + item.w * 0.15) * scale)
            assert "#{:02x}{:02x}{:02x}".format(*frame[at]) == look(item.role, THEMES["light"]).fill


def test_a_geometry_draws_itself_in_a_notebook():
    assert UP._repr_svg_() == figure(UP).svg()
    assert figure(UP)._repr_svg_() == figure(UP).svg()


@pytest.mark.parametrize(
    "geometry", [Geometry.conv_transpose(2**62, 3, stride=2), Geometry.conv((300, 300), (101, 101))]
)
def test_a_geometry_that_is_too_much_to_draw_shows_its_text(geometry):
    assert geometry._repr_svg_() is None


def test_where_pictures_are_missing_a_geometry_shows_its_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "tconv.draw", None)
    assert UP._repr_svg_() is None


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("coarse", [2**61, (10**18, 10**18), (2**40, 2**40, 2**40)])
def test_grids_of_more_cells_than_python_counts_are_drawn_at_once(view, coarse):
    start = time.process_time()
    figure(Geometry.conv_transpose(coarse, 3, stride=2, padding=1), view).svg()
    assert time.process_time() - start < 1


def test_axes_beyond_what_python_counts_are_refused():
    with pytest.raises(ValueError) as error:
        figure(Geometry.conv_transpose(2**62, 3, stride=2))
    assert (
        str(error.value)
        == "figure: geometry must have at most 2**62 cells an axis to be drawn; got 9223372036854775809"
    )


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        ("matplotlib", "Matplotlib", "figure(up).save('a.png')"),
        ("matplotlib", "Matplotlib", "animate(up, 'scatter', 'a.gif')"),
        ("PIL", "Pillow", "animate(up, 'scatter', 'a.gif')"),
    ],
)
def test_what_is_missing_is_said_plainly(tmp_path, module, name, call):
    code = (
        f"import sys, tconv\nfrom tconv.draw import animate, figure\n"
        f"sys.modules[{module!r}] = None\nup = tconv.Geometry.conv_transpose(3, 3)\n"
        f"figure(up).save('a.svg')\n"
        f"try: {call}\nexcept ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f"tconv.draw needs {name}, which is not installed: pip install 'tconv[draw]'\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]


def test_pictures_need_neither_matplotlib_nor_pillow_until_they_are_painted():
    code = (
        "import sys, tconv\n"
        "assert 'tconv.draw' not in sys.modules\n"
        "tconv.draw.figure(tconv.Geometry.conv_transpose((3, 3), 3, stride=2)).svg()\n"
        "print([name for name in ('matplotlib', 'PIL') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


PHOTO = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14


def test_a_photograph_is_painted_pixel_by_pixel():
    sheet = Sheet(200, 100, "", "", (Rect(0, 0, 200, 100, "sheet", 0), Photo(20, 10, 90, 60, PHOTO)))
    for width in (200, 400):
        painted, scale = raster.pixels(sheet, THEMES["dark"], width), width // 200
        np.testing.assert_array_equal(painted[10 * scale : 70 * scale, 20 * scale : 110 * scale],
                                      PHOTO.repeat(30 * scale, 0).repeat(30 * scale, 1))  # fmt: skip
        assert "#{:02x}{:02x}{:02x}".format(*painted[70 * scale, 50 * scale]) == THEMES["dark"].paper


def test_a_photograph_is_in_the_svg_file():
    sheet = Sheet(200, 100, "", "", (Photo(20, 10, 90, 60, PHOTO),))
    [(at, data)] = re.findall(
        r'<image (.*) preserve.* href="data:image/png;base64,(.*)"/>', svg(sheet, THEMES["light"])
    )
    assert at == 'x="20" y="10" width="90" height="60"'
    with Image.open(BytesIO(b64decode(data))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), PHOTO)
