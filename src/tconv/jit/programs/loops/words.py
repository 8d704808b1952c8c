"""What loops that write tables are given: arrays of integers, whose words these name."""

from __future__ import annotations

from enum import IntEnum, auto

from tconv.jit.kernels.abi import Piece


class Words(IntEnum):
    """Words of an array, counted from 0."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[int]) -> int:
        return count


class AxisWords(Words):
    """Words of an axis; the axes lie one after the other, the batch first (see `axes.py`)."""

    READ = auto()
    WRITTEN = auto()
    KERNEL = auto()
    STRIDE = auto()
    READ_STRIDE = auto()
    ORIGIN = auto()
    X_STEP = auto()
    Y_STEP = auto()
    READ_STEP = auto()
    PIXEL_STEP = auto()
    START = auto()  #: the first q of all
    STOP = auto()  #: the q behind the last
    PARTS = auto()  #: how many chunks it is cut into
    FIRST_STRAND_SHIFT = auto()  #: `strand_shifts`: the least, and how many
    STRAND_SHIFTS = auto()
    RESIDUES = auto()  #: how many there are, and where they are listed
    RESIDUES_AT = auto()
    TAPS_AT = auto()  #: for each phase where its taps are listed: how many, then (tap, shift, number of the residue)
    SHIFTS_AT = auto()  #: likewise the shifts of all phases: how many, then (shift, number of the residue)
    SLOTS = auto()  #: rows of x that a chunk needs along it
    EXISTING = auto()  #: whether these are only rows that exist, not those beside x
    ROW_STEP = auto()  #: bytes from what a q reads to what the next does, where kernels read it
    # What changes from chunk to chunk, and from row to row.
    CLASS_AT = auto()  #: where for each part the first that is alike is kept, then those that are the first
    CLASSES = auto()
    CLASS = auto()  #: the number of the one at hand
    Q = auto()  #: the chunk at hand, and the one that comes later: the first q, and the one behind the last
    Q_END = auto()
    LATER = auto()
    LATER_END = auto()
    PHASE = auto()
    FROM = auto()  #: the q of the phase within the chunk, and the one at hand
    TO = auto()
    AT = auto()
    MET_AT = auto()  #: where the taps that read x at this q are listed, and how many
    MET = auto()
    BOUNDS_AT = auto()  #: where the bounds of parts are listed whose q the same taps reach, how many, and which
    BOUNDS = auto()
    BOUND = auto()


class Met(Words):
    """Words of a tap of an axis; such a list begins with those of a combination of taps."""

    TAP = auto()
    READS = auto()  #: bytes further in what kernels read, for the first q of a chunk
    SHIFT = auto()
    FIRST = auto()  #: where the first axis begins, in a list


class Copied(Words):
    """Words of a row on its way into the panel."""

    SOURCE = auto()  #: bytes, of the first element, in x and in the panel
    TARGET = auto()
    LENGTH = auto()  #: elements
    BEFORE = auto()  #: zeros on both sides
    BEHIND = auto()


class Out(Words):
    """Words before those that are written."""

    USED = auto()  #: how many there are, and for how many there is room
    ROOM = auto()
    WRONG = auto()  #: whether a tile has no kernel, which is a fault of ours
    FIRST = auto()


AXIS, COPIED, PIECE, MET = len(AxisWords), len(Copied), int(Piece.TILE), int(Met.FIRST)
