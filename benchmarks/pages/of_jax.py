"""Tables of `tconv.jax` against lax."""

from __future__ import annotations

from benchmarks.pages.figures import DASH, Summary, quantiles, ratio, significant, summary, time, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row

OURS = ("conv_transpose", "lax_conv_transpose")
MODES = ("forward", "gradients")
#: A ratio below this is more than two runs of the same program differ.
LEAST = 0.95


def forward(record: Record) -> list[str]:
    """The results alone."""
    return _layers(record, "forward")


def gradients(record: Record) -> list[str]:
    """With the gradients by x and w."""
    return _layers(record, "gradients")


def in_short(record: Record) -> list[str]:
    """Geometric means."""
    rows = [[f"{ours}, {mode}", *of_all(record, ours, mode).cells()] for mode in MODES for ours in OURS]
    return table(["", "layers", "geometric mean", "least", f"below {LEAST}"], rows)


def distribution(record: Record) -> list[str]:
    """Ratios on many layers, forward."""
    rows, names = [], [""]
    for ours in OURS:
        ratios = [_over_lax(row, ours) for row in record.rows]
        found = quantiles(record, f"{ours}, forward", ratios)
        shares = of_all(record, ours, "forward")
        below = DASH if shares.below is None else f"{shares.below} of {shares.layers}"
        rows.append([ours, *map(significant, found.values()), significant(shares.mean), below])
        names = ["lax over", *found, "geometric mean", f"below {LEAST}"]
    return table(names, rows)


def of_all(record: Record, ours: str, mode: str) -> Summary:
    """The ratios of all layers on which lax was measured."""
    ratios = (_over_lax(row, ours) for row in record.rows if row["mode"] == mode)
    return summary(record, f"{ours}, {mode}", ratios, LEAST)


def _layers(record: Record, mode: str) -> list[str]:
    rows = [
        [row["layer"], time(row, "lax", ".2f"), *(cell for ours in OURS for cell in _cells(row, ours))]
        for row in record.rows
        if row["mode"] == mode
    ]
    return table(["layer", "lax ms", *(word for ours in OURS for word in (f"{ours} ms", "ratio"))], rows)


def _cells(row: Row, ours: str) -> list[str]:
    return [time(row, ours, ".2f"), two(_over_lax(row, ours))]


def _over_lax(row: Row, ours: str) -> float | None:
    return ratio(row, ours, "lax", ours)
