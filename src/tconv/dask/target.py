"""The array that blocks are computed into: memory of one process, which is not sent."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

from tconv.problem import Array

#: Slices along the axes of the result.
Place: TypeAlias = tuple[slice, ...]


class Target:
    """An array that is there. Sent elsewhere it would be a copy, and what is written into that would be lost."""

    def __init__(self, out: Array) -> None:
        self.out = out

    def __setitem__(self, place: Any, block: Any) -> None:
        self.out[place] = block

    def __reduce__(self) -> NoReturn:
        raise TypeError('tconv.dask.store writes into memory of this process: scheduler="threads" computes there')

    def __dask_tokenize__(self) -> Any:
        return id(self.out)
