"""The interactive page: one file that draws any geometry without Python, network or server, and its ways to a reader.

`page.html` is built from `web/` in the sources. `page` writes it with a geometry to begin with, `address` says a
geometry as the page's address does, and `widget` ties it to Python in notebooks.
"""

from tconv.exploring.page import Page, explore

__all__ = ["Page", "explore"]
