"""What a benchmark leaves behind: the records in `benchmarks/results/`, from which `benchmarks.pages` writes tables.

A record says on what, when and by which command was measured, and holds a row a line, in the units measured, with as
many digits as mean something. What follows from its figures, such as ratios and geometric means, it leaves to the
pages. Every benchmark whose figures have a page takes `--record FILE`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tconv.bench import machine

RESULTS = Path(__file__).parent / "results"
#: What is set for a run, and changes what it measures.
VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "TCONV_ISA",
    "ONEDNN_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
)
#: Options that name a file to write: they are no part of what was measured.
FILES = ("--record", "--json")
DIGITS = 5

Row = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One run of one command."""

    command: str  #: "" where none makes it anew
    machine: Mapping[str, Any]  #: as `tconv.bench.machine.describe` has it
    rows: Sequence[Row]
    #: Figures of rows that are not kept, by the name that the pages have for them.
    summary: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Record:
        """From a file; ValueError names it where it holds something else."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path.name} is no record: {error}") from error

    def write(self, path: Path) -> None:
        """To a file that a diff can be read of."""
        path.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """JSON with an entry a line."""
        parts = [f' "command": {_json(self.command)}', f' "machine": {_lines(self.machine)}']
        if self.summary:
            parts.append(f' "summary": {_lines(self.summary)}')
        rows = ",\n".join(f"  {_json(row)}" for row in self.rows)
        parts.append(f' "rows": [\n{rows}\n ]' if rows else ' "rows": []')
        return "{\n" + ",\n".join(parts) + "\n}\n"


def record_option(parser: argparse.ArgumentParser) -> None:
    """`--record FILE`."""
    parser.add_argument(
        "--record", metavar="FILE", type=Path, help="write the figures that the pages of docs/performance/ show"
    )


def keep(path: Path | None, rows: Iterable[Row], packages: Sequence[str] = ()) -> None:
    """Write what this process has measured, if that was asked for; with the versions of further packages."""
    if path is not None:
        on = machine.describe()
        on["versions"].update(_versions(packages))
        Record(command(), on, list(rows)).write(path)


def command() -> str:
    """What runs now, as a shell takes it, without the files that it writes."""
    variables = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    spec = sys.modules["__main__"].__spec__
    program = ["python", "-m", spec.name] if spec else [Path(sys.argv[0]).name]
    return shlex.join([*variables, *program, *without_files(sys.argv[1:])])


def without_files(arguments: Iterable[str]) -> list[str]:
    """Arguments but for the options of FILES and their values."""
    kept, rest = [], iter(arguments)
    for word in rest:
        if word in FILES:
            next(rest, None)
        elif word.split("=")[0] not in FILES:
            kept.append(word)
    return kept


def milliseconds(seconds: Mapping[str, float | None]) -> dict[str, float]:
    """Of those that have a time, with the digits that are kept."""
    return {name: digits(value * 1e3) for name, value in seconds.items() if value is not None}


def digits(value: float) -> float:
    """The number with as many digits as are kept."""
    return float(f"{value:.{DIGITS}g}")


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _lines(entries: Mapping[str, Any]) -> str:
    return "{\n" + ",\n".join(f"  {_json(name)}: {_json(value)}" for name, value in entries.items()) + "\n }"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
