"""What is the same for a layer at every size, kept from one size to the next."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Layers that are kept.
MOST = 128


class LayerCache(Generic[T]):
    """Values by layer, which says all that they depend on (`Schedule.layer`)."""

    def __init__(self) -> None:
        self._found: dict[Hashable, T] = {}
        _all.append(self._found)

    def of(self, layer: Hashable, make: Callable[[], T]) -> T:
        """The value of a layer, made when it is first asked for."""
        found = self._found.get(layer)
        if found is None:
            found = make()
            if len(self._found) >= MOST:
                self._found.clear()
            self._found[layer] = found
        return found


#: What is kept of all kinds.
_all: list[dict[Hashable, Any]] = []


def forget() -> None:
    """Forget all that is kept by layer: it is made anew when it is next asked for."""
    for found in _all:
        found.clear()
