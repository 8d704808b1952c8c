"""What `tconv bench` prints: the machine, a table for each question, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console

from tconv.bench import report
from tconv.bench.peers import OURS, PEERS
from tconv.bench.record import MeasuredLayer, Record
from tconv.bench.report import Row, Speed
from tconv.checks import count
from tconv.cli import output

#: Above so many layers only the distribution is printed, and the layers at its bottom.
MOST_ROWS = 40


def show(record: Record, out: Console) -> None:
    """Everything, on this console."""
    rows = [report.row(measured, record.options["layout"]) for measured in record.rows]
    for line in conditions(record):
        out.print(line, soft_wrap=True)
    if len(rows) <= MOST_ROWS:
        _show_prepared(rows, out)
        _show_functional(rows, out)
        _show_everybody(record.rows, out)
    else:
        _show_distribution(rows, out)
    output.heading("In short", out)
    output.facts(_in_short(rows), out)
    if failures := list(_failures(record.rows)):
        output.heading("Failed", out)
        output.facts(failures, out)


def conditions(record: Record) -> Iterator[str]:
    """On what, with what and how it was measured, and who was missing."""
    on, how = record.machine, record.options
    yield f"{on['processor']}, {count(on['cores'], 'core')}, {on['instructions']}, {on['system']}, {on['date']}"
    yield ", ".join([f"Python {on['python']}", *(f"{name} {version}" for name, version in on["versions"].items())])
    effort = f"{count(how['threads'], 'thread')}, {count(how['rounds'], 'round')}"
    yield f"{how['operation']}, float32, {how['layout']}, {effort}"
    for name, reason in record.skipped.items():
        yield f"skipped: {name}: {reason}"


def _show_prepared(rows: Sequence[Row], out: Console) -> None:
    shown = [(row, row.prepared) for row in rows if row.prepared is not None]
    if not shown:
        return
    output.heading("The prepared operator, against the best peer in its best setting", out)
    columns = ["layer", "ms", "GFLOP/s", "roofline", "best peer", "its ms", "ratio"]
    cells = [[row.layer.name, *_speed(speed), row.best_peer or "-", *_best(row, speed)] for row, speed in shown]
    output.table(columns, cells, out, right=["ms", "GFLOP/s", "roofline", "its ms", "ratio"])


def _show_functional(rows: Sequence[Row], out: Console) -> None:
    shown = [(row, row.functional) for row in rows if row.functional is not None]
    if not shown:
        return
    output.heading("The functional call, against PyTorch's and against the best peer", out)
    columns = ["layer", "ms", "GFLOP/s", "roofline", "PyTorch ms", "ratio", "to the best"]
    cells = [
        [
            row.layer.name,
            *_speed(speed),
            _milliseconds(row.torch_seconds),
            _ratio(row.functional_over_torch),
            _ratio(speed.over_best),
        ]
        for row, speed in shown
    ]
    output.table(columns, cells, out, right=columns[1:])


def _show_everybody(measured: Sequence[MeasuredLayer], out: Console) -> None:
    names = [name for name in (*PEERS, *OURS) if any(name in each.timings for each in measured)]
    output.heading("GFLOP/s of useful work, everybody in the setting that was fastest", out)
    cells = [[each.layer.name, *(_gflops(each, name) for name in names)] for each in measured]
    output.table(["layer", *names], cells, out, right=names)


def _show_distribution(rows: Sequence[Row], out: Console) -> None:
    ratios = [row.ours.over_best for row in rows if row.ours and row.ours.over_best is not None]
    if not ratios:
        return
    output.heading(f"Ratio to the best peer on {count(len(ratios), 'layer')}", out)
    output.facts(((name, f"{value:.2f}") for name, value in report.quantiles(ratios).items()), out)
    output.heading("The lowest", out)
    columns = ["layer", "ratio", "best peer", "ms", "GFLOP/s", "roofline", "what it is"]
    cells = [
        [row.layer.name, _ratio(speed.over_best), row.best_peer, *_speed(speed), str(row.layer)]
        for row in report.worst(rows)
        if (speed := row.ours) is not None
    ]
    output.table(columns, cells, out, right=["ratio", "ms", "GFLOP/s", "roofline"])


def _in_short(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    ours = [(name, [getattr(row, name) for row in rows]) for name in ("prepared", "functional")]
    for name, speeds in ours:
        yield from _mean(f"{name} / best peer", (speed and speed.over_best for speed in speeds))
    yield from _mean("functional / PyTorch's", (row.functional_over_torch for row in rows))
    for name, speeds in ours:
        for bound, kind in ((True, "compute-bound"), (False, "memory-bound")):
            chosen = zip(rows, speeds, strict=True)
            shares = [speed.share for row, speed in chosen if speed and speed.share and row.compute_bound is bound]
            if shares:
                mean = f"geometric mean {report.geomean(shares):.0%} of {count(len(shares), 'layer')}"
                yield f"{name} / roofline", f"{kind}: {mean}, least {min(shares):.0%}"


def _mean(name: str, values: Iterable[float | None]) -> Iterator[tuple[str, str]]:
    found = report.summary(values)
    if found is not None:
        layers = count(found.count, "layer")
        yield (
            name,
            f"geometric mean {found.geomean:.2f} of {layers}, least {found.least:.2f}, {found.below_one} below 1",
        )


def _failures(measured: Sequence[MeasuredLayer]) -> Iterator[tuple[str, str]]:
    for each in measured:
        for name, settings in each.failures.items():
            for setting, reason in settings.items():
                yield f"{name} {setting}".removesuffix(" default"), f"{each.layer.name}: {reason}"


def _speed(speed: Speed) -> list[str]:
    share = "-" if speed.share is None else f"{speed.share:.0%}"
    return [_milliseconds(speed.seconds), f"{speed.gflops:.1f}", share]


def _best(row: Row, speed: Speed) -> list[str]:
    return [_milliseconds(row.best_seconds), _ratio(speed.over_best)]


def _gflops(measured: MeasuredLayer, name: str) -> str:
    seconds = measured.best(name)
    return "-" if seconds is None else f"{measured.layer.flops / seconds / 1e9:.1f}"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.3f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
