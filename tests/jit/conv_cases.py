"""Strided convolutions chosen so that every way through the scheduling code is taken, and what each of them takes.

Channels are those of x and y, as everywhere: (written, read). Sizes are those of the fine grid, which is read.
"""

from __future__ import annotations

from functools import partial

from case import Case

from tconv import Geometry

_case = partial(Case, operation="conv")
_down = Geometry.conv


CONV = {
    # pixels in lanes
    "conv, kernel 4, stride 2": _case(_down((8, 40), 4, stride=2, padding=1), (5, 3)),
    "conv, kernel 3: strands of unlike numbers of taps": _case(_down((7, 41), 3, stride=2, padding=1), (5, 3)),
    "conv, three strands": _case(_down((8, 61), 5, stride=3, padding=2), (3, 2)),
    "conv, five strands, two axes": _case(_down((11, 90), (5, 10), stride=(2, 5), padding=(1, 3)), (3, 2)),
    "conv, sixteen strands": _case(_down((3, 330), (3, 32), stride=(1, 16), padding=(1, 8)), (3, 2)),
    "conv, more strands than registers take apart": _case(_down((3, 110), (3, 20), stride=(1, 20)), (3, 2)),
    "conv, taps that skip strands": _case(_down((9, 40), 2, stride=(4, 6), padding=(1, 3)), (3, 4)),
    "conv, one tap": _case(_down((9, 40), 1, stride=(3, 2), padding=((-1, 0), (-1, 1))), (3, 4)),
    "conv, stride 1": _case(_down((6, 19), 3, padding=1), (4, 3)),
    "conv, short rows": _case(_down((17, 10), 4, stride=2, padding=1), (4, 3)),
    "conv, short rows, zeros of two rows in one": _case(_down((21, 9), 5, stride=2, padding=2), (4, 3)),
    "conv, long sums": _case(_down((9, 40), 3, stride=2, padding=1), (3, 13),
                             forced={"pixels": {"terms": 7}, "channels": {"terms": 30}}),
    "conv, long sums, short rows": _case(_down((17, 10), 3, stride=2, padding=1), (3, 7),
                                         forced={"pixels": {"terms": 6}, "channels": {"terms": 3, "part": 5}}),
    "conv, long rows, cut": _case(_down((6, 180), 3, stride=2, padding=1), (3, 5),
                                  forced={"pixels": {"cache_block": (1, 1, 21), "flat": False},
                                          "channels": {"cache_block": (1, 2, 7)}}),
    "conv, a row cut after every q": _case(_down((4, 11), (2, 4), stride=2, padding=(0, 1)), (2, 3),
                                           forced={"pixels": {"cache_block": (1, 1, 1), "flat": False},
                                                   "channels": {"cache_block": (1, 1, 1)}}),
    "conv, boxes of two rows": _case(_down((13, 11), 3, stride=(2, 1), padding=1), (3, 4),
                                     forced={"pixels": {"cache_block": (1, 2, 11)},
                                             "channels": {"cache_block": (1, 2, 4)}}),
    "conv, 1-D": _case(_down(121, 5, stride=3, padding=1), (4, 5), batch=17),
    "conv, several images in a chunk": _case(_down(19, 4, stride=2, padding=1), (4, 5), batch=17,
                                             forced={"pixels": {"cache_block": (5, 9), "flat": False},
                                                     "channels": {"cache_block": (4, 9)}}),
    "conv, dilation": _case(_down((13, 60), 3, stride=(2, 3), padding=(1, 2), dilation=(3, 2)), (3, 4)),
    "conv, dilation of the stride": _case(_down((13, 60), 3, stride=2, padding=3, dilation=4), (3, 4)),
    "conv, asymmetric padding": _case(_down((9, 40), 5, stride=2, padding=((0, 3), (4, 1))), (3, 4)),
    "conv, negative padding": _case(_down((12, 50), 3, stride=2, padding=((-3, -1), (-2, -5))), (3, 4)),
    "conv, zeros beyond a kernel": _case(_down((3, 9), 3, stride=2, padding=((7, 5), (6, 9))), (3, 4)),
    "conv, cells left over": _case(_down((10, 39), 2, stride=(3, 5)), (3, 4)),
    "conv, 3-D": _case(_down((5, 6, 39), 3, stride=(2, 1, 2), padding=1), (4, 3)),
    "conv, groups": _case(_down((8, 39), 3, stride=2, padding=1), (9, 6), 3),
    "conv, squares of pixels and channels": _case(_down((5, 80), 4, stride=2, padding=1), (3, 21), batch=2),
    # channels in lanes
    "conv, wide and small": _case(_down((8, 8), 4, stride=2, padding=1), (32, 7), on_the_fly=True),
    "conv, a part of a vector of channels": _case(_down((8, 8), 4, stride=2, padding=1), (23, 5)),
    "conv, many channels in parts": _case(_down((5, 9), 3, stride=2, padding=1), (32, 13),
                                          forced={"channels": {"part": 4}}, on_the_fly=True),
    "conv, images in a chunk, channels": _case(_down((4, 7), 3, stride=2), (32, 5), batch=7,
                                               forced={"channels": {"cache_block": (3, 1, 3)}}),
    "conv, in place": _case(_down((10, 12), 2, stride=2), (20, 9), 1, 2,
                            forced={"channels": {"part": 4}}, on_the_fly=True),
    "conv, in place, cropped": _case(_down((13, 15), 2, stride=2, padding=((-1, -2), (0, -1))), (20, 5)),
    "conv, in place, cut": _case(_down((9, 40), 5, stride=2, padding=((0, 3), (4, 1))), (20, 3),
                                 forced={"channels": {"in_place": True}}),
    "conv, in place, ends of rows together": _case(_down((19, 33), 3, stride=(2, 1), padding=1), (20, 3)),
    "conv, in place, ends of rows that have other taps": _case(_down((12, 24), 3, padding=((2, 2), (2, 2)), dilation=2),
                                                               (34, 8), 2, 2),
    "conv, in place, cut, groups": _case(_down((9, 17), 3, stride=(2, 1), padding=2, dilation=2), (8, 6), 2, 2,
                                         forced={"channels": {"in_place": True, "part": 2}}),
    "conv, in place, taps apart": _case(_down((10, 17), 2, stride=3, dilation=2), (20, 5)),
    "conv, groups, channels": _case(_down((8, 9), 3, stride=2, padding=1), (48, 6), 3),
    "conv, groups of a channel with many": _case(_down((8, 9), 3, stride=2, padding=1), (48, 3), 3),
    "conv, wide, 3-D": _case(_down((4, 6, 6), 2, stride=2), (32, 5), batch=2),
    "conv, wide, 1-D": _case(_down(23, 4, stride=2, padding=1), (64, 5), batch=3),
    "conv, large stride": _case(_down(520, 150, stride=100, padding=((25, 30),)), (3, 2), batch=2),
    # depthwise
    "conv, depthwise, 1-D": _case(_down(140, 4, stride=2, padding=1), (5, 5), 5, 2),
    "conv, depthwise": _case(_down((13, 75), 3, stride=2, padding=1), (3, 3), 3, 2),
    "conv, depthwise, stride 1": _case(_down((7, 37), 3, padding=1), (3, 3), 3),
    "conv, depthwise with multiplier": _case(_down((9, 40), 3, stride=(3, 2), padding=1), (6, 3), 3, 2),
    "conv, depthwise, few from many": _case(_down((9, 40), 3, stride=2, padding=1), (3, 6), 3, 2),
    "conv, depthwise, 3-D": _case(_down((5, 7, 40), (3, 2, 3), stride=2, padding=1), (4, 2), 2),
    "conv, depthwise, dilation": _case(_down((11, 21), 3, stride=(2, 1), padding=(1, -3), dilation=(3, 2)), (3, 3), 3),
    "conv, depthwise, columns cut": _case(_down((9, 190), 3, stride=2, padding=((2, 0), (0, 3))), (2, 2), 2,
                                          forced={"planes": {"cache_block": (1, 1, 21)}}),
    "conv, depthwise, rows cut": _case(_down((17, 40), 4, stride=2, padding=1), (2, 2), 2,
                                       forced={"planes": {"cache_block": (1, 2, 20)}}),
    "conv, depthwise, past the caches": _case(_down((9, 150), 4, stride=2, padding=1), (2, 2), 2,
                                              forced={"planes": {"streaming": True}}),
    "conv, depthwise, wide": _case(_down((8, 13), 3, stride=2, padding=1), (32, 32), 32, 2,
                                   forced={"depthwise": {"cache_block": (1, 2, 3)}}),
    "conv, depthwise, wide, 3-D": _case(_down((4, 6, 7), (2, 3, 2), stride=2, dilation=(1, 2, 1)), (21, 21), 21),
    "conv, depthwise, cells within": _case(_down((4, 19), 3, padding=1), (128, 128), 128),
    "conv, depthwise, cells within, strides": _case(
        _down((9, 33), 3, stride=(1, 2), padding=((2, 0), (0, 1))), (37, 37), 37, 2,
        forced={"depthwise": {"cache_block": (1, 4, 7)}}),
    "conv, depthwise, cells within, gaps": _case(_down((9, 29), (3, 2), stride=(2, 3), dilation=(2, 5)), (21, 21), 21),
    "conv, depthwise, cells within, cropped": _case(_down((1, 23), (1, 3), padding=(0, (-2, -1))), (48, 48), 48, 2),
    "conv, depthwise, all in one": _case(_down((5, 5), 5), (21, 21), 21, 3),
    "conv, one cell": _case(_down((4, 3), (4, 3)), (9, 5), 1, 3),
    "conv, one cell, many channels": _case(_down((4, 3), (4, 3)), (53, 5), 1, 40, on_the_fly=True),
    "conv, one cell, groups": _case(_down((4, 3), (4, 3)), (9, 6), 3, 5),
    "conv, one channel": _case(_down((9, 40), (3, 5), stride=(2, 1), padding=((1, 1), (3, 2))), (1, 1)),
}  # fmt: skip

#: What their schedules have to show, together, for every set of instructions.
CONV_EXPECTED = {f"conv, {way}" for way in (
    "first: planes", "first: pixels", "first: channels", "first: depthwise", "last: pixels", "last: channels",
    "last: depthwise",
    "pixels: strands", "pixels: several stages", "pixels: strands that no tap reads", "pixels: one row", "pixels: flat",
    "pixels: columns cut", "pixels: rows cut", "pixels: images together", "pixels: several sizes of channels",
    "pixels: several vectors", "pixels: parts, several stages", "pixels: parts, flat", "pixels: parts of a tap",
    "planes: strands", "planes: streaming", "planes: columns cut", "planes: rows cut",
    "planes: two axes before the last two",
    "channels: in place, cut", "channels: ends of rows together", "depthwise: in place, cut",
    "channels: several rows", "channels: rows left over",
    "channels: parts", "channels: parts of a tap", "channels: some taps", "channels: in place", "channels: strands",
    "channels: in place, parts", "channels: direct, part of a vector", "channels: columns cut",
    "channels: images together", "channels: several vectors", "channels: zeros around", "channels: joined",
    "channels: on the fly", "channels: on the fly, parts", "channels: on the fly, in place",
    "depthwise: columns cut", "depthwise: zeros around", "depthwise: part of a vector", "depthwise: strands",
    "depthwise: cells at once, carried", "depthwise: cells at once, several tiles",
    "depthwise: cells at once, parts of rows",
)}  # fmt: skip
