"""Channels: a step for each output channel, with the input channels that it adds up and the kernels between them."""

from __future__ import annotations

from math import prod

from tconv.draw.cells import CHANNELS, Board, Channels, Shown, by, in_step, named, place, shown, table, told
from tconv.draw.scene import Arrow, Bracket, Cell, Frame, Grid, Said, Scene, Stack, Words, plain
from tconv.draw.words import learn
from tconv.geometry import Geometry

#: By the letters of the longest text below a kernel or a channel, so that all can be read: rows and columns, at most.
ROOM = {4: (8, 12), 5: (7, 11), 6: (6, 10), 7: (6, 9), 8: (5, 8), 99: (4, 7)}
#: The height of a cell against its width: room for the text below.
HEIGHT = 1.2
#: Products of a sum that are written out, at most.
PRODUCTS = 4

learn({
    "channels dense": ("Each output channel adds up all {0} input channels", "每个输出通道累加全部 {0} 个输入通道"),
    "channels single": ("Each output channel is made of the one input channel", "每个输出通道都由唯一的输入通道得到"),
    "channels groups": (
        "{0} groups: an output channel adds up {1} input channels",
        "分 {0} 组：一个输出通道累加 {1} 个输入通道",
    ),
    "channels multiplied": (
        "{0} groups: an input channel makes {1} output channels",
        "分 {0} 组：一个输入通道得到 {1} 个输出通道",
    ),
    "channels depthwise": (
        "Depthwise: one kernel a channel, no channels are mixed",
        "逐通道（depthwise）：每个通道一个卷积核，通道互不混合",
    ),
    "channels told": ("{0}; channels {1} → {2}, groups {3}", "{0}；通道 {1} → {2}，组数 {3}"),
    "channels size": ("{0} channels of {1}", "{0} 个通道，各 {1}"),
    "channels size one": ("1 channel of {0}", "1 个通道，{0}"),
    "channels w one": ("1 kernel of {0}", "1 个卷积核，{0}"),
    "channels w": ("{0} × {1} kernels of {2}", "{0} × {1} 个卷积核，各 {2}"),
    "channels y": ("{0}: {1}", "{0}：{1}"),
    "channels products": (
        "A product is the transposed convolution of one channel with one kernel.",
        "每个乘积都是一个通道与一个卷积核的转置卷积。",
    ),
    "channels index": (
        "m,j: the kernel w[m, j] of input channel m and of output channel j, counted within their group.",
        "m,j：输入通道 m 与组内第 j 个输出通道之间的卷积核 w[m, j]。",
    ),
    "channels index dense": (
        "m,n: the kernel w[m, n] of input channel m and of output channel n.",
        "m,n：输入通道 m 与输出通道 n 之间的卷积核 w[m, n]。",
    ),
    "channels gap": ("0: no kernel, the channels are of different groups.", "0：没有卷积核，两个通道不在同一组。"),
    "channels brackets": ("Brackets: the groups of output channels.", "括号：输出通道的组。"),
    "channels weights": (
        "Weights: {0:,} · {1:,} · {2:,} = {3:,}, input channels · output channels of a group · taps",
        "权重：{0:,} · {1:,} · {2:,} = {3:,}，输入通道 · 一组的输出通道 · 抽头",
    ),
    "channels work": (
        "Multiplications: {0:,} · {1:,} · {2:,} = {3:,}, the last factor those of one channel with one kernel",
        "乘法：{0:,} · {1:,} · {2:,} = {3:,}，末项为一个通道与一个卷积核的乘法数",
    ),
    "channels saved": ("{0}; without groups {1:,} times as many, {2:,}", "{0}；若不分组则为其 {1:,} 倍，即 {2:,}"),
})  # fmt: skip


def steps(geometry: Geometry, channels: Channels = CHANNELS) -> int:
    """A step for each output channel."""
    return channels.out_channels


def first(geometry: Geometry, channels: Channels = CHANNELS) -> int:
    """The first of the group in the middle, where the second index of w begins anew; of one group that in its midst."""
    return channels.groups // 2 * channels.written if channels.groups > 1 else channels.out_channels // 2


def scene(board: Board, step: int) -> Scene:
    """The column of kernels that makes an output channel."""
    g, channels = board.geometry, board.channels
    group = step // channels.written
    read = range(group * channels.read, (group + 1) * channels.read)
    written = range(group * channels.written, (group + 1) * channels.written)
    most_rows, most_columns = _room(channels)
    rows = shown(range(channels.in_channels), _part(read, read.start, most_rows), most_rows)
    columns = shown(range(channels.out_channels), _part(written, step, most_columns), most_columns)
    kernels = _kernels(board, rows, columns, read, step)
    return Scene(
        view="channels",
        geometry=str(g),
        step=step,
        steps=channels.out_channels,
        title=_title(channels),
        note=in_step(_told(g, channels), step, channels.out_channels),
        rows=(
            (_inputs(board, rows, read), Stack((kernels, _outputs(board, columns, step))), _said(board, kernels, step)),
        ),
        arrows=(Arrow("x", "w", "coarse"),),
        facts=_facts(g, channels),
    )


def _room(channels: Channels) -> tuple[int, int]:
    m, n = channels.in_channels - 1, channels.out_channels - 1
    longest = max(map(len, (_kernel_name(channels, m, n), named("x", (m,)), named("y", (n,)))))
    return next(room for letters, room in ROOM.items() if longest <= letters)


def _part(group: range, at: int, most: int) -> range:
    """What must be seen: the channels of a group, or of a group that is too large the one at hand."""
    return group if group.stop - group.start <= most - 2 else range(at, at + 1)


def _title(channels: Channels) -> Said:
    if channels.groups == 1:
        several = channels.in_channels > 1
        return Said("channels dense", (channels.in_channels,)) if several else Said("channels single")
    if channels.read > 1:
        return Said("channels groups", (channels.groups, channels.read))
    several = channels.written > 1
    return Said("channels multiplied", (channels.groups, channels.written)) if several else Said("channels depthwise")


def _told(g: Geometry, channels: Channels) -> Said:
    return Said("channels told", (told(g), channels.in_channels, channels.out_channels, channels.groups))


def _size(number: int, sizes: tuple[int, ...]) -> Said:
    return Said("channels size", (number, by(sizes))) if number > 1 else Said("channels size one", (by(sizes),))


def _plane(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a grid: its last two axes."""
    return (sizes[-2] if len(sizes) > 1 else 1), sizes[-1]


def _inputs(board: Board, rows: Shown, read: range) -> Grid:
    g = board.geometry

    def cell(m: int, _: int) -> Cell:
        return Cell("coarse-on" if m in read else "coarse", named("x", (m,)), grid=_plane(g.coarse))

    frame = _framed(rows, read, 0, "coarse")
    note = _size(board.channels.in_channels, g.coarse)
    return Grid("x", "coarse", Said("x"), note, len(rows), 1, table(rows, (0,), cell), (frame,), height=HEIGHT)


def _framed(rows: Shown, wanted: range, column: int, role: str) -> Frame:
    """Around rows of a column."""
    top, high = place(rows, wanted)
    return Frame(top, column, high, 1, role)


def _kernel_name(channels: Channels, m: int, n: int) -> str:
    return f"{m},{n % channels.written}"


def _kernels(board: Board, rows: Shown, columns: Shown, read: range, step: int) -> Grid:
    g, channels = board.geometry, board.channels

    def cell(m: int, n: int) -> Cell:
        if m // channels.read != n // channels.written:
            return Cell("gap", "0")
        return Cell("kernel-on" if n == step else "kernel", _kernel_name(channels, m, n), grid=_plane(g.kernel))

    sizes = channels.in_channels, channels.written
    note = Said("channels w", (*sizes, by(g.kernel))) if sizes != (1, 1) else Said("channels w one", (by(g.kernel),))
    frame = _framed(rows, read, columns.index(step), "kernel")
    return Grid("w", "kernel", Said("w"), note, len(rows), len(columns), table(rows, columns, cell), (frame,),
                height=HEIGHT)  # fmt: skip


def _outputs(board: Board, columns: Shown, step: int) -> Grid:
    g, channels = board.geometry, board.channels

    def cell(_: int, n: int) -> Cell:
        return Cell("fine-on" if n == step else "fine", named("y", (n,)), grid=_plane(g.fine))

    frame = Frame(0, columns.index(step), 1, 1, "fine")
    return Grid("y", "fine", plain(""), plain(""), 1, len(columns), table((0,), columns, cell), (frame,),
                (("y", "fine"),), height=HEIGHT, brackets=_brackets(channels, columns))  # fmt: skip


def _brackets(channels: Channels, columns: Shown) -> tuple[Bracket, ...]:
    """The groups of the outputs that are drawn."""
    if channels.groups == 1 or channels.written == 1:
        return ()
    found = []
    for group in sorted({n // channels.written for n in columns if n is not None}):
        mine = range(group * channels.written, (group + 1) * channels.written)
        column, wide = place(columns, mine)
        found.append(Bracket(column, wide, tuple(range(column, column + wide)), 0, str(group), "fine"))
    return tuple(found)


def _said(board: Board, kernels: Grid, step: int) -> Words:
    """The sum of the step, and what the pictures beside it mean."""
    g, channels = board.geometry, board.channels
    lines = [(Said("channels y", (Said("y"), _size(channels.out_channels, g.fine))), "fine"), (plain(""), "text")]
    lines += [(plain(line), "mono") for line in _sum(channels, step)]
    lines += [(Said("channels products"), "text"), (plain(""), "text")]
    lines.append((Said("channels index" if channels.groups > 1 else "channels index dense"), "grey"))
    if any(cell.kind == "gap" for cell in kernels.cells):
        lines.append((Said("channels gap"), "grey"))
    if 1 < channels.groups < channels.out_channels:
        lines.append((Said("channels brackets"), "grey"))
    return Words(tuple(lines), long=True)


def _sum(channels: Channels, step: int) -> list[str]:
    """How the output channel of a step comes about, a product a line: y[2] = x[2] · w[2,0], + x[3] · w[3,0]."""
    start, j = step // channels.written * channels.read, step % channels.written
    which: list[int | None] = list(range(start, start + min(channels.read, PRODUCTS)))
    if channels.read > PRODUCTS:
        which[-2:] = [None, start + channels.read - 1]
    products = ["…" if m is None else f"{named('x', (m,))} · {named('w', (m, j))}" for m in which]
    name = named("y", (step,))
    return [f"{name} = {products[0]}", *(f"{'+':>{len(name) + 2}} {product}" for product in products[1:])]


def _facts(g: Geometry, channels: Channels) -> tuple[Said, ...]:
    """The shape of w, and what the layer costs."""
    shape = ", ".join(map(str, (channels.in_channels, channels.written, *g.kernel)))
    pairs, taps = (channels.in_channels, channels.written), prod(g.kernel)
    work = g.work(channels.in_channels, channels.out_channels, groups=channels.groups).multiplications
    return (
        plain(f"w.shape = (in_channels, out_channels / groups, *kernel) = ({shape})"),
        _saved(Said("channels weights", (*pairs, taps, prod(pairs) * taps)), channels, prod(pairs) * taps),
        _saved(Said("channels work", (*pairs, g.work().multiplications, work)), channels, work),
    )


def _saved(said: Said, channels: Channels, number: int) -> Said:
    groups = channels.groups
    return said if groups == 1 else Said("channels saved", (said, groups, number * groups))
