"""The interpreter notices what is wrong with a program: every access is checked, and what nobody wrote shows."""

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from interpreting import TOLERANCE, interpreted, posed
from running import problem_of
from schedule_cases import CASES

import tconv
from tconv.jit.choice import model
from tconv.jit.kernels.abi import SIZES, Context, Header, Op, Piece, Tile
from tconv.jit.machine import isa
from tconv.jit.reference.interpret import interpret, pack
from tconv.jit.reference.memory import OutOfBounds
from tconv.jit.schedules.registry import program_of


def table(words, at, count, width):
    """Entries of `width` words, from a byte on, as rows."""
    return words[at // 8 :][: count * width].reshape(count, width)


def pieces(words):
    """The pieces of a program."""
    return table(words, words[Header.PIECES], words[Header.NUMBER_OF_RUNS], len(Piece))


def op(words, which):
    """The first op that fills the panel, or that computes."""
    at = words[Header.OPS] + pieces(words)[0, which]
    [[_, length]] = table(words, at, 1, len(Op))
    return table(words, at, 1, length // 8)[0]


def edited(program, edit):
    """The program after `edit(words)`."""
    words = program.words.copy()
    edit(words)
    return replace(program, words=words)


@pytest.mark.parametrize("case", ["groups, pixels", "groups, channels", "phases, cut and in parts", "depthwise, 3-D"])
def test_neither_threads_nor_the_order_of_pieces_changes_a_bit(case):
    def backwards(words):
        pieces(words)[:] = pieces(words)[::-1].copy()

    problem = CASES[case].problem("float64")
    x, w, bias, _ = posed(problem)
    most = 0
    for schedule in CASES[case].schedules("float64", False, isa.ISAS["avx2"]):
        y = interpreted(problem, program_of(schedule, 1), False, x, w, bias)
        parallel = program_of(schedule, 3)
        most = max(most, parallel.runs)
        for program in (parallel, edited(parallel, backwards)):
            np.testing.assert_array_equal(interpreted(problem, program, False, x, w, bias), y)
    assert most >= 3


PROBLEM = problem_of(tconv.Geometry.conv_transpose((6, 7), 5, stride=3, padding=1), "float64", cin=3, cout=5)


@lru_cache(maxsize=8)
def right(kind):
    """A program of `PROBLEM` that is right; kinds as in `schedule_cases.py`."""
    offered = [offer.make() for offer in model.offered(PROBLEM, False, isa.ISAS["avx2"])]
    [schedule] = [schedule for schedule in offered if schedule.kind == kind]
    return program_of(schedule, 1)


def run(program):
    x, w, bias, _ = posed(PROBLEM)
    return interpreted(PROBLEM, program, False, x, w, bias)


def moved(word, by):
    """All pieces with other bytes in a word."""

    def edit(words):
        pieces(words)[:, word] += by

    return edit


def header(word, value):
    """Another word in the header."""

    def edit(words):
        words[word] = value

    return edit


def in_op(which, number, value):
    """Another word in an op."""

    def edit(words):
        op(words, which)[number] = value

    return edit


def in_tile(word, value):
    """Another word in the first tile."""

    def edit(words):
        table(words, words[Header.TILES], 1, len(Tile))[0, word] = value

    return edit


#: What is wrong: kind of schedule, edit, what is said; # stands for a number, @Kind for a kernel and its op.
BROKEN = {
    "before x": ("pixels", moved(Piece.X, -8), "@PackRows: reads x from byte -8 to # of 2016"),
    "behind x": ("pixels", moved(Piece.X, 8), "@PackRows: reads x from byte # to 2024 of 2016"),
    "between elements": ("pixels", moved(Piece.X, 4), "@PackRows: reads x from byte 4 to # of 2016"),
    "steps of half elements": ("pixels", header(Header.SIZES + Context.X_CHANNEL - SIZES[0], 4),
                               "@PackRows: steps between elements of 8 bytes by 4"),
    "before y": ("pixels", moved(Piece.Y, -8), "@Pixels: writes y from byte -8 to # of 30240"),
    "behind y": ("pixels", moved(Piece.Y, 8), "@Pixels: writes y from byte # to 30248 of 30240"),
    "behind y, transposed": ("channels", moved(Piece.Y, 8),
                             "@UnpackTransposed: writes y from byte # to 30248 of 30240"),
    "behind y, by runs": ("phases", moved(Piece.Y, 8), "@UnpackRuns: writes y from byte # to 30248 of 30240"),
    "before the weights": ("pixels", moved(Piece.W, -8), "@Pixels: reads packed weights from byte -8 to # of #"),
    "behind the weights": ("channels", moved(Piece.W, 6400), "@Channels: reads packed weights from byte # to # of #"),
    "a small panel": ("pixels", header(Header.BLOCK, 64), "@PackRows: writes panel from byte # to # of 64"),
    "no scratch": ("phases", header(Header.SCRATCH, 0), "@PackRows: writes panel from byte # to # of 0"),
    "a small block": ("channels", header(Header.SCRATCH, 2752), "@Channels: writes block from byte # to # of 64"),
    "masks elsewhere": ("phases", in_tile(Tile.MASK, 1 << 20), "@Channels: reads program from byte # to # of #"),
    "a tile of no channels": ("phases", in_tile(Tile.COUNT, 0), "@UnpackRuns: loops over 0 where at least 1 is wanted"),
    "no rows": ("pixels", in_op(Piece.COPIES, 4, 0), "@PackRows: loops over 0 where at least 1 is wanted"),
    "more taps than in the op": ("channels", in_op(Piece.OPS, 2, 50), "@Channels: reads words up to # of an op of #"),
    "an unknown kernel": ("pixels", in_op(Piece.OPS, Op.KERNEL, 9), "op at byte #: kernel 9 of 5"),
    "an op of no words": ("pixels", in_op(Piece.OPS, Op.BYTES, 0), "loops over 0 where at least 1 is wanted"),
    "ops elsewhere": ("pixels", header(Header.OPS, 1 << 20), "reads 2 words of the program from byte # of #"),
}  # fmt: skip


def says(text):
    """The pattern of a text in `BROKEN`."""
    text = re.sub(r"@([A-Z][A-Za-z]+)", r"kernel # (\1), op at byte #", text)
    return f"^{re.escape(text).replace(re.escape('#'), '-?[0-9]+')}$"


@pytest.mark.parametrize("what", BROKEN)
def test_every_access_is_checked(what):
    kind, edit, said = BROKEN[what]
    program = right(kind)
    assert not np.isnan(run(program)).any()
    with pytest.raises(OutOfBounds, match=says(said)):
        run(edited(program, edit))


@pytest.mark.parametrize("kind", ["pixels", "channels", "phases"])
def test_packed_weights_need_the_room_that_a_program_states(kind):
    """But for what rounds it to cache lines, and a vector that the last row may run over."""
    program = right(kind)
    with pytest.raises(OutOfBounds, match=says("packing, block #: writes packed weights from byte # to # of #")):
        run(replace(program, packed=program.packed - 128))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("w", "packing, block #: reads w from byte # to 3000 of 2992"),
        ("bias", "packing, block 0: reads bias from byte 0 to 40 of 32"),
    ],
)
def test_packing_reads_what_is_given(name, said):
    _, w, bias, _ = posed(PROBLEM)
    given = {"w": w, "bias": bias}
    given[name] = given[name].reshape(-1)[:-1]
    with pytest.raises(OutOfBounds, match=says(said)):
        pack(right("pixels"), **given)


# ---- what nobody wrote


def test_scratch_holds_nothing_before_a_piece():
    """Without its copies the second image has nothing to read, though the first has left its rows."""

    def edit(words):
        pieces(words)[1, Piece.COPIES_END] = pieces(words)[1, Piece.COPIES]

    y = run(edited(right("pixels"), edit))
    np.testing.assert_allclose(y[0], posed(PROBLEM)[3][0], **TOLERANCE)
    assert np.isnan(y[1]).all()


@pytest.mark.parametrize("kind", ["pixels", "channels", "phases"])
def test_weights_that_are_not_packed_show(kind):
    program = right(kind)
    at, count = program.blocks
    assert np.isnan(run(replace(program, blocks=(at, count - 1)))).any()


# ---- arrays that are wrong


@pytest.mark.quick
def test_arrays_are_contiguous_and_of_the_dtype():
    x, w, bias, y = posed(PROBLEM)
    program = right("pixels")
    with pytest.raises(ValueError, match=r"^x must be contiguous and hold float64; got strides .* and float32$"):
        interpret(program, x.astype(np.float32), w, bias, y.copy())
    with pytest.raises(ValueError, match=r"^y must be contiguous and hold float64; got strides .* and float64$"):
        interpret(program, x, w, bias, y.copy()[::-1])
    with pytest.raises(ValueError, match=r"^w must be contiguous and hold float64; got strides .* and float64$"):
        interpret(program, x, w.swapaxes(0, 1), bias, y.copy())
