"""Ops written once and repeated, against ops written one by one; rows joined and evenly spaced, against plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tconv.jit.copies import evenly, joined
from tconv.jit.templates import READ, WRITTEN, Draft, places


def test_a_template_moves_what_reads_and_what_is_written():
    draft = Draft()
    draft.op(7, 1, (10, READ), (20, WRITTEN))
    draft.op(8, (30, WRITTEN))
    ops = draft.template().at(np.array([0, 100]), np.array([0, 1000]))
    assert ops.tolist() == [[7, 40, 1, 10, 20, 8, 24, 30], [7, 40, 1, 110, 1020, 8, 24, 1030]]


def test_rows_of_a_tile_have_offsets_of_their_own():
    draft = Draft()
    draft.op(0, (1, READ), (2, READ + 2))
    assert draft.template().at(*map(np.array, ([5], [0], [50], [0]))).tolist() == [[0, 32, 6, 52]]


def test_along_a_row_every_copy_is_a_step_further():
    draft = Draft()
    draft.op(3, 9, (10, READ), (20, WRITTEN))
    along = draft.template().along(3, 4, 8)
    assert along.words.reshape(3, -1).tolist() == [[3, 40, 9, 10 + 4 * i, 20 + 8 * i] for i in range(3)]
    assert along.moved.reshape(3, -1).tolist() == [[0, 0, 0, READ, WRITTEN]] * 3


def test_places_are_those_of_a_box_in_order():
    found = places([range(2, 4), range(5, 8)], [100, 10], [2, 4])
    assert found.tolist() == [100 * (a - 2) + 10 * (b - 4) for a in range(2, 4) for b in range(5, 8)]


ROWS = st.lists(st.tuples(*[st.integers(0, 3)] * 5), min_size=1, max_size=12)


@given(ROWS)
def test_evenly_spaced_runs_give_back_every_row(rows):
    array, found = np.array(rows, np.int64), []
    for first, count, (source, target) in evenly(array[:, :2], array[:, 2:]):
        found += [(rows[first][0] + i * source, rows[first][1] + i * target, *rows[first][2:]) for i in range(count)]
    assert found == rows


@given(st.integers(1, 40), st.integers(-3, 3), st.integers(-3, 3))
def test_rows_that_are_evenly_spaced_are_one_run(count, source, target):
    rows = [[i * source, i * target, 4, 0, 0] for i in range(count)]
    array = np.array(rows, np.int64)
    assert len(list(evenly(array[:, :2], array[:, 2:]))) == 1


@given(ROWS)
def test_joined_rows_copy_the_same_elements(rows):
    def copied(array):
        return [
            (source + 4 * i, target + 4 * i)
            for source, target, length, _, _ in array.tolist()
            for i in range(length)
        ]  # fmt: skip

    def zeros(array):
        return [
            (target - 4 * before, before, target + 4 * length, behind)
            for _, target, length, before, behind in array.tolist()
        ]

    array = np.array(rows, np.int64) * [4, 4, 1, 1, 1]
    whole = joined(array, 4, 4)
    assert copied(whole) == copied(array)
    assert [n for row in zeros(whole) for n in row[1::2] if n] == [n for row in zeros(array) for n in row[1::2] if n]
