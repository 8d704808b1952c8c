"""The view of channels: lit is what the operation with groups reads; its counts are those of w and of `work`."""

import re
from itertools import product

import numpy as np
import pytest
from drawn import NAMED, random_geometry
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import geometries
from test_draw_layout import box, overlap

import tconv
from tconv import Geometry
from tconv.draw import VIEWS, animate, figure
from tconv.draw.plates import MOST
from tconv.draw.scene import Words
from tconv.draw.sheet import Path, Rect, Text
from tconv.draw.words import LANGUAGES, say

pytestmark = pytest.mark.quick

UP = Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
SMALL = Geometry.conv_transpose(2, 2)
LINE = Geometry.conv_transpose(300, 16, stride=8)


@st.composite
def channels(draw, most=4):
    """Channels of the coarse grid, of the fine one, and groups."""
    groups, read, written = (draw(st.integers(1, most)) for _ in range(3))
    return {"in_channels": groups * read, "out_channels": groups * written, "groups": groups}


def shown(scene, name):
    """The cells of a panel by what is written below them, those that are left out apart."""
    return {cell.text: cell for cell in scene.grid(name).cells if cell.kind not in ("more", "gap")}


def summed(scene):
    """The (input channel, kernel) of the products of the sum, and whether all of them are there."""
    words = next(panel for panel in scene.rows[0] if isinstance(panel, Words))
    lines = [said.args[0] for said, style in words.lines if style == "mono"]
    products = [(int(m), (int(a), int(b))) for m, a, b in re.findall(r"x\[(\d+)\] · w\[(\d+),(\d+)\]", " ".join(lines))]
    assert lines[0].startswith(f"y[{scene.step}] = ")
    return products, not any("…" in line for line in lines)


@settings(max_examples=40)
@given(geometries(max_ndim=2, small=True), channels(), st.data())
def test_the_sum_is_what_the_operation_computes(geometry, given, data):
    step = data.draw(st.integers(0, given["out_channels"] - 1))
    scene = figure(geometry, "channels", step=step, **given).scene
    rng = np.random.default_rng(step)
    x = rng.integers(-4, 5, (1, given["in_channels"], *geometry.coarse)).astype(float)
    w = rng.integers(-4, 5, (given["in_channels"], given["out_channels"] // given["groups"], *geometry.kernel))
    y = tconv.conv_transpose(x, w.astype(float), **geometry.keywords, groups=given["groups"])
    products, whole = summed(scene)
    assert whole
    total = sum(
        tconv.conv_transpose(x[:, m : m + 1], w[at][None, None].astype(float), **geometry.keywords)[0, 0]
        for m, at in products
    )
    np.testing.assert_array_equal(total, y[0, step])
    lit = [text for text, cell in shown(scene, "w").items() if cell.kind == "kernel-on"]
    assert lit == [f"{a},{b}" for _, (a, b) in products]
    assert [text for text, cell in shown(scene, "x").items() if cell.kind == "coarse-on"] == [
        f"x[{m}]" for m, _ in products
    ]
    assert [text for text, cell in shown(scene, "y").items() if cell.kind == "fine-on"] == [f"y[{step}]"]


@settings(max_examples=40)
@given(geometries(max_ndim=3), channels(8))
def test_the_numbers_are_those_of_the_weights_and_of_the_work(geometry, given):
    scene = figure(geometry, "channels", **given).scene
    cin, cout, groups = given.values()
    shape = (cin, cout // groups, *geometry.kernel)
    assert scene.facts[0].args[0].endswith(f" = ({', '.join(map(str, shape))})")
    for fact, number, alone in zip(
        scene.facts[1:],
        (int(np.prod(shape)), geometry.work(cin, cout, groups=groups).multiplications),
        (cin * cout * int(np.prod(geometry.kernel)), geometry.work(cin, cout).multiplications),
        strict=True,
    ):
        if groups > 1:
            assert fact.args[1:] == (groups, alone)
            fact = fact.args[0]
        *factors, result = fact.args
        assert np.prod(np.array(factors, object)) == result == number


@settings(max_examples=40)
@given(channels(3))
def test_kernels_stand_where_input_and_output_are_of_a_group(given):
    scene = figure(SMALL, "channels", **given).scene
    cin, cout, groups = given.values()
    grid, ids = scene.grid("w"), np.arange(groups)
    if any(cell.kind == "more" for cell in grid.cells):
        return
    assert (grid.rows, grid.columns) == (cin, cout)
    same = np.repeat(ids, cin // groups)[:, None] == np.repeat(ids, cout // groups)
    for (m, n), cell in zip(product(range(cin), range(cout)), grid.cells, strict=True):
        assert cell.text == (f"{m},{n % (cout // groups)}" if same[m, n] else "0")
        assert (cell.kind == "gap") == (not same[m, n])
    kernels = [cell for cell in grid.cells if cell.kind != "gap"]
    assert {cell.grid for cell in kernels} == {(1, 2)}
    assert len({cell.text for cell in kernels}) == len(kernels) == cin * cout // groups


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "2 groups: an output channel adds up 2 input channels"),
        ({"groups": 4}, "Depthwise: one kernel a channel, no channels are mixed"),
        ({"groups": 1}, "Each output channel is made of the one input channel"),
        ({"in_channels": 3}, "Each output channel adds up all 3 input channels"),
        ({"out_channels": 6, "groups": 2}, "2 groups: an input channel makes 3 output channels"),
    ],
)
def test_what_is_left_out_is_one_a_group(given, said):
    scene = figure(UP, "channels", **given).scene
    assert say(scene.title) == said
    groups = given.get("groups", 1) if given else 2
    rows, columns = (given.get(name, groups) if given else 4 for name in ("in_channels", "out_channels"))
    assert (scene.grid("w").rows, scene.grid("w").columns, scene.steps) == (rows, columns, columns)


def test_a_single_picture_shows_where_the_second_index_begins_anew():
    scene = figure(UP, "channels").scene
    assert (scene.step, [text for text, cell in shown(scene, "w").items() if cell.kind == "kernel-on"]) == (
        2,
        ["2,0", "3,0"],
    )
    assert figure(UP, "channels", in_channels=2, out_channels=5).scene.step == 2


def test_depthwise_is_a_diagonal():
    scene = figure(UP, "channels", groups=6).scene
    kinds = np.array([cell.kind != "gap" for cell in scene.grid("w").cells]).reshape(6, 6)
    assert (kinds == np.eye(6, dtype=bool)).all()
    assert scene.grid("y").brackets == ()


def test_brackets_are_the_groups_of_output_channels():
    scene = figure(UP, "channels", in_channels=2, out_channels=6, groups=2).scene
    assert [(b.column, b.columns, b.text) for b in scene.grid("y").brackets] == [(0, 3, "0"), (3, 3, "1")]
    assert figure(UP, "channels", out_channels=6).scene.grid("y").brackets == ()


def test_many_channels_are_a_window_around_the_step():
    given = {"in_channels": 1024, "out_channels": 512, "groups": 2}
    for step in (0, 255, 256, 511):
        scene = figure(UP, "channels", step=step, **given).scene
        grid = scene.grid("w")
        assert "more" in {cell.kind for cell in grid.cells}
        assert grid.rows * grid.columns < 100
        assert f"y[{step}]" in shown(scene, "y")
        products, whole = summed(scene)
        assert not whole
        assert [m for m, _ in products] == [step // 256 * 512 + i for i in (0, 1, 511)]
        assert f"{products[0][0]},{step % 256}" in shown(scene, "w")
        assert f"x[{products[0][0]}]" in shown(scene, "x")


CHANNELS = [
    {"in_channels": g * a, "out_channels": g * b, "groups": g}
    for g, a, b in ((1, 1, 1), (1, 12, 3), (2, 3, 4), (5, 1, 1), (3, 1, 4), (64, 1, 1), (2, 512, 256), (8, 250, 125))
]


@pytest.mark.parametrize("given", CHANNELS, ids=lambda given: "-".join(map(str, given.values())))
@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_do_not_meet_and_nothing_lies_off_the_sheet(given, language):
    for geometry in (*NAMED.values(), *map(random_geometry, range(8)), LINE):
        for step in {0, given["out_channels"] // 2, given["out_channels"] - 1}:
            sheet = figure(geometry, "channels", step=step, lang=language, **given).sheet
            texts = [(item, box(item)) for item in sheet.items if isinstance(item, Text)]
            for number, (item, place) in enumerate(texts):
                assert item.size >= 10, (geometry, item)
                assert 0 <= place[0] < place[2] <= sheet.width, (geometry, item)
                assert 0 <= place[1] < place[3] <= sheet.height, (geometry, item)
                for other, there in texts[:number]:
                    assert not overlap(place, there), f"{geometry!r}: {item.text!r} meets {other.text!r}"
            for item in sheet.items:
                if isinstance(item, Rect):
                    assert 0 <= item.x <= item.x + item.w <= sheet.width, (geometry, item)


def test_small_grids_have_a_line_between_cells_and_a_sign_where_there_are_too_many():
    def lines(size):
        sheet = figure(Geometry.conv_transpose((2, size), 1), "channels", groups=1).sheet
        found = [item for item in sheet.items if isinstance(item, Path) and item.role == "lines-coarse-on"]
        signs = [item for item in sheet.items if isinstance(item, Text) and item.role == "on:coarse-on"]
        return [len(item.commands) // 2 for item in found], len(signs)

    assert lines(1) == ([1], 0)
    assert lines(MOST) == ([MOST], 0)
    assert lines(MOST + 1) == ([], 1)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"in_channels": 0}, ValueError, "in_channels must be an integer of at least 1; got 0"),
        ({"out_channels": 2.0}, TypeError, "out_channels must be an integer of at least 1; got 2.0 of type float"),
        ({"groups": -1}, ValueError, "groups must be an integer of at least 1; got -1"),
        ({"groups": 2, "in_channels": 3}, ValueError, "groups must divide in_channels = 3; got 2"),
        ({"groups": 2, "out_channels": 5}, ValueError, "groups must divide out_channels = 5; got 2"),
        (
            {"in_channels": 2**62 + 1},
            ValueError,
            "in_channels must be at most 2**62 to be drawn; got 4611686018427387905",
        ),
        ({"out_channels": 5, "step": 5}, ValueError, "step must be below 5, the steps of this view; got 5"),
    ],
)
def test_errors(given, kind, text):
    with pytest.raises(kind) as error:
        figure(UP, "channels", **given)
    assert str(error.value) == f"figure: {text}"


@pytest.mark.parametrize("view", [name for name in VIEWS if name != "channels"])
@pytest.mark.parametrize("name", ["in_channels", "out_channels", "groups"])
def test_views_of_one_channel_refuse_channels(view, name, tmp_path):
    said = f'{name} must be left out for view "{view}", which shows one channel: view "channels" takes it; got 1'
    with pytest.raises(ValueError) as error:
        figure(UP, view, **{name: 1})
    assert str(error.value) == f"figure: {said}"
    with pytest.raises(ValueError) as error:
        animate(UP, view, tmp_path / "a.gif", **{name: 1})
    assert str(error.value) == f"animate: {said}"


def test_an_animation_has_a_frame_for_each_output_channel(tmp_path):
    seen = []
    animate(SMALL, "channels", tmp_path / "a.gif", out_channels=3, width=200, progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_as_many_channels_as_python_counts_are_drawn_at_once():
    scene = figure(UP, "channels", in_channels=2**62, out_channels=2**62, groups=2**10, step=2**61).scene
    assert scene.facts[0].args[0].endswith(f" = ({2**62}, {2**52}, 3, 3)")
