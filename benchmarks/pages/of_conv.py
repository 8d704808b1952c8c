"""The table of ordinary convolutions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.pages.figures import DASH, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row
from tconv.checks import count

WAYS = ("torch contiguous", "torch channels last", "tconv channels first", "tconv channels last")


def layers(record: Record) -> list[str]:
    """Each way on each layer, and the better one of PyTorch's over the better one of tconv's.

    Minimal filtering, which is not exact, stands beside the ratio, where a record has it.
    """
    ratios = [_best(row, "torch") / _best(row, "tconv") for row in record.rows]
    filtered = [row for row in record.rows if "error" in row]
    rows = [
        [row["layer"], *(_time(row, way) for way in WAYS), two(ratio), *(_filtered(row) if filtered else [])]
        for row, ratio in zip(record.rows, ratios, strict=True)
    ]
    columns = ["layer", *(f"{way} ms" for way in WAYS), "ratio"]
    mean = f"Geometric mean {two(statistics.geometric_mean(ratios))}, least {two(min(ratios))}."
    if not filtered:
        return [*table(columns, rows), "", mean]
    return [*table([*columns, "winograd ms", "ratio", "error"], rows), "", mean, "", *_about(filtered)]


def _filtered(row: Row) -> list[str]:
    """Minimal filtering in the better layout, PyTorch over it, and how far it is off."""
    if "error" not in row:
        return [DASH, DASH, DASH]
    best = _best(row, "winograd")
    return [f"{best:.3g}", two(_best(row, "torch") / best), f"{row['error']['winograd']:.1e}"]


def _about(filtered: Sequence[Row]) -> list[str]:
    """In short, and what the error is to be compared with."""
    torch, exact = (
        two(statistics.geometric_mean(_best(row, who) / _best(row, "winograd") for row in filtered))
        for who in ("torch", "tconv")
    )
    most = {who: max(row["error"][who] for row in filtered) for who in ("tconv", "winograd")}
    return [
        f"On {count(len(filtered), 'layer')} minimal filtering (`winograd`, in the better layout) is offered. It",
        f"counts for neither side, and is {torch} times as fast as PyTorch and {exact} times as tconv by the",
        "definition (geometric means). The error is the largest difference from sums in float64, over the largest of",
        f"these: at most {most['winograd']:.1e}, by the definition {most['tconv']:.1e}.",
    ]


def _time(row: Row, way: str) -> str:
    return f"{row['ms'][way]:.3g}" if way in row["ms"] else DASH


def _best(row: Row, who: str) -> float:
    """Milliseconds in the better layout."""
    return float(min(value for name, value in row["ms"].items() if name.split()[0] == who))
