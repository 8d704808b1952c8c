"""`tconv chain`: layers one after the other, and what a box of the result needs of the input."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from tconv import chaining, checks
from tconv.chaining import Chain
from tconv.cli import options, output
from tconv.cli.errors import UsageError, usage_errors
from tconv.cli.size import as_dict, by
from tconv.geometry import Geometry

#: How a layer is read, by the name of a value: the options of the same names, but for those that say sizes of grids.
VALUES = ("kernel", "stride", "padding", "output_padding", "dilation")


def chain(
    layers: Annotated[
        list[str],
        typer.Argument(metavar="LAYER", help="conv:kernel=7,padding=3 or conv_transpose:kernel=4,stride=2, and so on."),
    ],
    *,
    size: Annotated[str, typer.Option(metavar="SIZE", help="Size of the input of the first layer, such as 80.")],
    box: Annotated[
        options.Text, typer.Option(metavar="RANGE", help="A box of the result, such as 320:480 or 0:64x64:128.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Layers one after the other: sizes, fields, alignment, and what a box of the result needs.

    A layer is its operation, conv or conv_transpose, and after a colon the values of its window, with commas between
    them: kernel, and where they are not usual, stride, padding, output_padding, dilation. Each reads what the one
    before gives. With --box also the cells of the input that a part of the result needs, and the local padding of each.

        tconv chain --size 80 conv:kernel=7,padding=3 conv_transpose:kernel=16,stride=8,padding=4 --box 320:480
    """
    made = _made(layers, options.sizes("--size", size))
    needed = None
    if box is not None:
        try:
            with usage_errors():
                needed = made.input_box(_box(box))
        except UsageError as refusal:
            raise UsageError(f"--{str(refusal).removeprefix('--')}") from None
    if json:
        local = None if needed is None or needed.chain is None else _as_dict(needed.chain)
        of_box = {} if needed is None else {"box": {"cells": needed.cells, "local": local}}
        output.as_json({**_as_dict(made), **of_box})
        return
    out = output.console()
    out.print(f"{by(made.input_size)} -> {by(made.output_size)}", soft_wrap=True)
    out.print()
    output.facts(list(chaining.facts(made).items()), out)
    out.print()
    output.table(chaining.COLUMNS, chaining.rows(made), out)
    if needed is not None:
        cells = "x".join(f"{start}:{stop}" for start, stop in needed.cells)
        if needed.chain is None:
            out.print(f"\nThe box {box} needs no cell of the input: biases and activations make it.", soft_wrap=True)
            return
        output.heading(f"The box {box} needs the cells {cells} of the input", out)
        _print_local(needed.chain, out)


def _print_local(local: Chain, out: Console) -> None:
    out.print()
    output.table(chaining.COLUMNS, chaining.rows(local), out)


def _made(layers: list[str], size: tuple[int, ...]) -> Chain:
    links = []
    for number, text in enumerate(layers):
        try:
            operation, geometry = _link(text, size)
        except UsageError as refusal:  # which names options of other commands
            raise UsageError(f"layer {number}, {checks.shorten(text)}: {str(refusal).replace('--', '')}") from None
        links.append((operation, geometry))
        size = geometry.coarse if operation == "conv" else geometry.fine
    return chaining.chain(links)


def _link(text: str, size: tuple[int, ...]) -> tuple[str, Geometry]:
    """A layer as it is written, on a grid of the size that the one before gives."""
    operation, _, rest = text.partition(":")
    operation = operation.strip().replace("-", "_")
    window: dict[str, Any] = {}
    for entry in filter(None, rest.split(",")):
        key, equals, value = entry.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or key not in VALUES or key in window:
            must = f"values must be NAME=VALUE, each of {', '.join(VALUES)} at most once"
            raise UsageError(f"{must}; got {checks.shorten(entry)}")
        window[key] = options.padding(value) if key == "padding" else options.sizes(f"--{key}", value)
    with usage_errors():
        checks.choice("the operation", operation, ("conv", "conv_transpose"))
        if "kernel" not in window:
            raise UsageError(f"kernel must be given, such as {operation}:kernel=4")
        if operation == "conv":
            return operation, Geometry.conv(**options.on_axes({"fine": size, **window}))
        return operation, Geometry.conv_transpose(**options.on_axes({"coarse": size, **window}))


def _box(text: str) -> list[tuple[int, int]]:
    """(start, stop) of each axis."""
    found = []
    for entry in text.split("x"):
        ends = entry.split(":")
        if len(ends) != 2:
            raise UsageError(f"--box must be start:stop for each axis, such as 0:64x64:128; got {checks.shorten(text)}")
        start, stop = (options.integer("--box", end, 0) for end in ends)
        found.append((start, stop))
    return found


def _as_dict(made: Chain) -> dict[str, Any]:
    """A chain for machines."""
    return {
        "input": made.input_size,
        "output": made.output_size,
        "scale": [str(scale) for scale in made.scale],
        "receptive_field": made.receptive_field,
        "projective_field": made.projective_field,
        "alignment": made.alignment,
        "links": [{"operation": link.operation, **as_dict(link.geometry)} for link in made.links],
    }
