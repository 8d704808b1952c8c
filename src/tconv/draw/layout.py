"""Places a scene on a sheet: title, panels row below row, arrows, legend, facts, and how far the steps have come.

One rule for all views: panels of a row stand side by side, and cells are as large as the narrowest row allows. On a
narrow sheet, for a phone, rows that do not fit are broken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from tconv.draw.panels import Placed, caption_height, place_panel, room_before, size_of, stacked
from tconv.draw.scene import Arrow, Grid, Panel, Scene, Sign, Tie
from tconv.draw.sheet import Item, Path, Rect, Sheet, Text
from tconv.draw.text import width, wrapped
from tconv.draw.words import say

#: Between panels, between rows, and between rows that are tied.
GAP, ROW_GAP, TIE_GAP = 54, 44, 90
NOTE, FACT = 22, 18
#: Ticks of the progress, at most: more steps share them.
TICKS = 60


@dataclass(frozen=True, slots=True)
class Form:
    """Of a sheet: its width, its margins, the height of the first line, the size of the title, and that of cells."""

    width: float
    margin: float
    first: float
    title: int
    smallest: int
    largest: int
    high: float = inf  #: height of all rows together that cells are made smaller for
    broken: int = 0  #: rows whose panels do not stand side by side with such cells are broken, each row of its own size

    @property
    def room(self) -> float:
        """From margin to margin."""
        return self.width - 2 * self.margin


WIDE, NARROW = Form(1600, 70, 78.0, 38, 30, 84, high=760), Form(640, 24, 46.0, 30, 16, 56, broken=44)


def place(scene: Scene, language: str = "en", form: Form = WIDE) -> Sheet:
    """The sheet of a scene, its sentences in a language of `words.LANGUAGES`."""
    if form.broken:
        scene = replace(scene, rows=_broken(scene, language, form))
    items: list[Item] = []
    y = _head(scene, language, form, items)
    found: dict[str, Placed] = {}
    for row, cell in zip(scene.rows, _cells(scene, language, form), strict=True):
        top = y + max(caption_height(panel, cell, language) for panel in row)
        y = top + _row(scene, row, cell, (form.margin, top), language, items, found) + _below(scene, row)
    for tie in scene.ties:
        _tie(tie, found, items)
    for arrow in scene.arrows:
        # Between panels of rows that were broken there is no side that faces the other.
        if not form.broken or _beside(scene, arrow):
            _arrow(arrow, found, language, items)
    y = _legend(scene, language, form, y, items)
    y = _facts(scene, language, form, y, items)
    y = _ticks(scene, form, y, items)
    title, note = say(scene.title, language), say(scene.note, language)
    height = round(y + 40)
    return Sheet(form.width, height, title, note, (Rect(0, 0, form.width, height, "sheet", 0), *items))


def _broken(scene: Scene, language: str, form: Form) -> tuple[tuple[Panel, ...], ...]:
    """The rows with as many panels in each as have room; of aligned panels those of a place below each other."""
    if scene.aligned:
        places = range(max(map(len, scene.rows)))
        return tuple((row[place],) for place in places for row in scene.rows if place < len(row))
    found: list[tuple[Panel, ...]] = []
    for row in scene.rows:
        line: tuple[Panel, ...] = ()
        for part in _parts(row):
            if line and _wide((*line, *part), form.broken, language) > form.room:
                found.append(line)
                line = ()
            line = (*line, *part)
        found.append(line)
    return tuple(found)


def _parts(row: tuple[Panel, ...]) -> list[tuple[Panel, ...]]:
    """The panels of a row, each with the sign before it."""
    signed = [(row[i - 1], panel) if i and isinstance(row[i - 1], Sign) else (panel,) for i, panel in enumerate(row)]
    return [part for part in signed if not isinstance(part[-1], Sign)]


def _wide(row: tuple[Panel, ...], cell: float, language: str) -> float:
    """Of panels side by side."""
    return GAP * (len(row) - 1) + sum(size_of(panel, cell, language, room_before(panel))[0] for panel in row)


def _beside(scene: Scene, arrow: Arrow) -> bool:
    """Whether the panels of an arrow stand in one row."""
    rows = ({panel.name for panel in row if isinstance(panel, Grid)} for row in scene.rows)
    return any({arrow.start, arrow.end} <= names for names in rows)


def _cells(scene: Scene, language: str, form: Form) -> list[float]:
    """The size of cells in each row; the same in all where rows are not broken."""
    if form.broken and not scene.aligned:
        return [_cell(replace(scene, rows=(row,)), language, form) for row in scene.rows]
    return [_cell(scene, language, form)] * len(scene.rows)


def _cell(scene: Scene, language: str, form: Form) -> float:
    """The size of cells: as large as all rows allow, in width and together in height."""
    low, high = form.smallest, form.largest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _fits(scene, middle, language, form) else (low, middle - 1)
    return low


def _fits(scene: Scene, cell: float, language: str, form: Form) -> bool:
    widths = [GAP * (len(row) - 1) + sum(_widths(scene, row, cell, language)) for row in scene.rows]
    heights = [_height(row, cell, language) + _below(scene, row) for row in scene.rows]
    return max(widths) <= form.room and sum(heights) <= form.high


def _columns(scene: Scene, row: tuple[Panel, ...]) -> list[list[Panel]]:
    """For each panel of a row those that share its place from left to right: where rows are aligned, one of each."""
    if not scene.aligned:
        return [[panel] for panel in row]
    return [[each[number] for each in scene.rows if number < len(each)] for number in range(len(row))]


def _befores(scene: Scene, row: tuple[Panel, ...]) -> list[float]:
    """Room for labels before the panels of a row."""
    return [max(map(room_before, column)) for column in _columns(scene, row)]


def _widths(scene: Scene, row: tuple[Panel, ...], cell: float, language: str) -> list[float]:
    columns = zip(_columns(scene, row), _befores(scene, row), strict=True)
    return [max(size_of(panel, cell, language, before)[0] for panel in column) for column, before in columns]


def _height(row: tuple[Panel, ...], cell: float, language: str) -> float:
    above = max(caption_height(panel, cell, language) for panel in row)
    return above + max(size_of(panel, cell, language, 0)[1] for panel in row)


def _below(scene: Scene, row: tuple[Panel, ...]) -> float:
    """The gap below a row: ties need a larger one."""
    names = {panel.name for panel in row if isinstance(panel, Grid)}
    return TIE_GAP if any(tie.start in names for tie in scene.ties) else ROW_GAP


def _head(scene: Scene, language: str, form: Form, items: list[Item]) -> float:
    y = form.first
    for line in wrapped(say(scene.title, language), form.title, form.room, bold=True):
        items.append(Text(form.margin, y, line, form.title, bold=True))
        y += form.title + 8
    y -= 6
    for line in wrapped(say(scene.note, language), NOTE, form.room):
        items.append(Text(form.margin, y, line, NOTE, "grey"))
        y += 30
    return y + 14


def _row(
    scene: Scene, row: tuple[Panel, ...], cell: float, corner: tuple[float, float], language: str, items: list[Item],
    found: dict[str, Placed],
) -> float:  # fmt: skip
    """Place a row of panels from an upper left corner on; its height."""
    heights = [size_of(panel, cell, language, 0)[1] for panel in row]
    grids = [height for panel, height in zip(row, heights, strict=True) if isinstance(panel, Grid)]
    middle = min(grids, default=60.0) / 2
    x, top = corner
    for panel, w, before in zip(row, _widths(scene, row, cell, language), _befores(scene, row), strict=True):
        y = top + middle if isinstance(panel, Sign) else top
        for each, at in stacked(panel, cell, y, language):
            placed = place_panel(each, cell, x, at, language, before)
            items.extend(placed.items)
            if isinstance(each, Grid):
                found[each.name] = placed
        x += w + GAP
    return max(heights)


def _tie(tie: Tie, found: dict[str, Placed], items: list[Item]) -> None:
    """A ribbon from the lower side of a cell to the upper sides of those below."""
    start, end = found[tie.start], found[tie.end]
    x0, x1 = start.left + tie.column * start.cell, end.left + tie.first * end.cell
    y0, y1 = start.bottom + 4, end.top - 4
    corners = ((x0, y0), (x1, y1), (x1 + tie.columns * end.cell, y1), (x0 + start.cell, y0))
    lines = [("L" if number else "M", *corner) for number, corner in enumerate(corners)]
    items.append(Path((*lines, ("Z",)), f"fan-{tie.role}"))


def _arrow(arrow: Arrow, found: dict[str, Placed], language: str, items: list[Item]) -> None:
    """A curve from one panel to another between the sides that face each other, at the height of what they look at."""
    start, end = found[arrow.start], found[arrow.end]
    ahead = 1 if start.right <= end.left else -1  # to the right, or back to the left
    x0, x1 = (start.right, end.left) if ahead > 0 else (start.left, end.right)
    x0, y0, x1, y1 = x0 + ahead * 10, start.looked_at, x1 - ahead * 12, end.looked_at
    bend = ahead * max(30.0, min(110.0, abs(x1 - x0) / 2))
    curve = ("C", x0 + bend, y0, x1 - bend, y1, x1, y1)
    head = (("M", x1 - ahead * 15, y1 - 11), ("L", x1, y1), ("L", x1 - ahead * 15, y1 + 11))
    items.append(Path((("M", x0, y0), curve, *head), f"arrow-{arrow.role}"))
    if arrow.note is not None:
        items.append(Text(start.left, start.bottom + 32, say(arrow.note, language), FACT, arrow.role))


def _legend(scene: Scene, language: str, form: Form, y: float, items: list[Item]) -> float:
    if not scene.legend:
        return y
    x = float(form.margin)
    for entry in scene.legend:
        lines = wrapped(say(entry.text, language), FACT, form.room - 32)
        wide = 32 + max(width(line, FACT) for line in lines)
        if x > form.margin and x + wide > form.width - form.margin:
            x, y = float(form.margin), y + 32
        items.append(Rect(x, y - 17, 22, 22, entry.kind, 3))
        items += [Text(x + 32, y + 24 * number, line, FACT, "grey") for number, line in enumerate(lines)]
        y += 24 * (len(lines) - 1)
        x += wide + 36
    return y + 40


def _facts(scene: Scene, language: str, form: Form, y: float, items: list[Item]) -> float:
    for fact in scene.facts:
        mono = fact.key == ""
        for line in wrapped(say(fact, language), FACT, form.room, mono=mono):
            items.append(Text(form.margin, y, line, FACT, "text" if mono else "grey", mono=mono))
            y += 28
    return y


def _ticks(scene: Scene, form: Form, y: float, items: list[Item]) -> float:
    if scene.steps < 2:
        return y
    ticks = min(scene.steps, TICKS)
    wide, done = form.room / ticks, (scene.step + 1) * ticks // scene.steps
    for tick in range(ticks):
        role = "tick-on" if tick < done else "tick"
        items.append(Rect(form.margin + tick * wide + 2, y + 4, wide - 4, 8, role))
    return y + 12
