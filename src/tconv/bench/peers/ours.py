"""What is compared with the peers: the prepared operator and the functional call, on NumPy arrays in either layout."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import tconv
from tconv.bench.peers.base import Call, Case, Peer
from tconv.problem import Array


class Ours(Peer):
    """What both share: how many threads tconv computes with."""

    _before: int | None = None

    def start(self, case: Case) -> Array:
        """x in the layout of the case, with these threads from now on."""
        self._before = self._before or tconv.get_num_threads()
        tconv.set_num_threads(case.threads)
        return case.x if case.layout == "channels_first" else np.ascontiguousarray(np.moveaxis(case.x, 1, -1))

    def release(self) -> None:
        """Threads as they were."""
        if self._before is not None:
            tconv.set_num_threads(self._before)
            self._before = None


class Prepared(Ours):
    """`tconv.ConvTranspose`: weights packed once, the result written into the same array every time."""

    name: ClassVar[str] = "prepared"

    def prepare(self, case: Case, setting: str) -> Call:
        """The operator, and an array for its result."""
        x = self.start(case)
        operator = tconv.ConvTranspose(case.w, **case.layer.keywords, layout=case.layout)
        out = operator(x)
        return Call(lambda: operator(x, out=out), lambda y: _read(case, y))


class Functional(Ours):
    """`tconv.conv_transpose`: weights as they come, a new result from each call."""

    name: ClassVar[str] = "functional"

    def prepare(self, case: Case, setting: str) -> Call:
        """Only x is put in its layout."""
        x, w, keywords = self.start(case), case.w, {**case.layer.keywords, "layout": case.layout}
        return Call(lambda: tconv.conv_transpose(x, w, **keywords), lambda y: _read(case, y))


def _read(case: Case, y: Array) -> Array:
    return y if case.layout == "channels_first" else np.moveaxis(y, -1, 1)
