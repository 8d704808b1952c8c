"""Places one panel: a grid of cells with its caption, labels and frames; sentences; a sign."""

from __future__ import annotations

from dataclasses import dataclass

from tconv.draw.scene import Cell, Grid, Panel, Sign, Words
from tconv.draw.sheet import Item, Rect, Text
from tconv.draw.text import width, wrapped
from tconv.draw.words import say

CAPTION, NOTE, LINE = 24, 18, 26
#: Width that notes and sentences are broken at, at least, and that of a sign.
NARROW, SENTENCE, SIGN = 210, 300, 44
#: Sizes of sentences by their style.
SIZES = {"bold": 26, "text": 20, "grey": 20, "mono": 20}
#: Of a cell: how much of it text may fill, and sizes of its text, a second line, and a corner.
FILLED, MAIN, SMALL, CORNER = 0.86, 0.37, 0.23, 0.21
MOST = 30
#: What text of a cell and the letter in its corner are enlarged to where there is room: smaller ones are hard to read.
READ, MAIN_MOST, CORNER_MOST = 16, 0.54, 0.36


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel on the sheet, and where arrows meet it."""

    left: float
    right: float
    top: float
    bottom: float
    cell: float  #: the size of its cells
    looked_at: float  #: the height of the middle of what is framed, or of all
    items: tuple[Item, ...]


def size_of(panel: Panel, cell: float, language: str, before: float) -> tuple[float, float]:
    """Width and height, without what stands above; `before` is the room for labels, as `room_before` says."""
    if isinstance(panel, Sign):
        return max(SIGN, width(panel.text, 44)), 0.0
    if isinstance(panel, Words):
        lines = _sentences(panel, cell, language)
        wide = max((width(t, SIZES.get(s, 20), bold=s == "bold", mono=s == "mono") for t, s in lines), default=0)
        return before + wide, sum(_line(style) for _, style in lines)
    wide = max(
        (panel.columns + panel.shift) * panel.scale * cell,
        width(say(panel.caption, language), CAPTION, bold=True),
        *(width(line, NOTE) for line in _note(panel, cell, language)),
    )
    return before + wide, panel.rows * panel.scale * cell


def caption_height(panel: Panel, cell: float, language: str) -> float:
    """What stands above a panel: its caption, its note, the labels of its columns."""
    if not isinstance(panel, Grid):
        return 0.0
    labels = 34 if panel.column_labels else 0
    if not say(panel.caption, language):
        return labels
    return 44 + NOTE * 1.3 * len(_note(panel, cell, language)) + labels


def place_panel(panel: Panel, cell: float, x: float, y: float, language: str, before: float) -> Placed:
    """A panel with its upper left corner there, room for labels before its cells; of a sign y is its middle."""
    if isinstance(panel, Sign):
        return Placed(x, x, y, y, cell, y, (Text(x + SIGN / 2, y + 15, panel.text, 44, anchor="middle"),))
    if isinstance(panel, Words):
        return _words(panel, cell, x + before, y, language)
    return _grid(panel, cell, x + before, y, language)


def _words(panel: Words, cell: float, x: float, y: float, language: str) -> Placed:
    items: list[Item] = []
    top = y
    for text, style in _sentences(panel, cell, language):
        y += _line(style)
        size = SIZES.get(style, 20)
        items.append(Text(x, y - 8, text, size, style, bold=style == "bold", mono=style == "mono"))
    return Placed(x, x, top, y, cell, y, tuple(items))


def _sentences(panel: Words, cell: float, language: str) -> list[tuple[str, str]]:
    """The lines, broken where they are too long."""
    found: list[tuple[str, str]] = []
    room = max(SENTENCE, panel.columns * cell)
    for said, style in panel.lines:
        size = SIZES.get(style, 20)
        found += [(line, style) for line in wrapped(say(said, language), size, room, bold=style == "bold")]
    return found


def _line(style: str) -> float:
    return SIZES.get(style, 20) * 1.5


def room_before(panel: Panel) -> float:
    """Room for the labels of rows."""
    labels = panel.row_labels if isinstance(panel, Grid) else ()
    return max((width(text, 20, bold=True) + 18 for text, _ in labels), default=0.0)


def _note(grid: Grid, cell: float, language: str) -> list[str]:
    text = say(grid.note, language)
    room = max(NARROW, grid.columns * grid.scale * cell, width(say(grid.caption, language), CAPTION, bold=True))
    return wrapped(text, NOTE, room) if text else []


def _grid(grid: Grid, cell: float, x: float, y: float, language: str) -> Placed:
    c = cell * grid.scale
    left = x + grid.shift * c
    items: list[Item] = []
    notes = _note(grid, cell, language)
    above = y - caption_height(grid, cell, language)
    items.append(Text(x, above + 24, say(grid.caption, language), CAPTION, grid.role, bold=True))
    for number, line in enumerate(notes):
        items.append(Text(x, above + 24 + NOTE * 1.3 * (number + 1) + 3, line, NOTE, "grey"))
    for column, (text, role) in enumerate(grid.column_labels):
        size = _fitting(text, max(min(20, c * MAIN * 1.1), min(READ, c * MAIN_MOST)), c)
        items.append(Text(left + (column + 0.5) * c, y - 12, text, size, role, "middle"))
    for row, (text, role) in enumerate(grid.row_labels):
        items.append(Text(x - 14, y + (row + 0.5) * c + 7, text, 20, role, "end", bold=role != "faint"))
    for number, each in enumerate(grid.cells):
        row, column = divmod(number, grid.columns)
        items.extend(_cell(each, left + column * c, y + row * c, c))
    for frame in grid.frames:
        at = left + frame.column * c - 3, y + frame.row * c - 3
        items.append(Rect(*at, frame.columns * c + 6, frame.rows * c + 6, f"frame-{frame.role}", 10))
    looked_at = [y + (frame.row + frame.rows / 2) * c for frame in grid.frames]
    middle = looked_at[0] if looked_at else y + grid.rows * c / 2
    return Placed(left, left + grid.columns * c, y, y + grid.rows * c, c, middle, tuple(items))


def _cell(cell: Cell, x: float, y: float, c: float) -> list[Item]:
    items: list[Item] = [] if cell.kind in ("gap", "more") else [Rect(x, y, c, c, cell.kind)]
    role, bold = f"on:{cell.kind}", cell.kind.endswith("-on")
    lifted = 0.1 * c if cell.small else -0.1 * c if cell.corner else 0.0
    if cell.text:
        wanted = max(min(MOST, c * MAIN), min(READ, c * MAIN_MOST))
        size = _fitting(cell.text, wanted, c, bold=bold)
        base = y + c / 2 + size * 0.36 - lifted
        items.append(Text(x + c / 2, base, cell.text, size, role, "middle", bold))
    if cell.small:
        size = _fitting(cell.small, c * SMALL, c)
        items.append(Text(x + c / 2, y + c * 0.84, cell.small, size, role if bold else "kernel", "middle"))
    if cell.corner:
        size = max(c * CORNER, min(READ, c * CORNER_MOST))
        items.append(Text(x + c * 0.12, y + c * 0.04 + size, cell.corner, size, role))
    return items


def _fitting(text: str, size: float, c: float, *, bold: bool = False) -> float:
    """The size, or a smaller one with which a line fits into a cell."""
    wide = width(text, size, bold=bold)
    return round(size if wide <= FILLED * c else size * FILLED * c / wide, 1)
