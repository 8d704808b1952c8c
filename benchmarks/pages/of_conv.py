"""The table of ordinary convolutions."""

from __future__ import annotations

import statistics

from benchmarks.pages.figures import DASH, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row

WAYS = ("torch contiguous", "torch channels last", "tconv channels first", "tconv channels last")


def layers(record: Record) -> list[str]:
    """Each way on each layer, and the better one of PyTorch's over the better one of tconv's."""
    ratios = [_ratio(row) for row in record.rows]
    rows = [
        [row["layer"], *(_time(row, way) for way in WAYS), two(ratio)]
        for row, ratio in zip(record.rows, ratios, strict=True)
    ]
    columns = ["layer", *(f"{way} ms" for way in WAYS), "ratio"]
    mean = f"Geometric mean {two(statistics.geometric_mean(ratios))}, least {two(min(ratios))}."
    return [*table(columns, rows), "", mean]


def _time(row: Row, way: str) -> str:
    return f"{row['ms'][way]:.3g}" if way in row["ms"] else DASH


def _ratio(row: Row) -> float:
    def best(who: str) -> float:
        return min(value for name, value in row["ms"].items() if name.split()[0] == who)

    return best("torch") / best("tconv")
