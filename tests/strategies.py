"""Geometries to test with: random ones as hypothesis strategies (`problems.py`), and chosen ones under a label.

@given(geometries())                             def test_...(geometry): ...
@pytest.mark.parametrize("geometry", GEOMETRIES)  def test_...(geometry): ...
"""

from __future__ import annotations

from collections.abc import Sequence

import problems
import pytest
from hypothesis import strategies as st
from problems import BOUNDS, Bounds, Pick

from tconv import Axis, Geometry, chain
from tconv.chaining import Chain
from tconv.problem import Problem


def picking(draw: st.DrawFn) -> Pick:
    """What `problems.py` draws through, by hypothesis."""
    return lambda options: draw(st.sampled_from(options))


@st.composite
def axes(draw: st.DrawFn, bounds: Bounds = BOUNDS[1]) -> Axis:
    """One axis: padding of either sign and different ends, output padding, dilation, stride beyond kernel."""
    return problems.axis_within(picking(draw), bounds)


@st.composite
def geometries(draw: st.DrawFn, min_ndim: int = 1, max_ndim: int = 3, small: bool = False) -> Geometry:
    """A geometry of up to 4 axes; `small` ones have at most 200 fine cells, so that a dense matrix is cheap."""
    return problems.geometry(picking(draw), range(min_ndim, max_ndim + 1), small=small)


@st.composite
def chains(draw: st.DrawFn, most: int = 3) -> Chain:
    """A chain of one axis, with everything that windows may have."""
    size, made, pads = draw(st.integers(1, 12)), [], st.integers(-1, 3)
    for _ in range(draw(st.integers(1, most))):
        operation = draw(st.sampled_from(["conv_transpose", "conv"]))
        window = {
            "stride": draw(st.integers(1, 3)),
            "padding": ((draw(pads), draw(pads)),),
            "dilation": draw(st.integers(1, 2)),
        }
        try:
            kernel = draw(st.integers(1, 4))
            if operation == "conv_transpose":
                a = draw(st.integers(0, window["stride"] - 1))
                made.append(("conv_transpose", Geometry.conv_transpose(size, kernel, output_padding=a, **window)))
                size = made[-1][1].fine[0]
            else:
                made.append(("conv", Geometry.conv(size, kernel, **window)))
                size = made[-1][1].coarse[0]
        except ValueError:  # nothing left, or a kernel that does not fit
            continue
        if size > 60:
            break
    return chain(made or [("conv_transpose", Geometry.conv_transpose(size, 3, stride=2, padding=1))])


@st.composite
def engine_problems(draw: st.DrawFn, **options: Sequence[str]) -> Problem:
    """A problem for the engine, with channels and sizes around whole vectors."""
    return problems.problem(picking(draw), **options)


def _up(coarse: int | tuple[int, ...], kernel: int | tuple[int, ...], **keywords: object) -> Geometry:
    return Geometry.conv_transpose(coarse, kernel, **keywords)


def _down(fine: int | tuple[int, ...], kernel: int | tuple[int, ...], **keywords: object) -> Geometry:
    return Geometry.conv(fine, kernel, **keywords)


#: The figures of V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.
TEXTBOOK = {
    "no padding, unit strides": _down((4, 4), 3),
    "arbitrary padding, unit strides": _down((5, 5), 4, padding=2),
    "half padding, unit strides": _down((5, 5), 3, padding=1),
    "full padding, unit strides": _down((5, 5), 3, padding=2),
    "no padding, strides": _down((5, 5), 3, stride=2),
    "padding, strides": _down((5, 5), 3, stride=2, padding=1),
    "padding, strides, one left over": _down((6, 6), 3, stride=2, padding=1),
    "dilation": _down((7, 7), 3, dilation=2),
}

#: Layers of published networks on grids of a few cells; the kernel, stride and padding are those of the network.
NETWORKS = {
    "DCGAN generator, first layer": _up((1, 1), 4),
    "DCGAN generator, 2x": _up((4, 4), 4, stride=2, padding=1),
    "U-Net up-convolution": _up((5, 6), 2, stride=2),
    "FCN, 8x bilinear": _up((1, 2), 16, stride=8, padding=4),
    "FCN, 2x, cropped at the end": _up((4, 3), 4, stride=2, padding=((1, 1), (0, 2))),
    "torchvision decoder, kernel 3": _up((5, 4), 3, stride=2, padding=1, output_padding=1),
    "Keras, kernel 3, same": _up((5, 4), 3, stride=2, padding="same"),
    "FSRCNN, 3x": _up((4, 4), 9, stride=3, padding=4, output_padding=2),
    "WaveGAN, 4x": _up(8, 25, stride=4, padding=11, output_padding=1),
    "HiFi-GAN, 8x": _up(9, 16, stride=8, padding=4),
    "Demucs decoder": _up(9, 8, stride=4),
    "EnCodec decoder, causal": _up(9, 10, stride=5, padding=((0, 5),)),
    "inverse STFT, hop a quarter": _up(7, 32, stride=8, padding=16),
    "V-Net, 3-D": _up((2, 3, 3), 2, stride=2),
    "video, frames kept": _up((3, 3, 4), (3, 4, 4), stride=(1, 2, 2), padding=1),
    "AlexNet stem": _down((15, 13), 11, stride=4, padding=2),
    "ResNet stem": _down((14, 13), 7, stride=2, padding=3),
    "DeepLab, dilated": _down((7, 8), 3, padding=4, dilation=4),
}

#: What goes wrong first.
EDGE_CASES = {
    "one cell, one tap": _up(1, 1),
    "one coarse cell, one fine cell": _up((1, 1), 3, stride=2, padding=1),
    "pointwise": _up((5, 3), 1),
    "kernel 1, gaps": _up(4, 1, stride=3),
    "kernel 1, gaps to the end": _up((3, 4), 1, stride=(3, 2), output_padding=(2, 1)),
    "stride beyond the kernel": _up((3, 3), 2, stride=5, output_padding=(0, 4)),
    "stride and dilation share a factor": _up(5, 3, stride=4, dilation=2, output_padding=1),
    "stride equals dilation": _up((3, 4), 3, stride=2, padding=1, dilation=2),
    "dilation beyond the stride": _up((3, 3), 3, stride=2, padding=3, dilation=3),
    "output padding of the stride and more": _up(4, 2, stride=2, padding=1, output_padding=3, dilation=4),
    "output padding larger than the kernel": _up(3, 2, stride=6, output_padding=5),
    "padding at one end": _up((4, 4), 3, stride=2, padding=((0, 2), (2, 0))),
    "negative padding": _up((3, 3), 3, stride=2, padding=-1),
    "negative padding at one end": _up(5, 4, stride=3, padding=((-2, 3),), output_padding=1),
    "cropped to one fine cell": _up(3, 3, stride=2, padding=((3, 3),)),
    "outermost cells cropped away": _up((4, 5), 2, stride=2, padding=((2, 3), (3, 2))),
    "taps that never land": _up(1, 7, padding=((3, 3),)),
    "even kernel, unit stride": _up((4, 5), 4, padding=((1, 2), (2, 1))),
    "a long thin grid": _up((1, 40), (1, 3), stride=(1, 2), padding=((0, 0), (1, 1))),
    "axes that share nothing": _up((2, 3, 2), (3, 1, 2), stride=(2, 1, 3), padding=((1, 0), (0, 0), (-1, 1)),
                                   output_padding=(1, 0, 2), dilation=(1, 2, 3)),
    "3-D, overlapping": _up((2, 2, 3), 3, stride=(2, 2, 1), padding=1, output_padding=(1, 0, 0)),
    "4-D": _up((2, 1, 2, 2), (2, 3, 2, 1), stride=(2, 1, 2, 1), padding=(0, 1, 1, 0)),
}  # fmt: skip

#: All of them, for `pytest.mark.parametrize("geometry", GEOMETRIES)`.
GEOMETRIES = [
    pytest.param(geometry, id=f"{group}: {label}")
    for group, cases in (("textbook", TEXTBOOK), ("network", NETWORKS), ("edge", EDGE_CASES))
    for label, geometry in cases.items()
]
