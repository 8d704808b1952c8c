"""Tables of PyTorch: layers, small calls, compiled layers."""

from __future__ import annotations

from benchmarks.pages.figures import Summary, ratio, summary, time, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row

FORMATS = {"contiguous": "contiguous", "channels_last": "channels last"}
MODES = ("forward", "training")
#: Below this a layer has missed its target.
LEAST = 0.98


def contiguous(record: Record) -> list[str]:
    """The layers in PyTorch's own layout."""
    return _layers(record, "contiguous")


def channels_last(record: Record) -> list[str]:
    """The layers that have a channels_last format."""
    return _layers(record, "channels_last")


def means(one: Record, both: Record) -> list[str]:
    """Of all layers, on one thread and on both cores."""
    rows = []
    for form, words in FORMATS.items():
        for mode in MODES:
            found = [of_all(record, mode, form) for record in (one, both)]
            figures = [figure for each in found for figure in (two(each.mean), two(each.least))]
            rows.append([f"{mode}, {words}", str(found[0].layers), *figures])
    return table(["", "layers", "one thread: mean", "least", "both cores: mean", "least"], rows)


def random(record: Record) -> list[str]:
    """Of random layers, as far as they were measured."""
    there = {(row["mode"], row["format"]) for row in record.rows}
    rows = [
        [f"{mode}, {words}", *of_all(record, mode, form).cells()]
        for form, words in FORMATS.items()
        for mode in MODES
        if (mode, form) in there or f"{mode}, {form}" in record.summary
    ]
    return table(["", "layers", "geometric mean", "least", f"below {LEAST}"], rows)


def compiled(record: Record) -> list[str]:
    """A layer and a ReLU, eager and compiled."""
    modes = {"relu": "eager", "compiled": "compiled"}
    columns = [f"{words}: {who} ms" for words in modes.values() for who in ("torch.nn", "tconv")]
    rows = []
    for name in dict.fromkeys(row["layer"] for row in record.rows):
        found = [_one(record, name, "contiguous", mode) for mode in modes]
        rows.append([name, *(time(row, who, ".1f") for row in found for who in ("torch.nn", "tconv"))])
    return table(["layer", *columns], rows)


def calls(record: Record) -> list[str]:
    """Calls of layers of a few cells."""
    rows = [
        [row["mode"], row["layer"], f"{row['us']['torch']:.2f}", f"{row['us']['tconv']:.2f}", two(row["ratio"])]
        for row in record.rows
    ]
    return table(["mode", "layer", "torch us", "tconv us", "ratio"], rows, words=["layer"])


def of_all(record: Record, mode: str, form: str) -> Summary:
    """The ratios of all layers."""
    chosen = [row for row in record.rows if (row["mode"], row["format"]) == (mode, form)]
    return summary(record, f"{mode}, {form}", map(_over_torch, chosen), LEAST)


def _layers(record: Record, form: str) -> list[str]:
    columns = [f"{mode}: {word}" for mode in MODES for word in ("torch.nn ms", "tconv ms", "ratio")]
    names = dict.fromkeys(row["layer"] for row in record.rows if row["format"] == form)
    rows = [[name, *(cell for mode in MODES for cell in _cells(_one(record, name, form, mode)))] for name in names]
    return table(["layer", *columns], rows)


def _one(record: Record, layer: str, form: str, mode: str) -> Row:
    wanted = {"layer": layer, "format": form, "mode": mode}
    return next((row for row in record.rows if wanted.items() <= row.items()), {})


def _cells(row: Row) -> list[str]:
    return [time(row, "torch.nn", ".2f"), time(row, "tconv", ".2f"), two(_over_torch(row))]


def _over_torch(row: Row) -> float | None:
    return ratio(row, "", "torch.nn", "tconv")
