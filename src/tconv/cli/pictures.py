"""`tconv draw` and `tconv animate`: pictures of a geometry, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tconv import draw as drawing
from tconv.cli import options, output
from tconv.cli.errors import usage_errors
from tconv.geometry import Geometry

_VIEWS = ", ".join(drawing.VIEWS)
View = Annotated[str, typer.Argument(metavar="VIEW", help=f"What to show: {_VIEWS}.")]
Language = Annotated[str, typer.Option("--lang", metavar="LANG", help="en or zh.")]
InChannels = Annotated[
    options.Text, typer.Option("--in-channels", metavar="N", help="Channels of the coarse grid, for view channels.")
]
OutChannels = Annotated[
    options.Text, typer.Option("--out-channels", metavar="N", help="Channels of the fine grid, for view channels.")
]
Groups = Annotated[
    options.Text, typer.Option("--groups", metavar="N", help="Groups that the channels form, for view channels.")
]


def draw(
    view: View,
    *,
    coarse: options.Coarse = None,
    fine: options.Fine = None,
    kernel: options.Kernel,
    stride: options.Stride = "1",
    padding: options.Padding = "0",
    output_padding: options.OutputPadding = None,
    output_size: options.OutputSize = None,
    dilation: options.Dilation = "1",
    in_channels: InChannels = None,
    out_channels: OutChannels = None,
    groups: Groups = None,
    step: Annotated[options.Text, typer.Option(metavar="N", help="The step to show, from 0.")] = None,
    lang: Language = "en",
    theme: options.Theme = "light",
    width: Annotated[options.Text, typer.Option(metavar="PIXELS", help="Of a .png, across; 1600 if left out.")] = None,
    to: Annotated[
        options.Text, typer.Option("-o", "--output", metavar="FILE", help="A .svg, .png or .pdf; VIEW.svg if left out.")
    ] = None,
    json: options.Json = False,
) -> None:
    """A picture of a geometry: what writes where, what is cropped, the matrix, the remainder.

    tconv draw scatter --coarse 3x3 --kernel 3 --stride 2 --padding 1 -o scatter.svg
    """
    geometry = options.geometry(coarse, fine, kernel, stride, padding, output_padding, output_size, dilation)
    channels = _channels(in_channels, out_channels, groups)
    number = None if step is None else options.integer("--step", step, 0)
    across = options.count("--width", width)
    path = Path(to or f"{view}.svg")
    with usage_errors():
        picture = drawing.figure(geometry, view, step=number, **channels, lang=lang, theme=theme)
        picture.save(path, width=across)
    if json:
        output.as_json({"written": str(path), "scene": picture.scene.to_dict()})
        return
    _say(geometry, path)


def animate(
    view: View,
    *,
    coarse: options.Coarse = None,
    fine: options.Fine = None,
    kernel: options.Kernel,
    stride: options.Stride = "1",
    padding: options.Padding = "0",
    output_padding: options.OutputPadding = None,
    output_size: options.OutputSize = None,
    dilation: options.Dilation = "1",
    in_channels: InChannels = None,
    out_channels: OutChannels = None,
    groups: Groups = None,
    width: Annotated[str, typer.Option(metavar="PIXELS", help="Of a frame, across.")] = "640",
    seconds: Annotated[
        float, typer.Option(metavar="S", help="How long a frame is shown; the last one three times as long.")
    ] = 0.8,
    lang: Language = "en",
    theme: options.Theme = "light",
    to: Annotated[
        options.Text,
        typer.Option("-o", "--output", metavar="FILE", help="A .gif, .apng, .png or .mp4; VIEW.gif if left out."),
    ] = None,
    json: options.Json = False,
) -> None:
    """The steps of a view one after the other, as GIF, APNG, or with ffmpeg as MP4.

    tconv animate scatter --coarse 3x3 --kernel 3 --stride 2 --padding 1 -o scatter.gif
    """
    geometry = options.geometry(coarse, fine, kernel, stride, padding, output_padding, output_size, dilation)
    channels, across = _channels(in_channels, out_channels, groups), options.integer("--width", width)
    path = Path(to or f"{view}.gif")
    with usage_errors(), output.progress("painting") as done:
        drawing.animate(
            geometry, view, path, **channels, lang=lang, theme=theme, width=across, seconds=seconds, progress=done
        )
    if json:
        output.as_json({"written": str(path)})
        return
    _say(geometry, path)


def _channels(in_channels: options.Text, out_channels: options.Text, groups: options.Text) -> dict[str, int | None]:
    """The options as arguments."""
    given = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
    return {name: options.count(f"--{name.replace('_', '-')}", text) for name, text in given.items()}


def _say(geometry: Geometry, path: Path) -> None:
    output.console().print(f"{geometry}\nwritten to {path}", soft_wrap=True)
