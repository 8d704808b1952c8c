"""Places one panel: a grid of cells with its caption, labels and frames; sentences; a sign; some below each other."""

from __future__ import annotations

from dataclasses import dataclass

from tconv.draw.plates import plate
from tconv.draw.scene import Bracket, Cell, Grid, Panel, Sign, Stack, Words
from tconv.draw.sheet import Item, Path, Rect, Text
from tconv.draw.text import fitting, width, wrapped
from tconv.draw.words import say

CAPTION, NOTE, LINE = 24, 18, 26
#: Width that notes, sentences and long lines are broken at, at least, and that of a sign.
NARROW, SENTENCE, LONG, SIGN = 210, 300, 440, 44
#: Width that captions are broken at, and the distance of their lines.
TITLE, TITLE_LINE = 540, 30
#: The height of rows with labels, at least.
ROW = 16
#: Between panels that stand one below the other.
BELOW = 26
#: Sizes of sentences by their style.
SIZES = {"bold": 26, "text": 20, "grey": 20, "mono": 20}
#: Of a cell: how much of it text may fill, and sizes of its text, a second line, and a corner.
FILLED, MAIN, SMALL, CORNER = 0.86, 0.37, 0.23, 0.23
#: Text in a cell, at most; a second line that would be smaller than this is left out.
MOST, LEAST = 30, 11
#: What text of a cell and the letter in its corner are enlarged to where there is room: smaller ones are hard to read.
READ, MAIN_MOST, CORNER_MOST = 16, 0.54, 0.36
#: Of brackets: the distance of levels, and the size of their text.
LEVEL, NUMBER = 27, 18


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
    if isinstance(panel, Stack):
        placed = [(at, size_of(each, cell, language, before)) for each, at in stacked(panel, cell, 0, language)]
        return max(size[0] for _, size in placed), placed[-1][0] + placed[-1][1][1]
    if isinstance(panel, Words):
        lines = _sentences(panel, cell, language)
        wide = max((width(t, SIZES.get(s, 20), bold=s == "bold", mono=s == "mono") for t, s in lines), default=0)
        return before + wide, sum(_line(style) for _, style in lines)
    wide = max(
        (panel.columns + panel.shift) * panel.scale * cell,
        *(width(line, CAPTION, bold=True) for line in _caption(panel, language)),
        *(width(line, NOTE) for line in _note(panel, cell, language)),
    )
    return before + wide, panel.rows * _high(panel, cell * panel.scale) + _below(panel)


def caption_height(panel: Panel, cell: float, language: str) -> float:
    """What stands above a panel: its caption, its note, the labels of its columns."""
    if isinstance(panel, Stack):
        return caption_height(panel.panels[0], cell, language)
    if not isinstance(panel, Grid):
        return 0.0
    labels = 34 if panel.column_labels else 0
    if not say(panel.caption, language):
        return labels
    further = TITLE_LINE * (len(_caption(panel, language)) - 1)
    return 44 + further + NOTE * 1.3 * len(_note(panel, cell, language)) + labels


def stacked(panel: Panel, cell: float, y: float, language: str) -> list[tuple[Grid | Words | Sign, float]]:
    """The panels in the place of one, each with the height at which its upper edge lies."""
    if not isinstance(panel, Stack):
        return [(panel, y)]
    found: list[tuple[Grid | Words | Sign, float]] = []
    for each in panel.panels:
        y += BELOW + caption_height(each, cell, language) if found else 0
        found.append((each, y))
        y += size_of(each, cell, language, 0)[1]
    return found


def place_panel(panel: Grid | Words | Sign, cell: float, x: float, y: float, language: str, before: float) -> Placed:
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
        if text:  # an empty sentence is a gap
            items.append(Text(x, y - 8, text, size, style, bold=style == "bold", mono=style == "mono"))
    return Placed(x, x, top, y, cell, y, tuple(items))


def _sentences(panel: Words, cell: float, language: str) -> list[tuple[str, str]]:
    """The lines, broken where they are too long."""
    found: list[tuple[str, str]] = []
    room = LONG if panel.long else max(SENTENCE, panel.columns * cell)
    for said, style in panel.lines:
        size = SIZES.get(style, 20)
        found += [(line, style) for line in wrapped(say(said, language), size, room, bold=style == "bold")]
    return found


def _line(style: str) -> float:
    return SIZES.get(style, 20) * 1.5


def room_before(panel: Panel) -> float:
    """Room for the labels of rows."""
    if isinstance(panel, Stack):
        return max(map(room_before, panel.panels))
    labels = panel.row_labels if isinstance(panel, Grid) else ()
    return max((width(text, 20, bold=True) + 18 for text, _ in labels), default=0.0)


def _below(grid: Grid) -> float:
    """Room for the brackets."""
    return max((LEVEL * (bracket.level + 1) + 8.0 for bracket in grid.brackets), default=0.0)


def _high(grid: Grid, c: float) -> float:
    """The height of its cells: labels before the rows need room."""
    return max(c * grid.height, ROW if grid.row_labels else 0.0)


def _caption(grid: Grid, language: str) -> tuple[str, ...]:
    return wrapped(say(grid.caption, language), CAPTION, TITLE, bold=True)


def _note(grid: Grid, cell: float, language: str) -> tuple[str, ...]:
    text = say(grid.note, language)
    captions = (width(line, CAPTION, bold=True) for line in _caption(grid, language))
    room = max(NARROW, grid.columns * grid.scale * cell, *captions)
    return wrapped(text, NOTE, room) if text else ()


def _grid(grid: Grid, cell: float, x: float, y: float, language: str) -> Placed:
    c = cell * grid.scale
    h, left = _high(grid, c), x + grid.shift * c
    items: list[Item] = []
    notes = _note(grid, cell, language)
    above = y - caption_height(grid, cell, language)
    above -= TITLE_LINE
    for line in _caption(grid, language):
        above += TITLE_LINE
        items.append(Text(x, above + 24, line, CAPTION, grid.role, bold=True))
    for number, line in enumerate(notes):
        items.append(Text(x, above + 24 + NOTE * 1.3 * (number + 1) + 3, line, NOTE, "grey"))
    for column, (text, role) in enumerate(grid.column_labels):
        size = fitting(text, max(min(20, c * MAIN * 1.1), min(READ, c * MAIN_MOST)), FILLED * c)
        items.append(Text(left + (column + 0.5) * c, y - 12, text, size, role, "middle"))
    for row, (text, role) in enumerate(grid.row_labels):
        items.append(Text(x - 14, y + (row + 0.5) * h + 7, text, 20, role, "end", bold=role != "faint"))
    items = [item for item in items if not isinstance(item, Text) or item.text]
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
    end = y + grid.rows * h + _below(grid)
    return Placed(left, left + grid.columns * c, y, end, c, middle, tuple(items))


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
    if cell.grid != (0, 0):
        return plate(cell, x, y, c, h)
    items: list[Item] = [] if cell.kind in ("gap", "more") else [Rect(x, y, c, h, cell.kind, of=cell.of)]
    role, bold = f"on:{cell.kind}", cell.kind.endswith("-on")
    small = fitting(cell.small, c * SMALL, FILLED * c)
    below = bool(cell.small) and small >= LEAST
    lifted = 0.1 * h if below else -0.1 * h if cell.corner else 0.0
    if cell.text:
        wanted = min(max(min(MOST, c * MAIN), min(READ, c * MAIN_MOST)), h * 0.6)
        size = fitting(cell.text, wanted, FILLED * c, bold=bold)
        base = y + h / 2 + size * 0.36 - lifted
        items.append(Text(x + c / 2, base, cell.text, size, role, "middle", bold))
    if below:
        items.append(Text(x + c / 2, y + h * 0.84, cell.small, small, role if bold else "kernel", "middle"))
    if cell.corner:
        size = max(c * CORNER, min(READ, c * CORNER_MOST))
        items.append(Text(x + c * 0.12, y + c * 0.04 + size, cell.corner, size, role))
    return items
