"""`tconv size`: what the other grid's size is."""

from __future__ import annotations

from typing import Any

from tconv import checks
from tconv.cli import options, output
from tconv.geometry import Geometry, joined


def size(
    *,
    coarse: options.Coarse = None,
    fine: options.Fine = None,
    kernel: options.Kernel,
    stride: options.Stride = "1",
    padding: options.Padding = "0",
    output_padding: options.OutputPadding = None,
    output_size: options.OutputSize = None,
    dilation: options.Dilation = "1",
    json: options.Json = False,
) -> None:
    """The size of the other grid, and every size that shares it.

    A convolution maps the fine grid to the coarse one, its transpose the coarse grid to the fine one. Give the one you
    know: --coarse for what a transposed convolution takes, --fine for what a convolution takes.

        tconv size --coarse 32 --kernel 4 --stride 2 --padding 1
    """
    geometry = options.geometry(coarse, fine, kernel, stride, padding, output_padding, output_size, dilation)
    if json:
        output.as_json(as_dict(geometry))
        return
    out = output.console()
    out.print(str(geometry), soft_wrap=True)
    out.print()
    output.facts(_lines(geometry), out)


def as_dict(geometry: Geometry) -> dict[str, Any]:
    """A geometry for machines: a value an axis for every key."""
    return {
        "coarse": geometry.coarse,
        "fine": geometry.fine,
        "kernel": geometry.kernel,
        "stride": geometry.stride,
        "padding": geometry.padding,
        "output_padding": geometry.output_padding,
        "dilation": geometry.dilation,
        "fine_sizes": [{"smallest": sizes[0], "largest": sizes[-1]} for sizes in geometry.fine_sizes],
    }


def by(values: tuple[int, ...]) -> str:
    """A size as it is written on the command line: 32x48."""
    return "x".join(map(str, values))


def _lines(geometry: Geometry) -> list[tuple[str, str]]:
    coarse, fine = by(geometry.coarse), by(geometry.fine)
    shared = " x ".join(checks.some_of(sizes) for sizes in dict.fromkeys(geometry.fine_sizes))
    each = "" if geometry.ndim == 1 or " x " in shared else " on each axis"
    return [
        ("convolution", f"fine {fine} -> coarse {coarse}"),
        ("transposed", f"coarse {coarse} -> fine {fine}"),
        ("output padding", joined(geometry.output_padding)),
        (f"convolved to {coarse}", f"fine sizes {shared}{each}"),
    ]
