"""Transposed convolution: exact, explained, fast."""

from tconv.axis import Axis
from tconv.geometry import Geometry
from tconv.phases import phases

__version__ = "0.1.0"
__all__ = ["Axis", "Geometry", "phases"]
