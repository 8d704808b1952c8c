"""The full text of what Axis and Geometry say about wrong arguments."""

from __future__ import annotations

import numpy as np
import pytest

from tconv import Axis, Geometry, checks

pytestmark = pytest.mark.quick

#: [Axis(3, 3), 3] as a message shows it.
CUT = "[Axis(coarse=3, kernel=3, s ... _padding=0, dilation=1), 3]"

AXIS = [
    # -- types and least values
    (lambda: Axis(0, 3), "Axis: coarse must be an integer of at least 1; got 0"),
    (lambda: Axis(3, 0), "Axis: kernel must be an integer of at least 1; got 0"),
    (lambda: Axis(3, 3, -2), "Axis: stride must be an integer of at least 1; got -2"),
    (lambda: Axis(3, 3, dilation=0), "Axis: dilation must be an integer of at least 1; got 0"),
    (lambda: Axis(3, 3, 2, 1, -1), "Axis: output_padding must be an integer of at least 0; got -1"),
    (lambda: Axis(3, 3, 2, (1, 2, 3)), "Axis: padding must be an integer or a (low, high) pair of them; got (1, 2, 3)"),
    (lambda: Axis.conv(0, 3), "Axis.conv: fine must be an integer of at least 1; got 0"),
    (lambda: Axis.conv(5, 0), "Axis.conv: kernel must be an integer of at least 1; got 0"),
    (lambda: Axis.conv(5, 3, stride=0), "Axis.conv: stride must be an integer of at least 1; got 0"),
    (lambda: Axis.conv(5, 3, dilation=-1), "Axis.conv: dilation must be an integer of at least 1; got -1"),
    (lambda: Axis.conv(5, 3, output_size=0), "Axis.conv: output_size must be an integer of at least 1; got 0"),
    (lambda: Axis.conv_transpose(0, 3), "Axis.conv_transpose: coarse must be an integer of at least 1; got 0"),
    (
        lambda: Axis.conv_transpose(3, 3, output_padding=-1),
        "Axis.conv_transpose: output_padding must be an integer of at least 0; got -1",
    ),
    (
        lambda: Axis.conv(5, 3, padding="full"),
        'Axis.conv: padding must be "same", "valid", an integer or (low, high) pairs; got \'full\'',
    ),
    # -- output padding
    (
        lambda: Axis(3, 3, 2, 1, 2),
        "Axis: output_padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2",
    ),
    (
        lambda: Axis(3, 3, 2, 1, 3, 3),
        "Axis: output_padding must be less than max(stride, dilation) = max(2, 3) = 3; got 3",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=2, output_padding=2),
        "Axis.conv_transpose: output_padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2",
    ),
    (
        lambda: Axis.conv(5, 3, stride=2, output_padding=2),
        "Axis.conv: output_padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2",
    ),
    (
        lambda: Axis.conv(5, 3, stride=2, padding=1, output_padding=1),
        "Axis.conv: output_padding must be 0, what fine size 5 leaves over at stride 2; got 1 "
        "(leave it out to have it derived)",
    ),
    (
        lambda: Axis.conv(20, 3, stride=2, dilation=4, output_padding=0),
        "Axis.conv: output_padding must be one of 1, 3, what fine size 20 leaves over at stride 2; got 0 "
        "(leave it out to have it derived)",
    ),
    (  # 3 would leave no coarse cell
        lambda: Axis.conv(10, 3, stride=2, dilation=4, output_padding=3),
        "Axis.conv: output_padding must be 1, what fine size 10 leaves over at stride 2; got 3 "
        "(leave it out to have it derived)",
    ),
    # -- output size
    (
        lambda: Axis.conv(5, 3, stride=2, padding=1, output_padding=0, output_size=3),
        "Axis.conv: output_padding and output_size must not both be given; got 0 and 3",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=2, output_padding=1, output_size=8),
        "Axis.conv_transpose: output_padding and output_size must not both be given; got 1 and 8",
    ),
    (
        lambda: Axis.conv(5, 3, stride=2, padding="same", output_padding=0),
        'Axis.conv: output_padding must be left out with padding="same", where output_size names another size; got 0',
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=2, padding="valid", output_padding=1),
        'Axis.conv_transpose: output_padding must be left out with padding="valid", where output_size names another '
        "size; got 1",
    ),
    (
        lambda: Axis.conv(5, 3, stride=2, padding=1, output_size=4),
        "Axis.conv: output_size must be 3 for fine size 5; got 4",
    ),
    (
        lambda: Axis.conv(5, 3, stride=2, padding="same", output_size=2),
        "Axis.conv: output_size must be 3 for fine size 5; got 2",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=2, padding=1, output_size=7),
        "Axis.conv_transpose: output_size must be one of 5, 6 for coarse size 3; got 7",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=20, padding=1, output_size=40),
        "Axis.conv_transpose: output_size must be one of 41 to 60 for coarse size 3; got 40",
    ),
    (  # sizes below 1 are none
        lambda: Axis.conv_transpose(1, 1, stride=5, padding=1, output_size=4),
        "Axis.conv_transpose: output_size must be one of 1, 2, 3 for coarse size 1; got 4",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=2, padding="same", output_size=7),
        "Axis.conv_transpose: output_size must be one of 5, 6 for coarse size 3; got 7",
    ),
    # -- nothing left
    (
        lambda: Axis(3, 3, 2, 4),
        "Axis: padding must leave at least 1 cell; (4, 4) crops coarse size 3 to fine size -1",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=2, padding=(3, 4)),
        "Axis.conv_transpose: padding must leave at least 1 cell; (3, 4) crops coarse size 3 to fine size 0",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, stride=2, padding=9, output_size=1),
        "Axis.conv_transpose: padding must leave at least 1 cell; (9, 9) crops coarse size 3 to fine size -10",
    ),
    (
        lambda: Axis.conv(2, 3),
        "Axis.conv: kernel must fit into the padded size: kernel 3 with dilation 1 spans 3 cells, "
        "size 2 with padding (0, 0) has 2",
    ),
    (
        lambda: Axis.conv(1, 1, padding=-1),
        "Axis.conv: kernel must fit into the padded size: kernel 1 with dilation 1 spans 1 cell, "
        "size 1 with padding (-1, -1) has -1",
    ),
    # -- indices
    (lambda: Axis(3, 3).projective_field(3), "Axis.projective_field: coarse_index must be less than 3; got 3"),
    (
        lambda: Axis(3, 3).projective_field(-1),
        "Axis.projective_field: coarse_index must be an integer of at least 0; got -1",
    ),
    (lambda: Axis(3, 3).receptive_field(5), "Axis.receptive_field: fine_index must be less than 5; got 5"),
]

AXIS_TYPES = [
    (lambda: Axis(3, 3, 2.0), "Axis: stride must be an integer of at least 1; got 2.0 of type float"),
    (lambda: Axis(True, 3), "Axis: coarse must be an integer of at least 1; got True"),
    (lambda: Axis("3", 3), "Axis: coarse must be an integer of at least 1; got '3' of type str"),
    (
        lambda: Axis(3, np.float64(3)),
        f"Axis: kernel must be an integer of at least 1; got {np.float64(3)!r} of type float64",
    ),
    (
        lambda: Axis(3, 3, 2, (1, 0.5)),
        "Axis: padding[1] must be an integer; got 0.5 of type float; one cell more at one end is a (low, high) pair, "
        "such as (0, 1)",
    ),
    (lambda: Axis(3, 3, 2, "same"), "Axis: padding must be an integer; got 'same' of type str"),
    (lambda: Axis.conv(5.0, 3), "Axis.conv: fine must be an integer of at least 1; got 5.0 of type float"),
    (
        lambda: Axis.conv(5, 3, output_size=3.0),
        "Axis.conv: output_size must be an integer of at least 1; got 3.0 of type float",
    ),
    (
        lambda: Axis.conv_transpose(3, 3, output_padding=None),
        "Axis.conv_transpose: output_padding must be an integer of at least 0; got None of type NoneType",
    ),
    (
        lambda: Axis(3, 3).receptive_field(1.0),
        "Axis.receptive_field: fine_index must be an integer of at least 0; got 1.0 of type float",
    ),
]

GEOMETRY = [
    (lambda: Geometry(()), "Geometry: axes must hold at least 1 axis; got none"),
    (lambda: Geometry.conv((), 3), "Geometry.conv: fine must have at least 1 axis; got ()"),
    (lambda: Geometry.conv_transpose([], 3), "Geometry.conv_transpose: coarse must have at least 1 axis; got []"),
    (
        lambda: Geometry.conv_transpose((3, 0), 3),
        "Geometry.conv_transpose: coarse[1] must be an integer of at least 1; got 0",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), (3, 3, 3)),
        "Geometry.conv_transpose: kernel must be an integer or a sequence of 2 integers, one an axis; got (3, 3, 3)",
    ),
    (
        lambda: Geometry.conv((5, 5), 3, dilation=(1, 0)),
        "Geometry.conv: dilation[1] must be an integer of at least 1; got 0",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), 3, padding=(1, 2, 3)),
        'Geometry.conv_transpose: padding must be "same", "valid", one integer, or a sequence of 2 entries, one an '
        "axis, each an integer or a (low, high) pair; got (1, 2, 3)",
    ),
    (
        lambda: Geometry.conv_transpose(3, 3, padding=(1, 2)),
        'Geometry.conv_transpose: padding must be "same", "valid", one integer, or a sequence of 1 entry, one an axis, '
        "each an integer or a (low, high) pair; got (1, 2); write ((1, 2),) for a (low, high) pair",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), 3, stride=(1, 2), output_padding=(0, 2)),
        "Geometry.conv_transpose: output_padding must be less than max(stride, dilation) = max(2, 1) = 2; got 2 "
        "(axis 1)",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), 3, stride=2, output_size=(7, 9)),
        "Geometry.conv_transpose: output_size must be one of 7, 8 for coarse size 3; got 9 (axis 1)",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), 3, output_size=(5, 5, 5)),
        "Geometry.conv_transpose: output_size must be an integer or a sequence of 2 integers, one an axis; "
        "got (5, 5, 5)",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), 3, padding=((0, 0), (3, 2))),
        "Geometry.conv_transpose: padding must leave at least 1 cell; (3, 2) crops coarse size 3 to fine size 0 "
        "(axis 1)",
    ),
    (
        lambda: Geometry.conv((5, 2), 3),
        "Geometry.conv: kernel must fit into the padded size: kernel 3 with dilation 1 spans 3 cells, "
        "size 2 with padding (0, 0) has 2 (axis 1)",
    ),
    (
        lambda: Geometry.conv((5, 5), 3, output_padding=0, output_size=(3, 3)),
        "Geometry.conv: output_padding and output_size must not both be given; got 0 and 3 (axis 0)",
    ),
    (  # one axis needs no number
        lambda: Geometry.conv(2, 3),
        "Geometry.conv: kernel must fit into the padded size: kernel 3 with dilation 1 spans 3 cells, "
        "size 2 with padding (0, 0) has 2",
    ),
    (
        lambda: Geometry.conv_transpose(3, 3).work(0),
        "Geometry.work: in_channels must be an integer of at least 1; got 0",
    ),
    (
        lambda: Geometry.conv_transpose(3, 3).work(6, 4, groups=4),
        "Geometry.work: groups must divide in_channels = 6; got 4",
    ),
    (
        lambda: Geometry.conv_transpose(3, 3).work(4, 6, groups=4),
        "Geometry.work: groups must divide out_channels = 6; got 4",
    ),
    (
        lambda: Geometry.conv_transpose(3, 3).work(4, 6, batch=-1),
        "Geometry.work: batch must be an integer of at least 0; got -1",
    ),
    (
        lambda: Geometry.conv_transpose(3, 3).work(4, 6, itemsize=0),
        "Geometry.work: itemsize must be an integer of at least 1; got 0",
    ),
    (
        lambda: Geometry.conv_transpose(10**30, 3).coverage(),
        "Geometry.coverage: the coverage must have a size below 2**63 bytes; it would take "
        "8000000000000000000000000000016",
    ),
]

GEOMETRY_TYPES = [
    (lambda: Geometry(3), "Geometry: axes must be a sequence of Axis; got 3"),
    (lambda: Geometry([Axis(3, 3), 3]), f"Geometry: axes must be a sequence of Axis; got {CUT}"),
    (
        lambda: Geometry.conv_transpose("33", 3),
        "Geometry.conv_transpose: coarse must be an integer of at least 1; got '33' of type str",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), 3, stride=(2, 2.5)),
        "Geometry.conv_transpose: stride[1] must be an integer of at least 1; got 2.5 of type float",
    ),
    (
        lambda: Geometry.conv_transpose((3, 3), 3, padding=("same", "valid")),
        "Geometry.conv_transpose: padding[0] must be an integer; got 'same' of type str",
    ),
    (
        lambda: Geometry.conv_transpose(3, 3).work(6, 4.0),
        "Geometry.work: out_channels must be an integer of at least 1; got 4.0 of type float",
    ),
]


@pytest.mark.parametrize(("call", "text"), AXIS + GEOMETRY)
def test_a_wrong_value(call, text):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == text


@pytest.mark.parametrize(("call", "text"), AXIS_TYPES + GEOMETRY_TYPES)
def test_a_wrong_type(call, text):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == text


def test_a_coverage_beyond_memory(monkeypatch):
    monkeypatch.setattr(checks, "physical_memory", lambda: 2**20)
    with pytest.raises(MemoryError) as caught:
        Geometry.conv_transpose((2**10, 2**10), 1).coverage()
    assert str(caught.value) == "Geometry.coverage: the coverage must fit into memory, 1.0 MiB; it would take 8.0 MiB"
