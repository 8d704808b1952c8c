"""Tables of tconv in both layouts against peers in their best one."""

from __future__ import annotations

import statistics

from benchmarks.held import HELD_PEERS, LAYOUTS, ratio
from benchmarks.pages.figures import DASH, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row

WAYS = (*HELD_PEERS.values(), *(f"tconv {layout}" for layout in LAYOUTS))


def layers(record: Record) -> list[str]:
    """Each way on each layer, the best peer over each of tconv's layouts, and means."""
    rows = [
        [row["layer"], *(_time(row, way) for way in WAYS), *(two(ratio(row, layout)) for layout in LAYOUTS)]
        for row in record.rows
    ]
    columns = ["layer", *(f"{way} ms" for way in WAYS), *LAYOUTS]
    return [*table(columns, rows), "", *_means(record)]


def _time(row: Row, way: str) -> str:
    return f"{row['ms'][way]:.3g}" if way in row["ms"] else DASH


def _means(record: Record) -> list[str]:
    said = []
    for name, layouts in [*((f"tconv {each}", (each,)) for each in LAYOUTS), ("the better of both", LAYOUTS)]:
        ratios = [ratio(row, *layouts) for row in record.rows]
        said.append(f"- {name}: geometric mean {two(statistics.geometric_mean(ratios))}, least {two(min(ratios))}")
    return said
