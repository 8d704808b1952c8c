"""Rows joined and evenly spaced by loops, against plain lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tconv.jit.programs.loops.copies import copy, joined
from tconv.jit.programs.loops.words import Out

ROWS = st.lists(st.tuples(*[st.integers(0, 3)] * 5), min_size=1, max_size=12)


def ops(rows):
    """Those that copy rows: kernel, bytes, and what they say."""
    out = np.zeros(Out.FIRST + 10 * len(rows), np.int64)
    out[Out.ROOM] = 10 * len(rows)
    copy(out, 7, np.array(rows, np.int64).reshape(-1), len(rows))
    return out[Out.FIRST : Out.FIRST + out[Out.USED]].reshape(-1, 10).tolist()


@given(ROWS)
def test_evenly_spaced_runs_give_back_every_row(rows):
    found = []
    for kernel, size, source, target, count, *steps, length, before, behind in ops(rows):
        assert (kernel, size) == (7, 80)
        found += [(source + i * steps[0], target + i * steps[1], length, before, behind) for i in range(count)]
    assert found == rows


@given(st.integers(1, 40), st.integers(-3, 3), st.integers(-3, 3))
def test_rows_that_are_evenly_spaced_are_one_run(count, source, target):
    assert len(ops([(i * source, i * target, 4, 0, 0) for i in range(count)])) == 1


@given(ROWS)
def test_joined_rows_copy_the_same_elements(rows):
    def copied(array):
        return [
            (source + 4 * i, target + 4 * i) for source, target, length, *_ in array.tolist() for i in range(length)
        ]

    def zeros(array):
        return [n for *_, before, behind in array.tolist() for n in (before, behind) if n]

    array = np.array(rows, np.int64) * [4, 4, 1, 1, 1]
    whole = array.copy()
    whole = whole[: joined(whole.reshape(-1), len(rows), 4, 4)]
    assert copied(whole) == copied(array)
    assert zeros(whole) == zeros(array)


def test_rows_that_follow_each_other_are_one():
    rows = np.array([(40 * i, 40 * i, 10, 0, 0) for i in range(5)], np.int64)
    assert joined(rows.reshape(-1), 5, 4, 4) == 1
    assert rows[0].tolist() == [0, 0, 50, 0, 0]
