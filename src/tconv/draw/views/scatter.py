"""Scatter: a step for each coarse cell, which stamps its value times the kernel onto the fine grid."""

from __future__ import annotations

from tconv.draw.cells import (
    Board,
    Index,
    by,
    count,
    flat,
    in_step,
    named,
    number,
    place,
    reach,
    shown,
    size_note,
    stamp,
    table,
    told,
)  # fmt: skip
from tconv.draw.scene import Arrow, Cell, Frame, Grid, Legend, Said, Scene, Sign, plain
from tconv.draw.words import learn
from tconv.explain import conv_transpose_formula
from tconv.geometry import Geometry

#: Cells that are drawn across, at most: of the coarse grid, the kernel and the fine grid, for one axis, and for more;
#: and down, of the fine grid.
LINE, SQUARE, DOWN = (9, 6, 17), (5, 5, 11), 8
#: Columns that fit side by side; more of them take two rows of panels.
BESIDE = 26

learn({
    "scatter": (
        "Each coarse cell stamps the kernel onto the fine grid",
        "每个粗网格单元都把卷积核盖印到细网格上",
    ),
    "stamp": ("{0} times the kernel", "卷积核乘以 {0}"),
    "kept": ("all {0} are kept", "{0} 全部保留"),
    "cropped": ("{0} remain of {1}: the padding crops the rest", "{1} 中保留 {0}：其余被填充裁去"),
    "added": ("added in place", "就地相加"),
    "legend cropped": ("cropped by the padding", "被填充裁去"),
    "legend empty": ("no stamp has reached it yet", "尚未被盖到"),
})  # fmt: skip


def steps(geometry: Geometry) -> int:
    """A step for each coarse cell."""
    return count(geometry)


def first(geometry: Geometry) -> int:
    """The cell in the middle: its stamp meets those before."""
    return count(geometry) // 2


def scene(board: Board, step: int) -> Scene:
    """What the coarse cell of a step adds, and what is there by then."""
    g, cell = board.geometry, board.coarse(step)
    before = cell[:-2]
    row, column = cell[-2] if g.ndim > 1 else 0, cell[-1]
    coarse = _coarse(board, before, row, column)
    kernel, stamp = _kernel(board, cell, None), _kernel(board, cell, board.x(cell))
    fine = _fine(board, cell, step)
    left = (coarse, Sign("×"), kernel, Sign("="), stamp)
    narrow = sum(panel.columns for panel in (coarse, kernel, stamp, fine)) <= BESIDE
    return Scene(
        view="scatter",
        geometry=str(g),
        step=step,
        steps=count(g),
        title=Said("scatter"),
        note=in_step(told(g), step, count(g)),
        rows=((*left, fine),) if narrow else (left, (fine,)),
        arrows=(Arrow("stamp", "y", "kernel", Said("added")),) if narrow else (),
        legend=_legend(fine),
        facts=tuple(plain(conv_transpose_formula(axis)[1]) for axis in dict.fromkeys(g.axes)),
    )


def _most(geometry: Geometry) -> tuple[int, int, int]:
    return LINE if geometry.ndim == 1 else SQUARE


def _legend(fine: Grid) -> tuple[Legend, ...]:
    there = {cell.kind for cell in fine.cells}
    words = (("cropped", "legend cropped"), ("empty", "legend empty"))
    return tuple(Legend(kind, Said(key)) for kind, key in words if kind in there)


def _coarse(board: Board, before: Index, row: int, column: int) -> Grid:
    g = board.geometry
    most = _most(g)[0]
    rows = shown(range(board.rows.coarse), range(row, row + 1), most)
    columns = shown(range(board.columns.coarse), range(column, column + 1), most)

    def cell(r: int, c: int) -> Cell:
        index = board.whole(before, r, c)
        kind = "coarse-on" if (r, c) == (row, column) else "coarse"
        return Cell(kind, number(board.x(index)), of=named("x", index))

    return Grid("x", "coarse", Said("x"), size_note(g.coarse, before), len(rows), len(columns),
                table(rows, columns, cell))  # fmt: skip


def _kernel(board: Board, at: Index, times: float | None) -> Grid:
    """The kernel, or the stamp of a cell."""
    g = board.geometry
    middle = tuple(axis.kernel // 2 for axis in board.outer)
    rows, columns = (shown(range(axis.kernel), range(0, 1), _most(g)[1]) for axis in (board.rows, board.columns))

    def cell(r: int, c: int) -> Cell:
        tap = board.whole(middle, r, c)
        value = board.weight(tap)
        return Cell("kernel", number(value if times is None else value * times), of=named("w", tap))

    cells = table(rows, columns, cell)
    if times is None:
        return Grid("w", "kernel", Said("w"), size_note(g.kernel, middle), len(rows), len(columns), cells)
    frame = Frame(0, 0, len(rows), len(columns), "kernel")
    caption, note = plain(f"{named('x', at)} · w"), Said("stamp", (number(times),))
    return Grid("stamp", "kernel", caption, note, len(rows), len(columns), cells, (frame,))


def _fine(board: Board, at: Index, step: int) -> Grid:
    g = board.geometry
    before = tuple(
        c * a.stride - a.padding[0] + (a.kernel // 2) * a.dilation for c, a in zip(at, board.outer, strict=False)
    )
    row, column = at[-2] if g.ndim > 1 else 0, at[-1]
    under = stamp(board.rows, row), stamp(board.columns, column)
    spans = tuple(range(each.start, each[-1] + 1) for each in under)
    rows, columns = (
        shown(reach(axis), _part(span, most - 2), most)
        for axis, span, most in zip((board.rows, board.columns), spans, (DOWN, _most(g)[2]), strict=True)
    )

    def cell(r: int, c: int) -> Cell:
        return _fine_cell(board, board.whole(before, r, c), step, r in under[0] and c in under[1])

    (top, high), (left, wide) = (place(each, span) for each, span in zip((rows, columns), spans, strict=True))
    frame = (Frame(top, left, high, wide, "kernel"),) if high and wide else ()
    return Grid("y", "fine", Said("y"), _kept(g, before), len(rows), len(columns), table(rows, columns, cell), frame)


def _part(span: range, most: int) -> range:
    return span if len(span) <= most else range(span.start, span.start + most)


def _fine_cell(board: Board, fine: Index, step: int, under: bool) -> Cell:
    g = board.geometry
    ties = board.ties(fine)
    done = [(c, t) for c, t in ties if flat(c, g.coarse) <= step]
    inside, what = all(0 <= o < n for o, n in zip(fine, g.fine, strict=True)), named("y", fine)
    if not done:
        return Cell("empty" if inside else "cropped", of=what)
    total = number(board.sum(fine, step))
    if not inside:
        return Cell("cropped", total, of=what)
    new = [board.x(c) * board.weight(t) for c, t in done if flat(c, g.coarse) == step]
    if under and new and len(done) > 1:
        return Cell("fine", total, f"{number(board.sum(fine, step - 1))} + {number(sum(new))}", of=what)
    return Cell("fine", total, of=what)


def _kept(g: Geometry, before: Index) -> Said:
    """What of the stamps remains, and which slice of it is shown."""
    whole = tuple(len(reach(axis)) for axis in g.axes)
    said = Said("kept", (by(g.fine),)) if whole == g.fine else Said("cropped", (by(g.fine), by(whole)))
    return Said("slice", (said, ",".join(map(str, before)))) if before else said
