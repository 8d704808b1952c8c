"""`tconv upsample`: enlarge a photograph by a transposed convolution."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from tconv import interpolation
from tconv.cli import options, output
from tconv.cli.errors import UsageError, usage_errors
from tconv.geometry import joined
from tconv.pictures import Enlarged, enlarge
from tconv.placing import check_file


def upsample(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A picture in a format that Pillow reads.")],
    *,
    scale: Annotated[str, typer.Option(metavar="S", help="How many times larger, a whole number.")],
    kernel: Annotated[
        str,
        typer.Option(
            metavar="KERNEL",
            help="nearest, bilinear, bicubic, or a .npy file of two axes.",
            autocompletion=options.among(interpolation.KERNELS),
        ),
    ] = "bilinear",
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Where to write; the extension names the format.")
    ],
    max_pixels: Annotated[
        options.Text,
        typer.Option("--max-pixels", metavar="N", help="Refuse larger pictures; what Pillow refuses if left out."),
    ] = None,
    page: Annotated[
        options.Text, typer.Option("--page", metavar="N", help="Which page of a file of several, from 1 on.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Enlarge a photograph: each channel by a transposed convolution of stride S with one kernel.

    This is the upsampling layer of a fully convolutional network, with replicated edges. Greyscale and alpha channels
    stay, the orientation noted by the camera is applied, an existing OUT is overwritten. Zarr, and TIFF files that are
    tiled or large, are read and written a band of rows at a time, whatever their size; other files, such as PNG and
    JPEG, are in memory as a whole, to be read and to be written.

        tconv upsample photo.jpg --scale 2 --kernel bicubic -o large.png
    """
    times = options.integer("--scale", scale)
    weights, most, number = _kernel(kernel), options.count("--max-pixels", max_pixels), options.count("--page", page)
    with output.progress(f"upsample {photo.name}") as progress, usage_errors():
        done = enlarge(photo, target, times, weights, max_pixels=most, page=number, progress=progress)
    sums = interpolation.phase_sums(weights, times) if isinstance(weights, np.ndarray) else np.ones(1)
    if json:
        output.as_json(_as_dict(photo, target, times, kernel, done, sums))
    else:
        output.facts(_lines(photo, target, times, kernel, done, sums), output.console())


def _kernel(text: str) -> str | NDArray[Any]:
    """A kernel's name as it is, or the array in a .npy file."""
    if text in interpolation.KERNELS:
        return text
    path = Path(text)
    if path.suffix.lower() != ".npy":
        raise UsageError(
            f"--kernel must be {', '.join(interpolation.KERNELS)} or the path of a .npy file; got {text!r}"
        )
    check_file(path)
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise UsageError(f"--kernel must be a .npy file that holds one array of numbers; {text} does not") from None
    if not isinstance(array, np.ndarray):  # an archive of arrays by another name
        raise UsageError(f"--kernel must be a .npy file that holds one array of numbers; {text} is an archive")
    return array


def _as_dict(
    photo: Path, target: Path, scale: int, kernel: str, done: Enlarged, sums: NDArray[np.float64]
) -> dict[str, Any]:
    return {
        "photo": str(photo),
        "output": str(target),
        "scale": scale,
        "kernel": kernel,
        "kernel_size": done.kernel,
        "width": done.target[0],
        "height": done.target[1],
        "mode": done.mode,
        "strips": done.strips,
        "phase_sums": {"least": float(sums.min()), "most": float(sums.max())},
    }


def _lines(
    photo: Path, target: Path, scale: int, kernel: str, done: Enlarged, sums: NDArray[np.float64]
) -> list[tuple[str, str]]:
    (width, height), (wide, high) = done.source, done.target
    lines = [
        ("read", f"{photo}: {width}x{height}, {done.mode}"),
        ("kernel", f"{kernel}: {joined(done.kernel)} taps an axis, stride {scale}"),
        ("written", f"{target}: {wide}x{high}, {done.mode}"),
    ]
    if not np.allclose(sums, 1):
        lines.append(("note", f"the weights of a phase sum to {_span(sums)}, not to 1: {_consequence(sums)}"))
    return lines


def _span(sums: NDArray[np.float64]) -> str:
    least, most = f"{sums.min():.4g}", f"{sums.max():.4g}"
    return least if least == most else f"{least} to {most}"


def _consequence(sums: NDArray[np.float64]) -> str:
    return "the brightness changes" if np.allclose(sums, sums.flat[0]) else "even areas come out as a checkerboard"
