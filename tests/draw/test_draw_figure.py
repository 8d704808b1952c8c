"""`figure`: its arguments, what it refuses, what it saves."""

import subprocess
import sys

import numpy as np
import pytest

import tconv
from tconv import Geometry
from tconv.draw import VIEWS, figure

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


def test_a_geometry_draws_itself_in_a_notebook():
    assert UP._repr_svg_() == figure(UP).svg()
    assert figure(UP)._repr_svg_() == figure(UP).svg()


def test_pictures_need_neither_matplotlib_nor_pillow_until_they_are_painted():
    code = (
        "import sys, tconv\n"
        "assert 'tconv.draw' not in sys.modules\n"
        "tconv.draw.figure(tconv.Geometry.conv_transpose((3, 3), 3, stride=2)).svg()\n"
        "print([name for name in ('matplotlib', 'PIL') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
