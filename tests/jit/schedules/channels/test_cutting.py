"""Rows that are cut where a tap comes upon x or leaves it: no product with the zeros beside a small grid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowered import in_use
from running import problem_of

import tconv
from tconv.jit.choice import model
from tconv.jit.description.describe import counted, describe
from tconv.jit.machine import isa
from tconv.jit.schedules import layouts
from tconv.jit.schedules.channels import sizes
from tconv.jit.schedules.channels.cutting import Cutting
from tests.fuzz.trial import VALUES

#: (conv or conv_transpose, sizes of the grid it reads, kernel, and the rest)
LAYERS = {
    "dilation beside a small volume": ("conv_transpose", (6, 7, 7), 3, {"padding": 2, "dilation": 2}),
    "dilation of half a row": ("conv", (28, 28), 3, {"padding": 12, "dilation": 12}),
    "dilation beyond a row": ("conv", (9, 9), 3, {"padding": 10, "dilation": 10}),
    "a stride": ("conv_transpose", (4, 4), 4, {"stride": 2, "padding": 1}),
    "a wide kernel": ("conv", (5, 6), 5, {"padding": 2}),
    "a strided conv": ("conv", (9, 11), 5, {"stride": 2, "padding": 3}),
    "cropped": ("conv_transpose", (5, 7), 5, {"padding": 3}),
    "padding that is cut off": ("conv", (9, 12), 3, {"padding": -1, "dilation": 2}),
    "output padding": ("conv_transpose", (5, 6), 3, {"stride": 3, "output_padding": 2}),
    "one axis": ("conv", (10,), 3, {"padding": 4, "dilation": 4}),
}


def given_problem(name, batch=3, channels=(32, 48)):
    operation, size, kernel, keywords = LAYERS[name]
    geometry = getattr(tconv.Geometry, operation)(size, kernel, **keywords)
    read, written = channels
    cin, cout = (read, written) if operation == "conv_transpose" else (written, read)
    return problem_of(geometry, batch=batch, cin=cin, cout=cout, operation=operation)


def cut(problem, last, name="avx512"):
    """The schedule of channels in lanes with its rows cut, whether that pays or not."""
    target = isa.ISAS[name]
    made = sizes.make(problem, layouts.layout_of(problem, last), target, "channels")
    return replace(made, cut_rows=True, in_place=last)


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("name", LAYERS)
def test_no_zero_is_multiplied(name, last):
    schedule = cut(given_problem(name), last)
    found = describe(schedule, isa.ISAS["avx512"], counts=counted(schedule, 1))
    assert found.flops == found.executed


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("name", LAYERS)
def test_the_panel_holds_no_zeros_beside_whole_rows(name, last):
    problem = given_problem(name)
    schedule = replace(cut(problem, last), in_place=False)
    whole = replace(schedule, cache_block=tuple(map(len, schedule.spans)))
    columns, line = len(whole.spans[-1]), whole.last
    reach = (columns - 1) * line.read_stride + 1
    assert whole.pitch - 1 <= max(line.read, reach + max(0, whole.spans[-1].start * line.read_stride))


@pytest.mark.parametrize("target", ["avx512", "avx2", "neon"])
@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("name", LAYERS)
def test_results(name, last, target, monkeypatch):
    """Of whole numbers, exact, with rows that are cut always."""
    problem = given_problem(name, channels=(5, 19))
    monkeypatch.setattr(sizes, "ZEROS", 2.0)
    monkeypatch.setattr(sizes, "WORTH", 1e9)
    rng = np.random.default_rng(0)
    operation, _, _, keywords = LAYERS[name]
    first = problem.x_shape if operation == "conv_transpose" else problem.y_shape
    shape = (first[0], first[1] * first[2], *first[3:])  # groups and channels
    a, w = (
        rng.choice(VALUES, each).astype(np.float32)
        for each in (shape, (problem.in_channels, problem.cout, *problem.geometry.kernel))
    )
    layout = "channels_last" if last else "channels_first"
    a = np.moveaxis(a, 1, -1).copy() if last else a
    with in_use(target):
        made = model.by_model(problem, last, isa.current())
        assert made.kind != "channels" or made.cuts
        found = getattr(tconv, operation)(a, w, layout=layout, method="jit", **keywords)
    np.testing.assert_array_equal(found, getattr(tconv, operation)(a, w, layout=layout, method="matrix", **keywords))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_model_counts_what_is_executed(data):
    """Its terms, weighted by pixels, are the products, whatever the tile."""
    name = data.draw(st.sampled_from(sorted(LAYERS)))
    problem, last = given_problem(name, batch=data.draw(st.integers(1, 5))), data.draw(st.booleans())
    layout = layouts.layout_of(problem, last)
    cutting = Cutting(layout.axes, 1, 0.0)
    rows, pixels = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 14))
    parts = cutting.parts()
    cells = cutting._cut(parts, float, pixels, rows, rows)  # a cycle a pixel
    schedule = cut(problem, last)
    products = counted(schedule, 1).products
    read = problem.in_channels if LAYERS[name][0] == "conv_transpose" else problem.out_channels
    written = problem.out_channels if LAYERS[name][0] == "conv_transpose" else problem.in_channels
    assert cells * read * written == products


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize(("name", "pays"), [("dilation of half a row", True), ("dilation beside a small volume", True)])
def test_where_it_pays(name, pays, last):
    problem = given_problem(name, batch=1, channels=(512, 256))
    made = model.by_model(problem, last, isa.ISAS["avx512"])
    assert (made.cut_rows, made.in_place) == (pays, pays and last)


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_long_rows_are_left_whole(last):
    """A few zeros at their ends cost less than more tiles."""
    problem = problem_of(tconv.Geometry.conv((28, 28), 3, padding=1), batch=1, cin=128, cout=128, operation="conv")
    assert not model.by_model(problem, last, isa.ISAS["avx512"]).cut_rows
