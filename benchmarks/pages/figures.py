"""Numbers that follow from a record: ratios, geometric means, and how they are written.

A figure that stands in a record is taken from there, because the times beside it are too coarse to give it, or were not
kept. Everything else is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from benchmarks.record import Record, Row
from tconv.bench import report
from tconv.bench.layers import public

DASH = "-"


class Summary(NamedTuple):
    """Many ratios in a few numbers."""

    layers: int
    mean: float  #: geometric
    least: float
    below: int | None  #: how many are below a limit; None where nobody counted

    def cells(self) -> list[str]:
        """For a table."""
        return [str(self.layers), two(self.mean), two(self.least), DASH if self.below is None else str(self.below)]


def summary(record: Record, name: str, ratios: Iterable[float | None], limit: float = 1.0) -> Summary:
    """What the record says under this name, or else of these ratios, as far as there are any."""
    if name in record.summary:
        kept = record.summary[name]
        return Summary(kept["layers"], kept["mean"], kept["least"], kept.get("below"))
    there = [ratio for ratio in ratios if ratio is not None]
    if not there:
        raise ValueError(f"a record of `{record.command}` has no {name}")
    return Summary(len(there), report.geomean(there), min(there), sum(ratio < limit for ratio in there))


def quantiles(record: Record, name: str, ratios: Iterable[float | None]) -> dict[str, float]:
    """The distribution, from the same places."""
    kept: Mapping[str, Any] = record.summary.get(name, {})
    return kept.get("quantiles") or report.quantiles(ratio for ratio in ratios if ratio is not None)


def ratio(row: Row, name: str, slow: str, fast: str) -> float | None:
    """How many times as fast; None where one of the two has no time."""
    kept = row.get("ratio", {})
    if isinstance(kept, float | int):
        return kept
    times = row.get("ms", {})
    if name in kept:
        return float(kept[name])
    return times[slow] / times[fast] if slow in times and fast in times else None


def gflops(row: Row, name: str) -> float | None:
    """Useful operations of a layer, in billions a second."""
    if name in row.get("gflops", {}):
        return float(row["gflops"][name])
    return public()[row["layer"]].flops / row["ms"][name] / 1e6 if name in row["ms"] else None


def time(row: Row, name: str, form: str = ".3f") -> str:
    """A time of the row, in its unit."""
    value = row.get("ms", {}).get(name)
    return DASH if value is None else format(value, form)


def two(value: float | None) -> str:
    """With two digits behind the point."""
    return DASH if value is None else f"{value:.2f}"


def significant(value: float) -> str:
    """With three digits that count, for ratios of any size."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def percent(share: float | None) -> str:
    """A share of one."""
    return DASH if share is None else f"{share:.0%}"
