"""What the loops of minimal filtering are given of a schedule."""

from __future__ import annotations

from enum import auto

from tconv.jit.programs.loops.words import Words


class W(Words):
    """Words of a schedule."""

    AXES = auto()
    DIRECT = auto()  #: whether results are written into y at once
    READ = auto()  #: channels of a group
    TERMS = auto()  #: of a sum, at most
    ROWS = auto()  #: of tiles, whose products a kernel computes at a time, at most, and how many of each
    PIXELS = auto()
    WIDE = auto()  #: elements that are copied of a cell
    CELL = (
        auto()
    )  #: bytes of the panel from a cell of x to the next, from a row to the next, and what a row is copied by
    STEP = auto()  #: bytes from what the transform reads of a channel (innermost: cell) to the next
    FURTHER = auto()  #: bytes from what it writes of a channel (innermost: tile) to the next
    POINTS = auto()  #: how many a tile has, where they begin, and bytes from one to the next, and from area to area
    POINTS_AT = auto()
    POINT = auto()
    AREA = auto()
    SOURCE_PIXEL = auto()  #: bytes from a tile to the next within a point, and from a channel to the next
    SOURCE_CHANNEL = auto()
    POSITION = auto()  #: bytes of a tile, or of a result, in the block
    RESULTS_AT = auto()
    VARIANTS = auto()  #: kernels: how many variants and shapes there are, and the first of each sort
    SHAPES = auto()
    OUTPUT = auto()
    MOVE = auto()
    INPUT = auto()
    COPY = auto()
    FINISH = auto()  #: that of the epilogue, or 0


class A(Words):
    """Words of an axis that only minimal filtering has (`FilteredAxis`)."""

    OUTPUTS = auto()
    CELLS = auto()  #: that a tile reads
    SEGMENTS = auto()
    STEP = auto()
    FIRST = auto()
    SPAN = auto()  #: cells from the first that the first area reads to that of the last
    STRIDE = auto()
    APART = auto()
    AREAS = auto()  #: how many there are, and where is listed how many cells they begin behind the first
    AREAS_AT = auto()
    PHASES = auto()  #: how many there are, and where their words are listed: area, slot, set of weights, segments
    PHASES_AT = auto()
    SETS = auto()  #: of weights
    MOST = auto()  #: the last slot that a phase begins with
    PHASE = auto()  #: the phase, or area, at hand
    ROW = auto()  #: bytes of the panel from a cell of x to the next, of an outer axis
    SLOT = auto()  #: bytes of the panel from a tile of points to the next


#: Words of an axis, and of a phase in a list.
FILTERED, PHASE = len(A), 4
