"""Places a scene on a sheet: title, panels row below row, arrows, legend, facts, and how far the steps have come.

One rule for all views: panels of a row stand side by side, and cells are as large as the narrowest row allows.
"""

from __future__ import annotations

from tconv.draw.panels import Placed, caption_height, place_panel, room_before, size_of, stacked
from tconv.draw.scene import Arrow, Grid, Panel, Scene, Sign, Tie
from tconv.draw.sheet import Item, Path, Rect, Sheet, Text
from tconv.draw.text import width, wrapped
from tconv.draw.words import say

WIDTH, MARGIN = 1600, 70
#: Between panels, between rows, and between rows that are tied; and the cells of a panel: at least, at most.
GAP, ROW_GAP, TIE_GAP = 54, 44, 90
SMALLEST, LARGEST = 30, 84
#: Height of all rows together that cells are made smaller for.
HIGH = 760
TITLE, NOTE, FACT = 38, 22, 18
#: Ticks of the progress, at most: more steps share them.
TICKS = 60


def place(scene: Scene, language: str = "en") -> Sheet:
    """The sheet of a scene, its sentences in a language of `words.LANGUAGES`."""
    cell = _cell(scene, language)
    items: list[Item] = []
    y = _head(scene, language, items)
    found: dict[str, Placed] = {}
    for row in scene.rows:
        top = y + max(caption_height(panel, cell, language) for panel in row)
        y = top + _row(scene, row, cell, top, language, items, found) + _below(scene, row)
    for tie in scene.ties:
        _tie(tie, found, items)
    for arrow in scene.arrows:
        _arrow(arrow, found, language, items)
    y = _legend(scene, language, y, items)
    y = _facts(scene, language, y, items)
    y = _ticks(scene, y, items)
    title, note = say(scene.title, language), say(scene.note, language)
    return Sheet(WIDTH, round(y + 40), title, note, (Rect(0, 0, WIDTH, round(y + 40), "sheet", 0), *items))


def _cell(scene: Scene, language: str) -> float:
    """The size of cells: as large as all rows allow, in width and together in height."""
    low, high = SMALLEST, LARGEST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _fits(scene, middle, language) else (low, middle - 1)
    return low


def _fits(scene: Scene, cell: float, language: str) -> bool:
    widths = [GAP * (len(row) - 1) + sum(_widths(scene, row, cell, language)) for row in scene.rows]
    heights = [_height(row, cell, language) + _below(scene, row) for row in scene.rows]
    return max(widths) <= WIDTH - 2 * MARGIN and sum(heights) <= HIGH


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


def _head(scene: Scene, language: str, items: list[Item]) -> float:
    y, room = 78.0, WIDTH - 2 * MARGIN
    for line in wrapped(say(scene.title, language), TITLE, room, bold=True):
        items.append(Text(MARGIN, y, line, TITLE, bold=True))
        y += 46
    y -= 6
    for line in wrapped(say(scene.note, language), NOTE, room):
        items.append(Text(MARGIN, y, line, NOTE, "grey"))
        y += 30
    return y + 14


def _row(
    scene: Scene, row: tuple[Panel, ...], cell: float, top: float, language: str, items: list[Item],
    found: dict[str, Placed],
) -> float:  # fmt: skip
    """Place a row of panels; its height."""
    heights = [size_of(panel, cell, language, 0)[1] for panel in row]
    grids = [height for panel, height in zip(row, heights, strict=True) if isinstance(panel, Grid)]
    middle = min(grids, default=60.0) / 2
    x = float(MARGIN)
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


def _legend(scene: Scene, language: str, y: float, items: list[Item]) -> float:
    if not scene.legend:
        return y
    x = float(MARGIN)
    for entry in scene.legend:
        text = say(entry.text, language)
        wide = 32 + width(text, FACT)
        if x > MARGIN and x + wide > WIDTH - MARGIN:
            x, y = float(MARGIN), y + 32
        items += [Rect(x, y - 17, 22, 22, entry.kind, 3), Text(x + 32, y, text, FACT, "grey")]
        x += wide + 36
    return y + 40


def _facts(scene: Scene, language: str, y: float, items: list[Item]) -> float:
    for fact in scene.facts:
        mono = fact.key == ""
        for line in wrapped(say(fact, language), FACT, (WIDTH - 2 * MARGIN) / (1.1 if mono else 1)):
            items.append(Text(MARGIN, y, line, FACT, "text" if mono else "grey", mono=mono))
            y += 28
    return y


def _ticks(scene: Scene, y: float, items: list[Item]) -> float:
    if scene.steps < 2:
        return y
    ticks = min(scene.steps, TICKS)
    wide, done = (WIDTH - 2 * MARGIN) / ticks, (scene.step + 1) * ticks // scene.steps
    for tick in range(ticks):
        role = "tick-on" if tick < done else "tick"
        items.append(Rect(MARGIN + tick * wide + 2, y + 4, wide - 4, 8, role))
    return y + 12
