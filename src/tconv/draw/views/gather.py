"""Gather: a step for each fine cell, which a plain convolution at stride 1 computes from x with zeros put in."""

from __future__ import annotations

from math import prod

from tconv.axis import Axis
from tconv.draw.cells import (
    Board,
    Index,
    Shown,
    by,
    flat,
    in_step,
    named,
    number,
    place,
    reach,
    shown,
    size_note,
    table,
    told,
    unflat,
)  # fmt: skip
from tconv.draw.lettered import letter, phase_kind, residue, taps
from tconv.draw.scene import Cell, Frame, Grid, Legend, Panel, Said, Scene, Stack, Words, plain
from tconv.draw.stretched import flipped_tap, meeting, padded, plain_axis, slice_through, standing, window
from tconv.draw.words import learn
from tconv.geometry import Geometry

#: Cells of each grid that are drawn, at most, down and across: the stretched x, w, y. A single axis has room for more.
STRETCHED, KERNEL, FINE = (8, 9), (5, 5), (8, 6)
LINE, LINE_KERNEL = (1, 15), (1, 9)
#: Products of a sum that are written out, and phases in the legend.
TERMS, PHASES = 4, 9

learn({
    "gather": ("Put zeros in, and a plain convolution gives the same y", "插入零之后，普通卷积给出同样的 y"),
    "gather dense": (
        "With a flipped kernel, a plain convolution gives the same y",
        "翻转卷积核之后，普通卷积给出同样的 y",
    ),
    "gather x": ("x, stretched and padded", "x（插零并填充）"),
    "gather x dense": ("x, padded", "x（填充）"),
    "gather x note": ("{0} in a grid of {1}", "{0}，置于 {1} 的网格中"),
    "gather w": ("w, flipped", "w（翻转）"),
    "gather y": ("{0}; letters are phases", "{0}；字母表示相位"),
    "gather meets": (
        "{0} of {1} products meet a value of x, the others a zero",
        "{1} 个乘积中 {0} 个遇到 x 的值，其余遇到零",
    ),
    "gather meets all": ("every product meets a value of x", "每个乘积都遇到 x 的值"),
    "gather work": (
        "products in all: {0} this way; {1} of use; {2} ({3} %) wasted on zeros and beyond the border",
        "乘积总数：这样做需 {0} 个；有用 {1} 个；浪费在零上或边界之外 {2} 个（{3} %）",
    ),
    "gather recipe": (
        "along axis {0}: {1} → stretched {3} (zeros in each gap: {2}) → padded {6} ({4} before, {5} after) "
        "→ convolved {8} (the flipped kernel spans {7})",
        "沿轴 {0}：{1} 个 → 插零后 {3} 个（每个间隔 {2} 个零）→ 填充后 {6} 个（前 {4}，后 {5}）"
        "→ 卷积后 {8} 个（翻转的卷积核跨度 {7}）",
    ),
    "gather on": ("value of x under a tap", "抽头下的 x 值"),
    "gather zero": ("zero put between", "插入的零"),
    "gather padding": ("zero around", "周围填充的零"),
    "gather left": ("cropped, in no window", "被裁去，不在任何窗口中"),
    "gather phase": ("{0}: {1} of {2} taps", "{0}：{2} 个抽头中的 {1} 个"),
})  # fmt: skip


def steps(geometry: Geometry) -> int:
    """A step for each fine cell."""
    return prod(geometry.fine)


def first(geometry: Geometry) -> int:
    """A cell near the middle: on the last axis one that most taps reach, on the others one that some tap does."""
    *outer, last = geometry.axes
    at = [next((o for o in _near(axis) if axis.coverage_at(o)), axis.fine // 2) for axis in outer]
    return flat((*at, max(_near(last), key=last.coverage_at)), geometry.fine)


def _near(axis: Axis) -> range:
    """The middle of the fine grid and cells before it, one of each phase; not of thousands."""
    middle = axis.fine // 2
    return range(middle, max(-1, middle - min(axis.stride, 100)), -1)


def scene(board: Board, step: int) -> Scene:
    """The window of the fine cell of a step, its sum, and y as far as it is computed."""
    g, cell = board.geometry, unflat(step, board.geometry.fine)
    x, w, y, said = _stretched(board, cell), _flipped(board, cell), _fine(board, cell, step), _sum(board, cell)
    rows: tuple[tuple[Panel, ...], ...] = ((x, Stack((w, said)), y),) if g.ndim > 1 else ((x,), (w, said), (y,))
    return Scene(
        view="gather",
        geometry=str(g),
        step=step,
        steps=steps(g),
        title=Said("gather" if _inserted(g) else "gather dense"),
        note=in_step(told(g), step, steps(g)),
        rows=rows,
        legend=_legend(board, x, cell),
        facts=(_work(g), *_recipes(g)),
    )


def _inserted(g: Geometry) -> bool:
    """Whether zeros are put between the cells of x."""
    return any(z.inserted_zeros for z in g.zero_inserted)


def _work(g: Geometry) -> Said:
    work = g.work()
    share = round(100 * work.wasted / work.zero_insertion_multiplications)
    return Said("gather work", (work.zero_insertion_multiplications, work.multiplications, work.wasted, share))


def _recipes(g: Geometry) -> tuple[Said, ...]:
    """What is done along each axis, once where axes are alike."""
    found = []
    for axis in dict.fromkeys(g.axes):
        z, a = axis.zero_inserted, plain_axis(axis)
        which = ", ".join(str(i) for i, other in enumerate(g.axes) if other == axis)
        sizes = axis.coarse, z.inserted_zeros, z.stretched, *a.padding, len(padded(axis)), a.effective_kernel, axis.fine
        found.append(Said("gather recipe", (which, *sizes)))
    return tuple(found)


def _along(board: Board, at: Index, most: tuple[int, int]) -> tuple[tuple[Axis, int, int], ...]:
    """For the rows and the columns: the axis, where the fine cell lies on it, and how many cells are drawn."""
    row = at[-2] if board.geometry.ndim > 1 else 0
    return (board.rows, row, most[0]), (board.columns, at[-1], most[1])


def _most(board: Board, most: tuple[int, int], line: tuple[int, int] = LINE) -> tuple[int, int]:
    return most if board.geometry.ndim > 1 else line


def _stretched(board: Board, at: Index) -> Grid:
    """x with its zeros, and the window of a fine cell with the taps that lie there."""
    g, (before, through) = board.geometry, slice_through(board, at)
    along = _along(board, at, _most(board, STRETCHED))
    down, across = (window(axis, o) for axis, o, _ in along)
    # A window that has no room is drawn from its first tap on.
    spans = [
        range(w.start, max(w.start + 1, min(w[-1] + 1, w.start + most - 2)))
        for w, (_, _, most) in zip((down, across), along, strict=True)
    ]
    rows, columns = (
        shown(reach(plain_axis(axis)), span, most) for span, (axis, _, most) in zip(spans, along, strict=True)
    )

    def cell(r: int, c: int) -> Cell:
        kind, text, what = standing(board, before, r, c)
        if r not in down or c not in across:
            return Cell(kind, text, of=what)
        weight = number(board.weight(flipped_tap(board, through, down.index(r), across.index(c))))
        return Cell("coarse-on" if kind == "coarse" else kind, text, f"× {weight}", of=what)

    (top, high), (left, wide) = (place(each, span) for each, span in zip((rows, columns), spans, strict=True))
    frame = Frame(top, left, high, wide, "kernel")
    note = Said("gather x note", (by(g.coarse), by(tuple(len(padded(axis)) for axis in g.axes))))
    if before:
        note = Said("slice", (note, ",".join(map(str, before))))
    cells = table(rows, columns, cell)
    caption = Said("gather x" if _inserted(g) else "gather x dense")
    return Grid("x", "coarse", caption, note, len(rows), len(columns), cells, (frame,))


def _flipped(board: Board, at: Index) -> Grid:
    """The flipped kernel; lit is what meets a value of x."""
    _, through = slice_through(board, at)
    along = _along(board, at, _most(board, KERNEL, LINE_KERNEL))
    rows, columns = (shown(range(axis.kernel), range(1), most) for axis, _, most in along)
    down, across = (meeting(axis, o) for axis, o, _ in along)

    def cell(r: int, c: int) -> Cell:
        tap = flipped_tap(board, through, r, c)
        kind = "kernel-on" if r in down and c in across else "kernel"
        return Cell(kind, number(board.weight(tap)), of=named("w", tap))

    note = size_note(board.geometry.kernel, through)
    return Grid("w", "kernel", Said("gather w"), note, len(rows), len(columns), table(rows, columns, cell))


def _sum(board: Board, at: Index) -> Words:
    """The sum at a fine cell, written out in the order of the window."""
    g = board.geometry
    terms = [f"{_factor(board.x(c))}·{_factor(board.weight(t))}" for c, t in sorted(board.ties(at))]
    if len(terms) > TERMS:
        terms = [*terms[: TERMS - 2], "…", terms[-1]]
    lines: list[tuple[Said, str]] = [(plain(named("y", at)), "bold")]
    if terms:
        lines.append((plain("= " + " + ".join(terms)), "text"))
    lines.append((plain(f"= {number(board.sum(at))}"), "bold"))
    met, products = prod(axis.coverage_at(o) for axis, o in zip(g.axes, at, strict=True)), prod(g.kernel)
    said = Said("gather meets all") if met == products else Said("gather meets", (met, products))
    return Words((*lines, (said, "grey")))


def _factor(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)


def _fine(board: Board, at: Index, step: int) -> Grid:
    """y in the colours of its phases, with values up to a step."""
    g, before = board.geometry, at[:-2]
    rows, columns = _drawn(board, at)

    def cell(r: int, c: int) -> Cell:
        fine = board.whole(before, r, c)
        value = number(board.sum(fine)) if flat(fine, g.fine) <= step else ""
        phase = residue(g, fine)
        return Cell(phase_kind(g, phase), value, corner=letter(g, phase), of=named("y", fine))

    row, column = (o for _, o, _ in _along(board, at, FINE))
    frame = Frame(rows.index(row), columns.index(column), 1, 1, "ink")
    note, cells = Said("gather y", (size_note(g.fine, before),)), table(rows, columns, cell)
    return Grid("y", "fine", Said("y"), note, len(rows), len(columns), cells, (frame,))


def _drawn(board: Board, at: Index) -> tuple[Shown, ...]:
    """The rows and columns of y in the picture."""
    along = _along(board, at, _most(board, FINE))
    return tuple(shown(range(axis.fine), range(o, o + 1), most) for axis, o, most in along)


def _phases(board: Board, at: Index) -> list[Index]:
    """The phases that are in the picture; where these are many, those in the row of the fine cell."""
    g, (rows, columns) = board.geometry, _drawn(board, at)
    cells = [board.whole(at[:-2], r, c) for r in rows if r is not None for c in columns if c is not None]
    there = {residue(g, fine) for fine in cells}
    if len(there) > PHASES:
        there = {residue(g, fine) for fine in cells if fine[:-1] == at[:-1]}
    return sorted(there)[:PHASES]


def _legend(board: Board, x: Grid, at: Index) -> tuple[Legend, ...]:
    g = board.geometry
    there = {cell.kind for cell in x.cells}
    kinds = (("coarse-on", "gather on"), *((kind, f"gather {kind}") for kind in ("zero", "padding", "left")))
    found = [Legend(kind, Said(key)) for kind, key in kinds if kind in there]
    for which in _phases(board, at):
        said = Said("gather phase", (letter(g, which), taps(g, which), prod(g.kernel)))
        found.append(Legend(phase_kind(g, which), said))
    return tuple(found)
