"""Tables of a new size: made from what differs, whatever the size, and the same whether the layer was seen or not."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest
from problems import family
from registry import needs_kernels

from tconv import Geometry
from tconv.jit.choice import model
from tconv.jit.kernels.abi import PIECE_BYTES, Header, Piece
from tconv.jit.kernels.pixels import ROW, Pixels
from tconv.jit.machine import isa
from tconv.jit.programs import tables
from tconv.jit.programs.layer_cache import forget
from tconv.jit.programs.loops import chunks
from tconv.jit.schedules.registry import program_of
from tconv.problem import Problem
from tests.fuzz.faults import Fault

AVX512 = isa.ISAS["avx512"]


def schedules(seed, target=AVX512):
    """Those of some sizes of a layer drawn at random, in both layouts."""
    drawn = family(Random(seed).choice)
    for size in range(3):
        problem = drawn.problem(Random(f"{seed} {size}").choice)
        for channels_last in (False, True):
            yield from (kind.make() for kind in model.offered(problem, channels_last, target))


@pytest.mark.parametrize("seed", range(12))
def test_a_layer_that_was_seen_at_other_sizes_gets_the_same_tables(seed):
    forget()
    made = [(s, threads) for s in schedules(seed) for threads in (1, 2)]
    with_kept = [program_of(*each) for each in made]
    for (s, threads), found in zip(made, with_kept, strict=True):
        forget()
        alone = program_of(replace(s), threads)
        assert alone.code == found.code
        np.testing.assert_array_equal(alone.words, found.words, err_msg=str(s.layer))
        assert (alone.packed, alone.scratch, alone.packing) == (found.packed, found.scratch, found.packing)


#: A window, and others that differ from it in one thing.
WINDOW = {"kernel_size": (3, 4), "stride": (2, 3), "padding": (1, 2), "dilation": (1, 1)}
OTHERS = [
    {}, {"kernel_size": (3, 5)}, {"kernel_size": (2, 4)}, {"stride": (1, 3)}, {"stride": (2, 2)},
    {"padding": (0, 2)}, {"padding": ((1, 1), (1, 2))}, {"dilation": (2, 1)}, {"dilation": (1, 2)},
]  # fmt: skip
CHANNELS = [(9, 7, 1), (9, 8, 1), (10, 7, 1), (4, 6, 2), (6, 6, 2), (5, 5, 5)]


@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_layer_takes_what_is_kept_of_another(operation, dtype):
    forget()
    made = []
    for other, (cin, cout, groups) in product(OTHERS, CHANNELS):
        keywords = {**WINDOW, **other}
        geometry = Geometry.conv_transpose((5, 6), keywords.pop("kernel_size"), **keywords)
        problem = Problem(operation, geometry, 2, cin, cout, groups, dtype)
        for channels_last in (False, True):
            made += [kind.make() for kind in model.offered(problem, channels_last, AVX512)]
    with_kept = [program_of(replace(s), 1) for s in made]
    for s, found in zip(made, with_kept, strict=True):
        forget()
        alone = program_of(replace(s), 1)
        assert alone.code == found.code
        np.testing.assert_array_equal(alone.words, found.words, err_msg=str(s.layer))


def layer(side: int, cin: int = 8, cout: int = 8, operation: str = "conv_transpose") -> Problem:
    """A volume that is enlarged."""
    geometry = Geometry.conv_transpose((side,) * 3, 4, stride=2, padding=1)
    return Problem(operation, geometry, 1, cin, cout, 1, "float32")


def written(problem, channels_last) -> tuple[int, int]:
    """How many functions of Python are called to write a program, and how many bytes it has beside its pieces."""
    s = model.by_model(problem, channels_last, AVX512)
    program_of(s, 1)  # of a layer that is known
    calls, before = 0, sys.getprofile()

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        made = program_of(model.by_model(problem, channels_last, AVX512), 1)
    finally:
        sys.setprofile(before)
    return calls, made.words.nbytes - made.runs * PIECE_BYTES


@needs_kernels
@pytest.mark.parametrize("operation", ["conv_transpose", "conv"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_volume_of_eight_times_the_cells_takes_no_more_python(operation, channels_last):
    of_small, small = written(layer(64, operation=operation), channels_last)
    of_large, large = written(layer(128, operation=operation), channels_last)
    assert of_large < 1.2 * of_small < 3000
    assert large < 4 * small < 8 << 20


#: No two chunks are alike.
EACH_BY_ITSELF = Fault(chunks, "alike", "return 1", "return a == b")


@pytest.mark.parametrize("seed", range(10))
def test_chunks_that_meet_the_ends_alike_do_the_same(seed, monkeypatch):
    """What a chunk does is found anew for each of them, and compared with what it shares."""
    for s in schedules(seed):
        if s.problem.operation == "weight_gradient" or s.layout.joined:
            continue
        cache_block = tuple(1 if n == 1 else max(1, n // 2) for n in s.cache_block[:-1])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "finer", lambda cache_block, *_: cache_block)
            s = replace(s, cache_block=(*cache_block, s.cache_block[-1])) if not getattr(s, "spread", None) else s
            shared = program_of(s, 1)
            with EACH_BY_ITSELF.planted():
                apart = program_of(s, 1)
        assert shared.runs == apart.runs
        assert actions(shared) == actions(apart), str(s)


def actions(made) -> list[tuple[int, ...]]:
    """The pieces of a program, each with its copies and ops, but for the lines that are asked for ahead."""
    words, found = made.words.tolist(), []
    pieces, ops = words[Header.PIECES] // 8, words[Header.OPS] // 8
    for n in range(made.runs):
        piece = words[pieces + n * len(Piece) : pieces + (n + 1) * len(Piece)]
        whole = [piece[Piece.X], piece[Piece.Y]]
        for start, end in ((Piece.COPIES, Piece.COPIES_END), (Piece.OPS, Piece.OPS_END)):
            at = ops + piece[start] // 8
            while at < ops + piece[end] // 8:
                op = words[at : at + words[at + 1] // 8]
                kernel = made.code.kernels[op[0]]
                if isinstance(kernel, Pixels):
                    first = kernel.head + len(kernel.stages)
                    rows = sum(op[kernel.head : first])
                    op[first + ROW - 1 : first + rows * ROW : ROW] = [0] * rows
                whole += op
                at += len(op)
        found.append(tuple(whole))
    return found
