"""Figures. The numbers come from the rest of the library; here is only how they look.

`figure` makes pictures of a geometry, as SVG with nothing else, as PNG, PDF and GIF with matplotlib. The chart of the
benchmark and the figure of the demo (`bench.py`, `demo.py`) are sheets in the same colours, written by the same code.
"""

from tconv.draw.figure import Figure, animate, figure
from tconv.draw.views import VIEWS

__all__ = ["VIEWS", "Figure", "animate", "figure"]
