"""A geometry as the part of the page's address behind "#": the options of the command line by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from tconv.geometry import Geometry, joined


def options(geometry: Geometry) -> dict[str, str]:
    """The options of `tconv explain` that give a geometry back from its coarse size, as few as can be.

    >>> import tconv
    >>> options(tconv.Geometry.conv_transpose((3, 3), 3, stride=2, padding=1))
    {'coarse': '3x3', 'kernel': '3', 'stride': '2', 'padding': '1'}
    """
    g = geometry
    found = {"coarse": "x".join(map(str, g.coarse)), "kernel": joined(g.kernel)}
    if max(g.stride) > 1:
        found["stride"] = joined(g.stride)
    if any(map(any, g.padding)):
        ends = [str(low) if low == high else f"{low}:{high}" for low, high in g.padding]
        found["padding"] = ends[0] if len(set(ends)) == 1 else "x".join(ends)
    if any(g.output_padding):
        found["output-padding"] = joined(g.output_padding)
    if max(g.dilation) > 1:
        found["dilation"] = joined(g.dilation)
    return found


def address(
    geometry: Geometry | None, view: str, step: int | None = None, lang: str = "auto", theme: str = "auto",
    channels: Mapping[str, int | None] = MappingProxyType({}),
) -> str:  # fmt: skip
    """What stands behind "#"; what is left out is as the page, or its reader, has it.

    >>> import tconv
    >>> address(tconv.Geometry.conv_transpose((3, 3), 3, stride=2, padding=((1, 2), (1, 2))), "matrix", lang="zh")
    'view=matrix&coarse=3x3&kernel=3&stride=2&padding=1:2&lang=zh'
    """
    said = {"view": view, **({} if geometry is None else options(geometry))}
    said |= {name.replace("_", "-"): str(number) for name, number in channels.items() if number is not None}
    if step is not None:
        said["step"] = str(step)
    if lang != "auto":
        said["lang"] = lang
    if theme != "auto":
        said["theme"] = theme
    return "&".join(f"{name}={quote(text, safe=':,')}" for name, text in said.items())
