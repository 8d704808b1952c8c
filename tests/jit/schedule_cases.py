"""Problems and schedules chosen so that every way through the scheduling code is taken, and what each of them takes."""

from __future__ import annotations

from itertools import product
from math import prod

from case import Case
from conv_cases import CONV, CONV_EXPECTED
from gradient_cases import GRADIENT, GRADIENT_EXPECTED, of_gradient

from tconv import Geometry
from tconv.jit.programs.cuts import spans
from tconv.jit.schedules.axes import LoopAxis, phase_taps, strands
from tconv.jit.schedules.channels.cells_at_once import together

_up = Geometry.conv_transpose


CASES = GRADIENT | CONV | {
    # pixels in lanes
    "GAN, all phases of two axes in a tile": Case(_up((9, 20), 4, stride=2, padding=1), (5, 1)),
    "short rows, tiles span them": Case(_up((9, 5), 3, stride=1, padding=1), (4, 3)),
    "short rows of phases, tiles span them": Case(_up((7, 9), 3, stride=2, padding=1, output_padding=1), (3, 5)),
    "long sums, all phases of two axes": Case(_up((5, 20), 5, stride=2, padding=1), (13, 1),
                                              forced={"pixels": {"terms": 40}, "phases": {"terms": 11}}),
    "long sums, short rows": Case(_up((9, 5), 3, stride=1, padding=1), (7, 3),
                                  forced={"pixels": {"terms": 6}, "channels": {"terms": 20}}),
    "long sums, channels": Case(_up((3, 5), 3, stride=2, padding=1), (13, 21),
                                forced={"channels": {"terms": 3, "part": 5}, "phases": {"terms": 14, "part": 7}}),
    "squares of pixels and channels, whole and in part": Case(_up((3, 40), 4, stride=2, padding=1), (21, 3), batch=2),
    "long rows, cut": Case(_up((3, 90), 3, stride=2, padding=1), (3, 5),
                           forced={"pixels": {"cache_block": (1, 1, 21), "flat": False}}),
    "a row cut after every q": Case(_up((2, 5), (2, 4), stride=2), (2, 3),
                                    forced={"pixels": {"cache_block": (1, 1, 1), "flat": False},
                                            "channels": {"cache_block": (1, 1, 1)},
                                            "phases": {"cache_block": (1, 1, 1)}}),
    "boxes of two rows": Case(_up((7, 11), 3, stride=(2, 1), padding=1), (3, 4),
                              forced={"pixels": {"cache_block": (1, 2, 11)}, "channels": {"cache_block": (1, 2, 4)}}),
    "rows where they are": Case(_up((4, 40), 4, stride=2, padding=((1, 2), (3, 0))), (7, 3), batch=2,
                                forced={"pixels": {"in_place": True, "flat": False, "terms": 20}}),
    "rows where they are, columns cut": Case(_up((5, 37), 3, stride=1, padding=((-1, 2), (2, -1))), (6, 8), 2,
                                             forced={"pixels": {"in_place": True,
                                                     "cache_block": (1, 2, 13), "flat": False}}),
    "rows where they are, cut": Case(_up((3, 35), 1), (3, 9),
                                     forced={"pixels": {"in_place": True, "cache_block": (1, 7), "flat": False}}),
    "short rows where they are": Case(_up((7, 5), 2, stride=2), (4, 3), batch=3,
                                      forced={"pixels": {"in_place": True, "flat": True, "cache_block": (1, 3, 5)}}),
    "short images where they are": Case(_up(5, 2, stride=2), (1, 3), batch=7,
                                        forced={"pixels": {"in_place": True, "flat": True, "cache_block": (2, 5)}}),
    "one image after the other, 1-D": Case(_up(40, 5, stride=3, padding=1), (4, 5), batch=17),
    "several images in a chunk, 1-D": Case(_up(9, 4, stride=2, padding=1), (4, 5), batch=17,
                                           forced={"pixels": {"cache_block": (5, 9), "flat": False},
                                                   "channels": {"cache_block": (4, 9)},
                                                   "phases": {"cache_block": (3, 4)}}),
    "batch 17 of tiny grids": Case(_up((1, 1), 4), (6, 20), batch=17, on_the_fly=True),
    "dilation, pixels": Case(_up((9, 33), 3, stride=1, padding=2, dilation=2), (3, 5)),
    "dilation and stride": Case(_up((5, 21), 3, stride=(2, 3), padding=(1, 2), dilation=(3, 2)), (3, 4)),
    "output padding": Case(_up((4, 18), (2, 3), stride=(2, 4), output_padding=(1, 3)), (3, 4)),
    "asymmetric padding": Case(_up((5, 18), 5, stride=2, padding=((0, 3), (4, 1))), (3, 4)),
    "negative padding": Case(_up((3, 17), 3, stride=2, padding=((-3, -1), (-2, -5))), (3, 4)),
    "gaps that hold the bias": Case(_up((3, 19), 2, stride=(3, 5), output_padding=(2, 4)), (3, 4)),
    "3-D, pixels": Case(_up((3, 4, 19), 3, stride=2, padding=1), (3, 4)),
    "rows of gaps": Case(_up((3, 19), (1, 2), stride=(4, 3), output_padding=(2, 1)), (3, 9), batch=2),
    "planes of gaps": Case(_up((2, 3, 5), 2, stride=(4, 3, 2), output_padding=(1, 2, 0)), (3, 4)),
    "axes along which nothing is done": Case(_up((3, 4, 9), (1, 1, 3)), (4, 9)),
    "groups, pixels": Case(_up((4, 19), 3, stride=2, padding=1), (6, 9), 3),
    # channels in lanes
    "wide and small": Case(_up((4, 4), 4, stride=2, padding=1), (7, 32), on_the_fly=True),
    "a part of a vector of channels": Case(_up((4, 4), 4, stride=2, padding=1), (5, 23), on_the_fly=True),
    "many channels in parts": Case(_up((3, 5), 3, stride=2, padding=1), (13, 32),
                                   forced={"channels": {"part": 4}, "phases": {"part": 5}}, on_the_fly=True),
    "columns cut, channels": Case(_up((3, 23), 3, stride=2, padding=1), (5, 32),
                                  forced={"channels": {"cache_block": (1, 2, 7)}}, on_the_fly=True),
    "images in a chunk, channels": Case(_up((2, 3), 3, stride=2), (5, 32), batch=7,
                                        forced={"channels": {"cache_block": (3, 2, 4)},
                                                "phases": {"cache_block": (3, 2, 4)}}),
    "in place": Case(_up((5, 6), 2, stride=2), (9, 20), 1, 2, on_the_fly=True),
    "in place, cut": Case(_up((5, 9), 5, stride=2, padding=((0, 3), (4, 1))), (3, 20),
                           forced={"channels": {"in_place": True}}),
    "in place, cut, groups": Case(_up((4, 9), 3, stride=(2, 1), padding=2, dilation=2), (6, 8), 2, 2,
                                   forced={"channels": {"in_place": True, "part": 2}}),
    "in place, in parts": Case(_up((5, 6), 2, stride=2), (9, 20), 1, 2, forced={"channels": {"part": 4}}),
    "in place, cropped": Case(_up((6, 7), 2, stride=2, padding=((2, 2), (2, 4))), (5, 20)),
    "groups, channels": Case(_up((4, 5), 3, stride=2, padding=1), (6, 48), 3),
    "groups of a channel with many, channels": Case(_up((4, 5), 3, stride=2, padding=1), (3, 48), 3),
    "wide, gaps": Case(_up((3, 4), 2, stride=(3, 5), output_padding=(2, 1)), (5, 32)),
    "wide, negative padding and dilation": Case(_up((4, 5), 3, stride=2, padding=((-2, 1), (3, -4)), dilation=2),
                                                (5, 32)),
    "wide, 3-D": Case(_up((2, 3, 3), 2, stride=2), (5, 32), batch=2),
    "wide, 1-D": Case(_up(11, 4, stride=2, padding=1), (5, 64), batch=3),
    "large stride, dilation": Case(_up((2, 7), 3, stride=9, dilation=2), (3, 4)),
    # lanes of phases
    "kernel twice the stride": Case(_up((2, 5), 16, stride=8, padding=4), (3, 4)),
    "taps that reach some phases": Case(_up((2, 5), 13, stride=8, padding=3), (3, 4), on_the_fly=True),
    "kernel shorter than the stride": Case(_up((2, 5), 6, stride=8, output_padding=7), (3, 4)),
    "a run longer than a tile": Case(_up(5, 150, stride=100, padding=((25, 30),)), (3, 2), batch=2),
    "long runs in parts": Case(_up(5, 150, stride=100, padding=((25, 30),)), (7, 2), forced={"phases": {"part": 3}}),
    "columns cut, phases": Case(_up((2, 13), 16, stride=8, padding=((0, 1), (3, 9))), (3, 4),
                                forced={"phases": {"cache_block": (1, 2, 4)}}),
    "phases of three channels": Case(_up((4, 5), 4, stride=2, padding=1), (5, 3)),
    "phases, negative padding": Case(_up((2, 6), 12, stride=9, padding=((0, 0), (-7, -11))), (2, 3)),
    "phases, cut and in parts": Case(_up((4, 9), 5, stride=3, padding=2), (7, 2),
                                     forced={"phases": {"cache_block": (1, 3, 4), "part": 2}}, on_the_fly=True),
    "phases, images in a chunk": Case(_up(3, 10, stride=10, padding=3), (3, 2), batch=6,
                                      forced={"phases": {"cache_block": (4, 4)}}),
    # lanes of taps
    "few channels, small grid": Case(_up((3, 5), (5, 7), stride=(2, 3), padding=(1, 3), output_padding=(1, 0)), (9, 2),
                                     batch=3, forced={"taps": {"vectors": 2, "pixels": 4, "channels": 1}}),
    "few channels, long sums": Case(_up((2, 3), 3, stride=2, padding=1), (13, 7),
                                    forced={"taps": {"terms": 4, "channels": 3}}),
    "few channels, 3-D, dilation": Case(_up((2, 3, 4), (2, 3, 4), stride=2, padding=(1, 0, 2), dilation=(1, 2, 3)),
                                        (6, 4), 2, forced={"taps": {"channels": 2}}),
    "few channels, cropped": Case(_up((4, 6), (2, 5), stride=(1, 2), padding=((-1, 3), (6, -2))), (7, 3)),
    # depthwise
    "depthwise, 1-D": Case(_up(70, 4, stride=2, padding=1), (5, 5), 5, 2),
    "depthwise": Case(_up((7, 37), 4, stride=2, padding=1), (3, 3), 3, 2),
    "depthwise, odd": Case(_up((7, 37), 3, stride=2, padding=1), (3, 3), 3),
    "depthwise with multiplier": Case(_up((5, 19), 3, stride=(3, 2), padding=1, output_padding=(2, 1)), (3, 6), 3, 2),
    "depthwise, short rows": Case(_up((7, 6), 4, stride=(3, 2), padding=1), (3, 6), 3, 2),
    "depthwise, short rows of a cell": Case(_up((9, 1), 2, stride=2), (3, 3), 3),
    "depthwise, short rows, weights beyond registers": Case(_up((3, 3), 7, stride=2, padding=(2, 1)), (2, 2), 2),
    "depthwise, short rows of images": Case(_up(3, 4, stride=2, padding=((2, 0),)), (3, 3), 3, 5),
    "depthwise, 3-D": Case(_up((3, 4, 19), 3, stride=2, padding=1), (2, 4), 2),
    "depthwise, 3-D, gaps": Case(_up((2, 3, 19), (2, 3, 2), stride=(3, 1, 3), output_padding=(2, 0, 1)), (2, 2), 2),
    "depthwise, dilation": Case(_up((5, 21), 3, stride=(2, 1), padding=(1, -3), dilation=(3, 2)), (3, 3), 3),
    "depthwise, columns cut": Case(_up((5, 90), 3, stride=2, padding=((2, 0), (0, 3))), (2, 2), 2,
                                   forced={"planes": {"cache_block": (1, 1, 21)}}),
    "depthwise, rows cut": Case(_up((9, 20), 4, stride=(2, 1), padding=1), (2, 2), 2,
                                forced={"planes": {"cache_block": (1, 2, 21)}}),
    "depthwise, past the caches": Case(_up((5, 88), 4, stride=2, padding=1), (2, 2), 2,
                                       forced={"planes": {"streaming": True}}),
    "depthwise, many phases": Case(_up((3, 9), 9, stride=8, padding=3), (2, 2), 2),
    "depthwise, wide": Case(_up((4, 7), 3, stride=2, padding=1), (32, 32), 32, 2,
                            forced={"depthwise": {"cache_block": (1, 2, 3)}}),
    "depthwise, cells within": Case(_up((3, 11), 4, stride=2, padding=1), (21, 21), 21, 2),
    "depthwise, cells within, rows cut": Case(_up((9, 30), (2, 3), stride=(1, 2), padding=((2, 0), (-1, 1))), (9, 9), 9,
                                              forced={"depthwise": {"cache_block": (1, 4, 13)}}),
    "depthwise, cells within, planes cropped": Case(
        _up((3, 2, 13), (1, 2, 3), stride=(1, 1, 2), padding=((-1, 2), (1, 0), (-1, 1))), (16, 16), 16, 2),
    "depthwise, cells within, in parts": Case(_up((3, 20), 2, stride=2), (128, 128), 128),
    "depthwise, cells within, far apart": Case(_up((2, 70), (1, 3), padding=(0, 16), dilation=(1, 16)), (33, 33), 33),
    "depthwise, wide, gaps": Case(_up((4, 5), 2, stride=(3, 1), output_padding=(2, 0)), (21, 21), 21),
    "depthwise, wide, 3-D": Case(_up((2, 3, 4), (2, 3, 2), stride=2, dilation=(1, 2, 1)), (19, 19), 19),
    "one cell": Case(_up((1, 1), (4, 3)), (9, 5)),
    "one cell, groups": Case(_up((1, 1), (4, 3)), (9, 6), 3, 5),
    "one channel": Case(_up((5, 40), (3, 5), stride=(2, 1), padding=((1, 1), (3, 2))), (1, 1)),
}  # fmt: skip

#: What the schedules of the cases have to show, together, for every set of instructions.
EXPECTED = GRADIENT_EXPECTED | CONV_EXPECTED | {
    "first: planes", "first: pixels", "first: channels", "first: phases",
    "first: depthwise", "last: pixels", "last: channels", "last: phases", "last: depthwise",
    "pixels: rows of all phases", "pixels: one row", "pixels: flat", "pixels: columns cut", "pixels: rows cut",
    "pixels: images together", "pixels: several sizes of channels", "pixels: several vectors", "pixels: gaps",
    "pixels: parts, several stages", "pixels: parts, flat", "pixels: parts of a tap", "channels: parts of a tap",
    "pixels: in place", "pixels: in place, flat", "pixels: in place, parts", "pixels: in place, columns cut",
    "channels: some taps", "channels: several rows", "channels: rows left over", "phases: several rows",
    "phases: parts of a tap", "phases: some taps",
    "planes: two axes before the last two", "planes: combinations", "planes: streaming", "planes: columns cut",
    "planes: rows cut", "planes: gaps", "planes: folded", "planes: folded, several rows",
    "channels: in place, cut", "channels: ends of rows together", "depthwise: in place, cut",
    "depthwise: cells at once", "depthwise: cells at once, carried", "depthwise: cells at once, several tiles",
    "depthwise: cells at once, parts of rows", "depthwise: cells at once, each loads its own",
    "first: taps", "taps: several parts", "taps: several channels", "taps: channels left over", "taps: long sums",
    "taps: runs in part", "taps: tap by tap",
    "channels: parts", "channels: in place", "channels: in place, parts", "channels: direct, part of a vector",
    "channels: columns cut", "channels: images together", "channels: several vectors", "channels: zeros around",
    "channels: on the fly", "channels: on the fly, parts", "channels: on the fly, in place", "phases: on the fly",
    "phases: on the fly, parts",
    "depthwise: columns cut", "depthwise: zeros around", "depthwise: part of a vector",
    "phases: masked taps", "phases: runs in parts", "phases: several runs in a tile", "phases: columns cut",
    "phases: parts", "phases: images together", "phases: joined", "phases: joined, several images",
}  # fmt: skip


def taken(s) -> set[str]:
    """Which ways a schedule takes, in the words of `EXPECTED`."""
    kind, lines = s.kind, s.layout.axes
    cut = [n < len(line.span()) for n, line in zip(s.cache_block, lines, strict=True)]
    ways = {"columns cut": cut[-1], "rows cut": cut[-2], "images together": s.cache_block[0] > 1}
    ways |= {"strands": s.last.read_stride > 1, "strands that no tap reads": len(strands(s.last)) < s.last.read_stride}
    of_kind = {"planes": _of_planes, "pixels": _of_pixels, "phases": _of_phases, "taps": _of_taps}
    of_kind |= {"gradient": of_gradient, "depthwise gradient": of_gradient}
    ways |= of_kind.get(kind, _of_channels)(s)
    found = {f"{kind}: {way}" for way, takes in ways.items() if takes}
    found |= {f"{'last' if s.layout.channels_last else 'first'}: {kind}"}
    return {f"conv, {way}" for way in found} if s.problem.operation == "conv" else found


def _of_pixels(s) -> dict[str, bool]:
    return {
        "flat": s.flat,
        "rows of all phases": s.rows > 1,
        "one row": s.rows == 1,
        "several sizes of channels": len(s.sizes) > 1,
        "gaps": s.gaps,
        "several vectors": s.vectors > 1,
        "several stages": len(s.stages) > 1,
        "parts, several stages": s.parts and len(s.stages) > 1,
        "parts, flat": s.parts and s.flat,
        "parts of a tap": s.part < s.read,
        "in place": s.in_place,
        "in place, flat": s.in_place and s.flat,
        "in place, parts": s.in_place and s.parts,
        "in place, columns cut": s.in_place and s.columns < len(s.spans[-1]),
    }


def _of_planes(s) -> dict[str, bool]:
    return {
        "streaming": s.streaming,
        "two axes before the last two": len(s.layout.axes) > 3,
        "combinations": len(s.repeats) > 1,
        "gaps": 0 in s.repeats,
        "folded": s.fold > 0,
        "folded, several rows": s.fold > 1,
    }


def _of_channels(s) -> dict[str, bool]:
    parts = s.part < s.read
    return _sums(s) | {
        "parts": parts,
        "in place": s.in_place,
        "joined": s.layout.joined,
        "cells at once": _at_once(s),
        "cells at once, carried": _at_once(s) and s.carries,
        "cells at once, each loads its own": _at_once(s) and not s.carries,
        "cells at once, several tiles": _at_once(s) and len(s.tiles) > 1,
        "cells at once, parts of rows": _at_once(s) and len(s.inner[1]) > together(*s.layout.axes[-2:]),
        "in place, cut": s.in_place and any(len(s.segments(s.spans[-1], b)) > 1 for b in range(s.last.stride)),
        "ends of rows together": s.in_place and s.rows == 1 and any(rows > 1 for rows, _ in s.shapes),
        "in place, parts": s.in_place and parts,
        "direct, part of a vector": s.direct and any(last < s.lanes for _, _, last in s.variants),
        "part of a vector": any(last < s.lanes for _, _, last in s.variants),
        "several vectors": s.vectors > 1,
        "zeros around": s.before + s.behind > 0,
        "on the fly": s.on_the_fly,
        "on the fly, parts": s.on_the_fly and parts,
        "on the fly, in place": s.on_the_fly and s.in_place,
    }


def _at_once(s) -> bool:
    return s.at_once and bool(s.inner[0]) and bool(s.inner[1])


def _of_phases(s) -> dict[str, bool]:
    return _sums(s) | {
        "parts": s.part < s.read,
        "columns cut": len(spans(s.last.span(s.origin), s.cache_block[-1])) > 1,
        "masked taps": masked(s.last, s.origin),
        "runs in parts": s.tiles[0].length < s.run,
        "several runs in a tile": s.tiles[0].count > 1,
        "on the fly": s.on_the_fly,
        "on the fly, parts": s.on_the_fly and s.part < s.read,
        "joined": s.layout.joined,
        "joined, several images": s.layout.joined and s.last.read > 1,
    }


def _of_taps(s) -> dict[str, bool]:
    last = s.axes[-1]
    ends = last.low > 0 or (last.read - 1) * last.stride - last.low + last.kernel > last.written
    return {
        "several parts": len(s.parts) > 1,
        "several channels": s.channels > 1,
        "channels left over": s.written % s.channels > 0,
        "long sums": s.read > s.terms,
        "runs in part": last.dilation == 1 and ends,
        "tap by tap": last.dilation > 1,
    }


def _sums(s) -> dict[str, bool]:
    of_phase = [[len(line.of_phase(b, line.span())) for b in range(line.stride)] for line in s.outer]
    return {
        "several rows": s.rows > 1,
        "rows left over": any(prod(rows) % s.rows for rows in product(*of_phase)),
        "parts of a tap": s.terms < s.part,
        "some taps": s.part < s.terms < s.part * s.problem.taps,
    }


def masked(line: LoopAxis, origin: int) -> bool:
    """Whether some shift reaches some phases of an axis and not others."""
    of_shift = [shift for taps in phase_taps(line, origin) for _, shift in taps]
    return any(of_shift.count(shift) < line.stride for shift in set(of_shift))


#: (case, channels last) for `pytest.mark.parametrize`.
EVERY_CASE = list(product(CASES, (False, True)))
