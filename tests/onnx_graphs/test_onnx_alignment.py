"""One axis as stride-1 pieces: every position of every geometry computed once, from the right taps and cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import axes

from tconv import Axis

pytest.importorskip("onnx", exc_type=ModuleNotFoundError)
from tconv.onnx.alignment import align

PARTITIONS = ("all", "each", "equal")


def reads(axis, alignment):
    """For each fine position the (coarse cell, tap) pairs that the pieces read inside the coarse grid."""
    found = {}
    for piece in alignment.pieces:
        for residue, taps in zip(piece.residues, piece.taps, strict=True):
            for cell in range(axis.coarse + alignment.extra):
                first = cell - piece.padding[0]
                places = [(first + i * piece.dilation, tap) for i, tap in enumerate(taps)]
                position = cell * alignment.stride + residue - alignment.lead
                inside = {(c, tap) for c, tap in places if tap is not None and 0 <= c < axis.coarse}
                assert position not in found
                found[position] = inside
    return found


def definition(axis):
    """The same from the definition: o = c * stride - low + t * dilation."""
    pairs = {o: set() for o in range(axis.fine)}
    for c in range(axis.coarse):
        for t in range(axis.kernel):
            pairs.get(c * axis.stride - axis.padding[0] + t * axis.dilation, set()).add((c, t))
    return pairs


@given(axes(), st.sampled_from(PARTITIONS))
def test_pieces_read_what_the_definition_reads(axis, partition):
    alignment = align(axis, partition)
    found = reads(axis, alignment)
    assert min(found) == -alignment.lead
    assert max(found) == axis.fine - 1 + alignment.tail
    assert {o: found[o] for o in range(axis.fine)} == definition(axis)


@given(axes(), st.sampled_from(PARTITIONS))
def test_onnx_can_say_the_pieces(axis, partition):
    alignment = align(axis, partition)
    assert alignment.lead >= 0
    assert alignment.tail >= 0
    assert all(min(piece.padding) >= 0 for piece in alignment.pieces)
    sizes = {axis.coarse + sum(p.padding) - p.dilation * (p.kernel - 1) for p in alignment.pieces if p.kernel}
    assert sizes == {axis.coarse + alignment.extra}


@given(axes(), st.sampled_from(PARTITIONS), st.integers(1, 5))
def test_nothing_depends_on_the_size(axis, partition, more):
    larger = Axis(axis.coarse + more, axis.kernel, axis.stride, axis.padding, axis.output_padding, axis.dilation)
    assert align(axis, partition) == align(larger, partition)


def test_the_examples_of_the_page():
    """Kernel 4, stride 2, padding 1: aligned to the uncropped result a kernel of 2 does, and a position is cropped."""
    axis = Axis.conv_transpose(8, 4, stride=2, padding=1)
    together, each = align(axis, "all"), align(axis, "each")
    assert [piece.kernel for piece in together.pieces] == [2]
    assert (together.lead, together.tail, together.cost) == (1, 1, 4)
    assert [piece.kernel for piece in each.pieces] == [2, 2]
    assert (each.lead, each.tail) == (0, 0)
    assert [
        list(piece.residues) for piece in align(Axis.conv_transpose(8, 16, stride=8, padding=4), "equal").pieces
    ] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
    ]
