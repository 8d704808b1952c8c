"""`tconv explore`: the interactive page, written to a file or opened in a browser."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from tconv.cli import options, output
from tconv.cli.errors import UsageError, usage_errors
from tconv.cli.pictures import Groups, InChannels, OutChannels
from tconv.draw import VIEWS
from tconv.exploring import explore as explored


def explore(
    *,
    coarse: options.Coarse = None,
    fine: options.Fine = None,
    kernel: Annotated[options.Text, typer.Option(metavar="SIZE", help="Taps of the kernel.")] = None,
    stride: options.Stride = "1",
    padding: options.Padding = "0",
    output_padding: options.OutputPadding = None,
    output_size: options.OutputSize = None,
    dilation: options.Dilation = "1",
    in_channels: InChannels = None,
    out_channels: OutChannels = None,
    groups: Groups = None,
    view: Annotated[str, typer.Option(metavar="VIEW", help=f"What to begin with: {', '.join(VIEWS)}.")] = "scatter",
    step: Annotated[options.Text, typer.Option(metavar="N", help="The step to begin with, from 0.")] = None,
    lang: Annotated[str, typer.Option("--lang", metavar="LANG", help="auto, en or zh.")] = "auto",
    theme: Annotated[str, typer.Option("--theme", metavar="THEME", help="auto, light or dark.")] = "auto",
    to: Annotated[
        options.Text,
        typer.Option("-o", "--output", metavar="FILE", help="Write the page there instead of opening it."),
    ] = None,
    json: options.Json = False,
) -> None:
    """The interactive page: every view of a geometry, its numbers, its code, and parameters to change.

    One file without anything from elsewhere; it needs a browser and neither Python nor a network. Without a geometry it
    begins with an example.

        tconv explore --coarse 3x3 --kernel 3 --stride 2 --padding 1
        tconv explore -o explore.html
    """
    said = (coarse, fine, kernel, output_padding, output_size)
    number = None if step is None else options.integer("--step", step, 0)
    cin, cout = options.count("--in-channels", in_channels), options.count("--out-channels", out_channels)
    number_of_groups = options.count("--groups", groups)
    geometry = None
    if any(text is not None for text in said) or (stride, padding, dilation) != ("1", "0", "1"):
        if kernel is None:
            raise UsageError("--kernel must be given with a geometry; got none")
        geometry = options.geometry(coarse, fine, kernel, stride, padding, output_padding, output_size, dilation)
    with usage_errors():
        page = explored(
            geometry,
            view,
            step=number,
            in_channels=cin,
            out_channels=cout,
            groups=number_of_groups,
            lang=lang,
            theme=theme,
        )
    path = Path(to) if to else Path(tempfile.mkdtemp(prefix="tconv-")) / "explore.html"
    page.save(path)
    opened = to is None and webbrowser.open(path.as_uri())
    if json:
        output.as_json({"written": str(path), "opened": opened})
        return
    how = "" if opened or to else "; no browser was found to open it"
    output.console().print(f"written to {path}{how}", soft_wrap=True)
