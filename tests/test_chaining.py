"""Chains: boxes of results computed link by link, and the numbers that a chain says, against the links themselves."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from definition import links
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import chains

import tconv
from tconv import Geometry

pytestmark = pytest.mark.quick

UP, DOWN = "conv_transpose", "conv"


def run(chain, x, weights):
    for link, w in zip(chain.links, weights, strict=True):
        operation = tconv.conv_transpose if link.is_up else tconv.conv
        x = operation(np.ascontiguousarray(x), w, np.full(1, 0.5), method="phases", **link.geometry.keywords) ** 2
    return x


def weights_of(chain):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(1, 1, *link.geometry.kernel)) / 2 for link in chain.links]


@given(chains())
def test_repr_is_what_makes_it(chain):
    assert eval(repr(chain), {"chain": tconv.chain, "Geometry": Geometry}) == chain


def test_repr():
    made = tconv.chain([(DOWN, Geometry.conv(9, 3, stride=2)), (UP, Geometry.conv_transpose(4, 2))])
    assert repr(made) == (
        'chain([("conv", Geometry.conv((9,), (3,), stride=(2,), padding=((0, 0),), dilation=(1,))), '
        '("conv_transpose", Geometry.conv_transpose((4,), (2,), stride=(1,), padding=((0, 0),), output_padding=(0,), '
        "dilation=(1,)))])"
    )


@given(chains(), st.data())
def test_boxes_of_random_chains(chain, data):
    weights = weights_of(chain)
    x = np.random.default_rng(1).normal(size=(1, *chain.input_size))
    whole = run(chain, x, weights)
    (size,) = chain.output_size
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    box = chain.input_box([(start, stop)])
    if box.chain is None:  # nothing of the input reaches it
        other = run(chain, x + 1, weights)
        np.testing.assert_array_equal(whole[:, start:stop], other[:, start:stop])
        return
    assert box.chain.output_size == (stop - start,)
    part = run(box.chain, x[(..., *box.slices)], weights)
    np.testing.assert_allclose(part, whole[:, start:stop], rtol=1e-9, atol=1e-9)


def test_boxes_of_more_axes():
    up = Geometry.conv_transpose((9, 7), (4, 3), stride=2, padding=1)
    chain = tconv.chain([(UP, up), (DOWN, Geometry.conv(up.fine, 3, padding=1))])
    weights, x = weights_of(chain), np.random.default_rng(1).normal(size=(1, 9, 7))
    box = chain.input_box([(5, 11), (0, 4)])
    assert box.cells == ((1, 7), (0, 3))
    np.testing.assert_allclose(run(box.chain, x[(..., *box.slices)], weights), run(chain, x, weights)[:, 5:11, 0:4])


def ties(chain):
    """Which cells of the input reach which of the result, by going through all links of all cells."""
    found = np.eye(*chain.input_size, dtype=bool)
    for link in chain.links:
        (axis,) = link.geometry.axes
        step = np.zeros((axis.coarse, axis.fine), bool)
        for c, _, o in links(axis):
            step[c, o] = True
        found = found @ (step if link.is_up else step.T)
    return found


def widest(rows):
    """From first to last, in the rows that touch no border of the other side."""
    spans = [np.flatnonzero(row) for row in rows]
    return max((s[-1] - s[0] + 1 for s in spans if len(s) and s[0] > 0 and s[-1] < rows.shape[1] - 1), default=0)


def of_windows(size, windows):
    """A chain from (operation, kernel, stride, dilation), without padding."""
    made = []
    for operation, kernel, stride, dilation in windows:
        build = Geometry.conv_transpose if operation == UP else Geometry.conv
        made.append((operation, build(size, kernel, stride=stride, dilation=dilation)))
        size = made[-1][1].fine[0] if operation == UP else made[-1][1].coarse[0]
    return tconv.chain(made)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([UP, DOWN]), st.integers(1, 5), st.integers(1, 3), st.just(1)), min_size=1,
                max_size=3))  # fmt: skip
def test_fields_are_those_of_the_ties(windows):
    chain = of_windows(100, windows)
    tied = ties(chain)
    strided = [operation == DOWN and stride > 1 for operation, _, stride, _ in windows]
    bound = any(operation == UP and any(strided[i:]) for i, (operation, *_) in enumerate(windows))
    gaps = any(kernel < stride for _, kernel, stride, _ in windows)
    for said, found in ((chain.receptive_field, widest(tied.T)), (chain.projective_field, widest(tied))):
        assert said[0] >= found
        if not bound and not gaps:
            assert said[0] == found


@given(chains())
def test_blocks_a_multiple_of_the_alignment_apart_are_of_one_geometry(chain):
    windows = [
        (link.operation, link.geometry.kernel[0], link.geometry.stride[0], link.geometry.dilation[0])
        for link in chain.links
    ]
    long = of_windows(600, windows)
    (step,), (size,) = long.alignment, long.output_size
    first, length = size // 2, 7
    second = first + step
    local = [long.input_box([(start, start + length)]).chain for start in (first, second)]
    assert local[0] == local[1]
    assert (long.scale[0] * step).denominator >= 1
    moved = (
        long.input_box([(second, second + length)]).cells[0][0] - long.input_box([(first, first + length)]).cells[0][0]
    )
    assert local[0] is None or moved * long.scale[0] == step


def test_numbers_of_a_vocoder():
    chain = of_windows(100, [(DOWN, 7, 1, 1), (UP, 16, 8, 1), (DOWN, 3, 1, 3), (UP, 4, 2, 1), (DOWN, 7, 1, 1)])
    assert chain.scale == (Fraction(16),)
    assert chain.alignment == (16,)
    assert chain.receptive_field == (10,)
    assert chain.ndim == 1


def test_what_a_chain_prints():
    chain = tconv.chain([
        (DOWN, Geometry.conv((64, 32), 4, stride=2, padding=1)),
        (UP, Geometry.conv_transpose((32, 16), (4, 3), stride=(2, 1), padding=1)),
    ])  # fmt: skip
    assert str(chain).splitlines() == [
        "64x32 -> 64x16: scale 1x1/2, receptive field 6x8, projective field 6x4, alignment 2x1",
        "link  operation       from   to     window",
        "  0   conv            64x32  32x16  kernel 4, stride 2, padding 1",
        "  1   conv_transpose  32x16  64x16  kernel 4x3, stride 2x1, padding 1",
    ]


G = Geometry.conv_transpose(4, 2, stride=2)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (G, TypeError, "chain: links must be a sequence of (operation, Geometry) pairs; got "
         "Geometry.conv_transpose((4, ... adding=(0,), dilation=(1,))"),
        ([], ValueError, "chain: links must hold at least 1 link; got none"),
        ([(UP, G), G], TypeError, 'chain: links[1] must be a pair such as ("conv_transpose", Geometry); got '
         "Geometry.conv_transpose((4, ... adding=(0,), dilation=(1,))"),
        ([("up", G)], ValueError, 'chain: links[0][0] must be one of "conv_transpose", "conv"; got \'up\''),
        ([(UP, G), (UP, G)], ValueError, "chain: links[1] must read the 8 cells that links[0], conv_transpose, gives; "
         "its coarse grid, which conv_transpose reads, has 4"),
        ([(UP, G), (DOWN, Geometry.conv(7, 2))], ValueError, "chain: links[1] must read the 8 cells that links[0], "
         "conv_transpose, gives; its fine grid, which conv reads, has 7"),
        ([(UP, G), (DOWN, Geometry.conv((8, 8), 2))], ValueError, "chain: links[1] must read the 8 cells that "
         "links[0], conv_transpose, gives; its fine grid, which conv reads, has 8x8"),
    ],
)  # fmt: skip
def test_messages(given, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        tconv.chain(given)


def test_a_box_outside_is_refused():
    text = "Chain.input_box: box[0][1] must be more than box[0][0] = 0 and at most 8; got 9"
    with pytest.raises(ValueError, match=re.escape(text)):
        tconv.chain([(UP, G)]).input_box([(0, 9)])
