"""What a picture shows, as data without coordinates: panels of cells, what is lit, what is tied, and sentences.

A view (`views/`) makes a scene of a geometry and a step; `layout.py` places it, `svg.py` and `raster.py` write it. All
of it is plain tuples, so that a scene is equal to another one where it shows the same, and has one JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence by its key in `words.py`, and the numbers and names in it; `""` is what stands there as it is."""

    key: str
    args: tuple[str | int | Said, ...] = ()


def plain(text: str | int) -> Said:
    """Numbers and names, the same in every language."""
    return Said("", (text,))


#: What a cell is. The colours and patterns that say so are those of `themes.py`:
#: coarse, fine, kernel: a value of that grid; coarse-on, fine-on, kernel-on: at work in this step;
#: empty: a cell of a grid without a value yet; zero: an inserted zero; padding: a zero around a grid;
#: cropped: computed, but cut off by the padding; left, padding-left: a fine cell, a zero around it that no window
#: reads; gap: an element of C that is 0, or nothing;
#: phase0 to phase3: of a phase; heat0 to heat4: how many taps reach it; more: cells that are not shown.
KINDS = (
    *("coarse", "fine", "kernel", "coarse-on", "fine-on", "kernel-on", "empty", "zero", "padding", "cropped", "left"),
    *(
        "padding-left",
        "gap",
        "phase0",
        "phase1",
        "phase2",
        "phase3",
        "heat0",
        "heat1",
        "heat2",
        "heat3",
        "heat4",
        "more",
    ),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a panel."""

    kind: str
    text: str = ""
    small: str = ""  #: a second line, such as how a sum came about
    corner: str = ""  #: a letter in its corner, such as its phase
    of: str = ""  #: what it is: x[1,2], y[3,4], w[0,1], or several of them; for who asks what it is tied to
    #: Rows and columns of the small grid that it is: a channel or a kernel as a whole, with its text below.
    grid: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """A thick line around cells of a panel: what is looked at now."""

    row: int
    column: int
    rows: int
    columns: int
    role: str  #: coarse, fine, kernel or ink


@dataclass(frozen=True, slots=True)
class Bracket:
    """Below a panel: which columns belong together, though others that overlap share some of them."""

    column: int  #: the first of those that it goes along
    columns: int
    teeth: tuple[int, ...]  #: the columns that it touches
    level: int  #: from 0, downwards: those of a level do not overlap
    text: str
    role: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A panel of cells, row by row."""

    name: str  #: for arrows, and for those who read it by machine
    role: str  #: coarse, fine, kernel or ink: the colour of its caption
    caption: Said
    note: Said
    rows: int
    columns: int
    cells: tuple[Cell, ...]
    frames: tuple[Frame, ...] = ()
    row_labels: tuple[tuple[str, str], ...] = ()  #: (text, role) before each row
    column_labels: tuple[tuple[str, str], ...] = ()  #: above each column
    scale: float = 1.0  #: of its cells, against those of the other panels
    height: float = 1.0  #: of a cell, against its width
    shift: float = 0.0  #: how many cells further to the right its cells begin: half a cell, to stand above two
    brackets: tuple[Bracket, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A panel of sentences, each in a style: bold, text, grey, mono, coarse, fine or kernel."""

    lines: tuple[tuple[Said, str], ...]
    columns: int = 0  #: lines may be as wide as so many cells
    long: bool = False  #: of long lines, such as formulas


@dataclass(frozen=True, slots=True)
class Sign:
    """What stands between two panels: ×, =, →, +."""

    text: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Panels one below the other, in the place of one."""

    panels: tuple[Grid | Words, ...]


Panel: TypeAlias = Grid | Words | Sign | Stack


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one panel to another, from cells to cells where frames say which."""

    start: str
    end: str
    role: str
    note: Said | None = None


@dataclass(frozen=True, slots=True)
class Tie:
    """A ribbon from a cell of a panel down to cells of a panel in the row below; where ribbons overlap it shows."""

    start: str
    column: int  #: of the cell in the last row of the upper panel
    end: str
    first: int  #: column of the first cell in the first row of the lower panel
    columns: int
    role: str


@dataclass(frozen=True, slots=True)
class Legend:
    """What a kind of cells means."""

    kind: str
    text: Said


@dataclass(frozen=True, slots=True)
class Scene:
    """One step of a view."""

    view: str
    geometry: str
    step: int  #: from 0
    steps: int
    title: Said
    note: Said
    rows: tuple[tuple[Panel, ...], ...]  #: panels side by side, row below row
    arrows: tuple[Arrow, ...] = ()
    ties: tuple[Tie, ...] = ()
    aligned: bool = False  #: panels of the same place in their rows begin below each other, cell below cell
    legend: tuple[Legend, ...] = ()
    facts: tuple[Said, ...] = ()  #: lines at the foot: formulas with their numbers, counts

    def to_dict(self) -> dict[str, Any]:
        """The scene for JSON; each panel says what it is by its fields."""
        return asdict(self)

    def grid(self, name: str) -> Grid:
        """A panel of cells by its name."""
        for grid in self.grids():
            if grid.name == name:
                return grid
        raise KeyError(name)

    def grids(self) -> Iterator[Grid]:
        """All panels of cells."""
        for row in self.rows:
            for panel in row:
                inner = panel.panels if isinstance(panel, Stack) else (panel,)
                yield from (each for each in inner if isinstance(each, Grid))
