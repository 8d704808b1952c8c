"""The ways that XLA is said to take: that this version does take them, and what they are said to cost."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tconv.jax import xla
from tconv.jax.cost import SECONDS
from tconv.jax.xla import Convolution, convolved


def compiled(cells, kernel, stride):
    """What XLA makes of a transposed convolution of one axis, as text."""
    x, w = jnp.ones((1, cells, 8)), jnp.ones((kernel, 8, 8))

    def up(x, w):
        return lax.conv_general_dilated(
            x, w, (1,), [(kernel - 1, kernel - 1)], (stride,), dimension_numbers=("NHC", "HIO", "NHC")
        )

    return jax.jit(up).lower(x, w).compile().as_text()


@pytest.mark.parametrize(("cells", "kernel"), [(8, 4), (8, 8), (8, 9), (4, 7)])
def test_operands_change_places_where_there_are_more_taps_than_cells(cells, kernel):
    stretched, spread = "lhs_dilate=2", "rhs_dilate=2"
    swapped = kernel > cells
    text = compiled(cells, kernel, 2)
    assert (stretched in text, spread in text) == (not swapped, swapped)
    said = convolved(Convolution(1, 1, cells, kernel, 2 * cells + kernel - 2, 8, 8, stretched=True))
    assert ("swapped patch" in said) == swapped


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({}, "patch"),
        ({"taps": 1}, "multiplied"),
        ({"stretched": True}, "landed"),
        ({"stretched": True, "dilated": True}, "stretched patch"),
        ({"stretched": True, "groups": 2}, "stretched patch"),
        ({"stretched": True, "ndim": 3}, "looped"),
        ({"groups": 2}, "grouped patch"),
        ({"groups": 2, "ndim": 3}, "looped"),
        ({"groups": 2, "cin": 1}, "looped"),
        ({"groups": 2, "cin": 1, "cout": 1, "taps": 1}, "plain"),
        ({"ndim": 3}, "volume patch"),
        ({"taps": 101}, "swapped patch"),
    ],
)
def test_each_way_has_its_parts(changes, part):
    sizes = {"ndim": 2, "batch": 2, "cells": 100, "taps": 9, "positions": 144, "cin": 4, "cout": 8}
    said = convolved(Convolution(**(sizes | changes)))
    assert part in said
    assert said.keys() <= SECONDS.keys()
    assert all(number > 0 for number in said.values())
    alone = {"patch", "stretched patch", "grouped patch", "volume patch", "swapped patch", "landed", "looped", "plain"}
    assert said.keys() & alone == {part} & alone


def test_a_few_output_channels_beyond_whole_vectors_cost_as_much_as_more():
    multiplied = {n: xla.product(10, 10, n)["multiplied"] // 100 for n in (1, 3, 4, 16, 17, 20, 32)}
    assert multiplied == {1: 4, 3: 12, 4: 16, 16: 16, 17: 20, 20: 32, 32: 32}


def test_large_buffers_are_new_memory():
    assert xla.faulted(xla.KEPT) == {"faulted": xla.KEPT}
    assert xla.faulted(xla.KEPT - 1) == {}
