"""`tconv size`: what the other grid's size is."""

from __future__ import annotations

from typing import Any

from tconv import checks
from tconv.cli import options, output
from tconv.geometry import Geometry, joined
from tconv.hints import remarks


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
    for note in notes(geometry):
        out.print(f"\nNote: {note}", soft_wrap=True)


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


def notes(geometry: Geometry) -> list[str]:
    """What looks as if it were not meant: channels among the axes of size."""
    note = remarks.of_size(geometry.coarse) or remarks.of_size(geometry.fine)
    return [note] if note else []


def by(values: tuple[int, ...]) -> str:
    """A size as it is written on the command line: 32x48."""
    return "x".join(map(str, values))


def becoming(fine_sizes: range, coarse: str) -> str:
    """Which fine sizes become a coarse one: 5 and 6 both become 3."""
    if len(fine_sizes) == 1:
        return f"{fine_sizes[0]} alone becomes {coarse}"
    if len(fine_sizes) == 2:
        return f"{fine_sizes[0]} and {fine_sizes[1]} both become {coarse}"
    return f"{checks.some_of(fine_sizes)} all become {coarse}"


def _lines(geometry: Geometry) -> list[tuple[str, str]]:
    coarse, fine = by(geometry.coarse), by(geometry.fine)
    pairs = dict.fromkeys(zip(geometry.fine_sizes, geometry.coarse, strict=True))
    shared = "; ".join(becoming(sizes, str(size)) for sizes, size in pairs)
    each = " on each axis" if geometry.ndim > 1 and len(pairs) == 1 else ""
    return [
        ("convolution", f"fine {fine} -> coarse {coarse}"),
        ("transposed", f"coarse {coarse} -> fine {fine}"),
        ("output padding", joined(geometry.output_padding)),
        ("fine sizes", f"{shared}{each}"),
    ]
