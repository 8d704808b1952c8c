"""How generated code is told what to do: tables of i64 that a program is made of. Nothing of a shape is in the code.

A program is one array of i64 (`programs/program.py` puts it together). It starts with a header (`Header`) and holds

    pieces  work for a thread: which images, group, rows and channels (`Piece`); runs of them are independent
    tiles   which output channels one call of a kernel computes, and where their weights lie (`Tile`)
    ops     what to do for a piece, one after the other: copy rows of x into the panel, compute a tile, move a block

An op is a run of words: the number of its kernel, its length in bytes, then what that kernel wants (its module says
what). Each thread keeps a context (`Context`) with its addresses and the sizes that all ops share. Offsets and strides
are in bytes, bounds and counts in elements.
"""

from __future__ import annotations

from enum import IntEnum, auto

#: Every kernel is called with its thread's context, its op and a tile.
PARAMETERS = (("ptr", "context"), ("ptr", "op"), ("ptr", "tile"))


class _Words(IntEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[int]) -> int:
        return count


class Context(_Words):
    """Words of a thread's context: addresses first, then sizes, copied from the header."""

    X = auto()  #: x of the image and group at hand
    W = auto()  #: packed weights of the group, or the window; of a weight gradient the coarse cells at hand
    Y = auto()  #: y of the image and group
    PANEL = auto()  #: scratch for rows of x
    BLOCK = auto()  #: scratch for results on their way into y
    PROGRAM = auto()  #: the program itself
    GIVEN = auto()  #: what `run` is given for packed weights: those, or the words of `UnpackedWeights` or of `Given`
    SOURCE = auto()  #: what kernels read x from: PANEL or X
    TARGET = auto()  #: what kernels write to: BLOCK or Y
    WEIGHTS = auto()  #: what kernels with channels in lanes read weights from: W, or the window
    COPIED = auto()  #: how often a copy repeats its rows, one channel further each time
    X_CHANNEL = auto()  #: from one channel of x to the next
    X_PIXEL = auto()  #: from one pixel of x to the next, where channels lie between them
    X_AHEAD = auto()  #: from one line of x that is asked for ahead to the next
    SOURCE_CHANNEL = auto()  #: likewise in SOURCE
    SOURCE_TERM = auto()  #: from what one term of a sum reads of SOURCE to the next
    SOURCE_STRAND = auto()  #: from one strand of a row of x to the next, where they are kept apart, in SOURCE
    SOURCE_ROW = auto()  #: from one row of SOURCE to the next
    W_CHANNEL = auto()  #: from one channel of W to the next, where W is cells
    W_TERM = auto()  #: from the cell of one term of a sum to that of the next, where cells are read where they are
    Y_CHANNEL = auto()  #: from one channel of y to the next
    Y_ROW = auto()  #: from one row of y to that of the next q
    Y_PHASE = auto()  #: from one phase of the axis before the last to the next, in y
    TARGET_PIXEL = auto()  #: from one pixel of a tile to the next, in TARGET


SIZES = tuple(word for word in Context if word >= Context.COPIED)


class Header(_Words):
    """Words at the start of a program. Tables are given by their offset from the start."""

    PIECES = auto()
    NUMBER_OF_RUNS = auto()  #: what threads take: runs of RUN pieces
    OPS = auto()
    TILES = auto()
    SCRATCH = auto()  #: bytes of scratch a thread
    BLOCK = auto()  #: where BLOCK begins within it
    IN_PLACE = auto()  #: 1: SOURCE is X, not PANEL
    DIRECT = auto()  #: 1: TARGET is Y, not BLOCK
    GATHERED = auto()  #: 1: WEIGHTS is the window, into which kernels copy cells of W; 0: it is W
    RUN = auto()  #: pieces that a thread does one after the other, because they add to the same results
    TILES_OUTSIDE = auto()  #: 1: all ops for one tile, then the next; 0: all tiles for one op
    ON_THE_FLY = auto()  #: 1: weights are packed on the fly, into the window; 0: they come packed
    WINDOW = auto()  #: where the window begins within the scratch of a thread
    SIZES = auto()  #: the first of the sizes of a context


HEADER_WORDS = int(Header.SIZES) + len(SIZES)  #: a tile of zeros follows


class Piece(_Words):
    """Words of a piece; offsets from the arrays, and spans of ops and tiles."""

    X = auto()
    W = auto()
    Y = auto()
    COPIES = auto()  #: the first op that fills the panel, from OPS
    COPIES_END = auto()
    OPS = auto()  #: the first op that computes
    OPS_END = auto()
    TILE = auto()  #: the first tile, from TILES
    TILE_END = auto()


class Tile(_Words):
    """Words of a tile."""

    VARIANT = auto()  #: which of the sizes kernels exist in
    W = auto()  #: its weights within the group's
    BIAS = auto()  #: its bias values, from its group's weights
    MASK = auto()  #: its lane masks within the program
    TAP = auto()  #: from the weights of one tap to those of the next
    Y = auto()  #: its first channel within the group's part of y
    TARGET = auto()  #: likewise in TARGET
    X = auto()  #: its first channel in SOURCE, in depthwise layers with channels in lanes
    OF_X = auto()  #: its first channel in X, where a kernel copies tile by tile
    OF_W = auto()  #: likewise in W
    AHEAD = auto()  #: from what an op asks for ahead in X to what it asks for during this tile
    COUNT = auto()  #: how many output channels it has
    FIRST = auto()  #: its first element within a run of y
    BLOCKS = auto()  #: the first of its blocks of weights, within the program, where weights are packed on the fly


#: The word of a tile that says on how many channels its epilogue acts, where there is one: then W holds no cells.
FINISHES = Tile.OF_W

PIECE_BYTES, TILE_BYTES = 8 * len(Piece), 8 * len(Tile)


class UnpackedWeights(_Words):
    """What stands for packed weights where they are packed on the fly."""

    WEIGHTS = auto()
    BIAS = auto()  #: 0 without one
    SPOILED = auto()  #: set to 1 where a weight is not finite


class Given(_Words):
    """What stands for packed weights where an epilogue follows; it begins with the words of `UnpackedWeights`."""

    WEIGHTS = auto()  #: packed, or not where they are packed on the fly
    BIAS = auto()
    SPOILED = auto()
    RESIDUAL = auto()  #: bytes from an element of y to that of the residual
    PARAMETERS = auto()  #: of the activation
    Y = auto()  #: the array y
    CHANNELS = auto()  #: of y


class Op(_Words):
    """The words that every op begins with."""

    KERNEL = auto()
    BYTES = auto()
