"""Phases: the fine grid is woven of dense convolutions with stride 1; a step lights one of them."""

from __future__ import annotations

from itertools import count

from tconv.draw.cells import (
    Board,
    Index,
    Shown,
    in_step,
    named,
    number,
    shown,
    size_note,
    table,
    told,
)  # fmt: skip
from tconv.draw.pieces import Piece, letter, phase_at
from tconv.draw.scene import Cell, Frame, Grid, Legend, Said, Scene, plain
from tconv.draw.words import learn
from tconv.explain import phase_count
from tconv.geometry import Geometry
from tconv.phases import AxisPhase

#: Cells that are drawn along an axis, at most: of the coarse grid, the kernel, and the fine grid.
COARSE, KERNEL, ROWS, COLUMNS = 6, 5, 7, 11
#: The same of a small kernel.
SMALL_ROWS, SMALL_COLUMNS = 3, 5
#: Small kernels that are drawn, colours that there are, and products that are written out.
PIECES, COLOURS, PRODUCTS = 4, 4, 8

learn({
    "phases": (
        "The fine grid interleaves {0} convolutions with stride 1",
        "细网格由 {0} 个步幅为 1 的卷积交错而成",
    ),
    "phases one": (
        "One phase: this is a convolution with stride 1 already",
        "只有一个相位：本身就是步幅为 1 的卷积",
    ),
    "phases w": ("{0}; letters: phases", "{0}；字母：相位"),
    "phases x": ("{0}; lit: for {1}", "{0}；高亮：用于 {1}"),
    "phases y": ("{0}; phase {1} in numbers", "{0}；相位 {1} 显示数值"),
    "phases piece": ("phase {0}", "相位 {0}"),
    "phases needs": ("residue {0}; taps: {1}, products: {2}", "余数 {0}；抽头：{1}，乘法：{2}"),
    "phases none": ("residue {0}; no tap, its cells stay 0", "余数 {0}；无抽头，其单元保持为 0"),
    "phases labels": (
        "Beside a small kernel stands which coarse cells it reads for the fine cell o = m · stride + residue.",
        "小卷积核旁标注：对细网格单元 o = m · 步幅 + 余数，它读取哪些粗网格单元。",
    ),
    "phases work": (
        "Multiplications: {0} = {1}, together just those that are of use; with inserted zeros it would take {2}.",
        "乘法次数：{0} = {1}，合起来恰为全部有效乘法；若插零计算则需 {2} 次。",
    ),
    "phases beside": ("a tap of no phase: it lands beside the fine grid", "不属于任何相位的抽头：落在细网格之外"),
})  # fmt: skip


def steps(geometry: Geometry) -> int:
    """A step for each phase."""
    return phase_count(geometry)


def first(geometry: Geometry) -> int:
    """Of those with a colour of their own the one with the most taps."""
    return max(range(min(phase_count(geometry), COLOURS)), key=lambda n: Piece(geometry, n).phase.taps)


def scene(board: Board, step: int) -> Scene:
    """The phase of a step among the others."""
    g, lit = board.geometry, Piece(board.geometry, step)
    total = phase_count(g)
    pieces = [Piece(g, n) for n in (*range(min(PIECES - 1, total)), *_last(step, total))]
    kernel = _kernel(board, lit)
    beside = any(cell.kind == "left" for cell in kernel.cells)
    return Scene(
        view="phases",
        geometry=str(g),
        step=step,
        steps=total,
        title=Said("phases", (total,)) if total > 1 else Said("phases one"),
        note=in_step(told(g), step, total),
        rows=((_coarse(board, lit), kernel, _fine(board, lit)), tuple(_small(board, each, lit) for each in pieces)),
        legend=(Legend("left", Said("phases beside")),) if beside else (),
        facts=(plain(_sum(board, lit)), _work(g, pieces), Said("phases labels")),
    )


def _last(step: int, total: int) -> tuple[int, ...]:
    """The last small kernel: the next one, or the one that is lit where that comes later."""
    return (max(step, PIECES - 1),) if total >= PIECES else ()


def _color(phase: int) -> str:
    return f"phase{phase % COLOURS}"


def _sum(board: Board, lit: Piece) -> str:
    """The cell that is looked at, as a sum of products."""
    o = lit.looked_at
    ties = board.ties(o)
    products = [f"{number(board.x(c))}·{number(board.weight(tap))}" for c, tap in ties]
    if len(products) > PRODUCTS:
        products[PRODUCTS - 1 :] = ["…"]
    terms = f" = {' + '.join(products)}" if products else ""
    return f"{named('y', o)}{terms} = {number(board.sum(o))}"


def _work(g: Geometry, pieces: list[Piece]) -> Said:
    """What each phase takes, and all together."""
    work, total = g.work(), phase_count(g)
    parts = [f"{letter(piece.number)} {piece.multiplications}" for piece in pieces]
    last = pieces[-1].number
    if last >= len(pieces):
        parts.insert(len(parts) - 1, "…")
    if last < total - 1:
        parts.append("…")
    return Said("phases work", (" + ".join(parts), work.multiplications, work.zero_insertion_multiplications))


def _window(size: int, wanted: list[int], most: int) -> Shown:
    """Positions around those that are wanted, where these lie in the grid."""
    inside = [position for position in wanted if 0 <= position < size] or [0]
    start = min(inside)
    return shown(range(size), range(start, min(max(inside) + 1, start + most - 2)), most)


def _coarse(board: Board, lit: Piece) -> Grid:
    """The coarse grid, with the cells lit that the fine cell looked at reads."""
    g, ties = board.geometry, board.ties(lit.looked_at)
    cells = {c for c, _ in ties}
    slices = [c[:-2] for c, tap in ties if tap[:-2] == _outer_taps(lit)] or [c[:-2] for c, _ in ties]
    before = slices[0] if slices else tuple(n // 2 for n in g.coarse[:-2])
    rows = _window(board.rows.coarse, [c[-2] if g.ndim > 1 else 0 for c in cells], COARSE)
    columns = _window(board.columns.coarse, [c[-1] for c in cells], COARSE)

    def cell(r: int, c: int) -> Cell:
        index = board.whole(before, r, c)
        return Cell("coarse-on" if index in cells else "coarse", number(board.x(index)), of=named("x", index))

    note = Said("phases x", (size_note(g.coarse, before), named("y", lit.looked_at)))
    return Grid("x", "coarse", Said("x"), note, len(rows), len(columns), table(rows, columns, cell))


def _outer_taps(piece: Piece) -> Index:
    """The taps of the axes before the last two that are shown: those in the middle of the phase."""
    axes = piece.phase.axes[:-2]
    return tuple(axis.taps[len(axis.taps) // 2] if axis.taps else 0 for axis in axes)


def _kernel(board: Board, lit: Piece) -> Grid:
    """The kernel in the colours of its phases."""
    g, before = board.geometry, _outer_taps(lit)
    rows_of, columns_of = lit.last_two()
    mine = (rows_of.taps if rows_of else range(1)), columns_of.taps
    rows, columns = (
        _window(axis.kernel, list(taps[:KERNEL]), KERNEL)
        for axis, taps in zip((board.rows, board.columns), mine, strict=True)
    )

    def cell(r: int, c: int) -> Cell:
        tap = board.whole(before, r, c)
        text, what = number(board.weight(tap)), named("w", tap)
        phase = phase_at(g, tuple(t * a.dilation - a.padding[0] for t, a in zip(tap, g.axes, strict=True)))
        if phase is None:
            return Cell("left", text, of=what)
        return Cell(_color(phase), text, corner=letter(phase), of=what)

    frames = _frames(rows, columns, *mine)
    note = Said("phases w", (size_note(g.kernel, before),))
    return Grid("w", "kernel", Said("w"), note, len(rows), len(columns), table(rows, columns, cell), frames)


def _fine(board: Board, lit: Piece) -> Grid:
    """The fine grid: values of the phase that is lit, letters of the others."""
    g, at = board.geometry, lit.looked_at
    before = at[:-2]
    row = at[-2] if g.ndim > 1 else 0
    rows = _window(board.rows.fine, [row], ROWS)
    columns = _window(board.columns.fine, [at[-1]], COLUMNS)

    def cell(r: int, c: int) -> Cell:
        fine = board.whole(before, r, c)
        phase = phase_at(g, fine)
        assert phase is not None  # it is in the grid
        if phase != lit.number:
            return Cell(_color(phase), letter(phase), of=named("y", fine))
        return Cell(_color(phase), number(board.sum(fine)), corner=letter(phase), of=named("y", fine))

    mine = (range(o % a.stride, a.fine, a.stride) for o, a in ((row, board.rows), (at[-1], board.columns)))
    frames = _frames(rows, columns, *mine)
    now = Frame(rows.index(row), columns.index(at[-1]), 1, 1, "fine")
    note = Said("phases y", (size_note(g.fine, before), letter(lit.number)))
    return Grid("y", "fine", Said("y"), note, len(rows), len(columns), table(rows, columns, cell), (*frames, now))


def _frames(rows: Shown, columns: Shown, of_rows: range, of_columns: range) -> tuple[Frame, ...]:
    """Frames around the cells of the phase, one around neighbours."""
    return tuple(
        Frame(row, column, high, wide, "ink")
        for row, high in _runs(rows, of_rows)
        for column, wide in _runs(columns, of_columns)
    )


def _runs(positions: Shown, wanted: range) -> list[tuple[int, int]]:
    """Where those that are wanted follow each other: the first, and how many."""
    inside = [number for number, position in enumerate(positions) if position is not None and position in wanted]
    starts = [number for number in inside if number - 1 not in inside]
    return [(start, next(n for n in count(start) if n not in inside) - start) for start in starts]


def _small(board: Board, piece: Piece, lit: Piece) -> Grid:
    """The taps of a phase as the dense kernel that lies on the coarse grid, so the last tap first."""
    before = _outer_taps(piece)
    name = letter(piece.number)
    caption, residue = Said("phases piece", (name,)), ",".join(map(str, piece.phase.residue))

    def frame(rows: int, columns: int) -> tuple[Frame, ...]:
        return (Frame(0, 0, rows, columns, "ink"),) if piece.number == lit.number else ()

    if not piece.phase.taps:
        cells = (Cell(_color(piece.number), "0", corner=name),)
        return Grid(
            name,
            "ink",
            caption,
            Said("phases none", (residue,)),
            1,
            1,
            cells,
            frame(1, 1),
            column_labels=(("", "ink"),),
        )
    rows_of, columns_of = piece.last_two()
    rows, columns = _placed(rows_of, SMALL_ROWS), _placed(columns_of, SMALL_COLUMNS)

    def cell(r: int, c: int) -> Cell:
        row = rows_of.taps[r] if rows_of else 0
        tap = board.whole(before, row, columns_of.taps[c])
        return Cell(_color(piece.number), number(board.weight(tap)), corner=name, of=named("w", tap))

    note = Said("phases needs", (residue, piece.phase.taps, piece.multiplications))
    return Grid(
        name, "ink", caption, note, len(rows), len(columns), table(rows, columns, cell), frame(len(rows), len(columns)),
        row_labels=_labels(rows_of, rows) if rows_of else (), column_labels=_labels(columns_of, columns),
    )  # fmt: skip


def _placed(phase: AxisPhase | None, most: int) -> Shown:
    """Numbers of taps in the order of the coarse cells that they read."""
    if phase is None:
        return (0,)
    there = shown(range(len(phase.taps)), range(1), most)
    return tuple(reversed(there))


def _labels(phase: AxisPhase, numbers: Shown) -> tuple[tuple[str, str], ...]:
    """Which coarse cell each tap reads, from m on."""
    shifts = [None if n is None else phase.shifts[n] for n in numbers]
    return tuple(("" if s is None else f"m{'+' if s > 0 else '−'}{abs(s)}" if s else "m", "coarse") for s in shifts)
