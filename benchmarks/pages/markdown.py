"""Tables in Markdown, aligned so that the file reads as well as the page."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[str] = ()) -> list[str]:
    """Lines of a table. The first column and those named in `words` are aligned to the left, numbers to the right."""
    lines = [columns, *rows]
    left = [i == 0 or name in words for i, name in enumerate(columns)]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(columns))]
    if left[-1]:
        widths[-1] = 3  # long words at the end of a line need no blanks behind them
    rule = ["-" * width if to_left else "-" * (width - 1) + ":" for width, to_left in zip(widths, left, strict=True)]
    return [_line(line, widths, left) for line in (columns, rule, *rows)]


def _line(cells: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> str:
    padded = [
        cell.ljust(width) if to_left else cell.rjust(width)
        for cell, width, to_left in zip(cells, widths, left, strict=True)
    ]
    return "| " + " | ".join(padded) + " |"
