"""Tables of `tconv bench`: the engine against other libraries."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.pages.figures import DASH, Summary, gflops, percent, quantiles, ratio, summary, time, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row
from tconv.bench.layers import public

#: By name: whose time is divided by whose.
RATIOS = {
    "prepared / best peer": ("best", "prepared"),
    "functional / best peer": ("best", "functional"),
    "functional / PyTorch's": ("torch", "functional"),
}
OURS = ("prepared", "functional")
BOUNDS = {"compute": "multiply-adds", "memory": "memory"}
#: Layers that are listed of many.
LOWEST = 10


def prepared(record: Record) -> list[str]:
    """The prepared operator against the best peer."""
    columns = ["layer", "best peer", "its ms", "tconv ms", "ratio", "GFLOP/s", "roofline"]
    rows = [
        [row["layer"], row["best peer"], time(row, "best"), *_ours(row, "prepared", "prepared / best peer")]
        for row in record.rows
    ]
    return table(columns, rows, words=["best peer"])


def functional(record: Record) -> list[str]:
    """The functional call against PyTorch's and the best peer."""
    columns = ["layer", "PyTorch ms", "tconv ms", "ratio", "GFLOP/s", "roofline", "to the best peer"]
    rows = [
        [
            row["layer"],
            time(row, "torch"),
            *_ours(row, "functional", "functional / PyTorch's"),
            two(of(row, "functional / best peer")),
        ]
        for row in record.rows
    ]
    return table(columns, rows)


def in_short(record: Record) -> list[str]:
    """Geometric means of ratios, as far as they were measured."""
    rows = [[name, *found.cells()] for name in RATIOS if (found := of_all(record, name)) is not None]
    return table(["", "layers", "geometric mean", "least", "below 1"], rows)


def rooflines(record: Record) -> list[str]:
    """Shares of the roofline, by what bounds a layer."""
    rows = []
    for who in OURS:
        for bound, words in BOUNDS.items():
            rows.append([f"{who}, bound by {words}", *share(record, who, bound)])
    return table(["share of the roofline", "layers", "geometric mean", "least"], rows)


def distribution(record: Record) -> list[str]:
    """Ratios of the prepared operator on many layers."""
    name = "prepared / best peer"
    found = quantiles(record, name, (of(row, name) for row in record.rows))
    return table([name, *found], [["", *map(two, found.values())]])


def lowest(record: Record) -> list[str]:
    """The layers at the bottom, and what they are."""
    name = "prepared / best peer"
    rows = sorted(record.rows, key=lambda row: of(row, name) or float("inf"))[:LOWEST]
    cells = []
    for row in rows:
        milliseconds, over, *rest = _ours(row, "prepared", name)
        cells.append([row["layer"], over, row["best peer"], milliseconds, *rest, row["what"]])
    columns = ["layer", "ratio", "best peer", "tconv ms", "GFLOP/s", "roofline", "what it is"]
    return table(columns, cells, words=["best peer", "what it is"])


def mended(record: Record) -> list[str]:
    """Layers before and after a change, and what it was."""
    rows = [
        [row["layer"], row["what"], *(_span(row["ms"][name]) for name in ("before", "after", "best")), row["cause"]]
        for row in record.rows
    ]
    columns = ["layer", "what it is", "before ms", "after ms", "best peer ms", "cause, and what was done"]
    return table(columns, rows, words=["what it is", "cause, and what was done"])


def gradients(*records: Record) -> list[str]:
    """Ratios to PyTorch: channels first, channels last, and channels first on both cores."""
    held = [{row["layer"]: row for row in record.rows} for record in records]
    layers = [name for name in public() if any(name in rows for rows in held)]
    rows = [[name, *(_over_torch(each.get(name)) for each in held)] for name in layers]
    means = [of_all(record, "functional / best peer") for record in records]
    rows.append(["geometric mean", *(two(mean and mean.mean) for mean in means)])
    return table(["layer", "channels first", "channels last", "both cores"], rows)


def of(row: Row, name: str) -> float | None:
    """One of RATIOS."""
    return ratio(row, name, *RATIOS[name])


def of_all(record: Record, name: str) -> Summary | None:
    """One of RATIOS on all layers; None where it was not measured."""
    ratios = [of(row, name) for row in record.rows]
    there = name in record.summary or any(ratio is not None for ratio in ratios)
    return summary(record, name, ratios) if there else None


def share(record: Record, who: str, bound: str) -> list[str]:
    """How many layers are bound so, and the geometric mean and least of their shares of the roofline."""
    name = f"{who} / roofline, {bound}-bound"
    shares = [row["roofline"].get(who) for row in record.rows if row.get("bound") == bound]
    if name not in record.summary and not any(shares):
        return ["0", DASH, DASH]
    found = summary(record, name, shares)
    return [str(found.layers), percent(found.mean), percent(found.least)]


def _ours(row: Row, who: str, name: str) -> list[str]:
    speed = gflops(row, who)
    of_roof = row.get("roofline", {}).get(who)
    return [time(row, who), two(of(row, name)), DASH if speed is None else f"{speed:.1f}", percent(of_roof)]


def _over_torch(row: Row | None) -> str:
    return DASH if row is None else two(of(row, "functional / best peer"))


def _span(value: float | Sequence[float]) -> str:
    return " to ".join(map(str, value)) if isinstance(value, Sequence) else str(value)
