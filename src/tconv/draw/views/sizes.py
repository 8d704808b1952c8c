"""Sizes: the fine sizes that share one coarse size, one that does not, and the remainder that tells them apart."""

from __future__ import annotations

from tconv.axis import Axis
from tconv.draw.cells import Board, Shown, told
from tconv.draw.scene import Bracket, Cell, Grid, Legend, Said, Scene, Words, plain
from tconv.draw.words import learn
from tconv.explain import conv_formula, remainder
from tconv.geometry import Geometry

#: Cells of a row, at most, and digits in them; where that is too little, cells are left out before the end of a row.
CELLS, DIGITS = 18, 72
#: Fine sizes that share the coarse size, at most, and levels of windows that so many rows have room for.
SHARED, LEVELS = 3, 4
#: Of a cell of a row, against its width.
HEIGHT = 0.72

learn({
    "sizes none": ("Fine {0} gives coarse {1} by output padding {2} alone", "只凭输出填充 {2}，细 {0} 才得到粗 {1}"),
    "sizes one": ("Only fine {0} gives coarse {1}", "只有细网格大小 {0} 得到粗网格大小 {1}"),
    "sizes two": (
        "Fine {0} and fine {1} both give coarse {2}: output padding says which",
        "细 {0} 与细 {1} 都得到粗 {2}：由输出填充区分",
    ),
    "sizes many": (
        "Fine {0} to fine {1} all give coarse {2}: output padding says which",
        "细 {0} 到细 {1} 都得到粗 {2}：由输出填充区分",
    ),
    "sizes alike": ("{0}   ·   each axis", "{0}   ·   每个轴"),
    "sizes last": ("{0}   ·   the last axis", "{0}   ·   最后一个轴"),
    "sizes coarse": ("coarse {0}", "粗网格大小 {0}"),
    "sizes this": ("coarse {0}: this geometry", "粗网格大小 {0}：即此几何"),
    "sizes next": ("coarse {0}: one window more", "粗网格大小 {0}：多一个窗口"),
    "sizes back": ("output padding {0} brings {1} back", "输出填充 {0} 还原出 {1}"),
    "sizes beyond": (
        "output padding {0} is no less than the stride {1}: it brings {2} back from fewer windows",
        "输出填充 {0} 不小于步幅 {1}：从更少的窗口还原出 {2}",
    ),
    "sizes read": ("read by a window", "被某个窗口读取"),
    "sizes padding": ("padding, zeros around it", "填充（四周的零）"),
    "sizes left": ("read by no window", "不被任何窗口读取"),
    "sizes padding left": ("padding that no window reads", "不被任何窗口读取的填充"),
    "sizes window": (
        "with a number: a window, one coarse cell; its teeth are the cells that it reads",
        "带编号者：一个窗口，对应一个粗网格单元；其齿指向它读取的单元",
    ),
    "sizes rule": (
        "n is the fine size. The division by the stride drops a remainder, and output padding brings it back.",
        "n 为细网格大小。除以步幅时舍去余数，输出填充将其还原。",
    ),
    "sizes few": ("Windows of n = {0} that are drawn: {1} of {2}.", "n = {0} 画出的窗口：{2} 个中的 {1} 个。"),
    "sizes omitted": (
        "Of the {0} sizes that give coarse {1} only {2} are shown.",
        "{0} 个得到粗 {1} 的大小只画 {2} 个。",
    ),
})  # fmt: skip


def steps(geometry: Geometry) -> int:
    """One picture."""
    return 1


def first(geometry: Geometry) -> int:
    """The only one."""
    return 0


def scene(board: Board, step: int) -> Scene:
    """A row for each size of the last axis."""
    g, axis = board.geometry, board.columns
    axes = sizes(axis)
    most = LEVELS - 2 if len(axes) > SHARED else LEVELS
    drawn = _positions(axes)
    wide = max(map(len, drawn))
    digits = max(len(str(each.fine)) for each in axes)
    grids = [_grid(each, positions, wide, most, digits) for each, positions in zip(axes, drawn, strict=True)]
    rows = [(grid, _words(each, axis)) for grid, each in zip(grids, axes, strict=True)]
    return Scene(
        view="sizes",
        geometry=str(g),
        step=step,
        steps=1,
        title=_title(axis),
        note=_note(g),
        rows=tuple(rows),
        legend=_legend(grids),
        facts=_facts(axis, axes, grids),
    )


def sizes(axis: Axis) -> list[Axis]:
    """The axes of the rows: of fine sizes that share the coarse size, of the geometry, and of the next coarse size."""
    shared = axis.fine_sizes
    picked = set(shared)
    if len(shared) > SHARED:
        own = axis.fine if axis.fine in shared[1:-1] else shared[1]
        picked = {shared[0], own, shared[-1]}
    axes = [_of(axis, fine) for fine in sorted(picked)]
    # An output padding of a stride or more makes a size that the division would give to another coarse size.
    beyond = [] if axis.fine in shared else [axis]
    return sorted([*axes, *beyond, _of(axis, shared.stop)], key=lambda each: (each.fine, each.coarse))


def _of(axis: Axis, fine: int) -> Axis:
    return Axis.conv(fine, axis.kernel, stride=axis.stride, padding=axis.padding, dilation=axis.dilation)


def _title(axis: Axis) -> Said:
    shared = axis.fine_sizes
    if not shared:
        return Said("sizes none", (axis.fine, axis.coarse, axis.output_padding))
    if len(shared) == 1:
        return Said("sizes one", (shared[0], axis.coarse))
    return Said("sizes two" if len(shared) == 2 else "sizes many", (shared[0], shared[-1], axis.coarse))


def _note(g: Geometry) -> Said:
    if g.ndim == 1:
        return told(g)
    return Said("sizes alike" if len(set(g.axes)) == 1 else "sizes last", (told(g),))


def _positions(axes: list[Axis]) -> list[Shown]:
    """The fine positions of each row: all rows begin with the same one, and end with their own."""
    most = max(6, min(CELLS, DIGITS // len(str(axes[-1].fine))))
    at_start, at_end = 2 * most // 3, most - 2 * most // 3 - 2
    begin = min(0, -axes[0].padding[0])
    ends = [axis.fine + max(0, axis.padding[1]) for axis in axes]
    start = max(begin, min(max(ends) - most, min(ends) - at_start))
    found = []
    for end in ends:
        cells: list[int | None] = list(range(start, end))
        if len(cells) > most:
            cells = [*cells[:at_start], None, *cells[len(cells) - at_end :]]
        found.append(tuple([None, *cells] if start > begin else cells))
    return found


def _grid(axis: Axis, positions: Shown, wide: int, levels: int, digits: int) -> Grid:
    """Fine cells and the padding around them, windows below; as wide as the others, so that all stand in line."""
    ties = Board(Geometry((axis,)))
    read = [[] if p is None else [(c, t) for (c,), (t,) in ties.ties((p,))] for p in positions]
    cells = [
        Cell("more", "…") if p is None else _cell(axis, p, bool(by)) for p, by in zip(positions, read, strict=True)
    ]
    cells += [Cell("gap")] * (wide - len(cells))
    label = ("  " * (digits - len(str(axis.fine))) + f"n = {axis.fine}", "fine")  # two blanks are as wide as a digit
    return Grid(f"fine{axis.fine}-coarse{axis.coarse}", "fine", plain(""), plain(""), 1, wide, tuple(cells),
                row_labels=(label,), height=HEIGHT, brackets=_brackets(axis, positions, read, levels))  # fmt: skip


def _cell(axis: Axis, position: int, read: bool) -> Cell:
    if 0 <= position < axis.fine:
        return Cell("fine" if read else "left", str(position))
    return Cell("padding" if read else "padding-left")


def _brackets(axis: Axis, positions: Shown, read: list[list[tuple[int, int]]], levels: int) -> tuple[Bracket, ...]:
    """The windows that read a cell which is drawn, as far as there is room for those that overlap."""
    windows: dict[int, dict[int, int]] = {}
    for column, ties in enumerate(read):
        for window, tap in ties:
            windows.setdefault(window, {})[column] = tap
    spans = {window: _span(axis, positions, windows[window]) for window in sorted(windows)}
    level = _levels(spans)
    if max(level.values(), default=0) >= levels:
        spans = dict([*spans.items()][-levels:])
        level = _levels(spans)
    return tuple(
        Bracket(start, end - start + 1, tuple(windows[number]), level[number], str(number), "coarse")
        for number, (start, end) in spans.items()
    )


def _span(axis: Axis, positions: Shown, taps: dict[int, int]) -> tuple[int, int]:
    """The first and the last column of a window: where cells are left out, if some of its taps are among them."""
    first, last = min(taps), max(taps)
    before = [column for column in range(first) if positions[column] is None]
    behind = [column for column in range(last, len(positions)) if positions[column] is None]
    start = before[-1] if before and taps[first] > 0 else first
    return start, behind[0] if behind and taps[last] < axis.kernel - 1 else last


def _levels(spans: dict[int, tuple[int, int]]) -> dict[int, int]:
    """The first level on which a window meets none of those before."""
    ends: list[int] = []
    found = {}
    for window, (start, end) in spans.items():
        free = next((number for number, before in enumerate(ends) if before < start), len(ends))
        ends[free : free + 1] = [end]
        found[window] = free
    return found


def _words(axis: Axis, own: Axis) -> Words:
    more = axis.coarse - own.coarse == 1
    key = "sizes this" if axis == own else "sizes next" if more else "sizes coarse"
    a, s = axis.output_padding, axis.stride
    beyond = a >= s
    back = Said("sizes beyond", (a, s, axis.fine)) if beyond else Said("sizes back", (a, axis.fine))
    numbers = plain((conv_formula if beyond else remainder)(axis)[1])
    return Words(((Said(key, (axis.coarse,)), "coarse"), (numbers, "text"), (back, "grey")), long=True)


def _legend(grids: list[Grid]) -> tuple[Legend, ...]:
    there = {cell.kind for grid in grids for cell in grid.cells}
    words = {
        "fine": "sizes read", "padding": "sizes padding", "left": "sizes left", "padding-left": "sizes padding left",
    }  # fmt: skip
    found = [Legend(kind, Said(key)) for kind, key in words.items() if kind in there]
    return (*found, Legend("bracket-coarse", Said("sizes window")))


def _facts(axis: Axis, axes: list[Axis], grids: list[Grid]) -> tuple[Said, ...]:
    facts = [plain(remainder(axis)[0]), Said("sizes rule")]
    drawn = sum(each.coarse == axis.coarse and each.fine in axis.fine_sizes for each in axes)
    if drawn < len(axis.fine_sizes):
        facts.append(Said("sizes omitted", (len(axis.fine_sizes), axis.coarse, drawn)))
    windows = len(grids[axes.index(axis)].brackets)
    if windows < axis.coarse:
        facts.append(Said("sizes few", (axis.fine, windows, axis.coarse)))
    return tuple(facts)
