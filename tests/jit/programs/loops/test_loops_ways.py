"""Loops as machine code and as Python: both write the same tables, for every kind of schedule."""

from random import Random

import filtered_cases
import numpy as np
import pytest
from problems import family
from registry import needs_kernels

from tconv.jit.choice import model
from tconv.jit.machine import isa
from tconv.jit.machine.native import compiled as runner
from tconv.jit.programs.loops.chunks import put
from tconv.jit.programs.loops.words import Out
from tconv.jit.schedules import arrays
from tconv.jit.schedules.registry import KINDS, program_of
from tconv.problem import OPERATIONS


def schedules(seed):
    """All that serve some problems, for a set of instructions."""
    drawn, target = family(Random(seed).choice, [OPERATIONS[seed % 3]]), list(isa.ISAS.values())[seed % len(isa.ISAS)]
    for size in range(2):
        problem = drawn.problem(Random(f"{seed} {size}").choice)
        for channels_last in (False, True):
            yield from (kind.make() for kind in model.offered(problem, channels_last, target))
            yield from filtered_cases.drawn(problem, channels_last, target, Random(seed))


@needs_kernels
def test_both_ways_write_the_same(monkeypatch):
    seen, made = set(), []
    for seed in range(18):
        made += [(s, 1 + seed % 2) for s in schedules(seed)]
    compiled = [program_of(*each) for each in made]
    monkeypatch.setattr(runner, "_code", lambda what: None)
    for each, program in zip(made, compiled, strict=True):
        np.testing.assert_array_equal(program_of(*each).words, program.words, err_msg=str(each))
        seen.add(each[0].kind)
    assert seen >= set(KINDS)


def test_where_there_is_no_room_it_is_made(monkeypatch):
    made = [s for seed in range(2) for s in schedules(seed)]
    with_room = [program_of(s, 1) for s in made]
    monkeypatch.setattr(arrays._local, "out", np.empty(Out.FIRST, np.int64))
    for s, found in zip(made, with_room, strict=True):
        np.testing.assert_array_equal(program_of(s, 1).words, found.words)


@pytest.mark.parametrize("words", [0, 5])
def test_more_words_than_there_is_room_for_are_counted(words, monkeypatch):
    monkeypatch.setattr(arrays._local, "out", np.empty(Out.FIRST + 2, np.int64))
    asked = []

    def write(out):
        asked.append(int(out[Out.ROOM]))
        for word in range(words):
            put(out, word)
        return "done"

    assert [each if type(each) is str else each.tolist() for each in arrays.written(write)] == ["done", [*range(words)]]
    assert asked == [2, words][: 1 + (words > 2)]
