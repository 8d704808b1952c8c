"""Every view of every geometry can be read: no text over text, nothing off the sheet, text within its cell."""

import json
from itertools import combinations

import pytest
from drawn import NAMED, random_geometry

from tconv.draw import VIEWS, figure
from tconv.draw.layout import NARROW, WIDE, place
from tconv.draw.scene import KINDS, Grid
from tconv.draw.sheet import Path, Rect, Text
from tconv.draw.svg import svg
from tconv.draw.text import width
from tconv.draw.themes import THEMES, ink, look
from tconv.draw.words import LANGUAGES, keys, say

pytestmark = pytest.mark.quick

every_view = pytest.mark.parametrize("view", VIEWS)
GEOMETRIES = [*NAMED.values(), *map(random_geometry, range(24))]


def box(text):
    """Left, top, right and bottom of a line of text, without what letters like g have below it."""
    wide = width(text.text, text.size, bold=text.bold, mono=text.mono)
    left = text.x - {"start": 0, "middle": wide / 2, "end": wide}[text.anchor]
    return left, text.y - 0.72 * text.size, left + wide, text.y


def overlap(a, b, by=1.0):
    return min(a[2], b[2]) - max(a[0], b[0]) > by and min(a[3], b[3]) - max(a[1], b[1]) > by


def sheets(view):
    for geometry in GEOMETRIES:
        for language in LANGUAGES:
            picture = figure(geometry, view, lang=language)
            for form in (WIDE, NARROW):
                yield geometry, language, picture.scene, place(picture.scene, language, form)


@every_view
def test_texts_do_not_meet_and_nothing_lies_off_the_sheet(view):
    for geometry, language, _, sheet in sheets(view):
        texts = [(item, box(item)) for item in sheet.items if isinstance(item, Text)]
        for item, (left, top, right, bottom) in texts:
            assert 0 <= left < right <= sheet.width, (geometry, item)
            assert 0 <= top < bottom <= sheet.height, (geometry, item)
        for (one, a), (other, b) in combinations(texts, 2):
            assert not overlap(a, b), f"{geometry!r}, {language}: {one.text!r} meets {other.text!r}"
        for item in sheet.items:
            if isinstance(item, Rect):
                assert 0 <= item.x <= item.x + item.w <= sheet.width + 1e-6, (geometry, item)
                assert 0 <= item.y <= item.y + item.h <= sheet.height + 1e-6, (geometry, item)
            if isinstance(item, Path):
                for _, *numbers in item.commands:
                    assert all(0 <= x <= sheet.width for x in numbers[::2]), (geometry, item)
                    assert all(0 <= y <= sheet.height for y in numbers[1::2]), (geometry, item)


@every_view
def test_what_must_be_read_is_large_enough(view):
    for name, geometry in NAMED.items():
        sheet = figure(geometry, view).sheet
        sizes = [item.size for item in sheet.items if isinstance(item, Text)]
        assert min(sizes) >= 10, (name, min(sizes))


@every_view
def test_scenes_are_data_of_known_kinds_in_every_language(view):
    for geometry, language, scene, sheet in sheets(view):
        assert json.loads(json.dumps(scene.to_dict()))["view"] == view
        assert 0 <= scene.step < scene.steps
        for row in scene.rows:
            for panel in row:
                if isinstance(panel, Grid):
                    assert len(panel.cells) == panel.rows * panel.columns > 0
                    assert {cell.kind for cell in panel.cells} <= set(KINDS), geometry
        assert sheet.title == say(scene.title, language) != ""


@every_view
def test_every_step_can_be_drawn_and_a_picture_is_the_same_twice(view):
    for name, geometry in NAMED.items():
        steps = VIEWS[view].steps(geometry)
        for step in {0, steps // 3, steps - 1}:
            assert figure(geometry, view, step=step).svg() == figure(geometry, view, step=step).svg(), name


@every_view
@pytest.mark.parametrize("theme", THEMES)
def test_every_role_has_a_look(view, theme):
    colors = THEMES[theme]
    for kind in KINDS:
        look(kind, colors)
        ink(f"on:{kind}", colors)
    for geometry in NAMED.values():
        assert svg(figure(geometry, view).sheet, colors).startswith("<svg xmlns=")


def test_sentences_have_the_same_arguments_in_every_language():
    for key in keys():
        from string import Formatter

        from tconv.draw.words import _known

        named = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in _known[key]]
        assert named[0] == named[1], key


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", THEMES)
def test_text_stands_out(theme):
    """4.5 to 1 and more, of every text on what lies below it."""
    t = THEMES[theme]
    pairs = [(ink(role, t), t.paper) for role in ("text", "grey", "faint", "coarse", "fine", "kernel")]
    pairs += [(ink(f"on:{kind}", t), look(kind, t).fill or t.paper) for kind in KINDS]
    pairs += [(t.kernel_text, t.fine_soft), (t.kernel_text, t.kernel_soft), (t.kernel_text, t.coarse_soft)]
    for text, below in pairs:
        light, dark = sorted((luminance(text), luminance(below)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, below)
