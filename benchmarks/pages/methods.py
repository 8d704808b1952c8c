"""Tables of the textbook methods, and of how well "auto" chooses among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.pages.figures import gflops, time
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row

METHODS = ("matrix", "zero_insertion", "gemm", "phases", "fft", "jit")
PICKS = ("conv_transpose, one thread", "conv_transpose, all cores", "conv, one thread", "weight_gradient, one thread")


def layers(record: Record) -> list[str]:
    """Every method that was measured on every layer."""
    rows = []
    names = [name for name in (*METHODS, "auto") if any(name in row["ms"] for row in record.rows)]
    for row in record.rows:
        speed = gflops(row, "auto")
        cells = [time(row, name, ".2f") for name in names]
        rows.append([row["layer"], _verdict(row), *cells, f"{speed:.1f}", f"{over_best(row):.3f}"])
    columns = [*(f"{name} ms" for name in names), "GFLOP/s", "picked / fastest"]
    return table(["layer", "auto picks", *columns], rows, words=["auto picks"])


def picks(*records: Record) -> list[str]:
    """On how many layers "auto" picks the fastest method, and what it loses at most; a record for each of PICKS."""
    rows = []
    for words, record in zip(PICKS, records, strict=True):
        found = chosen(record)
        most = f"{found['most'] - 1:.1%} ({found['most on']})" if found["most"] > 1 else "nothing"
        rows.append([words, f"{found['at 1']} of {found['layers']}", most])
    return table(["", "layers on which `auto` picks the fastest", "most it loses"], rows)


def chosen(record: Record) -> Mapping[str, Any]:
    """How many layers there are, on how many "auto" is at the fastest, and where it is furthest from it."""
    if "auto / best" in record.summary:
        return record.summary["auto / best"]
    ratios = {row["layer"]: over_best(row) for row in record.rows}
    worst = max(ratios, key=ratios.__getitem__)
    best = sum(each == 1 for each in ratios.values())
    return {"layers": len(ratios), "at 1": best, "most": ratios[worst], "most on": worst}


def over_best(row: Row) -> float:
    """The time of the method that was picked over that of the fastest."""
    return float(row["ms"][row["picked"]] / row["ms"][_fastest(row)])


def _fastest(row: Row) -> str:
    return min((name for name in METHODS if name in row["ms"]), key=row["ms"].__getitem__)


def _verdict(row: Row) -> str:
    fastest = _fastest(row)
    return row["picked"] if row["ms"][row["picked"]] == row["ms"][fastest] else f"{row['picked']}, best {fastest}"
