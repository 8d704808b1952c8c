"""The matrix C: a step for each coarse cell, whose row is a window, with the column of a fine cell in that window."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from math import prod

from tconv.axis import Axis
from tconv.draw.cells import (
    Board,
    Index,
    Shown,
    count,
    flat,
    in_step,
    named,
    place,
    shown,
    size_note,
    table,
    told,
    unflat,
)  # fmt: skip
from tconv.draw.scene import Cell, Frame, Grid, Legend, Panel, Said, Scene, Sign, plain
from tconv.draw.words import learn
from tconv.explain import matrix
from tconv.geometry import Geometry

#: By the letters of the longest label, so that all are legible: rows and columns of C, at most; rows and columns of a
#: grid; and whether the cell that a sum goes to is drawn with its grid.
ROOM = {3: (9, 25, 5, 5, True), 4: (7, 23, 5, 5, True), 5: (7, 20, 4, 6, False), 6: (6, 17, 4, 6, False),
        99: (5, 15, 3, 4, False)}  # fmt: skip
#: Cells of a grid of one axis, which has a row of its own.
LINE = 11
#: Cells of the grids against those of C, and of all of them the height against the width.
SCALE, HEIGHT = 0.94, 0.62
#: Letters of a sum that is written out, at most; positions of a window that the column is chosen from.
LETTERS, CHOICE = 90, 64

learn({
    "matrix": ("The rows of C are the convolution, its columns the transpose", "C 的行是卷积，C 的列是转置卷积"),
    "matrix C": ("C, the matrix", "矩阵 C"),
    "matrix size": (
        "{0} rows, one a coarse cell; {1} columns, one a fine cell; {2} of the {3} elements are weights, the rest 0",
        "{0} 行，每行一个粗网格单元；{1} 列，每列一个细网格单元；{3} 个元素中 {2} 个是权重，其余为 0",
    ),
    "matrix row": ("Row {0}", "{0} 的行"),
    "matrix gathers": ("convolution: gathers one window, {0} fine cells", "卷积：汇集一个窗口的 {0} 个细网格单元"),
    "matrix gathers one": ("convolution: gathers 1 fine cell", "卷积：汇集 1 个细网格单元"),
    "matrix column": ("Column {0}", "{0} 的列"),
    "matrix collects": (
        "transpose: collects from {0} coarse cells, one tap each",
        "转置：从 {0} 个粗网格单元汇集，各用一个抽头",
    ),
    "matrix collects one": ("transpose: collects from 1 coarse cell", "转置：从 1 个粗网格单元汇集"),
    "matrix coarse": ("coarse", "粗网格"),
    "matrix fine": ("fine", "细网格"),
    "matrix weight": ("w and the index of a tap: the weight of that tap", "w 加抽头下标：该抽头的权重"),
})  # fmt: skip


def steps(geometry: Geometry) -> int:
    """A step for each coarse cell: its row."""
    return count(geometry)


def first(geometry: Geometry) -> int:
    """The cell in the middle of all axes."""
    return flat(tuple(n // 2 for n in geometry.coarse), geometry.coarse)


def scene(board: Board, step: int) -> Scene:
    """C with a row and a column lit, and both on the grids."""
    g, coarse = board.geometry, board.coarse(step)
    fine = column_of(g, coarse)
    rows, columns, *grids, whole = _room(g)
    into = grids if whole else []
    down, up = _row(board, coarse, fine, grids, into), _column(board, coarse, fine, grids, into)
    return Scene(
        view="matrix",
        geometry=str(g),
        step=step,
        steps=count(g),
        title=Said("matrix"),
        note=in_step(told(g), step, count(g)),
        rows=((_table(board, coarse, fine, rows, columns),), *([(*down, *up)] if g.ndim > 1 else [down, up])),
        legend=(Legend("kernel", Said("matrix weight")),),
        facts=(plain(_gathered(g, board, coarse)), plain(_collected(g, board, fine))),
    )


def column_of(geometry: Geometry, coarse: Index) -> Index:
    """A fine cell in a row that has most ties; the one nearest to the middle of the window, where several have."""
    return tuple(_best(axis, c) for axis, c in zip(geometry.axes, coarse, strict=True))


def _best(axis: Axis, c: int) -> int:
    field = axis.projective_field(c)
    if not field:  # the padding crops the whole row: the column is one nearby
        return min(max(0, c * axis.stride - axis.padding[0]), axis.fine - 1)
    middle = field[len(field) // 2]
    near = field[max(0, len(field) // 2 - CHOICE) : len(field) // 2 + CHOICE]
    return max(near, key=lambda o: (axis.coverage_at(o), -abs(o - middle)))


def label(letter: str, index: Index, sizes: tuple[int, ...]) -> str:
    """A cell or a tap by its letter and index: c01; with commas where an index may have more than one digit."""
    return letter + ("" if max(sizes) <= 10 else ",").join(map(str, index))


def _room(g: Geometry) -> tuple[int, int, int, int, bool]:
    grids = (("c", g.coarse), ("f", g.fine), ("w", g.kernel))
    longest = max(len(label(letter, tuple(n - 1 for n in sizes), sizes)) for letter, sizes in grids)
    room = next(room for letters, room in ROOM.items() if longest <= letters)
    return room if g.ndim > 1 else (*room[:2], 1, LINE, True)


def _table(board: Board, coarse: Index, fine: Index, most_rows: int, most_columns: int) -> Grid:
    """C, or the part of it around the row and the column."""
    g, shape = board.geometry, matrix(board.geometry)
    row, column = flat(coarse, g.coarse), flat(fine, g.fine)
    rows = shown(range(shape.rows), range(row, row + 1), most_rows)
    columns = shown(range(shape.columns), range(column, column + 1), most_columns)
    ties = {q: dict(board.ties(unflat(q, g.fine))) for q in {column, *columns} if q is not None}
    lit = {q for q in ties if coarse in ties[q]}

    def cell(r: int, q: int) -> Cell:
        up, down = unflat(r, g.coarse), unflat(q, g.fine)
        tap = ties[q].get(up)
        if tap is None:
            return Cell("gap", "0")
        what = f"{named('x', up)} {named('w', tap)} {named('y', down)}"
        return Cell("kernel-on" if r == row or q == column else "kernel", label("w", tap, g.kernel), of=what)

    frames = (
        Frame(place(rows, range(row, row + 1))[0], 0, 1, len(columns), "coarse"),
        Frame(0, place(columns, range(column, column + 1))[0], len(rows), 1, "fine"),
    )
    tied = {flat(c, g.coarse) for c in ties[column]} | {row}
    return Grid(
        "C", "kernel", Said("matrix C"), Said("matrix size", (shape.rows, shape.columns, shape.stored, _all(g))),
        len(rows), len(columns), table(rows, columns, cell), frames,
        tuple(_named("c", r, g.coarse, "coarse" if r in tied else "faint") for r in rows),
        tuple(_named("f", q, g.fine, "fine" if q in lit or q == column else "faint") for q in columns), height=HEIGHT,
    )  # fmt: skip


def _all(g: Geometry) -> int:
    return prod(g.coarse) * prod(g.fine)


def _named(letter: str, number: int | None, sizes: tuple[int, ...], role: str) -> tuple[str, str]:
    return ("…", "faint") if number is None else (label(letter, unflat(number, sizes), sizes), role)


def _row(board: Board, coarse: Index, fine: Index, most: list[int], into: list[int]) -> tuple[Panel, ...]:
    """The window that a coarse cell gathers: the convolution."""
    g = board.geometry
    fields = tuple(axis.projective_field(c) for axis, c in zip(g.axes, coarse, strict=True))
    name, number = label("c", coarse, g.coarse), prod(map(len, fields))
    said = Said("matrix gathers one") if number == 1 else Said("matrix gathers", (number,))
    window = _part(board, "window", fine, fields, most, lambda cell: coarse in dict(board.ties(cell)))
    alone = _part(board, "gathers", coarse, _alone(coarse), into, lambda cell: cell == coarse)
    return replace(window, role="coarse", caption=Said("matrix row", (name,)), note=said), Sign("→"), alone


def _column(board: Board, coarse: Index, fine: Index, most: list[int], into: list[int]) -> tuple[Panel, ...]:
    """What a fine cell collects: the transpose."""
    g, ties = board.geometry, dict(board.ties(fine))
    fields = tuple(axis.receptive_field(o) for axis, o in zip(g.axes, fine, strict=True))
    name, number = label("f", fine, g.fine), len(ties)
    said = Said("matrix collects one") if number == 1 else Said("matrix collects", (number,))
    cells = _part(board, "taps", coarse, fields, most, lambda cell: cell in ties)
    alone = _part(board, "collects", fine, _alone(fine), into, lambda cell: cell == fine)
    return replace(cells, role="fine", caption=Said("matrix column", (name,)), note=said), Sign("→"), alone


def _alone(index: Index) -> tuple[range, ...]:
    return tuple(range(i, i + 1) for i in index)


def _part(
    board: Board, name: str, at: Index, fields: tuple[range, ...], most: list[int], lit: Callable[[Index], bool]
) -> Grid:
    """The part of a grid that has a cell, and as much of what lies around it as there is room; or the cell alone."""
    g, role = board.geometry, "coarse" if name in ("gathers", "taps") else "fine"
    sizes = g.coarse if role == "coarse" else g.fine
    around = zip((1, *sizes)[-2:], (0, *at)[-2:], (range(1), *fields)[-2:], most or (1, 1), strict=True)
    rows, columns = (_around(*each) if most else (each[1],) for each in around)

    def cell(r: int, q: int) -> Cell:
        index = board.whole(at[:-2], r, q)
        what = named("x" if role == "coarse" else "y", index)
        return Cell(f"{role}-on" if lit(index) else role, label(role[0], index, sizes), of=what)

    return Grid(name, role, Said(f"matrix {role}"), size_note(sizes, at[:-2]), len(rows), len(columns),
                table(rows, columns, cell), scale=SCALE, height=HEIGHT)  # fmt: skip


def _around(size: int, at: int, field: range, most: int) -> Shown:
    """Positions along an axis: with all of a field around a cell, where there is room."""
    wide = range(field[0], field[-1] + 1) if field else range(at, at + 1)
    return shown(range(size), wide if len(wide) <= most - 2 else range(at, at + 1), most)


def _gathered(g: Geometry, board: Board, coarse: Index) -> str:
    """The row written out: C · fine: c11 = w00·f11 + w01·f12 + ..."""
    fields = [axis.projective_field(c) for axis, c in zip(g.axes, coarse, strict=True)]
    terms = ((dict(board.ties(fine))[coarse], label("f", fine, g.fine)) for fine in product(*fields))
    return f"C · fine:     {label('c', coarse, g.coarse)} = {_sum(g, terms)}"


def _collected(g: Geometry, board: Board, fine: Index) -> str:
    """The column written out: Cᵀ · coarse: f12 = w12·c00 + w10·c01 + ..."""
    terms = ((tap, label("c", coarse, g.coarse)) for coarse, tap in sorted(board.ties(fine)))
    return f"Cᵀ · coarse:  {label('f', fine, g.fine)} = {_sum(g, terms)}"


def _sum(g: Geometry, terms: Iterable[tuple[Index, str]]) -> str:
    found = ""
    for tap, cell in terms:
        term = f"{label('w', tap, g.kernel)}·{cell}"
        if len(found) + len(term) > LETTERS:
            return f"{found} + …"
        found = f"{found} + {term}" if found else term
    return found or "0"
