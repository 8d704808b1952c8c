"""What lies on a sheet: rectangles, texts and paths with a role, and photographs, from the upper left corner down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle; corners are rounded by `round`."""

    x: float
    y: float
    w: float
    h: float
    role: str
    round: float = 4
    of: str = ""  #: what it is, as `Cell.of` says


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text: x is its start, middle or end, y its base line."""

    x: float
    y: float
    text: str
    size: float
    role: str = "text"
    anchor: str = "start"
    bold: bool = False
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """Lines and curves: ("M", x, y), ("L", x, y), ("C", x, y, x, y, x, y) and ("Z",)."""

    commands: tuple[tuple[Any, ...], ...]
    role: str


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """Pixels as they are, in every theme; enlarged ones have sharp edges."""

    x: float
    y: float
    w: float
    h: float
    pixels: NDArray[np.uint8]  #: (rows, columns, 3)


Item: TypeAlias = Rect | Text | Path | Photo


@dataclass(frozen=True, slots=True)
class Sheet:
    """A scene placed: in the order in which it is drawn."""

    width: float
    height: float
    title: str
    text: str  #: what the picture says, for those who do not see it
    items: tuple[Item, ...]
