"""Both: a step for each coarse cell, with the window that the convolution reads and its transpose writes."""

from __future__ import annotations

from math import prod

from tconv.axis import Axis
from tconv.draw.cells import (
    Board,
    Index,
    by,
    count,
    ends,
    flat,
    in_step,
    named,
    place,
    short,
    shown,
    size_note,
    table,
)  # fmt: skip
from tconv.draw.scene import Arrow, Cell, Frame, Grid, Legend, Panel, Said, Scene, plain
from tconv.draw.words import learn
from tconv.explain import conv_formula, conv_transpose_formula
from tconv.geometry import Geometry

#: Cells of each grid that are drawn, at most, down and across. A single axis has room for more.
FINE, COARSE = (9, 8), (4, 4)
LINE_FINE, LINE_COARSE = (1, 14), (1, 6)

learn({
    "both": (
        "The window that a convolution reads is the one its transpose writes",
        "卷积读取的窗口，正是其转置写入的窗口",
    ),
    "both sizes": (
        "fine {0} ↔ coarse {1}, kernel {2}, stride {3}, padding {4}",
        "细 {0} ↔ 粗 {1}，卷积核 {2}，步幅 {3}，填充 {4}",
    ),
    "both conv": ("Convolution: fine → coarse", "卷积：细 → 粗"),
    "both transpose": ("Transpose: coarse → fine", "转置：粗 → 细"),
    "both coarse": ("coarse", "粗网格"),
    "both fine": ("fine {0}", "细网格 {0}"),
    "both reads": ("fine {0}, zeros around it", "细网格 {0}，周围是零"),
    "both writes": ("fine {0}, the rest is cropped", "细网格 {0}，其外被裁去"),
    "both window": ("in the window, with its tap", "窗口内，标有抽头"),
    "both padding": ("zero of the padding, which convolution reads", "卷积读取的填充零"),
    "both cropped": ("cropped by the padding in the transpose", "转置中被填充裁去"),
    "both left": ("in no window: not read, not written", "不在任何窗口内：不被读也不被写"),
    "both taps": (
        "taps of this window on the fine grid: {0} of {1}; there the convolution reads, and the transpose writes",
        "此窗口落在细网格上的抽头：{1} 个中的 {0} 个；卷积在此读取，转置在此写入",
    ),
})  # fmt: skip


def steps(geometry: Geometry) -> int:
    """A step for each coarse cell."""
    return count(geometry)


def first(geometry: Geometry) -> int:
    """A cell at the end of the rows, in the middle of the others: its window reaches into the padding."""
    middle = [n // 2 for n in geometry.coarse]
    which = max(0, geometry.ndim - 2)
    middle[which] = geometry.coarse[which] - 1
    return flat(tuple(middle), geometry.coarse)


def scene(board: Board, step: int) -> Scene:
    """The window of the coarse cell of a step, on the way down and on the way up."""
    g, cell = board.geometry, board.coarse(step)
    down = _fine(board, cell, "read"), _coarse(board, cell, "sum")
    up = _fine(board, cell, "written"), _coarse(board, cell, "stamp")
    rows: tuple[tuple[Panel, ...], ...] = ((*down, *up),) if g.ndim > 1 else (down, up)
    return Scene(
        view="both",
        geometry=str(g),
        step=step,
        steps=count(g),
        title=Said("both"),
        note=in_step(_told(g), step, count(g)),
        rows=rows,
        arrows=(Arrow("read", "sum", "kernel"), Arrow("stamp", "written", "kernel")),
        legend=_legend(down[0], up[0]),
        facts=(_taps(g, cell), *_formulas(g)),
    )


def _told(g: Geometry) -> Said:
    said = Said("both sizes", (by(g.fine), by(g.coarse), short(g.kernel), short(g.stride), ends(g)))
    if any(d > 1 for d in g.dilation):
        said = Said("dilation", (said, short(g.dilation)))
    if any(g.output_padding):
        said = Said("output padding", (said, short(g.output_padding)))
    return said


def _taps(g: Geometry, cell: Index) -> Said:
    """How much of the window lies on the fine grid."""
    inside = prod(len(axis.projective_field(c)) for axis, c in zip(g.axes, cell, strict=True))
    return Said("both taps", (inside, prod(g.kernel)))


def _formulas(g: Geometry) -> tuple[Said, ...]:
    """Both sizes, as the functions are called."""
    found = []
    for axis in dict.fromkeys(g.axes):
        found.append(plain(f"conv            {conv_formula(axis)[1]}"))
        found.append(plain(f"conv_transpose  {conv_transpose_formula(axis)[1]}"))
    return tuple(found)


def _around(axis: Axis) -> range:
    """Fine positions with the padding around them."""
    low, high = axis.padding
    return range(min(0, -low), axis.fine + max(0, high))


def _window(axis: Axis, c: int) -> range:
    """Fine positions under the taps of a coarse cell, those in the padding too."""
    start = c * axis.stride - axis.padding[0]
    return range(start, start + axis.effective_kernel, axis.dilation)


def _fine(board: Board, at: Index, name: str) -> Grid:
    """The fine grid with its padding, and the window of a coarse cell with its taps by name."""
    g, middle = board.geometry, tuple(axis.kernel // 2 for axis in board.outer)
    before = tuple(_window(axis, c)[t] for axis, c, t in zip(board.outer, at, middle, strict=False))
    most = FINE if g.ndim > 1 else LINE_FINE
    axes = board.rows, board.columns
    down, across = _window(board.rows, at[-2] if g.ndim > 1 else 0), _window(board.columns, at[-1])
    # A window that has no room is drawn from its first tap on.
    spans = [
        range(w.start, max(w.start + 1, min(w[-1] + 1, w.start + m - 2)))
        for w, m in zip((down, across), most, strict=True)
    ]
    rows, columns = (shown(_around(axis), span, m) for axis, span, m in zip(axes, spans, most, strict=True))

    def cell(r: int, c: int) -> Cell:
        index = board.whole(before, r, c)
        kind, what = _kind(board, index, name), named("y", index)
        if r not in down or c not in across:
            return Cell(kind, "0" if kind == "padding" else "", of=what)
        tap = board.whole(middle, down.index(r), across.index(c))
        return Cell("fine-on" if kind in ("fine", "empty") else kind, _named("w", tap), of=f"{what} {named('w', tap)}")

    (top, high), (left, wide) = (place(each, span) for each, span in zip((rows, columns), spans, strict=True))
    read = name == "read"
    around = any(max(pair) > 0 for pair in g.padding)
    note = Said(("both reads" if read else "both writes") if around else "both fine", (size_note(g.fine, before),))
    cells, frame = table(rows, columns, cell), Frame(top, left, high, wide, "kernel")
    caption = Said("both conv" if read else "both transpose")
    return Grid(name, "fine", caption, note, len(rows), len(columns), cells, (frame,))


def _kind(board: Board, fine: Index, name: str) -> str:
    """What a position is to one who reads it, or writes there."""
    g = board.geometry
    inside = all(0 <= o < n for o, n in zip(fine, g.fine, strict=True))
    if not board.ties(fine):
        return "left"
    if name == "read":
        return "fine" if inside else "padding"
    return "empty" if inside else "cropped"


def _named(name: str, index: Index) -> str:
    """w21, and w2,11 where digits alone could be read in two ways."""
    return name + ("," if max(index) > 9 else "").join(map(str, index))


def _coarse(board: Board, at: Index, name: str) -> Grid:
    """The coarse grid, cells by their index, and the one of the step."""
    g, before = board.geometry, at[:-2]
    most = COARSE if g.ndim > 1 else LINE_COARSE
    row, column = at[-2] if g.ndim > 1 else 0, at[-1]
    rows = shown(range(board.rows.coarse), range(row, row + 1), most[0])
    columns = shown(range(board.columns.coarse), range(column, column + 1), most[1])

    def cell(r: int, c: int) -> Cell:
        index = (r, c) if g.ndim > 1 else (c,)
        what = named("x", board.whole(before, r, c))
        return Cell("coarse-on" if (r, c) == (row, column) else "coarse", ",".join(map(str, index)), of=what)

    frame = Frame(rows.index(row), columns.index(column), 1, 1, "kernel")
    note, cells = size_note(g.coarse, before), table(rows, columns, cell)
    return Grid(name, "coarse", Said("both coarse"), note, len(rows), len(columns), cells, (frame,))


def _legend(read: Grid, written: Grid) -> tuple[Legend, ...]:
    there = {cell.kind for grid in (read, written) for cell in grid.cells}
    kinds = (("fine-on", "both window"), *((kind, f"both {kind}") for kind in ("padding", "cropped", "left")))
    return tuple(Legend(kind, Said(key)) for kind, key in kinds if kind in there)
