"""What the figures of both examples share: pictures on a page, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from examples.page import BLUE, GREY, ORANGE, PAPER, Page

DPI = 100
WIDTH, MARGIN = 13.0, 0.45


def titled(height: float, title: str, subtitle: str, width: float = WIDTH) -> Page:
    """A page with a title and a line below it."""
    page = Page.blank(width, height, DPI)
    page.text(MARGIN, 0.62, title, 19, weight="bold")
    page.text(MARGIN, 0.92, subtitle, 10, color=GREY)
    return page


def headed(page: Page, left: float, top: float, title: str, note: str = "") -> None:
    """What stands above a part of a page."""
    page.text(left, top, title, 12, weight="bold")
    page.text(left, top + 0.23, note, 9, color=GREY)


def show(page: Page, left: float, top: float, width: float, height: float, picture: ArrayLike, **style: Any) -> None:
    """A picture whose pixels can be seen, `width` x `height` inches."""
    page.axes(left, top, width, height).imshow(np.asarray(picture), interpolation="nearest", aspect="auto", **style)


def signed() -> Any:
    """Colours for numbers of either sign: blue below zero, paper, orange above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", [BLUE, PAPER, ORANGE])


def save(page: Page, path: Path) -> None:
    """Write a page as .jpg, or as a .png of 256 colours, which is a third as large as one of all colours."""
    page.figure.canvas.draw()
    picture = Image.fromarray(np.asarray(page.figure.canvas.buffer_rgba())).convert("RGB")
    if path.suffix == ".jpg":
        picture.save(path, quality=88)
    else:
        picture.quantize(256).save(path, optimize=True)
