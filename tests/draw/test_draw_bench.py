"""The chart of `tconv bench`: numbers are those of the report, and nothing lies on anything, whatever was measured."""

from itertools import combinations
from random import Random

import pytest
from bench_layers import measured, record, small_layer
from test_draw_layout import box, overlap

from tconv.bench import report
from tconv.draw.bench import MOST_ROWS, _digits, save, sheet
from tconv.draw.sheet import Path, Rect, Text
from tconv.draw.text import cut, width
from tconv.draw.themes import THEMES

pytestmark = pytest.mark.quick

PEERS = ("torch", "torch.compile", "torch.channels_last", "onnxruntime", "openvino", "jax")
LONG = "a.layer.with.a.name.that.is.longer.than.any.layer.needs.and.still.longer"


def layers(count, peers=PEERS, spread=1.0, name="layer", prepared=True):
    """Made-up times around 100 GFLOP/s, by factors of up to 2**spread either way."""
    rng, found = Random(count), []
    for number in range(count):
        layer = small_layer(f"{name}.{number}")
        names = ("functional", *(["prepared"] if prepared else []), *peers)
        usual = layer.flops / 1e11
        found.append(measured(layer, {each: usual * 2 ** rng.uniform(-spread, spread) for each in names}))
    return found


RECORDS = {
    "usual": record(layers(29)),
    "long names": record(layers(4, name=LONG)),
    "one peer, PyTorch": record(layers(3, ("torch",))),
    "one peer, another": record(layers(3, ("openvino",))),
    "no peer": record(layers(3, ())),
    "values of 1000 times each other": record(layers(12, spread=5), operation="weight_gradient"),
    "values of 200,000 times each other": record(layers(12, spread=9, prepared=False), operation="conv"),
    "one layer": record(layers(1)),
    "nothing of ours": record([measured(small_layer(), {"torch": 1e-3})]),
    "nothing": record([]),
    "as many as have bars": record(layers(MOST_ROWS)),
    "a curve": record(layers(100)),
    "a steep curve": record(layers(300, spread=7)),
    "a curve of ones": record([measured(small_layer(str(n)), {"prepared": 1, "torch": 1}) for n in range(50)]),
    "a curve without peers": record(layers(60, ())),
}
RECORDS["a long processor"] = record(layers(2))
RECORDS["a long processor"].machine["processor"] = "a processor of which there is a lot to be said, " * 6


def texts(record):
    return [item for item in sheet(record).items if isinstance(item, Text)]


@pytest.mark.parametrize("name", RECORDS)
def test_nothing_lies_on_anything_or_off_the_sheet(name):
    drawn = sheet(RECORDS[name])
    boxes = [(item, box(item)) for item in drawn.items if isinstance(item, Text)]
    rects = [item for item in drawn.items if isinstance(item, Rect) and item.role != "sheet"]
    curve = any(isinstance(item, Path) for item in drawn.items)
    for item, (left, top, right, bottom) in boxes:
        assert 0 <= left < right <= drawn.width, item
        assert 0 <= top < bottom <= drawn.height, item
        assert item.size >= 18
        for bar in rects:
            assert not overlap((left, top, right, bottom), (bar.x, bar.y, bar.x + bar.w, bar.y + bar.h), 0), (item, bar)
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not overlap(a, b, 0), (one.text, other.text)
    for bar in rects:
        assert 0 <= bar.x < bar.x + bar.w <= drawn.width
        assert 0 <= bar.y < bar.y + bar.h <= drawn.height
    for a, b in [] if curve else combinations(rects, 2):
        assert not overlap((a.x, a.y, a.x + a.w, a.y + a.h), (b.x, b.y, b.x + b.w, b.y + b.h), 0)


@pytest.mark.parametrize("name", ["usual", "one peer, another", "values of 1000 times each other"])
def test_bars_are_as_long_as_the_speeds_that_they_say(name):
    drawn = sheet(RECORDS[name])
    rows = [report.row(row, "channels_first") for row in RECORDS[name].rows]
    speeds = [row.layer.flops / seconds / 1e9 for row in rows for seconds in (row.ours.seconds, row.best_seconds)]
    bars = [item for item in drawn.items if isinstance(item, Rect) and item.role in ("fine-on", "coarse-on")][2:]
    longest, most = max(bar.w for bar in bars), max(speeds)
    assert len(bars) == len(speeds)
    for bar, speed in zip(bars, speeds, strict=True):
        assert bar.w == pytest.approx(max(3, longest * speed / most))
    said = [text.text for text in texts(RECORDS[name])]
    assert all(_digits(speed) in said for speed in speeds)
    for row in rows:
        assert f"{_digits(row.ours.over_best, 2)} ×" in said


def test_peers_are_named_once_where_there_is_one():
    said = [text.text for text in texts(RECORDS["one peer, another"])]
    assert said.count("openvino") == 1
    assert "tconv / openvino" in said
    assert any(line.endswith("as fast as openvino") for line in said)
    assert not any("PyTorch" in line for line in said)
    said = [text.text for text in texts(RECORDS["one peer, PyTorch"])]
    assert said.count("torch") == 1
    assert not any("PyTorch" in line for line in said)  # it would be the same bar twice
    assert "PyTorch, functional call" in [text.text for text in texts(RECORDS["usual"])]
    assert not any("×" in text.text or "/ " in text.text for text in texts(RECORDS["no peer"])[2:])


def test_what_cannot_be_drawn_is_said():
    assert texts(RECORDS["nothing"])[-1].text == "No layer has a time of tconv."
    assert texts(RECORDS["nothing of ours"])[-1].text == "No layer has a time of tconv."
    assert texts(RECORDS["a curve without peers"])[-1].text == "No peer was measured."


def test_a_curve_has_a_dot_for_each_layer_from_the_lowest_to_the_highest():
    drawn = sheet(RECORDS["a curve"])
    dots = [item for item in drawn.items if isinstance(item, Rect) and item.role == "fine-on"]
    assert len(dots) == 100
    assert [dot.x for dot in dots] == sorted(dot.x for dot in dots)
    assert [dot.y for dot in dots] == sorted((dot.y for dot in dots), reverse=True)
    one = next(item.y for item in drawn.items if isinstance(item, Text) and item.text == "1") - 7
    ratios = [report.row(row, "channels_first").ours.over_best for row in RECORDS["a curve"].rows]
    assert sum(dot.y + dot.h / 2 > one for dot in dots) == sum(ratio < 1 for ratio in ratios)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_record_gives_the_same_file(tmp_path, theme, form):
    for name in ("one", "two"):
        save(RECORDS["usual"], tmp_path / f"{name}.{form}", theme)
    first, second = (tmp_path / f"{name}.{form}" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith({"svg": b"<svg", "png": b"\x89PNG"}[form])


@pytest.mark.parametrize(
    ("value", "said"),
    [(46060, "46,060"), (222.4, "222"), (85.06, "85.1"), (4.23, "4.2"), (0.214, "0.21"), (0.0031, "0.0031")],
)
def test_numbers_have_the_digits_that_tell_them_apart(value, said):
    assert _digits(value) == said


@pytest.mark.parametrize("room", [40, 100, 240])
def test_long_names_keep_their_start_and_their_end(room):
    short = cut(LONG, 20, room)
    start, end = short.split("…")
    assert width(short, 20) <= room < width(cut(LONG, 20, room + 20), 20) + 20
    assert LONG.startswith(start)
    assert LONG.endswith(end)
    assert cut("unet.up1", 20, 240) == "unet.up1"
