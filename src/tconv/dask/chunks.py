"""The chunks of a result: those that follow the chunks that are read, or those that are asked for.

Zarr stores chunks of one size, the last of which may be cut short. So are all those chosen here; and they are whole
strides, so that blocks agree in what they compute.
"""

from __future__ import annotations

from math import lcm, prod
from typing import Any

import dask
from dask.array.core import normalize_chunks
from dask.utils import parse_bytes

from tconv import checks
from tconv.dask.along import Chunks
from tconv.problem import Problem


def chosen(
    problem: Problem, given: Any, batches: Chunks, read: tuple[Chunks, ...], itemsize: int
) -> tuple[Chunks, ...]:
    """The chunks of each axis of size of the result, from what a call asks for and the chunks that are read."""
    up = problem.operation == "conv_transpose"
    size = problem.geometry.fine if up else problem.geometry.coarse
    steps = problem.geometry.stride if up else (1,) * len(size)
    lengths = _following(problem, size, steps, read, up)
    if given is None:
        images = max(batches, default=1) * (problem.out_channels if up else problem.in_channels)
        lengths = _smaller(lengths, steps, images * itemsize)
        return tuple(_regular(n, length) for n, length in zip(size, lengths, strict=True))
    if (unit := _unit(given)) is not None:
        lengths = [_multiple(length, *about) for length, *about in zip(lengths, unit[-len(size) :], steps, strict=True)]
        return tuple(_regular(n, length) for n, length in zip(size, lengths, strict=True))
    return _asked(given, size, lengths, itemsize)


def batch_unit(given: Any, batched: bool, ndim: int) -> int | None:
    """How many images a chunk of a stored array has that the result is to be written into; None where none is given."""
    unit = _unit(given)
    if unit is None:
        return None
    if len(unit) != ndim + 1 + batched:
        checks.wrong(f"chunks must be an array of {ndim + 1 + batched} axes, as the result is; got one of {len(unit)}")
    return unit[0] if batched else None


def _following(
    problem: Problem, size: tuple[int, ...], steps: tuple[int, ...], read: tuple[Chunks, ...], up: bool
) -> list[int]:
    """Lengths for which a block reads about a chunk along each axis."""
    found = []
    for n, step, stride, chunks in zip(size, steps, problem.geometry.stride, read, strict=True):
        length = max(chunks) * stride if up else -(-max(chunks) // stride)
        if n > 2 * length * len(chunks):  # a kernel that reaches far beyond the grid
            length = -(-n // (len(chunks) * step)) * step
        found.append(_spread(n, min(length, -(-n // step) * step), step))
    return found


def _spread(n: int, length: int, step: int) -> int:
    """A length a little larger where the last block would be a sliver; blocks still begin near where chunks do."""
    whole, rest = divmod(n, length)
    if not whole or not 0 < rest <= length // 4:
        return length
    larger = -(-n // (whole * step)) * step
    return larger if whole * (larger - length) <= length // 4 else length


def _smaller(lengths: list[int], steps: tuple[int, ...], bytes_of_cell: int) -> list[int]:
    """Lengths halved until a block is no larger than Dask's `array.chunk-size`; a layer may have far more results."""
    most = parse_bytes(dask.config.get("array.chunk-size", "128MiB"))
    lengths = list(lengths)
    while prod(lengths) * bytes_of_cell > most:
        longest = max(range(len(lengths)), key=lambda i: lengths[i] / steps[i])
        if lengths[longest] <= steps[longest]:
            break
        lengths[longest] = -(-lengths[longest] // (2 * steps[longest])) * steps[longest]
    return lengths


def _unit(given: Any) -> tuple[int, ...] | None:
    """What a stored array is written in: its shards, else its chunks. None for what is no such array."""
    if not hasattr(given, "shape") or not hasattr(given, "chunks"):
        return None
    unit = getattr(given, "shards", None) or given.chunks or given.shape
    # Dask arrays have all chunks of an axis listed; the first is the largest where they are regular.
    return tuple(max(part) if checks.is_sequence(part) else int(part) for part in unit)


def _multiple(length: int, unit: int, step: int) -> int:
    """A multiple of the unit near a length, and of whole strides where one is not much longer."""
    both = lcm(unit, step)
    unit = both if both <= 2 * length else unit
    return max(1, length // unit) * unit


def _regular(n: int, length: int) -> Chunks:
    whole, rest = divmod(n, length)
    return (length,) * whole + ((rest,) if rest else ())


def _asked(given: Any, size: tuple[int, ...], lengths: list[int], itemsize: int) -> tuple[Chunks, ...]:
    """What Dask makes of chunks for the axes of size."""
    allowed = 'an integer, -1, "auto", one of them or a tuple of lengths for each axis of size, or a stored array'
    if isinstance(given, dict) or (checks.is_sequence(given) and len(given) != len(size)):
        shown = checks.count(len(size), "axis of size", "axes of size")
        checks.wrong(f"chunks must be {allowed}; got {checks.shorten(given)} for {shown}")
    if any(type(length) is int and length < 1 and length != -1 for length in _entries(given)):
        checks.wrong(f"chunks must have at least 1 cell; got {checks.shorten(given)}")
    previous = tuple(_regular(n, length) for n, length in zip(size, lengths, strict=True))
    try:
        found: tuple[Chunks, ...] = normalize_chunks(given, size, dtype=f"V{itemsize}", previous_chunks=previous)
    except (ValueError, TypeError, ArithmeticError, NotImplementedError) as error:
        checks.wrong(f"chunks must be {allowed}; got {checks.shorten(given)}: {checks.first_line(error)}")
    if any(cells < 1 for chunks in found for cells in chunks):
        checks.wrong(f"chunks must have at least 1 cell; got {checks.shorten(given)}")
    return found


def _entries(given: Any) -> tuple[Any, ...]:
    """What is asked for of all axes, or of each."""
    return tuple(given) if checks.is_sequence(given) else (given,)
