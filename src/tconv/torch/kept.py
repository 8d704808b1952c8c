"""Packed weights that are kept from call to call, and used as long as the weights are, bit for bit, what they were.

Whether weights have changed is not asked of their version counter, which `weight.data.mul_(0.9)` or a NumPy array on
the same memory leave as it is, but of the weights: a fingerprint of all of them and of the bias is taken in every call
(`machine/fingerprint.py`), at 30 to 100 GB/s, a tenth or less of the time of packing. Weights are packed for keeps when
they come a second time. Who changes them between any two calls, as an optimizer does, never pays for memory.

Another thread may write into weights during a call. That call reads some old ones and some new, like PyTorch's own;
nothing is promised about it. But it spoils no later call: what was packed is kept only if the fingerprint is the same
after packing as before. (A writer who in between puts every bit back as it was goes unnoticed.)
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tconv.jit import engine
from tconv.jit.engine import Engine
from tconv.jit.machine.address import address
from tconv.problem import Array

#: Orders of packing that an owner keeps at most: shapes of x mostly share one.
MOST = 16
#: And shapes of x that are small.
MOST_SHAPES = 64


class Pack(NamedTuple):
    """Weights as they were last seen, and packed, if they came twice."""

    fingerprint: int
    memory: Array | None
    address: int


class Small(NamedTuple):
    """How a layer hands a call to PyTorch that is done before one of the engine would be."""

    given: tuple[Any, ...]  #: what the layer said beside tensors when that was found
    dtype: torch.dtype
    tiny: bool  #: whether derivatives are recorded or not
    function: Any
    arguments: tuple[Any, ...]


class PackedWeights(dict[int, Pack]):
    """The packed weights of one layer, by the order of packing. Copies and pickles of it are empty.

    `small` has the shapes of x for which the layer asks PyTorch. It does so without looking at anything else: whatever
    there is, modes, traces, subclasses, dtypes, PyTorch's own function is right for it. `filters` says whether the
    layer computes by minimal filtering, where that can be and no derivative is recorded.
    """

    __slots__ = ("__weakref__", "filters", "small")

    def __init__(self, filters: bool = False) -> None:
        super().__init__()
        self.filters = filters
        self.small: dict[tuple[int, ...], Small] = {}

    def __reduce__(self) -> Any:
        return PackedWeights, (self.filters,)

    def remember(self, shape: tuple[int, ...], small: Small) -> None:
        """Calls with x of this shape are so small."""
        if len(self.small) >= MOST_SHAPES:
            self.small.clear()
        self.small[shape] = small

    def found(self, order: int, fingerprint: int) -> Pack | None:
        """These weights, packed; None where they are not. Who holds it keeps the memory, whatever threads do."""
        known = self.get(order)
        return known if known is not None and known.fingerprint == fingerprint and known.address else None

    def packed(
        self, ready: Engine, order: int, fingerprint: int, w: int, bias: int, unchanged: Callable[[], bool]
    ) -> Pack | None:
        """Pack weights that come again; None where they are new, not all finite, or no longer what they were.

        New memory is taken each time: another thread may be reading the old.
        """
        if not self.met(order, fingerprint):
            return None
        memory = engine.aligned(ready.program.packed)
        if not ready.pack_at(w, bias, address(memory)) or not unchanged():
            return None
        pack = self[order] = Pack(fingerprint, memory, address(memory))
        return pack

    def met(self, order: int, fingerprint: int) -> bool:
        """Whether these weights come again; where they do not, it is written down that they came."""
        known = self.get(order)
        if known is not None and known.fingerprint == fingerprint:
            return True
        if known is None and len(self) >= MOST:
            self.clear()
        self[order] = Pack(fingerprint, None, 0)
        return False


#: What is kept for weights that come without a layer, by their id, for as long as they live.
_of_weights: dict[int, tuple[weakref.ref[Tensor], PackedWeights]] = {}


def of(w: Tensor) -> PackedWeights:
    """What is kept for weights that come without a layer."""
    known = _of_weights.get(id(w))
    if known is not None and known[0]() is w:
        return known[1]
    number, kept = id(w), PackedWeights()

    def forget(gone: weakref.ref[Tensor]) -> None:
        entry = _of_weights.get(number)
        if entry is not None and entry[0] is gone:
            del _of_weights[number]

    _of_weights[number] = (weakref.ref(w, forget), kept)
    return kept
