"""Coverage: how many taps reach each fine cell, beside the nearest geometry where that is even, or uneven."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from tconv.axis import Axis
from tconv.draw.cells import Board, Index, Shown, named, reach, short, shown, stamp, table, told
from tconv.draw.evenness import contrast, reasons
from tconv.draw.scene import Cell, Grid, Legend, Panel, Said, Scene, Tie, Words, plain
from tconv.draw.words import learn
from tconv.geometry import Geometry

#: Fine cells that are drawn along the last axis and along the one before it, at most.
COLUMNS, ROWS = 15, 6

learn({
    "coverage uneven": (
        "Why {0} draws a checkerboard and {1} does not",
        "为什么{0} 会产生棋盘格，而{1} 不会",
    ),
    "coverage even": (
        "Why {0} draws no checkerboard and {1} does",
        "为什么{0} 不会产生棋盘格，而{1} 会",
    ),
    "coverage only uneven": (
        "Some fine cells are reached by more taps than others: a checkerboard",
        "有些细网格单元比其他单元被更多抽头触及：棋盘格",
    ),
    "coverage only even": (
        "All fine cells away from the border are reached by as many taps",
        "远离边界的细网格单元都被同样多的抽头触及",
    ),
    "coverage kernel": ("kernel {0}", "卷积核 {0}"),
    "coverage stride": ("stride {0}", "步幅 {0}"),
    "coverage dilation": ("dilation {0}", "空洞 {0}"),
    "coverage and": ("{0}, {1}", "{0}、{1}"),
    "coverage with": ("{0} with {1}", "{0}、{1}"),
    "coverage is even": ("{0}: even", "{0}：均匀"),
    "coverage is uneven": ("{0}: uneven", "{0}：不均匀"),
    "coverage this": ("this geometry", "本几何"),
    "coverage nearest kernel": ("the nearest kernel", "对比：最接近的卷积核"),
    "coverage nearest": ("no other kernel would do", "对比：仅换卷积核不够"),
    "coverage table": ("y: taps of the row × taps of the column", "y：行的抽头数 × 列的抽头数"),
    "coverage slice": (
        "slice {0}: all that times {1}, the taps of the axes before",
        "切片 {0}：再乘以前面各轴的抽头数 {1}",
    ),
    "coverage fans": (
        "A fan leads from a coarse cell in x down to the fine cells in y that its taps reach; y counts the taps.",
        "扇形从 x 的一个粗网格单元通向其抽头触及的 y 的细网格单元；y 中的数字即触及它的抽头数。",
    ),
    "coverage sum": (
        "All counts of this geometry together are its multiplications: {0}.",
        "本几何所有计数之和即其乘法次数：{0}。",
    ),
    "coverage cropped": ("cropped by the padding: not counted", "被填充裁去：不计"),
})  # fmt: skip


def steps(geometry: Geometry) -> int:
    """One: nothing moves."""
    return 1


def first(geometry: Geometry) -> int:
    """The only one."""
    return 0


@dataclass(frozen=True)
class Block:
    """A geometry, and what of its fine grid is drawn."""

    geometry: Geometry
    name: str  #: what the names of its panels begin with

    @cached_property
    def axis(self) -> Axis:
        """The one along which fans are drawn."""
        return self.geometry.axes[-1]

    @cached_property
    def columns(self) -> Shown:
        """Positions along it: all, or those below the coarse cell in the middle, away from the border."""
        middle = self.middle(self.axis.coarse // 2)
        return shown(reach(self.axis), range(middle, middle + 1), COLUMNS)

    @cached_property
    def rows(self) -> Shown:
        """Positions along the axis before it."""
        fine = self.geometry.axes[-2].fine
        return shown(range(fine), range(fine // 2, fine // 2 + 1), ROWS)

    @cached_property
    def before(self) -> Index:
        """The slice that is shown of more than two axes."""
        return tuple(axis.fine // 2 for axis in self.geometry.axes[:-2])

    @property
    def times(self) -> int:
        """How many taps the axes before the last two give that slice."""
        return prod(axis.coverage_at(o) for axis, o in zip(self.geometry.axes, self.before, strict=False))

    def named(self, name: str, index: int) -> str:
        """What a cell along the last axis is: nothing where there are others, or in the contrast."""
        return named(name, (index,)) if self.geometry.ndim == 1 and not self.name else ""

    def middle(self, c: int) -> int:
        """The fine position below the middle of a coarse cell's fan, or the last one before it."""
        below = stamp(self.axis, c)
        return (below[0] + below[-1]) // 2

    def taps(self, column: int) -> int | None:
        """How many taps reach a column; None beside the grid."""
        return self.axis.coverage_at(column) if 0 <= column < self.axis.fine else None

    @cached_property
    def coarse(self) -> dict[int, int]:
        """The coarse cells that are drawn, by their column in the picture."""
        found = {}
        for number, column in enumerate(self.columns):
            if column is not None:
                c, beside = divmod(column - self.middle(0), self.axis.stride)
                if not beside and 0 <= c < self.axis.coarse:
                    found[number] = c
        return found


def scene(board: Board, step: int) -> Scene:
    """The counts of the geometry, and those of its contrast."""
    g, other = board.geometry, contrast(board.geometry)
    blocks = (Block(g, ""), Block(other, "contrast ")) if other else (Block(g, ""),)
    along = _distinct(taps for block in blocks for o in block.columns if o is not None and (taps := block.taps(o)))
    rows: list[tuple[Panel, ...]] = [
        tuple(_coarse(block, _note(g, block.geometry)) for block in blocks),
        tuple(_fine(block, along) for block in blocks),
    ]
    if g.ndim > 1:
        counts = _distinct(taps for block in blocks for taps in _products(block).values() if taps)
        rows.append(tuple(_table(block, counts) for block in blocks))
    rows.append(tuple(_why(block) for block in blocks))
    cropped = any(o is not None and block.taps(o) is None for block in blocks for o in block.columns)
    return Scene(
        view="coverage",
        geometry=str(g),
        step=step,
        steps=1,
        title=_title(g, other),
        note=told(g),
        rows=tuple(rows),
        ties=tuple(tie for block in blocks for tie in _ties(block)),
        aligned=True,
        legend=(Legend("cropped", Said("coverage cropped")),) if cropped else (),
        facts=(
            Said("coverage fans"),
            Said("coverage sum", (g.work().multiplications,)),
        ),
    )


def _title(g: Geometry, other: Geometry | None) -> Said:
    how = "even" if g.is_even else "uneven"
    if other is None:
        return Said(f"coverage only {how}")
    names = [name for name in ("kernel", "stride", "dilation") if getattr(g, name) != getattr(other, name)]
    return Said(f"coverage {how}", tuple(_named(each, names, "coverage with") for each in (g, other)))


def _named(g: Geometry, names: list[str], between: str = "coverage and") -> Said:
    """Parameters of a geometry by their names."""
    said = [Said(f"coverage {name}", (short(getattr(g, name)),)) for name in names]
    whole = said[0]
    for each in said[1:]:
        whole = Said(between, (whole, each))
    return whole


def _note(g: Geometry, shown: Geometry) -> Said:
    if shown is g:
        return Said("coverage this")
    same = (shown.stride, shown.dilation) == (g.stride, g.dilation)
    return Said("coverage nearest kernel" if same else "coverage nearest")


def _coarse(block: Block, note: Said) -> Grid:
    g = block.geometry
    few, dilated = g.ndim < 3, any(d > 1 for d in g.dilation)  # more axes have no room for more than the kernel
    names = ["kernel", *(["stride"] if few else []), *(["dilation"] if few and dilated else [])]
    caption = Said("coverage is even" if g.is_even else "coverage is uneven", (_named(g, names),))
    cells = tuple(
        Cell("coarse-on", of=block.named("x", block.coarse[number])) if number in block.coarse else Cell("gap")
        for number in range(len(block.columns))
    )
    # Below an even number of cells the middle lies between two of them.
    shift = 0.0 if block.axis.effective_kernel % 2 else 0.5
    return Grid(
        f"{block.name}x", "ink", caption, note, 1, len(cells), cells, row_labels=(("x", "coarse"),), shift=shift
    )


def _distinct(counts: Iterable[int]) -> list[int]:
    return sorted(set(counts))


def _fine(block: Block, among: list[int]) -> Grid:
    def cell(_: int, o: int) -> Cell:
        taps = block.taps(o)
        return Cell("cropped") if taps is None else heat(taps, among, block.named("y", o))

    cells = table((0,), block.columns, cell)
    return Grid(f"{block.name}taps", "fine", plain(""), plain(""), 1, len(cells), cells, row_labels=(("y", "fine"),))


def _ties(block: Block) -> list[Tie]:
    """From each coarse cell to the runs of fine cells that its taps reach."""
    found = []
    for column, c in block.coarse.items():
        below = stamp(block.axis, c)
        under = [number for number, o in enumerate(block.columns) if o is not None and o in below]
        starts = [number for number in under if number - 1 not in under]
        ends = [number for number in under if number + 1 not in under]
        for start, end in zip(starts, ends, strict=True):
            found.append(Tie(f"{block.name}x", column, f"{block.name}taps", start, end - start + 1, "coarse"))
    return found


def _products(block: Block) -> dict[tuple[int, int], int]:
    """The counts of the cells that are drawn."""
    rows = block.geometry.axes[-2]
    return {
        (r, o): rows.coverage_at(r) * taps * block.times
        for r in block.rows if r is not None
        for o in block.columns if o is not None and (taps := block.taps(o)) is not None
    }  # fmt: skip


def _table(block: Block, among: list[int]) -> Grid:
    rows, counts = block.geometry.axes[-2], _products(block)

    def cell(r: int | None, o: int | None) -> Cell:
        if o is not None and block.taps(o) is None:
            return Cell("gap")
        if r is None or o is None:
            return Cell("more", "…")
        return heat(counts[r, o], among, "" if block.name else named("y", (*block.before, r, o)))

    above = [None if o is None else block.taps(o) for o in block.columns]
    note = Said("coverage slice", (",".join(map(str, block.before)), block.times)) if block.before else plain("")
    return Grid(
        f"{block.name}table", "fine", Said("coverage table"), note, len(block.rows), len(block.columns),
        tuple(cell(r, o) for r in block.rows for o in block.columns),
        row_labels=tuple(("" if r is None else str(rows.coverage_at(r)), "grey") for r in block.rows),
        column_labels=tuple(("" if taps is None else str(taps), "grey") for taps in above),
    )  # fmt: skip


def _why(block: Block) -> Words:
    return Words(tuple((said, "text") for said in reasons(block.geometry)), COLUMNS)


def heat(taps: int, among: list[int], what: str = "") -> Cell:
    """A count, in a colour for its place among all of them: 6 and 7 must look different too."""
    below = len(among) - 1 - among.index(taps) if taps else 0  # so many are larger; it is the small ones that may share
    level = 4 - -(-3 * below // max(1, len(among) - 1)) if taps else 0
    return Cell(f"heat{level}", str(taps), of=what)
