"""Pieces of work: they cover everything once, and stay within the budget as far as single rows allow."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tconv.methods import blocks
from tconv.methods.blocks import Split, number_of_pieces, pieces, split

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)


@given(st.integers(0, 7), sizes, st.integers(1, 10), st.integers(1, 400), st.integers(0, 100))
def test_pieces_cover_everything_once_within_the_budget(images, size, elements, budget, at_least):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BUDGET", budget)
        how = split(images, size, elements, at_least)
    done = np.zeros((images, size[how.along]), int)
    found = list(pieces(images, size, how))
    for of_images, of_rows in found:
        done[of_images, of_rows] += 1
        taken = (of_images.stop - of_images.start) * (of_rows.stop - of_rows.start)
        cells = taken * prod(size) // size[how.along]
        assert cells * elements <= max(budget, at_least) or taken == 1
    assert (done == 1).all()
    assert number_of_pieces(images, size, how) == max(1, len(found))


def test_small_images_are_taken_together():
    assert split(1000, (4, 4), 64) == Split(blocks.BUDGET // 1024, 4, 0)


def test_rows_of_a_large_image_are_taken_apart():
    assert split(3, (1000, 1000), 4) == Split(1, blocks.BUDGET // 4000, 0)


def test_an_image_of_one_long_row_is_split_along_it():
    assert split(1, (1, 10**6), 8) == Split(1, blocks.BUDGET // 8, 1)
