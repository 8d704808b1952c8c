"""`tconv convert`: a layer of one framework in the words of another, or a file of weights in its layout."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from json import loads
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tconv import checks
from tconv.cli import options, output
from tconv.cli.dialects import NAMES, dialect
from tconv.cli.errors import UsageError, usage_errors
from tconv.cli.weights import convert_file
from tconv.conventions import DIALECTS, Dialect, Saying
from tconv.conventions import convert as converted

Given = options.Text
#: Python reads and writes no integers of thousands of digits; options stop at 99 too.
_LONG = re.compile(r"[0-9]{100}")
#: What prototxt and JSON say for True, False and None.
_WORDS = {"true": True, "false": False, "null": None}


def _dialect(option: str) -> Any:
    return typer.Option(option, metavar="DIALECT", help=f"One of {NAMES}.", autocompletion=options.among(DIALECTS))


def convert(
    parameters: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Parameters under the source's own names.")
    ] = None,
    *,
    source: Annotated[str, _dialect("--from")],
    target: Annotated[str, _dialect("--to")],
    kernel: Annotated[Given, typer.Option(metavar="SIZE", help="Taps along each axis, such as 4 or 4x3.")] = None,
    stride: Annotated[Given, typer.Option(metavar="N", help="Stride.")] = None,
    padding: Annotated[Given, typer.Option(metavar="PAD", help="As the source means it: 1, 1:2, same, valid.")] = None,
    output_padding: Annotated[Given, typer.Option(metavar="N", help="Output padding.")] = None,
    output_size: Annotated[Given, typer.Option(metavar="SIZE", help="Size of the result; needs --coarse.")] = None,
    dilation: Annotated[Given, typer.Option(metavar="N", help="Dilation.")] = None,
    groups: Annotated[Given, typer.Option(metavar="N", help="Groups of channels.")] = None,
    in_channels: Annotated[Given, typer.Option(metavar="N", help="Channels of x.")] = None,
    out_channels: Annotated[Given, typer.Option(metavar="N", help="Channels of the result.")] = None,
    bias: Annotated[bool | None, typer.Option("--bias/--no-bias", help="Whether it has a bias.")] = None,
    coarse: Annotated[Given, typer.Option(metavar="SIZE", help="Size of x; an output size needs it.")] = None,
    ndim: Annotated[Given, typer.Option(metavar="N", help="Number of axes; 2 where nothing else says.")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Convert this file of weights: .npy, .npz, .safetensors, .pt or .pth."),
    ] = None,
    target_path: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Where to write the converted weights.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Which arrays are weights: a name or a pattern; repeatable."),
    ] = None,
    transpose_kernel: Annotated[
        bool, typer.Option("--transpose-kernel", help="JAX's weights are those of transpose_kernel=True.")
    ] = False,
    json: options.Json = False,
) -> None:
    """A transposed convolution of one framework as another says it, with code to paste; or a file of its weights.

    Values mean what the source means by them. Exact, or with the crop or pad that makes it so. Parameters may be given
    as options or under the source's own names.

        tconv convert --from keras --to torch --kernel 4 --stride 2 --padding same
        tconv convert --from keras --to torch kernel_size=4 strides=2 padding=same filters=8

    A whole configuration of a layer is taken as one argument: what Keras's get_config() prints, or JSON.

    With --weights a file is converted: the arrays that --name says, with their --groups; the rest is copied.

        tconv convert --from torch --to keras --weights in.safetensors -o out.npz --name "decoder.*.weight"
    """
    of_layers = {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "output_size": output_size,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "bias": bias,
        "coarse": coarse,
        "ndim": ndim,
        "parameters": parameters or None,
    }
    of_files = {"output": target_path, "name": name, "transpose_kernel": transpose_kernel or None}
    _check_kind(weights, of_layers, of_files)
    if weights is not None:
        convert_file(
            weights,
            target_path,
            dialect("--from", source).name,
            dialect("--to", target).name,
            name,
            groups,
            dilation,
            transpose_kernel,
            json,
        )
        return
    read, written = dialect("--from", source), dialect("--to", target)
    texts = {"kernel": kernel, "stride": stride, "output_padding": output_padding, "output_size": output_size}
    words = {name: text for name, text in {**texts, "dilation": dilation}.items() if text is not None}
    given: dict[str, Any] = {name: options.value(f"--{name.replace('_', '-')}", text) for name, text in words.items()}
    ndims = None if ndim is None else options.integer("--ndim", ndim, most=checks.MOST_AXES)
    axes = ndims or max([len(entry) for entry in given.values() if isinstance(entry, tuple)], default=2)
    if padding is not None:
        given["padding"] = _padding(padding, axes, read)
    if groups is not None:
        given["groups"] = options.integer("--groups", groups)
    with usage_errors():
        saying = _converted(
            read,
            written,
            given,
            _named(parameters or []),
            coarse=None if coarse is None else options.value("--coarse", coarse),
            ndim=ndims,
            in_channels=options.count("--in-channels", in_channels),
            out_channels=options.count("--out-channels", out_channels),
            bias=bias,
        )
    if json:
        output.as_json(as_dict(saying))
    else:
        print_saying(saying, output.console())


def _check_kind(weights: Path | None, of_layers: dict[str, Any], of_files: dict[str, Any]) -> None:
    """Options of layers and those of files do not go together."""
    unfit, where = (of_files, "without --weights") if weights is None else (of_layers, "with --weights")
    for option, given in unfit.items():
        if given is not None:
            named = "NAME=VALUE" if option == "parameters" else f"--{option.replace('_', '-')}"
            raise UsageError(
                f"{named} must be left out {where}, which converts a {'layer' if weights is None else 'file'}"
            )


def _converted(
    source: Dialect, target: Dialect, words: dict[str, Any], named: dict[str, Any], **keywords: Any
) -> Saying:
    if "kernel" not in source.words:  # such a framework takes it from the weights
        keywords["kernel"] = words.pop("kernel", None)
    spelt = source.spell(words)
    for name in spelt.keys() & named.keys():
        raise UsageError(f"{name} must be given once; got it as an option and as {name}={named[name]}")
    return converted({**spelt, **named}, source=source.name, target=target.name, **keywords)


def _padding(text: str, ndim: int, source: Dialect) -> Any:
    """A word as it is; numbers in the form that the source takes them in."""
    entries = options.padding(text)
    if isinstance(entries, str):
        return entries
    each = entries * ndim if len(entries) == 1 else entries
    return source.padding_of([(entry, entry) if isinstance(entry, int) else entry for entry in each])


def _named(parameters: list[str]) -> dict[str, Any]:
    """NAME=VALUE as a dictionary: values are Python's where they read as such, else 4x3, else text.

    One that stands in braces is a whole configuration, such as what a Keras layer's get_config() returns, in JSON or as
    Python prints it.
    """
    named: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.lstrip().startswith("{"):
            named |= _configuration(parameter)
            continue
        name, equals, text = parameter.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"parameters must be written NAME=VALUE, such as kernel_size=4; got {parameter!r}")
        if _LONG.search(text):
            raise UsageError(f"{name} must hold integers of at most 99 digits; got {checks.shorten(text)}")
        named[name] = _literal(text)
    return named


def _configuration(text: str) -> dict[str, Any]:
    for reader in (loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            if isinstance(found := reader(text), dict) and all(isinstance(name, str) for name in found):
                return found
    raise UsageError(f"a configuration in braces must be JSON or a dictionary of Python; got {checks.shorten(text)}")


def _literal(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two: nested too deeply
        entries = text.split("x")
        return tuple(map(int, entries)) if all(entry.isdecimal() for entry in entries) else text


def as_dict(saying: Saying) -> dict[str, Any]:
    """What a framework says, for machines."""
    return {
        "dialect": saying.dialect,
        "exact": saying.exact,
        "parameters": dict(saying.parameters),
        "kernel": saying.kernel,
        "crop": saying.crop,
        "pad": saying.pad,
        "notes": saying.notes,
        "code": saying.code,
    }


def print_saying(saying: Saying, out: Console) -> None:
    """The code, and below it as comments what to know about it, so that all of it can be pasted."""
    for line in str(saying).splitlines():
        output.code(line, out)
