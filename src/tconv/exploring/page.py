"""The page with a geometry to begin with: as text, as a file, and as the output of a notebook's cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from tconv import checks
from tconv.draw.cells import Board, channels_of
from tconv.draw.views import VIEWS
from tconv.draw.words import LANGUAGES
from tconv.exploring.address import address
from tconv.geometry import Geometry, check_geometry
from tconv.placing import write

#: "auto" is that of the reader's system.
THEMES = ("auto", "light", "dark")
#: Height of a frame in pixels: the picture and its steps can be seen without scrolling.
HEIGHT = 760


@dataclass(frozen=True)
class Page:
    """The interactive page, beginning with a geometry; in a notebook it shows itself."""

    start: str  #: behind the "#" of its address
    height: int = HEIGHT

    @property
    def html(self) -> str:
        """The text of the file: its script, its style and its words, nothing from elsewhere."""
        return _built().replace('data-start=""', f'data-start="{escape(self.start)}"', 1)

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all. OSError where it cannot be written."""
        write(Path(path), self.html.encode())

    def _repr_html_(self) -> str:
        # The whole page is in the frame's attribute: the output needs neither a kernel nor a file, in any reader.
        frame = f'width="100%" height="{self.height}" style="border: 0" title="tconv explore"'
        return f'<iframe {frame} allow="clipboard-write" srcdoc="{escape(self.html)}"></iframe>'

    def __repr__(self) -> str:
        return f"<tconv explore: {self.start}>"


def explore(
    geometry: Geometry | None = None, view: str = "scatter", *, step: int | None = None, in_channels: int | None = None,
    out_channels: int | None = None, groups: int | None = None, lang: str = "auto", theme: str = "auto",
    height: int = HEIGHT,
) -> Page:  # fmt: skip
    """The interactive page, as the last line of a notebook's cell or as a file.

    Args:
        geometry: what it begins with; an example where it is left out.
        view: a name in `tconv.draw.VIEWS`.
        step: from 0; views begin with one of their own where it is left out.
        in_channels, out_channels, groups: of the layer, for its code and for the view "channels".
        lang: "en", "zh", or "auto", which follows the reader's browser.
        theme: "light", "dark", or "auto", which follows the reader's system.
        height: of the frame in a notebook, in pixels.

    Raises:
        ValueError, TypeError: the text names the argument, its value, and what is allowed.

    >>> import tconv
    >>> page = tconv.explore(tconv.Geometry.conv_transpose((3, 3), 3, stride=2, padding=1), "matrix")
    >>> page
    <tconv explore: view=matrix&coarse=3x3&kernel=3&stride=2&padding=1>
    >>> page.save("matrix.html")
    """
    with checks.explained("explore"):
        if geometry is not None:
            check_geometry(geometry)
        for name, value, allowed in (
            ("view", view, VIEWS),
            ("lang", lang, ("auto", *LANGUAGES)),
            ("theme", theme, THEMES),
        ):
            checks.choice(name, value, tuple(allowed))
        channels = channels_of(in_channels, out_channels, groups)
        if step is not None:
            steps = None if geometry is None else VIEWS[view].count(Board(geometry, channels=channels))
            if checks.integer("step", step, 0) >= (steps or checks.INDEX_MAX):
                checks.wrong(f"step must be below {steps}, the steps of this view; got {step}")
        height = checks.integer("height", height, 100)
    said = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
    return Page(address(geometry, view, step, lang, theme, said), height)


@cache
def _built() -> str:
    return Path(__file__).with_name("page.html").read_text(encoding="utf-8")
