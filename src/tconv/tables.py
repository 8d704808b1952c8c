"""Tables as plain text, and names that are safe in them."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> list[str]:
    """Rows under a header as lines, every column as wide as its widest cell; those in `right` end together."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    moved = [
        [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(line, widths, columns, strict=True)
        ]
        for line in lines
    ]
    return ["  ".join(line).rstrip() for line in moved]


def printable(name: str) -> str:
    """A name as a terminal may show it: whoever made a file could have put commands to the terminal into it."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
