"""How much to do at a time: pieces of whole images, or of rows of one image, that keep scratch arrays small."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import NamedTuple

#: Elements of a scratch array beyond which work is split: 2 MiB in float32. Large enough that the matrix products run
#: at full speed, small enough that what one step wrote is still in the caches (L2, L3) when the next one reads it.
BUDGET = 1 << 19


class Split(NamedTuple):
    """How work is split: so many whole images at a time, or so many rows of one image along an axis of its size."""

    images: int
    rows: int
    along: int


def split(images: int, size: tuple[int, ...], elements_of_cell: int, at_least: int = 0) -> Split:
    """Split a batch of images of this size so that a piece stays within the budget, as far as single rows allow.

    Rows are those of the first axis, which lie together in memory, or of the longest axis where one of those is beyond
    the budget. `at_least` elements are allowed whatever the budget: where each piece also passes over the weights,
    smaller ones would spend their time on that.
    """
    budget = max(BUDGET, at_least)
    of_image = prod(size) * elements_of_cell
    if of_image <= budget:
        return Split(max(1, min(images, budget // of_image)), size[0], 0)
    along = 0 if of_image // size[0] <= budget else size.index(max(size))
    return Split(1, max(1, min(size[along], budget * size[along] // of_image)), along)


def pieces(images: int, size: tuple[int, ...], how: Split) -> Iterator[tuple[slice, slice]]:
    """Slices of images and of rows that cover everything once."""
    rows = size[how.along]
    for first, top in product(range(0, images, how.images), range(0, rows, how.rows)):
        yield slice(first, min(first + how.images, images)), slice(top, min(top + how.rows, rows))


def number_of_pieces(images: int, size: tuple[int, ...], how: Split) -> int:
    """How many pieces work is split into; one for an empty batch, which still costs its calls."""
    return max(1, -(-images // how.images) * -(-size[how.along] // how.rows))
