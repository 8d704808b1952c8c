"""A channel or a kernel as a whole: a small grid in the place of a cell, with its text below."""

from __future__ import annotations

from tconv.draw.scene import Cell
from tconv.draw.sheet import Item, Path, Rect, Text
from tconv.draw.text import fitting

#: Cells of the small grid along an axis, at most: where there are more it has no lines, and "…" says so.
MOST = 8
#: Of the cell, how much the small grid and its text may fill across and down, and of that the least that a side takes.
WIDE, HIGH, LEAST = 0.76, 0.72, 0.3
#: Text below: of the cell's width, at least and at most; with the gap above it, in its own size; and the sign "…".
TEXT, SMALLEST, LARGEST, LINE, SIGN = 0.27, 15, 20, 1.2, 16


def plate(cell: Cell, x: float, y: float, c: float, h: float) -> list[Item]:
    """The small grid of a cell whose upper left corner is there, c wide and h high."""
    bold = cell.kind.endswith("-on")
    size = fitting(cell.text, min(LARGEST, max(SMALLEST, c * TEXT)), WIDE * c, bold=bold)
    wide, high = WIDE * c, HIGH * h - size * LINE
    rows, columns = (min(n, MOST) for n in cell.grid)
    edge = min(wide / columns, high / rows)
    w, t = (max(side, LEAST * wide) for side in (edge * columns, edge * rows))
    left, top = x + (c - w) / 2, y + (h - t - size * LINE) / 2
    items: list[Item] = [Rect(left, top, w, t, cell.kind, 3, cell.of)]
    if max(cell.grid) > MOST:
        sign = min(SIGN, 0.9 * min(w, t))
        items.append(Text(left + w / 2, top + t / 2 + 0.12 * sign, "…", sign, f"on:{cell.kind}", "middle"))
    elif cell.grid != (1, 1):
        items.append(_lines(cell, left, top, w, t))
    role = cell.kind.removesuffix("-on")
    items.append(Text(x + c / 2, top + t + size * (LINE - 0.1), cell.text, size, role, "middle", bold))
    return items


def _lines(cell: Cell, left: float, top: float, w: float, h: float) -> Path:
    """Between the cells of the small grid."""
    rows, columns = cell.grid
    across = [left + w * n / columns for n in range(1, columns)]
    down = [top + h * n / rows for n in range(1, rows)]
    commands = [(name, x, y) for x in across for name, y in (("M", top), ("L", top + h))]
    commands += [(name, x, y) for y in down for name, x in (("M", left), ("L", left + w))]
    return Path(tuple(commands), f"lines-{cell.kind}")
