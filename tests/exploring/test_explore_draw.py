"""The page draws what the library draws: the same scenes, the same sheets to the last bit, the same text of a file."""

from __future__ import annotations

import json
import re
from math import prod
from random import Random
from typing import Any

import numpy as np
import pytest
from drawn import NAMED, random_geometry
from port import ask, record

from tconv import Geometry
from tconv.draw import VIEWS, figure, words
from tconv.draw.layout import NARROW, WIDE, place
from tconv.draw.svg import svg
from tconv.draw.text import width, wrapped
from tconv.draw.themes import THEMES

EVERY = 300
#: Grids and kernels for which values are given have so many, at most.
VALUES = 250
#: Doubles hold every integer below; a step beyond is none of the page's.
EXACT = 2**53
FORMS = {"wide": WIDE, "narrow": NARROW}
CHANNELS = ("in_channels", "out_channels", "groups")

every_view = pytest.mark.parametrize("view", VIEWS)


def larger(rng: Random) -> Geometry:
    """Of which a picture shows a part: up to 40 cells an axis, or up to 100,000."""
    ndim = rng.choice((1, 1, 2, 2, 3))
    large = rng.random() < 0.4

    def each(most: int) -> tuple[int, ...]:
        return tuple(rng.choice((1, 2, 3, rng.randint(1, most), rng.randint(1, most))) for _ in range(ndim))

    while True:
        coarse, kernel = each(100_000 // 10 ** (ndim - 1) if large else 40), each(12 if ndim < 3 else 6)
        stride, dilation = each(rng.choice((9, 9, 300))), each(rng.choice((1, 1, 4, 11)))
        padding = tuple((rng.randint(-4, 9), rng.randint(-4, 9)) for _ in range(ndim))
        extra = tuple(rng.randrange(max(s, d)) for s, d in zip(stride, dilation, strict=True))
        try:
            found = Geometry.conv_transpose(
                coarse, kernel, stride=stride, padding=padding, dilation=dilation, output_padding=extra
            )
        except ValueError:  # nothing of it is left
            continue
        if 2 * prod(found.kernel) * prod(found.fine) < EXACT // 8:
            return found


def geometries(view: str) -> list[Geometry]:
    """Named ones and random ones, other ones for each view."""
    rng = Random(view)
    drawn = [random_geometry(rng.randrange(10**6)) if rng.random() < 0.5 else larger(rng) for _ in range(EVERY)]
    return [*NAMED.values(), *drawn]


def eighths(rng: Random, shape: tuple[int, ...]) -> list[Any]:
    """Numbers whose products and sums are exact, however they are added up; many lie in the midst of two decimals."""
    count = prod(shape)
    if rng.random() < 0.3:
        values = [rng.randint(-40, 40) for _ in range(count)]
    else:  # JSON has no whole floats: one that is none makes floats of all
        values = [0.125, *(rng.choice((-3, 1, 80)) * rng.randrange(999) / 8 for _ in range(count - 1))]
    return np.array(values).reshape(shape).tolist()


def some_channels(rng: Random) -> dict[str, int]:
    """Few of them, many, and as many groups as channels."""
    groups = rng.choice((1, 1, 2, 3, 8, 1000))
    return dict(zip(CHANNELS, (groups * rng.choice((1, 1, 2, 7, 64, 10**6)) for _ in range(2)), strict=False)) | {
        "groups": groups
    }


def questions(view: str) -> list[tuple[Geometry, dict[str, Any]]]:
    """Geometries with a step of the view, a language, a theme, a form of the sheet, and values where they are few."""
    rng = Random(f"{view} options")
    found = []
    for geometry in geometries(view):
        channels = some_channels(rng) if VIEWS[view].channels and rng.random() < 0.7 else {}
        steps = channels.get("out_channels") or VIEWS[view].steps(geometry)
        step = rng.choice((None, 0, steps - 1, rng.randrange(steps), rng.randrange(steps)))
        asked = {"step": step, "lang": rng.choice(("en", "zh")), "theme": rng.choice(("light", "dark"))}
        asked.update(channels)
        asked["form"] = rng.choice(("wide", "wide", "narrow"))
        for name, shape in (("x", geometry.coarse), ("w", geometry.kernel)):
            if prod(shape) <= VALUES and rng.random() < 0.3:
                asked[name] = eighths(rng, shape)
        found.append((geometry, asked))
    return found


def as_json(value: Any) -> Any:
    """As the page gives it back, which says in digits what doubles do not hold."""
    text = json.dumps(value, default=lambda each: {name: getattr(each, name) for name in each.__slots__})
    return json.loads(
        text, parse_int=lambda digits: digits if len(digits) > 15 and int(digits) >= EXACT else int(digits)
    )


@every_view
def test_scenes_sheets_and_files_are_those_of_the_library(view):
    asked = questions(view)
    drawn = ask(["figure", record(geometry), view, options] for geometry, options in asked)
    for number, ((geometry, options), page) in enumerate(zip(asked, drawn, strict=True)):
        given = {name: options.get(name) for name in ("step", "x", "w", "lang", "theme", *CHANNELS)}
        picture = figure(geometry, view, **given)
        where = f"{geometry!r}, {view}, {options}"
        assert page["scene"] == as_json(picture.scene), where
        if picture.scene.aligned and number % 2:
            continue  # the library takes long to place it
        sheet = place(picture.scene, picture.language, FORMS[options["form"]])
        assert page["sheet"] == as_json(sheet), where
        if geometry in NAMED.values():
            assert page["svg"] == svg(sheet, THEMES[picture.theme]), where


@every_view
def test_steps_are_as_many_and_the_first_is_the_same(view):
    drawn = geometries(view)
    told = ask(["steps", record(geometry), view] for geometry in drawn)
    first = ask(["first", record(geometry), view] for geometry in drawn)
    assert told == [VIEWS[view].steps(geometry) for geometry in drawn]
    assert first == [VIEWS[view].first(geometry) for geometry in drawn]


def test_views_and_sentences_are_those_of_the_library():
    views, sentences = ask([["views"], ["sentences"]])
    assert views == list(VIEWS)
    assert sentences == {key: list(said) for key, said in words._known.items()}


def test_text_is_as_wide_and_broken_at_the_same_places():
    texts = [text for said in words._known.values() for text in said]
    asked = [(text, size, *how) for text in texts for size, how in ((18, (True, False)), (20.3, (False, True)))]
    assert ask(["width", *each] for each in asked) == [
        width(text, size, bold=bold, mono=mono) for text, size, bold, mono in asked
    ]
    assert ask(["wrapped", text, size, 240, bold, mono] for text, size, bold, mono in asked) == [
        [*wrapped(text, size, 240, bold=bold, mono=mono)] for text, size, bold, mono in asked
    ]


def test_cells_of_a_live_picture_say_what_they_are():
    geometry = NAMED["padding crops"]
    plain, live = ask(["figure", record(geometry), "both", {"step": 0, "live": live}] for live in (False, True))
    assert "data-of" not in plain["svg"]
    named = [item["of"] for item in live["sheet"]["items"] if item.get("of")]
    assert re.findall(r'<rect [^>]*data-of="([^"]*)"', live["svg"]) == named
    assert "y[0,0] w[1,1]" in named
    assert re.sub(r' data-of="[^"]*"', "", live["svg"]) == plain["svg"]


def test_what_cannot_be_drawn_is_refused_in_the_words_of_the_library():
    geometry = NAMED["zeros inserted"]
    for view, options in (
        ("scatter", {"step": 4}),
        ("scatter", {"step": -1}),
        ("round", {}),
        ("both", {"lang": "la"}),
        ("both", {"theme": "blue"}),
        ("both", {"out_channels": 4}),
        ("channels", {"in_channels": 0}),
        ("channels", {"groups": 2, "in_channels": 3}),
        ("channels", {"groups": 2, "out_channels": 3}),
        ("channels", {"out_channels": 3, "step": 3}),
    ):
        (said,) = ask([["figure", record(geometry), view, options]])
        with pytest.raises(ValueError) as refused:
            figure(geometry, view, **options)
        assert said == {"error": str(refused.value).splitlines()[0].removeprefix("figure: ")}
    for values in ([[1, 2], [3]], [1, 2], [[1, 2], [3, "4"]], 3):
        (said,) = ask([["figure", record(geometry), "scatter", {"x": values}]])
        assert said == {"error": "x must be an array of numbers of shape (2, 2)"}
