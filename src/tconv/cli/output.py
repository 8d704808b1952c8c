"""What commands print: JSON for machines, aligned text for people, progress on the error stream of a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Progress(Protocol):
    """A function to call now and then, so that a long task can be watched."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """So many steps of so many are done, and this is being done now."""


#: Columns that hold every line: a pipe or a file has no width, but rich takes it for a terminal of 80.
UNBOUNDED = 100_000


#: Stands for a blank at which no line is broken, and is printed as one: rich breaks at every kind of blank.
_KEPT = "\ue000"


def console() -> Console:
    """Standard output as it is now. Rich leaves colour out for pipes and NO_COLOR.

    Lines are wrapped to the width of a terminal, or to COLUMNS where that is set, and nowhere else.
    """
    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, markup=False, emoji=False, width=None if bounded else UNBOUNDED)


def as_json(value: Any) -> None:
    """One JSON document, and nothing else, on standard output."""
    print(re.sub(r"\[\n[^\[\]{}]*\n\s*\]", _on_one_line, json.dumps(value, indent=2, ensure_ascii=False)))


def _on_one_line(listed: re.Match[str]) -> str:
    """A list of plain values; a line break in JSON is never inside a string."""
    return re.sub(r"\n\s*", " ", listed[0]).replace("[ ", "[", 1)[:-2] + "]"


def heading(text: str, out: Console) -> None:
    """A line above a section."""
    out.print()
    out.print(Text(text, style="bold"))


def facts(rows: Iterable[tuple[str, str]], out: Console) -> None:
    """Names on the left, what they are on the right; long values wrap within their column."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(name), Text(_unbroken(value)))
    _print(grid, out)


def _unbroken(text: str) -> str:
    """The text with blanks that no line breaks at within the innermost parentheses of formulas."""
    return re.sub(r"\([^()]{1,40}\)", lambda group: group[0].replace(" ", _KEPT), text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], out: Console, *, right: Sequence[str] = ()) -> None:
    """A table with a header; the columns named in `right` are numbers, aligned at their right end."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    _print(shown, out)


def code(line: str, out: Console) -> None:
    """A line to be copied: never wrapped, never styled."""
    out.print(Text(line), soft_wrap=True)


def _print(table: Table, out: Console) -> None:
    """Print a table without the spaces that fill its last column."""
    with out.capture() as captured:
        out.print(table)
    shown = captured.get().replace(_KEPT, " ")
    out.file.write(re.sub(r" +(?=(\x1b\[0m)?$)", "", shown, flags=re.MULTILINE))


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A bar on the error stream while the block runs, where that is a terminal; else silence."""
    if not sys.stderr.isatty():
        yield lambda done, total, what="": None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def report(done: int, total: int, what: str = "") -> None:
            bar.update(task, completed=done, total=total, description=what or title)

        yield report
