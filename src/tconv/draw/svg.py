"""A sheet as SVG: one string, without fonts, scripts, styles or anything from elsewhere."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from html import escape

from tconv.draw.sheet import Item, Path, Photo, Rect, Sheet, Text
from tconv.draw.themes import Theme, ink, look

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', 'Noto Sans CJK SC', 'PingFang SC', sans-serif"
MONO = "'JetBrains Mono', 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace"
#: Lines of hatching, in the colour of the rule.
_HATCH = (
    '<pattern id="hatch" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="9" height="9" fill="{paper}"/><line x1="0" y1="0" x2="0" y2="9" stroke="{rule}" stroke-width="2.5"/>'
    "</pattern>"
)


def svg(sheet: Sheet, theme: Theme) -> str:
    """The text of a file."""
    size = f'viewBox="0 0 {_number(sheet.width)} {_number(sheet.height)}"'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONT}">',
        f"<title>{escape(sheet.title)}</title>",
        f"<desc>{escape(sheet.text)}</desc>",
        f"<defs>{_HATCH.format(paper=theme.paper, rule=theme.rule)}</defs>",
        *(_item(item, theme) for item in sheet.items),
        "</svg>",
        "",
    ])  # fmt: skip


def _item(item: Item, theme: Theme) -> str:
    if isinstance(item, Rect):
        at = f'x="{_number(item.x)}" y="{_number(item.y)}" width="{_number(item.w)}" height="{_number(item.h)}"'
        return f'<rect {at} rx="{_number(item.round)}" {_drawn(item.role, theme)}/>'
    if isinstance(item, Path):
        d = " ".join(" ".join((c[0], *map(_number, c[1:]))) for c in item.commands)
        return f'<path d="{d}" {_drawn(item.role, theme)} stroke-linecap="round"/>'
    return _photo(item) if isinstance(item, Photo) else _text(item, theme)


def _drawn(role: str, theme: Theme) -> str:
    how = look(role, theme)
    fill = "url(#hatch)" if how.hatched else how.fill or "none"
    drawn = f'fill="{fill}"'
    if how.opacity < 1:
        drawn += f' fill-opacity="{_number(how.opacity)}"'
    if how.line:
        drawn += f' stroke="{how.line}" stroke-width="{_number(how.width)}"'
    return drawn + (' stroke-dasharray="5 5"' if how.dashed else "")


def _text(text: Text, theme: Theme) -> str:
    at = f'x="{_number(text.x)}" y="{_number(text.y)}" font-size="{_number(text.size)}"'
    more = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    more += ' font-weight="700"' if text.bold else ""
    more += f' font-family="{MONO}"' if text.mono else ""
    return f'<text {at} fill="{ink(text.role, theme)}"{more} xml:space="preserve">{escape(text.text)}</text>'


def _photo(photo: Photo) -> str:
    """An image in the file, as PNG: eight bits a colour, rows one after the other."""
    high, wide = photo.pixels.shape[:2]
    head = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in photo.pixels)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    data = b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()
    at = f'x="{_number(photo.x)}" y="{_number(photo.y)}" width="{_number(photo.w)}" height="{_number(photo.h)}"'
    drawn = 'preserveAspectRatio="none" image-rendering="pixelated"'
    return f'<image {at} {drawn} href="data:image/png;base64,{data}"/>'


def _number(value: float) -> str:
    """With two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
