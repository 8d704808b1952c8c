"""The interpreted program: it is the definition of a transposed convolution, and generated code does the same."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle
from running import Ready, arrays, problem_of
from schedules import CASES, EVERY_CASE, kind_of
from strategies import GEOMETRIES, geometries

import tconv
from tconv.jit import choose, isa
from tconv.jit import compile as compiler
from tconv.jit.interpret import interpret, pack
from tconv.jit.kernels import Kernel
from tconv.jit.kernels.abi import Context, Header, Op, Piece, Tile
from tconv.jit.meaning import MEANINGS
from tconv.jit.memory import OutOfBounds
from tconv.jit.variations import allowed, variations

#: No processor is needed for any of them.
TARGETS = tuple(isa.ISAS)
#: (Cin, Cout, groups): one group; several; depthwise; depthwise with a multiplier.
CHANNELS = ((3, 5, 1), (4, 6, 2), (3, 3, 3), (2, 4, 2))
#: Sums of a few hundred terms near 1, in float64.
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


@lru_cache(maxsize=8)
def posed(problem):
    """x, w and bias of a problem, and what the definition gives."""
    x, w, bias = arrays(problem)
    y = np.zeros((problem.batch, problem.out_channels, *problem.geometry.fine))
    up, _, _ = oracle(problem.geometry, x, w, y, problem.groups)
    return x, w, bias, up + bias.reshape(-1, *[1] * problem.geometry.ndim)


def interpreted(problem, program, channels_last, x, w, bias):
    """y as the program leaves it, channels first."""
    x = np.ascontiguousarray(np.moveaxis(x, 1, -1) if channels_last else x)
    inner = problem.geometry.fine
    inner = (*inner, problem.out_channels) if channels_last else (problem.out_channels, *inner)
    y = np.full((problem.batch, *inner), np.nan, problem.dtype)
    interpret(program, x, w, bias, y)
    return np.moveaxis(y, -1, 1) if channels_last else y


def check(problem, schedule):
    """The interpretation is what the definition says."""
    x, w, bias, wanted = posed(problem)
    y = interpreted(problem, schedule.program(1), schedule.layout.last, x, w, bias)
    np.testing.assert_allclose(y, wanted, **TOLERANCE)


def test_every_kernel_has_a_meaning():
    assert set(MEANINGS) == set(get_args(Kernel))


# ---- against the definition


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("number", range(len(GEOMETRIES)), ids=[param.id for param in GEOMETRIES])
def test_equals_the_definition(number, target):
    """Every kind that can serve a problem; the targets take turns with the channels."""
    [geometry] = GEOMETRIES[number].values
    cin, cout, groups = CHANNELS[(number + TARGETS.index(target)) % len(CHANNELS)]
    problem = problem_of(geometry, "float64", cin=cin, cout=cout, groups=groups)
    for channels_last in (False, True):
        for kind in choose.offered(problem, channels_last, isa.ISAS[target]):
            check(problem, kind.make())


@pytest.mark.parametrize(("case", "channels_last"), EVERY_CASE)
def test_every_way_through_the_schedules(case, channels_last):
    """The cases take turns with the targets, so that each of these sees every kind of schedule."""
    target = TARGETS[EVERY_CASE.index((case, channels_last)) * 3 // 2 % len(TARGETS)]
    for schedule in CASES[case].schedules("float64", channels_last, isa.ISAS[target]):
        check(CASES[case].problem("float64"), schedule)


@pytest.mark.parametrize("groups", [1, 2], ids=["dense", "depthwise"])
@pytest.mark.parametrize("target", TARGETS)
def test_sizes_around_whole_vectors(target, groups):
    """Rows and channels just below, at and above them, in tiles of one vector and of as many as are ever tried."""
    target = isa.ISAS[target]
    lanes = target.lanes(8)
    for size in sorted({lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes + 1, 4 * lanes + 1}):
        channels = {"cin": 2, "cout": size if groups == 1 else 2, "groups": groups}
        problem = problem_of(tconv.Geometry.conv_transpose((2, size), (3, 2), stride=(2, 1)), "float64", **channels)
        for schedule in (kind.make() for kind in choose.offered(problem, False, target)):
            for vectors in (1, schedule.vectors, 4):
                other = replace(schedule, vectors=vectors)
                if allowed(other, target):
                    check(problem, other)


@settings(max_examples=40)
@given(data=st.data())
def test_equals_the_definition_at_random(data):
    """Also where sizes are not those that the model chooses."""
    groups, target = data.draw(st.integers(1, 3)), isa.ISAS[data.draw(st.sampled_from(TARGETS))]
    cin, cout = (groups * data.draw(st.integers(1, 3)) for _ in range(2))
    geometry, batch = data.draw(geometries(small=True)), data.draw(st.integers(1, 3))
    problem = problem_of(geometry, "float64", batch=batch, cin=cin, cout=cout, groups=groups)
    for kind in choose.offered(problem, data.draw(st.booleans()), target):
        schedule = kind.make()
        check(problem, schedule)
        others = variations(schedule, target)
        if others:
            check(problem, data.draw(st.sampled_from(others)))


def test_float32_is_computed_in_float32():
    problem = problem_of(tconv.Geometry.conv_transpose((5, 9), 3, stride=2), "float32")
    x, w, bias = arrays(problem)
    wanted = posed(replace(problem, dtype="float64"))[3]
    y = interpreted(problem, choose.choose(problem, False, isa.ISAS["neon"]).program(1), False, x, w, bias)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
    assert not np.allclose(y, wanted, rtol=1e-12, atol=1e-12)


def test_without_a_bias_it_is_zero():
    problem = CASES["gaps that hold the bias"].problem("float64")
    x, w, bias, wanted = posed(problem)
    for schedule in CASES["gaps that hold the bias"].schedules("float64", False, isa.ISAS["avx2"]):
        y = interpreted(problem, schedule.program(1), False, x, w, None)
        np.testing.assert_allclose(y, wanted - bias[:, None, None], **TOLERANCE)


# ---- generated code


@pytest.mark.skipif(bool(compiler.available()), reason=compiler.available() or "there are kernels")
@pytest.mark.parametrize(("case", "channels_last"), EVERY_CASE)
def test_generated_code_does_the_same(case, channels_last):
    """One schedule of each case: they take turns, and so do the sets of instructions that this processor has."""
    number, problem = EVERY_CASE.index((case, channels_last)), CASES[case].problem("float64")
    target = isa.ISAS[isa.available()[number * 2 // 3 % len(isa.available())]]
    schedules = list(CASES[case].schedules("float64", channels_last, target))
    schedule = schedules[number // 2 % len(schedules)]
    x, w, bias, _ = posed(problem)
    ready = Ready(problem, schedule, target, w, bias)
    # Where nothing is written, too: both begin with NaN.
    np.testing.assert_array_equal(ready.packed.view(np.float64), pack(ready.program, w, bias))
    y = interpreted(problem, ready.program, channels_last, x, w, bias)
    np.testing.assert_allclose(ready(x), y, **TOLERANCE)


# ---- programs with other words


def table(words, at, count, width):
    """Entries of `width` words, from a byte on, as rows."""
    return words[at // 8 :][: count * width].reshape(count, width)


def pieces(words):
    """The pieces of a program."""
    return table(words, words[Header.PIECES], words[Header.NUMBER_OF_PIECES], len(Piece))


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
        y = interpreted(problem, schedule.program(1), False, x, w, bias)
        parallel = schedule.program(3)
        most = max(most, parallel.pieces)
        for program in (parallel, edited(parallel, backwards)):
            np.testing.assert_array_equal(interpreted(problem, program, False, x, w, bias), y)
    assert most >= 3


PROBLEM = problem_of(tconv.Geometry.conv_transpose((6, 7), 5, stride=3, padding=1), "float64", cin=3, cout=5)


@lru_cache(maxsize=8)
def program_of(kind):
    """A program of `PROBLEM` that is right; kinds as in `schedules.py`."""
    offered = [offer.make() for offer in choose.offered(PROBLEM, False, isa.ISAS["avx2"])]
    [schedule] = [schedule for schedule in offered if kind_of(schedule) == kind]
    return schedule.program(1)


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
    "before x": ("pixels", moved(Piece.X, -8), "@Rows: reads x from byte -8 to # of 2016"),
    "behind x": ("pixels", moved(Piece.X, 8), "@Rows: reads x from byte # to 2024 of 2016"),
    "between elements": ("pixels", moved(Piece.X, 4), "@Rows: reads x from byte 4 to # of 2016"),
    "steps of half elements": ("pixels", header(Header.SIZES + Context.X_CHANNEL - Context.CHANNELS, 4),
                               "@Rows: steps between elements of 8 bytes by 4"),
    "before y": ("pixels", moved(Piece.Y, -8), "@Pixels: writes y from byte -8 to # of 30240"),
    "behind y": ("pixels", moved(Piece.Y, 8), "@Pixels: writes y from byte # to 30248 of 30240"),
    "behind y, transposed": ("channels", moved(Piece.Y, 8), "@Transpose: writes y from byte # to 30248 of 30240"),
    "behind y, by runs": ("phases", moved(Piece.Y, 8), "@Runs: writes y from byte # to 30248 of 30240"),
    "before the weights": ("pixels", moved(Piece.W, -8), "@Pixels: reads packed weights from byte -8 to # of #"),
    "behind the weights": ("channels", moved(Piece.W, 6400), "@Channels: reads packed weights from byte # to # of #"),
    "a small panel": ("pixels", header(Header.BLOCK, 64), "@Rows: writes panel from byte # to # of 64"),
    "no scratch": ("phases", header(Header.SCRATCH, 0), "@Rows: writes panel from byte # to # of 0"),
    "a small block": ("channels", header(Header.SCRATCH, 3584), "@Channels: writes block from byte # to # of 64"),
    "masks elsewhere": ("phases", in_tile(Tile.MASK, 1 << 20), "@Channels: reads program from byte # to # of #"),
    "a tile of no channels": ("phases", in_tile(Tile.COUNT, 0), "@Runs: loops over 0 where at least 1 is wanted"),
    "no rows": ("pixels", in_op(Piece.COPIES, 4, 0), "@Rows: loops over 0 where at least 1 is wanted"),
    "more taps than in the op": ("channels", in_op(Piece.OPS, 2, 50), "@Channels: reads words up to # of an op of #"),
    "an unknown kernel": ("pixels", in_op(Piece.OPS, Op.KERNEL, 9), "op at byte #: kernel 9 of 5"),
    "an op of no words": ("pixels", in_op(Piece.OPS, Op.BYTES, 0), "loops over 0 where at least 1 is wanted"),
    "ops elsewhere": ("pixels", header(Header.OPS, 1 << 20), "reads 2 words of the program from byte # of #"),
}  # fmt: skip


def says(text):
    """The pattern of a text in `BROKEN`."""
    text = re.sub(r"@([A-Z][a-z]+)", r"kernel # (\1), op at byte #", text)
    return f"^{re.escape(text).replace(re.escape('#'), '-?[0-9]+')}$"


@pytest.mark.parametrize("what", BROKEN)
def test_every_access_is_checked(what):
    kind, edit, said = BROKEN[what]
    program = program_of(kind)
    assert not np.isnan(run(program)).any()
    with pytest.raises(OutOfBounds, match=says(said)):
        run(edited(program, edit))


@pytest.mark.parametrize("kind", ["pixels", "channels", "phases"])
def test_packed_weights_need_the_room_that_a_program_states(kind):
    """But for what rounds it to cache lines, and a vector that the last row may run over."""
    program = program_of(kind)
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
        pack(program_of("pixels"), **given)


# ---- what nobody wrote


def test_scratch_holds_nothing_before_a_piece():
    """Without its copies the second image has nothing to read, though the first has left its rows."""

    def edit(words):
        pieces(words)[1, Piece.COPIES_END] = pieces(words)[1, Piece.COPIES]

    y = run(edited(program_of("pixels"), edit))
    np.testing.assert_allclose(y[0], posed(PROBLEM)[3][0], **TOLERANCE)
    assert np.isnan(y[1]).all()


@pytest.mark.parametrize("kind", ["pixels", "channels", "phases"])
def test_weights_that_are_not_packed_show(kind):
    program = program_of(kind)
    at, count = program.blocks
    assert np.isnan(run(replace(program, blocks=(at, count - 1)))).any()


# ---- arrays that are wrong


def test_arrays_are_contiguous_and_of_the_dtype():
    x, w, bias, y = posed(PROBLEM)
    program = program_of("pixels")
    with pytest.raises(ValueError, match=r"^x must be contiguous and hold float64; got strides .* and float32$"):
        interpret(program, x.astype(np.float32), w, bias, y.copy())
    with pytest.raises(ValueError, match=r"^y must be contiguous and hold float64; got strides .* and float64$"):
        interpret(program, x, w, bias, y.copy()[::-1])
    with pytest.raises(ValueError, match=r"^w must be contiguous and hold float64; got strides .* and float64$"):
        interpret(program, x, w.swapaxes(0, 1), bias, y.copy())
