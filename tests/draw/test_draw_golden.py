"""A dozen pictures, byte for byte: whoever changes how pictures look looks at these.

    pytest tests/draw/test_draw_golden.py --update-golden

writes them anew.
"""

from pathlib import Path

import pytest
from drawn import NAMED

from tconv.draw import figure

pytestmark = pytest.mark.quick

FOLDER = Path(__file__).with_name("golden")
#: By the name of the file a view, a geometry of `drawn.py`, a language and a theme.
PICTURES = {
    "both": ("both", "a kernel over padding", "en", "light"),
    "matrix": ("matrix", "a matrix of 4 by 16", "en", "light"),
    "gather-transpose": ("gather", "the transpose of it", "en", "light"),
    "gather-zeros": ("gather", "zeros inserted", "en", "dark"),
    "scatter": ("scatter", "padding crops", "zh", "dark"),
    "scatter-adds": ("scatter", "padding that adds", "en", "light"),
    "scatter-window": ("scatter", "a window of it", "en", "light"),
    "sizes": ("sizes", "the remainder", "en", "light"),
    "sizes-zh": ("sizes", "one axis", "zh", "light"),
    "coverage": ("coverage", "gaps", "en", "light"),
    "phases": ("phases", "dilation", "en", "light"),
    "phases-slice": ("phases", "a slice of it", "zh", "dark"),
    "channels": ("channels", "padding crops", "en", "light"),
    "channels-slice": ("channels", "a slice of it", "zh", "dark"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_what_they_were(name, request):
    view, geometry, language, theme = PICTURES[name]
    drawn = figure(NAMED[geometry], view, lang=language, theme=theme).svg()
    path = FOLDER / f"{name}.svg"
    if request.config.getoption("update_golden"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(drawn, "utf-8")
    assert drawn == path.read_text("utf-8"), f"look at what has changed in {path.name}, then --update-golden"


def test_no_picture_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(PICTURES)
