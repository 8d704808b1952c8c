"""`tconv explain`: everything a geometry says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from tconv import arrays, checks
from tconv import explain as said
from tconv.arguments import LAYOUTS
from tconv.axis import Axis
from tconv.cli import options, output
from tconv.cli.convert import as_dict as saying_as_dict
from tconv.cli.convert import print_saying
from tconv.cli.engine import BY_ENGINE, Wanted
from tconv.cli.errors import UsageError, in_options, usage_errors
from tconv.cli.size import as_dict, becoming, by, notes
from tconv.conventions import DIALECTS, Dialect, Layer
from tconv.conventions.registry import USUAL
from tconv.geometry import Geometry, Work
from tconv.phases import Phase

#: What is printed, part by part.
PARTS = ("sizes", "matrix", "phases", "coverage", "work", "code")
#: How many phases are listed.
PHASES = 16
#: Both axes of a coverage that is drawn are no longer than this.
DRAWN = 16


def explain(
    *,
    coarse: options.Coarse = None,
    fine: options.Fine = None,
    kernel: options.Kernel,
    stride: options.Stride = "1",
    padding: options.Padding = "0",
    output_padding: options.OutputPadding = None,
    output_size: options.OutputSize = None,
    dilation: options.Dilation = "1",
    in_channels: Annotated[options.Text, typer.Option(metavar="N", help="Channels of the coarse grid.")] = None,
    out_channels: Annotated[options.Text, typer.Option(metavar="N", help="Channels of the fine grid.")] = None,
    groups: Annotated[str, typer.Option(metavar="N", help="Groups that the channels form.")] = "1",
    plan: Annotated[bool, typer.Option("--plan", help="Say how the CPU engine computes the layer.")] = False,
    batch: Annotated[options.Text, typer.Option(metavar="N", help="For --plan: images; 1 if left out.")] = None,
    dtype: Annotated[
        options.Text,
        typer.Option(
            metavar="DTYPE", help="For --plan: float32 or another.", autocompletion=options.among(arrays.DTYPES)
        ),
    ] = None,
    layout: Annotated[
        options.Text,
        typer.Option(
            metavar="LAYOUT", help="For --plan: channels_first or channels_last.", autocompletion=options.among(LAYOUTS)
        ),
    ] = None,
    threads: Annotated[options.Text, typer.Option(metavar="N", help="For --plan: at most so many threads.")] = None,
    method: Annotated[
        options.Text,
        typer.Option(
            metavar="METHOD",
            help="For --plan: jit or winograd; jit if left out.",
            autocompletion=options.among(BY_ENGINE),
        ),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="For --plan: measure peak and bandwidth here instead of assuming them.")
    ] = False,
    only: Annotated[
        options.Text, typer.Option(metavar="PART,...", help=f"Print no more than some parts: {', '.join(PARTS)}.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Sizes, formulas, the matrix, phases, coverage and cost of a geometry, and its dialects.

    Nothing is computed but counts, so any size will do. Without channels there is one a group. With --plan also how the
    CPU engine computes the layer: lanes, tile, loops, bytes, and the share of the roofline that is expected.

        tconv explain --coarse 32x32 --kernel 4 --stride 2 --padding 1 --in-channels 64 --out-channels 32
        tconv explain --coarse 32x32 --kernel 4 --stride 2 --padding 1 --in-channels 64 --out-channels 32 --plan
    """
    wanted = Wanted.read(plan, batch, dtype, layout, threads, measure, method)
    parts = _parts(only)
    geometry = options.geometry(coarse, fine, kernel, stride, padding, output_padding, output_size, dilation)
    cin, cout = options.count("--in-channels", in_channels), options.count("--out-channels", out_channels)
    number = options.integer("--groups", groups)
    channels = (cin or number, cout or number, number)
    with usage_errors():
        layer = Layer(geometry, cin, cout, number)
        facts = {**_facts(geometry, *channels), "dialects": {name: _as_dict(layer, name) for name in DIALECTS}}
    said_plan = None if wanted is None else wanted.plan(geometry, *channels)
    if json:
        output.as_json(facts if said_plan is None else {**facts, "plan": said_plan.as_dict()})
        return
    out = output.console()
    _print(geometry, channels, out, parts)
    for note in notes(geometry):
        out.print(f"\nNote: {note}", soft_wrap=True)
    if said_plan is not None:
        said_plan.print(out)
    if "code" in parts:
        _print_dialects(layer, out)


def _parts(only: str | None) -> tuple[str, ...]:
    """The parts to print, all where none is named."""
    if only is None:
        return PARTS
    wanted = tuple(part.strip() for part in only.split(","))
    for part in wanted:
        if part not in PARTS:
            raise UsageError(
                f"--only must be any of {', '.join(PARTS)}, with commas between them; got {checks.shorten(part)}"
            )
    return wanted


def _facts(geometry: Geometry, in_channels: int, out_channels: int, groups: int) -> dict[str, Any]:
    work = geometry.work(in_channels, out_channels, groups=groups)
    matrix = said.matrix(geometry, in_channels, out_channels, groups)
    return {
        **as_dict(geometry),
        "in_channels": in_channels,
        "out_channels": out_channels,
        "groups": groups,
        "conv_formula": [said.conv_formula(axis)[1] for axis in geometry.axes],
        "conv_transpose_formula": [said.conv_transpose_formula(axis)[1] for axis in geometry.axes],
        "zero_inserted": [_zero_inserted(axis) for axis in geometry.axes],
        "matrix": {"rows": matrix.rows, "columns": matrix.columns, "stored": matrix.stored, "fill": matrix.fill},
        "phases": {
            "count": said.phase_count(geometry),
            "first": [_phase(phase) for phase in said.first_phases(geometry, PHASES)],
        },
        "coverage": {
            "even": geometry.is_even,
            "unevenness": geometry.unevenness,
            "along": [said.coverage_along(axis) for axis in geometry.axes],
        },
        "receptive_field": geometry.receptive_field,
        "work": {
            "flops": work.flops,
            "multiplications": work.multiplications,
            "zero_insertion_multiplications": work.zero_insertion_multiplications,
            "wasted_by_zero_insertion": work.wasted,
            "bytes_float32": work.bytes,
        },
        "notes": notes(geometry),
    }


def _as_dict(layer: Layer, name: str) -> dict[str, Any]:
    try:
        return saying_as_dict(DIALECTS[name].write(layer))
    except ValueError as refusal:
        return {"dialect": name, "refused": in_options(str(refusal))}


def _print_dialects(layer: Layer, out: Console) -> None:
    """The layer in the usual dialects, and how to ask for the others."""
    for name in USUAL:
        output.heading(f"In {DIALECTS[name].title}", out)
        _print_dialect(layer, DIALECTS[name], out)
    others = ", ".join(name for name in DIALECTS if name not in USUAL)
    output.heading("In others", out)
    output.code(f"tconv convert --from tconv --to NAME, which may be {others}, says it in their words too", out)


def _print_dialect(layer: Layer, dialect: Dialect, out: Console) -> None:
    """The lines to paste, or why this framework has none."""
    try:
        print_saying(dialect.write(layer), out)
    except ValueError as refusal:
        out.print(in_options(str(refusal)))


def _zero_inserted(axis: Axis) -> dict[str, Any]:
    view = axis.zero_inserted
    return {
        "inserted_zeros": view.inserted_zeros,
        "stretched": view.stretched,
        "padding": view.padding,
        "extra": view.extra,
    }


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "residue": phase.residue,
        "count": phase.count,
        "taps": [list(axis.taps) for axis in phase.axes],
        "shifts": [list(axis.shifts) for axis in phase.axes],
    }


def _print(geometry: Geometry, channels: tuple[int, int, int], out: Console, parts: tuple[str, ...]) -> None:
    out.print(str(geometry), soft_wrap=True)
    if "sizes" in parts:
        for name, axis in _distinct(geometry):
            output.heading(f"Sizes{name}", out)
            output.facts(_sizes(axis), out)
    if "matrix" in parts:
        output.heading("Matrix C", out)
        output.facts(_matrix(geometry, *channels), out)
    if "phases" in parts:
        output.heading(_phases_title(geometry), out)
        for phase in said.first_phases(geometry, PHASES):
            output.code(f"  {phase}", out)
    if "coverage" in parts:
        output.heading("Coverage: how many taps reach each fine position", out)
        _print_coverage(geometry, out)
    if "work" in parts:
        output.heading("Work of one pass, batch 1, float32", out)
        output.facts(_work(geometry.work(channels[0], channels[1], groups=channels[2])), out)


def _distinct(geometry: Geometry) -> Iterator[tuple[str, Axis]]:
    """Each axis with its name in a heading; once where all are the same."""
    if len(set(geometry.axes)) == 1:
        yield (", each axis" if geometry.ndim > 1 else ""), geometry.axes[0]
        return
    for i, axis in enumerate(geometry.axes):
        yield f", axis {i}", axis


def _sizes(axis: Axis) -> list[tuple[str, str]]:
    writes, reads = said.reach(axis)
    return [
        ("transposed", "\n".join(said.conv_transpose_formula(axis))),
        ("convolution", "\n".join(said.conv_formula(axis))),
        ("fine sizes", f"{becoming(axis.fine_sizes, str(axis.coarse))}; {_chosen(axis)}"),
        ("remainder", "\n".join(said.remainder(axis))),
        ("padding", "\n".join(said.paddings(axis))),
        ("zero insertion", said.zero_inserted(axis)),
        ("a coarse cell", writes),
        ("a fine cell", reads),
    ]


def _chosen(axis: Axis) -> str:
    beyond = " beyond them, as PyTorch allows where dilation > stride" if axis.output_padding >= axis.stride else ""
    return f"output padding {axis.output_padding} means {axis.fine}{beyond}"


def _matrix(geometry: Geometry, in_channels: int, out_channels: int, groups: int) -> list[tuple[str, str]]:
    matrix = said.matrix(geometry, in_channels, out_channels, groups)
    coarse, fine = by(geometry.coarse), by(geometry.fine)
    return [
        ("shape", f"{matrix.rows:,} x {matrix.columns:,}"),
        ("rows", f"{checks.count(in_channels, 'channel')} of {coarse} coarse cells"),
        ("columns", f"{checks.count(out_channels, 'channel')} of {fine} fine cells"),
        ("stored", f"{matrix.stored:,} elements, {percent(matrix.fill)} of all"),
        ("use", "convolution is C times the fine grid, the transposed one Cᵀ times the coarse grid"),
    ]


def _phases_title(geometry: Geometry) -> str:
    count = said.phase_count(geometry)
    listed = len(said.first_phases(geometry, PHASES))
    rest = "" if listed == count else f"; the first {listed}:" if listed else "; too many to list"
    each = "; each a dense convolution at stride 1" if listed else ""
    return f"{count:,} {'phase' if count == 1 else 'phases'} of the fine grid{each}{rest}"


def _print_coverage(geometry: Geometry, out: Console) -> None:
    reasons = {axis.unevenness for axis in geometry.axes}
    reason = geometry.unevenness if len(reasons) > 1 else reasons.pop()
    output.facts([("uneven", reason) if reason else ("even", "no checkerboard")], out)
    if geometry.ndim == 2 and max(geometry.fine) <= DRAWN:
        coverage = geometry.coverage()
        width = len(str(coverage.max()))
        for row in coverage.tolist():
            output.code("  " + " ".join(str(taps).rjust(width) for taps in row), out)
        return
    for name, axis in _distinct(geometry):
        output.code(f"  {said.coverage_along(axis)}{name.replace(', ', '   ')}", out)


def _work(work: Work) -> list[tuple[str, str]]:
    share = work.wasted / work.zero_insertion_multiplications
    return [
        ("flops", f"{work.flops:,}: {work.multiplications:,} multiplications, each with an addition"),
        ("zero insertion", f"{work.zero_insertion_multiplications:,} multiplications, {percent(share)} of them wasted"),
        ("memory", f"{work.bytes:,} bytes: both grids and the weights, each moved once"),
    ]


def percent(share: float) -> str:
    """A share as a reader wants it: three digits, however small."""
    return f"{share * 100:.3g}%"
