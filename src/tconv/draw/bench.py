"""The chart of `tconv bench`: a row of bars a layer; of many layers, their sorted ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tconv.bench import report
from tconv.bench.record import Record
from tconv.bench.report import Row
from tconv.checks import count
from tconv.draw.page import BLUE, GREY, INK, ORANGE, RULE, Page

DPI = 150
WIDTH, MARGIN = 9.0, 0.35
#: From the left edge: where bars start and how long the longest may be; the ratio stands at the right edge.
START, LENGTH = 1.75, 4.75
TOP, LINE, BAR = 1.35, 0.36, 0.095
TITLES = {
    "conv_transpose": "Transposed convolution",
    "conv": "Its gradient by the input",
    "weight_gradient": "Its gradient by the weights",
}
#: Above so many layers the ratios are drawn as a curve.
MOST_ROWS = 40
CURVE = 3.2


def save(record: Record, path: Path) -> None:
    """Write the chart in the format of the file's extension."""
    form = path.suffix.lower().removeprefix(".")
    undated = {"Date": None} if form == "svg" else None  # the same record gives the same file
    draw(record).figure.savefig(path, format=form, dpi=DPI, metadata=undated)


def draw(record: Record) -> Page:
    """The chart on a page."""
    rows = [report.row(measured, record.options["layout"]) for measured in record.rows]
    rows = [row for row in rows if row.ours is not None]
    if len(rows) > MOST_ROWS:
        page = Page.blank(WIDTH, TOP + CURVE + 0.75, DPI)
        _head(page, record, f"Ratio to the best peer on {count(len(rows), 'random layer')}", rows)
        _draw_curve(page, rows)
    else:
        page = Page.blank(WIDTH, TOP + LINE * len(rows) + 0.25, DPI)
        _head(page, record, f"{TITLES[record.options['operation']]}: GFLOP/s of useful work", rows)
        _draw_bars(page, rows)
    return page


def _head(page: Page, record: Record, title: str, rows: Sequence[Row]) -> None:
    on, how = record.machine, record.options
    page.text(MARGIN, 0.48, title, 15, weight="bold")
    threads = count(how["threads"], "thread")
    where = f"float32, {how['layout'].replace('_', ' ')}, {threads} of {on['processor']} ({on['instructions']})"
    page.text(MARGIN, 0.74, f"{where}, {on['date']}", 9, color=GREY)
    found = report.summary(row.ours.over_best for row in rows if row.ours)
    if found is not None:
        mean = f"geometric mean {found.geomean:.2f} x the best peer"
        page.text(WIDTH - MARGIN, 0.48, mean, 9, color=GREY, ha="right")


def _draw_bars(page: Page, rows: Sequence[Row]) -> None:
    kinds: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
        (
            "tconv, prepared" if any(row.prepared for row in rows) else "tconv",
            BLUE,
            lambda row: None if row.ours is None else row.ours.seconds,
        ),
        ("best peer", ORANGE, lambda row: row.best_seconds),
        ("PyTorch, functional call", RULE, lambda row: row.torch_seconds),
    )
    _legend(page, [(name, color) for name, color, _ in kinds])
    speeds = [[_gflops(row, seconds(row)) for _, _, seconds in kinds] for row in rows]
    most = max((speed for each in speeds for speed in each), default=1.0) or 1.0
    for number, (row, each) in enumerate(zip(rows, speeds, strict=True)):
        top = TOP + number * LINE
        page.text(START - 0.1, top + 0.19, row.layer.name, 9, ha="right")
        for place, (speed, (_, color, _)) in enumerate(zip(each, kinds, strict=True)):
            page.bar(START, top + place * BAR, LENGTH * speed / most, BAR * 0.9, color)
        page.text(START + LENGTH * each[0] / most + 0.06, top + 0.085, f"{each[0]:.0f}", 7.5)
        _verdict(page, row, top + 0.19)


def _verdict(page: Page, row: Row, line: float) -> None:
    """Write at the right edge the ratio, and to whom."""
    if row.ours is not None and row.ours.over_best is not None:
        page.text(WIDTH - MARGIN - 1.3, line, f"{row.ours.over_best:.2f} x", 9, weight="bold", ha="right")
        page.text(WIDTH - MARGIN - 1.22, line, row.best_peer, 8, color=GREY)


def _legend(page: Page, kinds: Sequence[tuple[str, str]]) -> None:
    for number, (name, color) in enumerate(kinds):
        left = START + number * 1.3
        page.bar(left, TOP - 0.38, 0.16, 0.12, color)
        page.text(left + 0.22, TOP - 0.27, name, 9)
    page.text(WIDTH - MARGIN, TOP - 0.27, "tconv / best peer", 8, color=GREY, ha="right")


def _gflops(row: Row, seconds: float | None) -> float:
    return 0.0 if seconds is None else row.layer.flops / seconds / 1e9


def _draw_curve(page: Page, rows: Sequence[Row]) -> None:
    """Every layer a point, from the lowest ratio to the highest, on a logarithmic scale."""
    ratios = sorted(row.ours.over_best for row in rows if row.ours and row.ours.over_best is not None)
    axes = page.axes(MARGIN + 0.35, TOP - 0.2, WIDTH - 2 * MARGIN - 0.35, CURVE)
    axes.set_axis_on()
    axes.set_facecolor("none")
    axes.set_yscale("log", base=2)
    axes.axhline(1, color=GREY, linewidth=0.8)
    axes.plot([100 * (i + 0.5) / len(ratios) for i in range(len(ratios))], ratios, ".", color=BLUE, markersize=5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the layers have a lower ratio", fontsize=9, color=GREY)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
