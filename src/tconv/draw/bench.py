"""The chart of `tconv bench`: rows of bars, a row a layer; of many layers, their sorted ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2
from pathlib import Path as File

from tconv.bench import report
from tconv.bench.record import Record
from tconv.bench.report import Row
from tconv.checks import count
from tconv.draw.sheet import Item, Path, Rect, Sheet, Text
from tconv.draw.svg import svg
from tconv.draw.text import cut, width, wrapped
from tconv.draw.themes import THEMES
from tconv.extras import need
from tconv.placing import write

WIDTH, MARGIN = 1600, 70
TITLE, NOTE, NAME, VALUE = 38, 20, 22, 18
#: A bar with its value beside it, the bar in it, and the gap between layers.
LANE, BAR, BETWEEN = 24, 19, 18
#: Width that names of layers and of libraries have, at most.
NAMES, PEERS = 360, 300
#: Between parts of a row, a bar and its value, a swatch and its text, an entry of the legend and the next one.
GAP, CLOSE, SWATCH, NEXT = 20, 8, 30, 48
TITLES = {
    "conv_transpose": "Transposed convolution",
    "conv": "Its gradient by the input",
    "weight_gradient": "Its gradient by the weights",
}
#: Above so many layers the ratios are drawn as a curve: its height, at least that of a power of two, and a dot of it.
MOST_ROWS = 40
CURVE, POWER, DOT = 560, 36, 7


@dataclass(frozen=True)
class Kind:
    """What bars of a colour are."""

    name: str
    role: str
    seconds: Callable[[Row], float | None]


def save(record: Record, path: File, theme: str = "light") -> None:
    """Write the chart in the format of the file's extension: svg, or png with matplotlib."""
    if path.suffix.lower() == ".svg":
        write(path, svg(sheet(record), THEMES[theme]).encode())
        return
    need("matplotlib", "Matplotlib", "draw")
    from tconv.draw.raster import encoded

    write(path, encoded(sheet(record), THEMES[theme], "png"))


def sheet(record: Record) -> Sheet:
    """The chart, placed."""
    rows = [report.row(measured, record.options["layout"]) for measured in record.rows]
    rows = [row for row in rows if row.ours is not None]
    curve = len(rows) > MOST_ROWS
    title = f"{TITLES[record.options['operation']]}: GFLOP/s of useful work"
    if curve:
        title = f"Ratio to the best peer on {count(len(rows), 'layer')}"
    notes = _notes(record, rows)
    items: list[Item] = []
    y = 78.0
    for line in wrapped(title, TITLE, WIDTH - 2 * MARGIN, bold=True):
        items.append(Text(MARGIN, y, line, TITLE, bold=True))
        y += 46
    for line in (line for note in notes for line in wrapped(note, NOTE, WIDTH - 2 * MARGIN)):
        items.append(Text(MARGIN, y, line, NOTE, "grey"))
        y += 30
    if not rows:
        items.append(Text(MARGIN, y + 30, "No layer has a time of tconv.", NAME))
        y += 50
    else:
        y = (_curve if curve else _bars)(rows, y + 26, items)
    height = round(y + 30)
    return Sheet(WIDTH, height, title, " ".join(notes), (Rect(0, 0, WIDTH, height, "sheet", 0), *items))


def _notes(record: Record, rows: Sequence[Row]) -> list[str]:
    """How and on what was measured, and the mean."""
    on, how = record.machine, record.options
    threads = count(how["threads"], "thread")
    where = f"float32, {how['layout'].replace('_', ' ')}, {threads} of {on['processor']} ({on['instructions']})"
    notes = [f"{where}, {on['date']}"]
    found = report.summary(row.ours.over_best for row in rows if row.ours)
    if found is not None:
        peer = _one_peer(rows) or "the best peer"
        notes.append(
            f"In the geometric mean of {count(found.count, 'layer')} {_digits(found.geomean, 2)} × as fast as {peer}"
        )
    return notes


def _one_peer(rows: Sequence[Row]) -> str:
    """The best peer where it is the same for all layers; "" else."""
    names = {row.best_peer for row in rows}
    return names.pop() if len(names) == 1 else ""


def _kinds(rows: Sequence[Row]) -> list[Kind]:
    """The bars of a layer, from top to bottom: those that some layer has, and none twice."""
    ours = "tconv, prepared" if any(row.prepared for row in rows) else "tconv"
    kinds = [Kind(ours, "fine-on", lambda row: None if row.ours is None else row.ours.seconds)]
    if any(row.best_seconds is not None for row in rows):
        kinds.append(Kind(_one_peer(rows) or "best peer", "coarse-on", lambda row: row.best_seconds))
    if any(row.torch_seconds not in (None, row.best_seconds) for row in rows):
        kinds.append(Kind("PyTorch, functional call", "coarse", lambda row: row.torch_seconds))
    return kinds


def _bars(rows: Sequence[Row], y: float, items: list[Item]) -> float:
    """A layer below the other: its name, its bars with their values, the ratio, and to whom; where that ends."""
    kinds = _kinds(rows)
    names = [cut(row.layer.name, NAME, NAMES) for row in rows]
    ratios = [_ratio(row) for row in rows]
    peers = ["" if _one_peer(rows) else cut(row.best_peer, NOTE, PEERS) for row in rows]
    speeds = [[_gflops(row, kind.seconds(row)) for kind in kinds] for row in rows]
    # From the left: a name, its bars, the longest with its value beside it, the ratio, and to whom.
    left = MARGIN + _widest(names, NAME) + GAP
    whom = WIDTH - MARGIN - _widest(peers, NOTE)
    ratio = whom - (GAP if any(peers) else 0)
    there = [speed for each in speeds for speed in each if speed is not None]
    end = ratio - _widest(ratios, NAME, bold=True) - GAP - _widest(map(_digits, there), VALUE) - CLOSE
    y = _legend(kinds, left, y, items)
    if any(ratios):
        items.append(Text(WIDTH - MARGIN, y - 46, f"tconv / {kinds[1].name}", NOTE, "grey", "end"))
    for name, each, said, peer in zip(names, speeds, ratios, peers, strict=True):
        middle = y + LANE * len(kinds) / 2 + NAME * 0.36
        items.append(Text(left - GAP, middle, name, NAME, anchor="end"))
        for number, (kind, speed) in enumerate(zip(kinds, each, strict=True)):
            if speed is not None:
                items += _bar(left, y + LANE * number, (end - left) * speed / max(there), kind.role, _digits(speed))
        items += [Text(ratio, middle, said, NAME, anchor="end", bold=True)] if said else []
        items += [Text(whom, middle, peer, NOTE, "grey")] if peer else []
        y += LANE * len(kinds) + BETWEEN
    return y


def _ratio(row: Row) -> str:
    return f"{_digits(row.ours.over_best, 2)} ×" if row.ours and row.ours.over_best is not None else ""


def _widest(texts: Iterable[str], size: float, *, bold: bool = False) -> float:
    return max(width(text, size, bold=bold) for text in texts)


def _bar(left: float, y: float, long: float, role: str, value: str) -> list[Item]:
    """A bar, and its value at its end, in a lane of its own: it lies on no other bar."""
    long = max(long, 3)
    bar = Rect(left, y + (LANE - BAR) / 2, long, BAR, role, 2)
    text = Text(left + long + CLOSE, y + LANE / 2 + VALUE * 0.36, value, VALUE, "text" if role == "fine-on" else "grey")
    return [bar, text]


def _legend(kinds: Sequence[Kind], left: float, y: float, items: list[Item]) -> float:
    x = left
    for kind in kinds:
        items.append(Rect(x, y - 17, 22, 20, kind.role, 2))
        items.append(Text(x + SWATCH, y, kind.name, NOTE))
        x += SWATCH + width(kind.name, NOTE) + NEXT
    return y + 46


def _gflops(row: Row, seconds: float | None) -> float | None:
    return None if seconds is None else row.layer.flops / seconds / 1e9


def _digits(value: float, decimals: int = 1) -> str:
    """A number with as many digits as it needs to be told from others: 222, 85.1, 4.2, 0.21, 0.0031."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{decimals}f}" if value >= 1 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def _curve(rows: Sequence[Row], y: float, items: list[Item]) -> float:
    """Every layer a dot, from the lowest ratio to the highest, on a logarithmic scale; where that ends."""
    ratios = sorted(row.ours.over_best for row in rows if row.ours and row.ours.over_best is not None)
    if not ratios:
        items.append(Text(MARGIN, y + 4, "No peer was measured.", NAME))
        return y + 24
    low, high = min(0, floor(log2(ratios[0]))), max(1, ceil(log2(ratios[-1])))
    labels = [f"{2**power:,}" if power >= 0 else f"1/{2**-power:,}" for power in range(low, high + 1)]
    left, right = MARGIN + _widest(labels, NOTE, bold=True) + GAP, WIDTH - MARGIN
    unit = max(CURVE / (high - low), POWER)
    foot = y + unit * (high - low)
    for power, label in enumerate(labels, low):
        at = foot - unit * (power - low)
        items.append(Path((("M", left, at), ("L", right, at)), "rule" if power else "link"))
        items.append(Text(left - GAP, at + 7, label, NOTE, "text", "end", bold=not power))
    for percent in range(0, 101, 20):
        x = left + (right - left) * percent / 100
        items.append(Path((("M", x, foot), ("L", x, foot + 8)), "link"))
        items.append(Text(x, foot + 34, f"{percent} %", NOTE, "text", "middle"))
    for number, ratio in enumerate(ratios):
        x, at = left + (right - left) * (number + 0.5) / len(ratios), foot - unit * (log2(ratio) - low)
        items.append(Rect(x - DOT / 2, at - DOT / 2, DOT, DOT, "fine-on", DOT / 2))
    said = "of the layers have a lower ratio"
    items.append(Text((left + right) / 2, foot + 66, said, NOTE, "grey", "middle"))
    return foot + 76
