"""What the loops of weight gradients are given of a schedule, and what they list."""

from __future__ import annotations

from enum import auto

from tconv.jit.programs.loops.words import Words


class G(Words):
    """Words of a schedule, for runs of so many channels o."""

    AXES = auto()
    SIZE = auto()  #: bytes of an element
    IN_PLACE = auto()
    TRANSPOSED = auto()  #: rows are copied tile by tile
    GATHERED = auto()  #: the kernel that copies coarse cells, or 0
    SIDE_BY_SIDE = auto()  #: squares of coarse cells are transposed
    BY_CHANNEL = auto()
    OUTPUTS = auto()
    TAPS = auto()
    TERMS = auto()
    ROWS = auto()
    PIXELS = auto()
    PIXEL = auto()
    COLUMNS = auto()  #: of a chunk, at most
    CELL = auto()
    BEFORE = auto()  #: cells before a row of the panel, and behind it
    BEHIND = auto()
    WIDE = auto()  #: elements that are copied of a cell
    CHANNEL_SUBSET = auto()  #: whether some channels of each pixel are copied
    CHANNELS = auto()  #: how often rows are copied, a channel further each time, and bytes of that in x
    X_CHANNEL = auto()
    SOURCE_CHANNEL = auto()
    SOURCE_PIXEL = auto()
    POSITION = auto()  #: bytes of a position of the block
    VARIANTS = auto()
    WIDTHS = auto()  #: sizes that tiles come in
    OF_ROWS = auto()  #: kernels: where those for several rows begin, the one that moves the block, the one that copies
    MOVE = auto()
    COPY = auto()


class Unit(Words):
    """What one row of a tile computes: from where on it reads, and to which position it adds."""

    READS = auto()
    POSITION = auto()


UNIT = len(Unit)
