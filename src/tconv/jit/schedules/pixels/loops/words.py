"""What the loops of schedules with pixels in lanes are given of a schedule."""

from __future__ import annotations

from enum import auto

from tconv.jit.programs.loops.words import Words


class S(Words):
    """Words of a schedule."""

    AXES = auto()
    GROUPS = auto()
    X_GROUP = auto()
    THREADS = auto()
    SIZE = auto()  #: bytes of an element
    LANES = auto()
    VECTORS = auto()
    ROWS = auto()
    FLAT = auto()
    IN_PLACE = auto()
    GAPS = auto()  #: the kernel that fills rows that no tap reaches; 0: there are none
    CHANNELS_LAST = auto()  #: channels are the innermost axis
    READ = auto()  #: channels of a group
    WRITTEN = auto()
    PARTS = auto()  #: of input channels, of a row that makes several sums
    SOURCE_CHANNEL = auto()
    X_CHANNEL = auto()
    PITCH = auto()
    BEFORE = auto()
    BEHIND = auto()
    COLUMNS = auto()
    PANEL_STRAND = auto()
    STRANDS = auto()
    STRANDS_AT = auto()  #: where they are listed: (residue, first, stage)
    STAGES = auto()
    STAGES_AT = auto()  #: with several rows in a tile: for each stage where its shifts are listed: how many, which
    PER_OUTER = auto()  #: rows of weights for each combination of taps of the axes before
    SIZES = auto()  #: sizes that tiles of channels come in
    TILES = auto()  #: tiles of channels
    COPY = auto()  #: the kernel that copies
    FINISH = auto()  #: the kernel of the epilogue, or 0
    JOIN = auto()  #: bytes from an element to the next in the panel where rows that follow each other are joined, or 0
    LINE = auto()  #: bytes of a cache line
    PLANES = auto()  #: depthwise: where for each phase of the axes before the last two its kernel is listed; or 0
    PER_PHASE = auto()  #: likewise bytes of weights of each
    THROUGH_BLOCK = auto()  #: likewise whether rows are put together before they are written: the kernel that writes
    # What changes.
    LINES = auto()  #: lines of x that tiles ask for: how many are listed, and how many were asked for
    ASKED = auto()
