"""Tables of whole models in all ways that people run them: `benchmarks.whole_models`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.pages.figures import DASH, Summary, ratio, summary, time, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row
from tconv.bench.report import geomean

EAGER, COMPILED = "eager", "torch.compile"
#: The ways that have tconv in them.
OURS = ("accelerate", "accelerate and compile")
#: The order of columns, whichever got ready first.
ORDER = (EAGER, "channels last", OURS[0], COMPILED, OURS[1], "onnxruntime", "openvino")
#: Results that differ by more, at the largest value, are marked.
LIMIT = 1e-4


def ways(record: Record) -> list[str]:
    """Every model: the time as it is, and how many times as fast it is in each way."""
    others = [name for name in _ways(record) if name != EAGER]
    rows = [
        [row["model"], row["inputs"], time(row, EAGER, ".4g"), *(_marked(row, name) for name in others)]
        for row in record.rows
    ]
    return table(["model", "inputs", "eager ms", *others], rows, words=["inputs"])


def in_short(*records: Record) -> list[str]:
    """Each way in a line, on one thread and then on both cores."""
    columns = ["geometric mean", "of mostly convolutions", "least", "models"]
    names = list(dict.fromkeys(name for record in records for name in _ways(record) if name != EAGER))
    rows = [[name, *(cell for record in records for cell in _means(record, name))] for name in names]
    return table(["way", *columns * len(records)], rows)


def ahead(*records: Record) -> list[str]:
    """Of how many models tconv's ways are ahead of what else there is."""
    there = [name for name in OURS if any(name in _ways(record) for record in records)]
    rows = [[name, *(cell for record in records for cell in _ahead(record, name))] for name in there]
    columns = ["ahead of frozen torch.compile", "ahead of all others"]
    return table(["way", *columns * len(records)], rows)


def together(*records: Record) -> list[str]:
    """What compiling behind `accelerate` gives over the better of both alone."""
    columns, cells = ["geometric mean", "least", "behind by more than 2 %"], []
    for record in records:
        ratios = [found for row in record.rows if (found := _over_the_better(row)) is not None]
        behind = sum(each < 0.98 for each in ratios)
        cells += [two(geomean(ratios)), two(min(ratios)), f"{behind} of {len(ratios)}"] if ratios else [DASH] * 3
    return table(["accelerate and compile, over the better of both", *columns * len(records)], [["", *cells]])


def _over_the_better(row: Row) -> float | None:
    alone = [row["ms"][name] for name in (OURS[0], COMPILED) if name in row["ms"]]
    return min(alone) / row["ms"][OURS[1]] if len(alone) == 2 and OURS[1] in row["ms"] else None


def failures(record: Record) -> list[str]:
    """Which models do not run in a way, and why."""
    return [
        f"- {row['model']}, {name}: `{reason}`" for row in record.rows for name, reason in row["failures"].items()
    ] or ["None."]


def of_all(record: Record) -> Summary:
    """How many times as fast as they are all models are, accelerated."""
    return summary(record, OURS[0], [ratio(row, "", EAGER, OURS[0]) for row in record.rows])


def _ways(record: Record) -> list[str]:
    there = {name: None for row in record.rows for name in row["ms"]}
    return [name for name in ORDER if name in there] + [name for name in there if name not in ORDER]


def _marked(row: Row, name: str) -> str:
    found = two(ratio(row, "", EAGER, name))
    return f"{found} (differs)" if (row["differs"].get(name) or 0.0) > LIMIT else found


def _means(record: Record, name: str) -> list[str]:
    every = _ratios(record.rows, EAGER, name)
    mostly = _ratios([row for row in record.rows if row["convolutional"]], EAGER, name)
    means = [two(geomean(ratios)) if ratios else DASH for ratios in (every, mostly)]
    return [*means, two(min(every, default=None)), str(len(every))]


def _ratios(rows: Iterable[Row], slow: str, fast: str) -> list[float]:
    return [found for row in rows if (found := ratio(row, "", slow, fast)) is not None]


def _ahead(record: Record, name: str) -> list[str]:
    rows = [row for row in record.rows if name in row["ms"]]
    frozen = _ratios(rows, COMPILED, name)
    best = [min(_others(row)) / row["ms"][name] for row in rows if _others(row)]
    return [_counted(frozen), _counted(best)]


def _others(row: Row) -> list[float]:
    return [ms for name, ms in row["ms"].items() if name not in OURS]


def _counted(ratios: Sequence[float]) -> str:
    return f"{sum(each > 1 for each in ratios)} of {len(ratios)}"
