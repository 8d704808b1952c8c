"""What a kernel is called with: the context of its thread, and the words of its op and tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tconv.finishing import Finishing
from tconv.jit.kernels.abi import Context
from tconv.jit.reference.memory import OutOfBounds, Pointer
from tconv.problem import Array

Words: TypeAlias = list[int]


@dataclass(frozen=True)
class Thread:
    """The context of a thread."""

    pointers: Mapping[Context, Pointer]
    sizes: Mapping[Context, int]
    finishing: Finishing  #: what an epilogue is given
    pack: Callable[[int], None]  #: a block of weights, given where it lies in the program, into W

    def then(self, kernel: Any, sums: Array) -> Array:
        """Complete sums after the activation that a kernel applies to them, if it does."""
        given = self.finishing.activation
        return given.of(sums, given.value) if kernel.then and given is not None else sums

    def to(self, where: Context, *offsets: int) -> Pointer:
        """The place so many bytes behind one of its addresses."""
        return self.pointers[where].at(sum(offsets))


def iterations(stop: int, step: int = 1) -> range:
    """The iterations of a loop that generated code tests at its end: there has to be one."""
    if stop < 1:
        raise OutOfBounds(f"loops over {stop} where at least 1 is wanted")
    return range(0, stop, step)


def entries(words: Words, first: int, count: int, width: int) -> list[Words]:
    """A table within an op: so many entries of `width` words."""
    end = first + count * width
    if end > len(words):
        raise OutOfBounds(f"reads words up to {end} of an op of {len(words)}")
    return [words[start : start + width] for start in range(first, end, width)]
