"""What is compared with the peers: prepared operators and functional calls, on NumPy arrays in either layout."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tconv.bench.peers.base import Case, LeftOut, Peer, TimedCall
from tconv.checks import first_line
from tconv.jit.machine.launch import get_num_threads, set_num_threads
from tconv.prepared import ConvTranspose
from tconv.problem import OPERATIONS, Array


class Ours(Peer):
    """What all share: how many threads tconv computes with."""

    _before: int | None = None

    def start(self, case: Case) -> None:
        """Let tconv compute with the threads of a case from now on."""
        self._before = self._before or get_num_threads()
        set_num_threads(case.threads)

    def release(self) -> None:
        """Let tconv compute with as many threads as before."""
        if self._before is not None:
            set_num_threads(self._before)
            self._before = None


class Prepared(Ours):
    """`tconv.ConvTranspose`: weights packed once, the result written into the same array every time."""

    name: ClassVar[str] = "prepared"
    method: ClassVar[str] = "auto"

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """The operator, and an array for its result."""
        self.start(case)
        x = _in_layout(case, case.x)
        operator = ConvTranspose(case.w, **case.layer.keywords, layout=case.layout, method=self.method)
        out = operator(x)
        return TimedCall(lambda: operator(x, out=out), lambda y: _read(case, y))


class Winograd(Prepared):
    """The same by minimal filtering, where that is offered: shown, but not exact, so that it stands for nothing."""

    name: ClassVar[str] = "winograd"
    method: ClassVar[str] = "winograd"
    aside = True

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """The operator; LeftOut where the layer gains too little."""
        try:
            return super().prepare(case, setting)
        except ValueError as refused:
            raise LeftOut(first_line(refused)) from None


class Functional(Ours):
    """`tconv.conv_transpose`, `conv` or `weight_gradient`: weights as they come, a new result from each call."""

    name: ClassVar[str] = "functional"
    operations = OPERATIONS

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """The functional call; only x and y are put in their layout beforehand."""
        self.start(case)
        first, second = (each if each is case.w else _in_layout(case, each) for each in case.operands)
        return TimedCall(case.by_tconv(first, second, layout=case.layout), lambda result: _read(case, result))


def _in_layout(case: Case, grid: Array) -> Array:
    return grid if case.layout == "channels_first" else np.ascontiguousarray(np.moveaxis(grid, 1, -1))


def _read(case: Case, result: Array) -> Array:
    return result if case.layout == "channels_first" or case.writes_weights else np.moveaxis(result, -1, 1)
