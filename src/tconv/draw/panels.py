"""Places one panel: a grid of cells with its caption, labels and frames; sentences; a sign."""

from __future__ import annotations

from dataclasses import dataclass

from tconv.draw.scene import Bracket, Cell, Grid, Panel, Sign, Words
from tconv.draw.sheet import Item, Path, Rect, Text
from tconv.draw.text import width, wrapped
from tconv.draw.words import say

CAPTION, NOTE, LINE = 24, 18, 26
#: Width that notes, sentences and long lines are broken at, at least, and that of a sign.
NARROW, SENTENCE, LONG, SIGN = 210, 300, 440, 44
#: Sizes of sentences by their style.
SIZES = {"bold": 26, "text": 20, "grey": 20, "mono": 20}
#: Of a cell: how much of it text may fill, and sizes of its text, a second line, and a corner.
FILLED, MAIN, SMALL, CORNER = 0.86, 0.37, 0.23, 0.21
MOST = 30
#: Of brackets: the distance of levels, and the size of their text.
LEVEL, NUMBER = 27, 18


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel on the sheet, and where arrows meet it."""

    left: float
    right: float
    bottom: float
    looked_at: float  #: the height of the middle of what is framed, or of all
    items: tuple[Item, ...]


def size_of(panel: Panel, cell: float, language: str) -> tuple[float, float]:
    """Width and height, without what stands above."""
    if isinstance(panel, Sign):
        return max(SIGN, width(panel.text, 44)), 0.0
    if isinstance(panel, Words):
        lines = _sentences(panel, language)
        wide = max((width(t, SIZES.get(s, 20), bold=s == "bold", mono=s == "mono") for t, s in lines), default=0)
        return wide, sum(_line(style) for _, style in lines)
    wide = panel.columns * panel.scale * cell + _before(panel)
    high = panel.rows * panel.scale * cell * panel.height + _below(panel)
    notes = [width(line, NOTE) for line in _note(panel, cell, language)]
    return max(wide, width(say(panel.caption, language), CAPTION, bold=True), *notes), high


def caption_height(panel: Panel, cell: float, language: str) -> float:
    """What stands above a panel: its caption, its note, the labels of its columns."""
    if not isinstance(panel, Grid):
        return 0.0
    labels = 34 if panel.column_labels else 0
    return (44 if say(panel.caption, language) else 0) + NOTE * 1.3 * len(_note(panel, cell, language)) + labels


def place_panel(panel: Panel, cell: float, x: float, y: float, language: str) -> Placed:
    """A panel with its upper left corner there; of a sign y is its middle."""
    if isinstance(panel, Sign):
        return Placed(x, x, y, y, (Text(x + SIGN / 2, y + 15, panel.text, 44, anchor="middle"),))
    if isinstance(panel, Words):
        return _words(panel, x, y, language)
    return _grid(panel, cell, x, y, language)


def _words(panel: Words, x: float, y: float, language: str) -> Placed:
    items: list[Item] = []
    for text, style in _sentences(panel, language):
        y += _line(style)
        size = SIZES.get(style, 20)
        items.append(Text(x, y - 8, text, size, style, bold=style == "bold", mono=style == "mono"))
    return Placed(x, x, y, y, tuple(items))


def _sentences(panel: Words, language: str) -> list[tuple[str, str]]:
    """The lines, broken where they are too long."""
    found: list[tuple[str, str]] = []
    room = LONG if panel.long else SENTENCE
    for said, style in panel.lines:
        size = SIZES.get(style, 20)
        found += [(line, style) for line in wrapped(say(said, language), size, room, bold=style == "bold")]
    return found


def _line(style: str) -> float:
    return SIZES.get(style, 20) * 1.5


def _before(grid: Grid) -> float:
    """Room for the labels of rows."""
    return max((width(text, 20, bold=True) + 18 for text, _ in grid.row_labels), default=0.0)


def _below(grid: Grid) -> float:
    """Room for the brackets."""
    return max((LEVEL * (bracket.level + 1) + 8.0 for bracket in grid.brackets), default=0.0)


def _note(grid: Grid, cell: float, language: str) -> list[str]:
    text = say(grid.note, language)
    room = max(NARROW, grid.columns * grid.scale * cell, width(say(grid.caption, language), CAPTION, bold=True))
    return wrapped(text, NOTE, room) if text else []


def _grid(grid: Grid, cell: float, x: float, y: float, language: str) -> Placed:
    c, left = cell * grid.scale, x + _before(grid)
    h = c * grid.height
    items: list[Item] = []
    notes = _note(grid, cell, language)
    above = y - caption_height(grid, cell, language)
    if caption := say(grid.caption, language):
        items.append(Text(left, above + 24, caption, CAPTION, grid.role, bold=True))
    for number, line in enumerate(notes):
        items.append(Text(left, above + 24 + NOTE * 1.3 * (number + 1) + 3, line, NOTE, "grey"))
    for column, (text, role) in enumerate(grid.column_labels):
        size = _fitting(text, min(20, c * MAIN * 1.1), c)
        items.append(Text(left + (column + 0.5) * c, y - 12, text, size, role, "middle"))
    for row, (text, role) in enumerate(grid.row_labels):
        items.append(Text(left - 14, y + (row + 0.5) * h + 7, text, 20, role, "end", bold=role != "faint"))
    cells = [
        _cell(each, left + number % grid.columns * c, y + number // grid.columns * h, c, h)
        for number, each in enumerate(grid.cells)
    ]
    items += [item for parts in cells for item in parts if isinstance(item, Rect)]
    for frame in grid.frames:
        at = left + frame.column * c - 3, y + frame.row * h - 3
        items.append(Rect(*at, frame.columns * c + 6, frame.rows * h + 6, f"frame-{frame.role}", 10))
    # Frames lie below the text of the cells beside them.
    items += [item for parts in cells for item in parts if not isinstance(item, Rect)]
    for bracket in grid.brackets:
        items.extend(_bracket(bracket, left, y + grid.rows * h, c))
    looked_at = [y + (frame.row + frame.rows / 2) * h for frame in grid.frames]
    middle = looked_at[0] if looked_at else y + grid.rows * h / 2
    return Placed(left, left + grid.columns * c, y + grid.rows * h + _below(grid), middle, tuple(items))


def _bracket(bracket: Bracket, left: float, bottom: float, c: float) -> list[Item]:
    """A line with a tooth below each column that it touches, open in its midst for the text."""
    y = bottom + LEVEL * (bracket.level + 0.5) + 6
    x0, x1 = left + bracket.column * c + 5, left + (bracket.column + bracket.columns) * c - 5
    middle, gap = (x0 + x1) / 2, width(bracket.text, NUMBER, bold=True) / 2 + 5
    lines: list[tuple[str | float, ...]] = [("M", x0, y), ("L", middle - gap, y), ("M", middle + gap, y), ("L", x1, y)]
    for column in bracket.teeth:
        x = left + (column + 0.5) * c
        end = y if abs(x - middle) > gap else y - 9  # above the text
        lines += [("M", x, y - 14), ("L", x, end)]
    text = Text(middle, y + NUMBER * 0.36, bracket.text, NUMBER, bracket.role, "middle", bold=True)
    return [Path(tuple(lines), f"bracket-{bracket.role}"), text]


def _cell(cell: Cell, x: float, y: float, c: float, h: float) -> list[Item]:
    items: list[Item] = [] if cell.kind in ("gap", "more") else [Rect(x, y, c, h, cell.kind)]
    role, bold = f"on:{cell.kind}", cell.kind.endswith("-on")
    lifted = 0.1 * h if cell.small else 0.0
    if cell.text:
        size = _fitting(cell.text, min(MOST, c * MAIN, h * 0.6), c, bold=bold)
        base = y + h / 2 + size * 0.36 - lifted
        items.append(Text(x + c / 2, base, cell.text, size, role, "middle", bold))
    if cell.small:
        size = _fitting(cell.small, c * SMALL, c)
        items.append(Text(x + c / 2, y + h * 0.84, cell.small, size, role if bold else "kernel", "middle"))
    if cell.corner:
        size = c * CORNER
        items.append(Text(x + c * 0.07, y + size, cell.corner, size, role))
    return items


def _fitting(text: str, size: float, c: float, *, bold: bool = False) -> float:
    """The size, or a smaller one with which a line fits into a cell."""
    wide = width(text, size, bold=bold)
    return round(size if wide <= FILLED * c else size * FILLED * c / wide, 1)
