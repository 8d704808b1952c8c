"""What the loops of schedules with channels in lanes are given of a schedule, and what they list."""

from __future__ import annotations

from enum import auto

from tconv.jit.programs.loops.words import Words


class C(Words):
    """Words of a schedule."""

    AXES = auto()
    SIZE = auto()  #: bytes of an element
    IN_PLACE = auto()
    CUT = auto()  #: whether rows are cut where a tap comes upon x or leaves it
    DIRECT = auto()
    PHASES = auto()  #: phases of the last axis are in lanes
    OUTER_FIRST = auto()
    DEPTHWISE = auto()
    READ = auto()  #: channels of a group
    PART = auto()  #: of them, taken at a time
    TERMS = auto()
    ROWS = auto()
    MOST_ROWS = auto()
    PIXELS = auto()
    PIXEL = auto()  #: bytes of what is read from a pixel to the next
    CELL = auto()
    BEFORE = auto()  #: cells before a row of the panel, and behind it
    BEHIND = auto()
    WIDE = auto()  #: elements that are copied of a cell
    COPIED = auto()  #: where some channels of each pixel are copied: how many; or 0
    JOIN = auto()  #: bytes of the panel from an element of a row that is copied to the next
    JOINED = auto()  #: whether the channels of cells that follow each other do so
    SOURCE_CHANNEL = auto()
    TARGET_PIXEL = auto()
    POSITION = auto()  #: bytes of a position of the block
    INNER = auto()  #: blocks of weights for each combination of taps of the outer axes
    INNER_AT = auto()  #: where they are listed for each phase of the last axis: how many, then (number, shift, mask)
    VARIANTS = auto()
    SHAPES = auto()
    MOVE = auto()  #: kernels: the one that moves the block, the one that packs weights on the fly, the one that copies
    PACK = auto()
    COPY = auto()
    FINISH = auto()  #: the kernel of the epilogue, or 0
    BLOCK = auto()  #: bytes of the words of a block of weights
    AT_ONCE = auto()  #: the kernel that computes all phases of cells within, or 0
    TOGETHER = auto()  #: q that an op of it has, at most
    WITHIN = auto()  #: the first q of cells within, of the axis before the last, and the first behind them
    WITHIN_END = auto()
    COLUMNS = auto()  #: of the last axis, likewise
    COLUMNS_END = auto()
    RUN = auto()  #: elements of y that a q of phases in lanes has, and of a position of it
    ELEMENTS = auto()


class Tap(Words):
    """Words of a tap: its block of weights, its mask (-1: none), how far along the row it reads, and from where."""

    NUMBER = auto()
    MASK = auto()
    SHIFT = auto()
    READS = auto()


TAP = len(Tap)
