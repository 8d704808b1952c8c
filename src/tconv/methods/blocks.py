"""How much to do at a time: blocks of whole images, or of rows of one image, that keep scratch arrays small."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

#: Elements of a scratch array beyond which work is split: 2 MiB in float32. Large enough that the matrix products run
#: at full speed, small enough that what one step wrote is still in the caches (L2, L3) when the next one reads it.
BUDGET = 1 << 19


def block_sizes(images: int, rows: int, elements_per_row: int, at_least: int = 0) -> tuple[int, int]:
    """How many images and how many rows of an image to take at a time: several whole images, or rows of one.

    `at_least` elements are allowed whatever the budget: where each block also passes over the weights, smaller blocks
    would spend their time on that.
    """
    budget = max(BUDGET, at_least)
    per_image = max(1, rows * elements_per_row)
    if per_image <= budget:
        return max(1, min(images, budget // per_image)), rows
    return 1, max(1, min(rows, budget // max(1, elements_per_row)))


def block_slices(images: int, rows: int, images_at_a_time: int, rows_at_a_time: int) -> Iterator[tuple[slice, slice]]:
    """Slices of images and of rows that cover everything once."""
    for first, top in product(range(0, images, images_at_a_time), range(0, rows, rows_at_a_time)):
        last, bottom = min(first + images_at_a_time, images), min(top + rows_at_a_time, rows)
        yield slice(first, last), slice(top, bottom)
