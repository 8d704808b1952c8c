"""Caches as small as the problems: small ones then meet what only large layers do otherwise.

Schedules cut chunks and runs so that what is used again stays near, read x where it is where a copy would be too large,
go through weights in another order where these are too many, and write large results past the caches. With caches of
some kilobytes they do so for problems that take milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tconv.jit.schedules.channels import cells_at_once
from tconv.jit.schedules.channels import schedule as channels
from tconv.jit.schedules.channels import sizes as channels_sizes
from tconv.jit.schedules.gradient import schedule as gradient
from tconv.jit.schedules.pixels import planes as depthwise
from tconv.jit.schedules.pixels import sizes as pixels
from tconv.jit.schedules.taps import schedule as taps

#: The limits of the modules that choose, and what they are then: bytes, but for positions and channels.
SMALL = {
    (pixels, "PANEL"): 2048,
    (channels, "NEAR"): 1024,
    (channels, "STREAM_FROM"): 4096,
    (cells_at_once, "SET"): 64,
    (channels_sizes, "ENOUGH"): 1,
    (channels_sizes, "PANEL"): 4096,
    (channels_sizes, "BLOCK"): 2048,
    (channels_sizes, "MOST_SCRATCH"): 4 << 10,
    (depthwise, "STREAM_FROM"): 4096,
    (pixels, "STREAM_FROM"): 4096,
    (gradient, "CELLS"): 4096,
    (gradient, "PANEL"): 2048,
    (gradient, "BLOCK"): 1024,
    (gradient, "POSITIONS"): 8,
    (gradient, "FEWEST"): 2,
    (gradient, "PAGE"): 64,
    (taps, "BLOCK"): 1024,
}


@contextmanager
def caches(*, small: bool) -> Iterator[None]:
    """Within it they are as they are, or small."""
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), value in SMALL.items() if small else ():
            patch.setattr(module, name, value)
        yield
