"""The options that several commands share, and how their text is read: 4, 32x32, 32,32, 1:2, same.

Values stay text until a command reads them here, so that one error speaks for all of them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, NoReturn, TypeAlias

import typer

from tconv.checks import choice, shorten
from tconv.cli.errors import UsageError, usage_errors
from tconv.geometry import Geometry

Text: TypeAlias = str | None

Coarse = Annotated[Text, typer.Option(metavar="SIZE", help="Size of the coarse grid, such as 32 or 32x48.")]
Fine = Annotated[Text, typer.Option(metavar="SIZE", help="Size of the fine grid, such as 64 or 64x96.")]
Kernel = Annotated[str, typer.Option(metavar="SIZE", help="Taps along each axis, such as 4 or 4x3.")]
Stride = Annotated[str, typer.Option(metavar="N", help="Fine cells from one coarse cell to the next.")]
Padding = Annotated[
    str,
    typer.Option(metavar="PAD", help="1, 1x0, low:high pairs such as 1:2 or 1:2x0:1, same or valid; negative crops."),
]
OutputPadding = Annotated[Text, typer.Option(metavar="N", help="Which of the fine sizes that share a coarse size.")]
OutputSize = Annotated[
    Text, typer.Option(metavar="SIZE", help="The size of the other grid, instead of output padding.")
]
Dilation = Annotated[str, typer.Option(metavar="N", help="Fine cells from one tap to the next.")]
Theme = Annotated[str, typer.Option("--theme", metavar="THEME", help="Of the picture: light or dark.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text for people.")]

_SEPARATOR = re.compile(r"[x,×]")


def sizes(option: str, text: str) -> tuple[int, ...]:
    """Integers, one for all axes or one for each: "4", "32x48", "32,48"."""
    entries = [_integer(entry) for entry in _SEPARATOR.split(text)]
    if None in entries:
        _refuse(option, "an integer or one for each axis, such as 4 or 4x3", text)
    return tuple(entry for entry in entries if entry is not None)


def integer(option: str, text: str, least: int = 1, most: int | None = None) -> int:
    """One integer, from `least` to `most`."""
    number = _integer(text)
    if number is None or number < least or (most is not None and number > most):
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{option} must be an integer {allowed}; got {shorten(text) if number is None else number}")
    return number


def count(option: str, text: Text) -> int | None:
    """As `integer`, None where the option was left out."""
    return None if text is None else integer(option, text)


def value(option: str, text: str) -> int | tuple[int, ...]:
    """As `sizes`, an integer where there is only one, so that the library decides for how many axes it stands."""
    entries = sizes(option, text)
    return entries[0] if len(entries) == 1 else entries


def padding(text: str) -> tuple[int | tuple[int, int], ...] | str:
    """A word, or for all axes or each an integer or a pair: "same", "1", "1x0", "1:2", "1:2x0:1"."""
    word = text.strip().lower()
    if word in ("same", "valid"):
        return word
    entries = []
    for entry in _SEPARATOR.split(text):
        ends = [_integer(end) for end in entry.split(":")]
        if None in ends or len(ends) > 2:
            _refuse("--padding", 'an integer or a low:high pair, such as 1, 1x0 or 1:2, or "same" or "valid"', text)
        whole = [end for end in ends if end is not None]
        entries.append(whole[0] if len(whole) == 1 else (whole[0], whole[1]))
    return tuple(entries)


def geometry(
    coarse: Text,
    fine: Text,
    kernel: str,
    stride: str,
    padding_text: str,
    output_padding: Text,
    output_size: Text,
    dilation: str,
) -> Geometry:
    """The geometry that the options name, from the side that is given. Raises UsageError."""
    if (coarse is None) == (fine is None):
        hint = "; --output-size names the other one, and `tconv solve` finds what ties two sizes"
        got = "got neither" if coarse is None else f"got both{hint}"
        raise UsageError(f"one of --coarse and --fine must be given; {got}")
    given: dict[str, Any] = {
        "kernel": sizes("--kernel", kernel),
        "stride": sizes("--stride", stride),
        "padding": padding(padding_text),
        "dilation": sizes("--dilation", dilation),
    }
    if output_padding is not None:
        given["output_padding"] = sizes("--output-padding", output_padding)
    if output_size is not None:
        given["output_size"] = sizes("--output-size", output_size)
    if coarse is None:
        with usage_errors():
            return Geometry.conv(**on_axes({"fine": sizes("--fine", fine or ""), **given}))
    try:
        with usage_errors():
            return Geometry.conv_transpose(**on_axes({"coarse": sizes("--coarse", coarse), **given}))
    except UsageError as refusal:
        raise UsageError(f"{refusal}{_other_padding(str(refusal), sizes('--coarse', coarse), given)}") from None


def _other_padding(refusal: str, coarse: tuple[int, ...], given: dict[str, Any]) -> str:
    """A hint where the padding of the zero-inserted picture was meant: that of the layer leaves a result then."""
    if not refusal.startswith("--padding must leave at least 1 cell") or isinstance(given["padding"], str):
        return ""
    axes = on_axes({"coarse": coarse, **given})
    ndim = max(len(v) if isinstance(v, tuple) else 1 for v in axes.values())
    kernel, dilation, padding = (_each(axes[name], ndim) for name in ("kernel", "dilation", "padding"))
    meant = [d * (k - 1) - p for k, d, p in zip(kernel, dilation, padding, strict=True) if isinstance(p, int)]
    if min(meant, default=-1) < 0:
        return ""
    try:
        Geometry.conv_transpose(**{**axes, "padding": tuple(meant)})
    except (ValueError, TypeError):
        return ""
    said = "x".join(map(str, meant if len(set(meant)) > 1 else meant[:1]))
    return (
        "; if that is the padding p' of the picture with zeros inserted, where p' = dilation * (kernel - 1) - padding, "
        f"the layer's is --padding {said}"
    )


def _each(value: Any, ndim: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * ndim


def on_axes(given: dict[str, Any]) -> dict[str, Any]:
    """The values as the library takes them: an integer where there is only one, which stands for every axis.

    The first value, the size that is known, and a single low:high pair are repeated for every axis. Values of other
    lengths stay as they are, for the library to judge.
    """
    ndim = max(len(value) for value in given.values() if not isinstance(value, str))
    plain = {name: _for_all_axes(value, ndim) for name, value in given.items()}
    first = next(iter(given))
    return plain | ({first: given[first] * ndim} if ndim > 1 and len(given[first]) == 1 else {})


def _for_all_axes(value: Any, ndim: int) -> Any:
    if isinstance(value, str) or len(value) > 1:
        return value
    return value[0] if isinstance(value[0], int) else value * ndim


def theme(text: str) -> str:
    """A theme of pictures."""
    from tconv.draw.themes import THEMES

    with usage_errors():
        return choice("theme", text, tuple(THEMES))


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,99}\s*", text) else None


def _refuse(option: str, allowed: str, text: str) -> NoReturn:
    raise UsageError(f"{option} must be {allowed}; got {shorten(text)}")
