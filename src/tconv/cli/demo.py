"""`tconv demo`: transposed convolution on a photograph, as a table and as a figure."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.console import Console

from tconv.cli import options, output
from tconv.cli.errors import UsageError
from tconv.cli.size import as_dict as geometry_as_dict
from tconv.cli.size import by
from tconv.demo import Demo, MethodRun, milliseconds
from tconv.demo import demo as computed
from tconv.pictures import naming
from tconv.placing import check_place


def demo(
    *,
    target: Annotated[Path, typer.Option("--output", "-o", metavar="PNG", help="Where to write the figure.")] = Path(
        "tconv-demo.png"
    ),
    theme: options.Theme = "light",
    json: options.Json = False,
) -> None:
    """A photograph down by C and up by Cᵀ, by every method, in numbers and in a figure.

    C is a depthwise convolution that smooths and halves. Its transpose brings the shape back and not the values. Takes
    a few seconds.
    """
    start = perf_counter()
    if target.suffix.lower() != ".png":
        raise UsageError(f"--output must end in .png, the format of the figure; got {target.name!r}")
    check_place(target)
    options.theme(theme)
    with output.progress("demo") as progress:
        result = computed(progress)
        from tconv.draw.demo import save  # matplotlib takes a while to load

        with naming(target, "cannot be written"):
            save(result, target, theme)
    seconds = perf_counter() - start
    if json:
        output.as_json(_as_dict(result, target, seconds))
    else:
        _print(result, target, seconds, output.console())


def _as_dict(result: Demo, target: Path, seconds: float) -> dict[str, Any]:
    return {
        "figure": str(target),
        "seconds": seconds,
        "geometry": geometry_as_dict(result.geometry),
        "matrix": {"rows": result.matrix.rows, "columns": result.matrix.columns, "stored": result.matrix.stored},
        "methods": [_run_as_dict(run) for run in result.methods],
        "brightness": result.brightness,
        "best_factor": result.best_factor,
        "left_over": result.left_over,
        "inner_products": result.inner_products,
        "decibels": result.decibels,
        "coverage": {"kernel 3, stride 2": result.uneven.unevenness, "kernel 4, stride 2": result.even.unevenness},
    }


def _run_as_dict(run: MethodRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "conv_ms": run.conv_ms,
        "conv_transpose_ms": run.conv_transpose_ms,
        "conv_difference": run.conv_difference,
        "conv_transpose_difference": run.conv_transpose_difference,
    }


def _print(result: Demo, target: Path, seconds: float, out: Console) -> None:
    out.print(f"y: a photograph, {_cells(result.photo)}")
    out.print(f"C: a depthwise convolution, {result.geometry}", soft_wrap=True)
    output.heading("Down by C, up by Cᵀ: every method in float32, against the matrix in float64", out)
    columns = ["method", "x = C y", "Cᵀ x", "C y differs by", "Cᵀ x differs by"]
    output.table(columns, map(_row, result.methods), out, right=columns[1:])
    output.heading("The shape returns, the values do not", out)
    output.facts(_round_trip(result), out)
    output.heading("Up again by an interpolation kernel, with replicated edges", out)
    output.facts([(name, f"{level:.2f} dB from y") for name, level in result.decibels.items()], out)
    output.heading("Up again by equal weights", out)
    output.facts([("kernel 3, stride 2", result.uneven.axes[0].unevenness), ("kernel 4, stride 2", _even(result))], out)
    out.print()
    out.print(f"{target} written, {seconds:.1f} s in all", soft_wrap=True)


def _row(run: MethodRun) -> list[str]:
    times = ["-" if ms is None else milliseconds(ms) for ms in (run.conv_ms, run.conv_transpose_ms)]
    differences = (run.conv_difference, run.conv_transpose_difference)
    return [run.name, *times, *("-" if value is None else f"{value:.1e}" for value in differences)]


def _round_trip(result: Demo) -> list[tuple[str, str]]:
    coarse, fine = result.inner_products
    return [
        ("y, fine", _cells(result.photo)),
        ("x = C y, coarse", _cells(result.coarse)),
        ("Cᵀ x, fine", f"{_cells(result.back)}, {result.brightness:.3f} of the brightness of y"),
        ("nearest multiple", f"{result.best_factor:.3f} Cᵀ x is still {result.left_over:.1%} off y"),
        ("⟨C y, x⟩", f"{coarse:.2f}"),
        ("⟨y, Cᵀ x⟩", f"{fine:.2f}, the same: one operator is the other's transpose"),
    ]


def _even(result: Demo) -> str:
    taps = result.even.axes[0].taps_per_phase[0] ** result.even.ndim
    return f"even: {taps} taps reach every fine position away from the border"


def _cells(picture: Any) -> str:
    return f"{picture.shape[0]} channels of {by(picture.shape[1:])}"
