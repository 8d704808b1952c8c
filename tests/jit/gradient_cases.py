"""Weight gradients chosen so that every way through the scheduling code is taken, and what each of them takes.

Channels are those of x and y, as everywhere: (lanes, broadcast). Sizes are those of the coarse grid.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod

from case import Case

from tconv import Geometry
from tconv.jit.programs.cuts import spans
from tconv.jit.schedules.axes import phase_taps, residues

_case = partial(Case, operation="weight_gradient")
_up = Geometry.conv_transpose
_NAMES = ("gradient", "depthwise gradient")


def _force(**fields):
    """Upon both kinds."""
    own = {name: value for name, value in fields.items() if name not in ("outputs", "by_channel")}
    return {"gradient": fields, "depthwise gradient": own}


GRADIENT = {
    "gradient, kernel 4, stride 2": _case(_up((4, 20), 4, stride=2, padding=1), (5, 3), batch=2),
    "gradient, whole vectors": _case(_up((3, 32), 4, stride=2, padding=1), (32, 4)),
    "gradient, several tiles": _case(_up((3, 9), 3, stride=2, padding=1), (85, 5)),
    "gradient, tiles in runs": _case(_up((3, 9), 3, stride=2, padding=1), (85, 5), forced=_force(run_tiles=1)),
    "gradient, channels in runs": _case(_up((3, 9), 3, stride=2, padding=1), (5, 7), forced=_force(outputs=3)),
    "gradient, one channel": _case(_up((4, 9), 3, stride=2, padding=1), (5, 1)),
    "gradient, many neighbours": _case(_up((2, 5), (2, 33), stride=(2, 8), padding=(0, 12)), (20, 2)),
    "gradient, many channels side by side": _case(_up((3, 5), 2, stride=2), (20, 35)),
    "gradient, neighbours are taps": _case(_up((3, 9), 3, stride=2, padding=1), (20, 5),
                                           forced=_force(by_channel=False, pixels=2, rows=2)),
    "gradient, long sums": _case(_up((5, 9), 3, stride=2, padding=1), (5, 3), batch=2, forced=_force(terms=20)),
    "gradient, long sums, long rows": _case(_up((2, 40), 3, stride=2, padding=1), (5, 3), forced=_force(terms=7)),
    "gradient, columns cut": _case(_up((3, 41), 4, stride=2, padding=1), (20, 3), forced=_force(cache_block=(1, 2, 7))),
    "gradient, a row cut after every cell": _case(_up((2, 5), (2, 4), stride=2), (2, 3),
                                                  forced=_force(cache_block=(1, 1, 1))),
    "gradient, rows cut": _case(_up((17, 5), 3, stride=2, padding=1), (4, 3), batch=2,
                                forced=_force(cache_block=(1, 2, 5))),
    "gradient, images in a chunk": _case(_up((2, 3), 3, stride=2), (5, 6), batch=7,
                                         forced=_force(cache_block=(3, 2, 3))),
    "gradient, 1-D": _case(_up(40, 5, stride=3, padding=1), (4, 5), batch=17),
    "gradient, columns of one": _case(_up((5, 1), 3, stride=2, padding=1, output_padding=1), (5, 3), batch=3),
    "gradient, one cell, padded": _case(_up((1, 1), 4, padding=1), (20, 3), batch=19),
    "gradient, one cell": _case(_up((1, 1), (4, 3)), (9, 5), batch=3),
    "gradient, one cell, many images": _case(_up((1, 1), (4, 3)), (21, 5), batch=40),
    "gradient, one cell, groups": _case(_up((1, 1), (4, 3)), (9, 6), 3, 5),
    "gradient, dilation": _case(_up((5, 9), 3, stride=(2, 3), padding=(1, 2), dilation=(3, 2)), (3, 4)),
    "gradient, dilation of the stride": _case(_up((5, 9), 3, stride=2, padding=3, dilation=4), (3, 4)),
    "gradient, output padding": _case(_up((4, 9), (2, 3), stride=(2, 4), output_padding=(1, 3)), (3, 4)),
    "gradient, asymmetric padding": _case(_up((5, 9), 5, stride=2, padding=((0, 3), (4, 1))), (3, 4)),
    "gradient, negative padding": _case(_up((3, 9), 3, stride=2, padding=((-3, -1), (-2, -5))), (3, 4)),
    "gradient, chunks without a tap": _case(_up((9, 9), 2, stride=2, padding=((7, 5), (6, 9))), (3, 4),
                                            forced=_force(cache_block=(1, 1, 2))),
    "gradient, stride beyond the kernel": _case(_up((3, 9), 2, stride=(3, 5), output_padding=(2, 4)), (3, 4)),
    "gradient, 3-D": _case(_up((3, 4, 7), 3, stride=2, padding=1), (3, 4)),
    "gradient, groups": _case(_up((4, 9), 3, stride=2, padding=1), (6, 9), 3),
    "gradient, wide groups": _case(_up((4, 9), 3, stride=2, padding=1), (40, 34), 2),
    "gradient, depthwise": _case(_up((4, 9), 4, stride=2, padding=1), (5, 5), 5, 2),
    "gradient, depthwise, whole vectors": _case(_up((3, 17), 3, stride=2, padding=1), (32, 32), 32),
    "gradient, depthwise, part of a vector": _case(_up((3, 7), 3, stride=2, padding=1), (37, 37), 37, 2),
    "gradient, depthwise, in place": _case(_up((4, 5), 2, stride=2), (21, 21), 21, 2),
    "gradient, depthwise, in runs": _case(_up((4, 7), 3, stride=2), (85, 85), 85, forced=_force(run_tiles=1)),
    "gradient, depthwise, columns cut": _case(_up((3, 19), 3, stride=2, padding=((2, 0), (0, 3))), (20, 20), 20,
                                              forced=_force(cache_block=(1, 1, 5))),
    "gradient, depthwise, 3-D": _case(_up((2, 3, 4), (2, 3, 2), stride=2, dilation=(1, 2, 1)), (19, 19), 19),
    "gradient, depthwise, the last vector where it is": _case(_up((2, 5), 2, stride=1, padding=1), (13, 13), 13),
    "gradient, depthwise, 1-D": _case(_up(30, 4, stride=2, padding=1), (5, 5), 5, 2),
    "gradient, depthwise with multiplier": _case(_up((5, 9), 3, stride=(3, 2), padding=1), (3, 6), 3, 2),
    "gradient, depthwise, few from many": _case(_up((5, 9), 3, stride=2, padding=1), (6, 3), 3, 2),
}  # fmt: skip

#: What their schedules have to show, together, for every set of instructions.
GRADIENT_EXPECTED = {
    *(f"{layout}: {kind}" for layout in ("first", "last") for kind in _NAMES),
    *(f"{kind}: {way}" for kind in _NAMES for way in (
        "several rows", "rows left over", "several vectors", "columns cut", "rows cut", "several tiles",
        "runs of tiles", "in place", "strands", "rows that some taps miss", "zeros around", "cells are copied",
        "cells where they are", "cells where they are, part of a vector",
    )),
    *(f"gradient: {way}" for way in (
        "neighbours are channels", "neighbours are taps", "several widths", "images together", "runs of channels",
        "some rows a sum", "parts of a row", "joined", "cells are transposed", "some of each pixel",
        "all of each pixel",
        "positions that a chunk misses",
    )),
    "depthwise gradient: part of a vector", "depthwise gradient: channels are transposed",
    "depthwise gradient: all tiles for one op",
}  # fmt: skip


def _reached(s, cache_block, taps) -> tuple[tuple[int, ...], ...]:
    """The rows of cells of a chunk that meet the fine grid through taps of the outer axes."""
    along = [
        [q for q in span if 0 <= q * line.read_stride + shift < line.read]
        for span, line, (_, shift) in zip(cache_block, s.outer, taps, strict=True)
    ]
    return tuple(product(*along))


def of_gradient(s) -> dict[str, bool]:
    """What a schedule takes."""
    outer = list(product(*(phase_taps(line)[0] for line in s.outer)))
    units = len(outer) * (s.last.kernel if s.by_channel else s.outputs)
    columns = spans(s.spans[-1], s.cache_block[-1])
    cells = [len(q) for q in s.spans]
    boxes = [spans(span, n) for span, n in zip(s.spans, s.cache_block, strict=True)]
    reach = [{_reached(s, [cut[i] for cut in boxes[:-1]], taps) for taps in outer} for i in (0, -1)]
    return {
        "several rows": s.rows > 1,
        "rows left over": s.rows > 1 and units % s.rows > 0,
        "several vectors": s.vectors > 1,
        "several widths": len(s.widths) > 1,
        "columns cut": len(columns) > 1,
        "rows cut": len(s.cache_block) > 2 and s.cache_block[-2] < cells[-2],
        "images together": s.cache_block[0] > 1,
        "several tiles": len(s.tiles) > 1,
        "runs of tiles": s.run_tiles < len(s.tiles),
        "runs of channels": s.outputs < s.read,
        "neighbours are channels": s.by_channel,
        "neighbours are taps": s.layout.channels_last and not s.by_channel,
        "in place": s.in_place,
        "joined": s.layout.joined,
        "strands": any(len(residues(line)) > 1 for line in s.outer),
        "zeros around": s.before + s.behind > 0 and not s.in_place,
        "rows that some taps miss": any(len(found) > 1 for found in reach),
        "positions that a chunk misses": () in reach[0],
        "some rows a sum": s.cache_block[-1] < s.terms < prod(s.cache_block),
        "parts of a row": s.terms < s.cache_block[-1],
        "cells are transposed": s.gathered and s.side_by_side,
        "cells are copied": s.gathered and not s.side_by_side,
        "cells where they are": not s.gathered,
        "cells where they are, part of a vector": not s.gathered and any(last < s.lanes for _, last in s.variants),
        "all of each pixel": s.layout.channels_last and not (s.channel_subset or s.depthwise or s.in_place),
        "some of each pixel": s.channel_subset and s.outputs < s.read,
        "channels are transposed": s.transposed,
        "part of a vector": any(last < s.lanes for _, last in s.variants),
        "all tiles for one op": not s.tiles_outside and len(s.tiles) > 1,
    }
