"""The text of code lines: values, calls, slices and zero pads as the frameworks' users write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Pairs = Sequence[tuple[int, int]]


def value(entries: Sequence[int]) -> str:
    """4 where all axes agree, else (4, 3)."""
    return str(entries[0]) if len(set(entries)) == 1 else str(tuple(entries))


def literal(entry: object) -> str:
    """A value as a line of code shows it, text in double quotes."""
    return repr(entry).replace("'", '"')


def call(
    function: str,
    positional: Sequence[object],
    keywords: Mapping[str, Any],
    defaults: Mapping[str, Any],
    whole: Sequence[str] = (),
) -> str:
    """A call with the keywords that differ from their defaults.

    Values that agree along all axes are written once, but for those of the keywords in `whole`.
    """
    parts = [str(argument) for argument in positional]
    for name, entry in keywords.items():
        short = value(entry) if isinstance(entry, tuple) and entry and isinstance(entry[0], int) else literal(entry)
        if name not in defaults or short != literal(defaults[name]):
            parts.append(f"{name}={literal(entry) if name in whole else short}")
    return f"{function}({', '.join(parts)})"


def cropped(crop: Pairs, channels: str, name: str = "y") -> list[str]:
    """The line that cuts cells off the array called `name`; none where there is nothing to cut."""
    if not any(map(any, crop)):
        return []
    cells = ", ".join(f"{low or ''}:{f'-{high}' if high else ''}" for low, high in crop)
    return [f"{name} = {name}[..., {cells}]" if channels == "channels_first" else f"{name} = {name}[:, {cells}, :]"]


def padded(pad: Pairs, function: str, channels: str, name: str = "y") -> list[str]:
    """The line that puts zeros around the array called `name`, for functions that take a pair for every axis."""
    if not any(map(any, pad)):
        return []
    around = [(0, 0), *pad, (0, 0)] if channels == "channels_last" else [(0, 0), (0, 0), *pad]
    return [f"{name} = {function}({name}, {around})"]


def channel(count: int | None, name: str) -> object:
    """A channel count in a line of code: the name of a variable where the count is not known."""
    return name if count is None else count


def joined(*groups: Sequence[str]) -> str:
    """Groups of lines as one text."""
    return "\n".join(line for group in groups for line in group) + "\n"
