"""Vectors interleaved and taken apart in registers, by shuffles of two vectors at a time."""

from __future__ import annotations

from tconv.jit.machine.ir import Function, Vector


def interleave(f: Function, v: Vector, parts: list[str]) -> list[str]:
    """n vectors to n vectors: element i of part b goes to position i * n + b of the whole."""
    n = len(parts)
    if n == 1:
        return parts
    if n % 2 == 0:
        evens, odds = interleave(f, v, parts[0::2]), interleave(f, v, parts[1::2])
        return [half for even, odd in zip(evens, odds, strict=True) for half in _zip(f, v, even, odd)]
    places = [[divmod(j * v.lanes + lane, n) for lane in range(v.lanes)] for j in range(n)]
    return [_permuted(f, v, parts, [(part, element) for element, part in wanted]) for wanted in places]


def _zip(f: Function, v: Vector, a: str, b: str) -> tuple[str, str]:
    lanes = [i for lane in range(v.lanes) for i in (lane, v.lanes + lane)]
    return f.shuffle(v, a, b, lanes[: v.lanes]), f.shuffle(v, a, b, lanes[v.lanes :])


def interleave_in_lanes(f: Function, v: Vector, parts: list[str]) -> list[str]:
    """As `interleave`, for each run of as many elements as there are parts by itself: squares side by side."""
    return _interleave_runs(f, v, parts, len(parts))


def _interleave_runs(f: Function, v: Vector, parts: list[str], run: int) -> list[str]:
    if len(parts) == 1:
        return parts
    evens, odds = (_interleave_runs(f, v, parts[start::2], run) for start in (0, 1))
    return [half for a, b in zip(evens, odds, strict=True) for half in _zip_runs(f, v, a, b, run)]


def _zip_runs(f: Function, v: Vector, a: str, b: str, run: int) -> tuple[str, str]:
    """The first and the second halves of all runs of two vectors, zipped."""
    first = [
        i + side for start in range(0, v.lanes, run) for i in range(start, start + run // 2) for side in (0, v.lanes)
    ]
    return f.shuffle(v, a, b, first), f.shuffle(v, a, b, [i + run // 2 for i in first])


def deinterleave(f: Function, v: Vector, whole: list[str]) -> list[str]:
    """n vectors to n vectors: element i * n + b of the whole goes to position i of part b."""
    n = len(whole)
    if n == 1:
        return whole
    if n % 2 == 0:
        halves = [[f.shuffle(v, a, b, lanes) for a, b in _pairs(whole)] for lanes in _even_and_odd(v)]
        evens, odds = (deinterleave(f, v, half) for half in halves)
        return [part for pair in zip(evens, odds, strict=True) for part in pair]
    return [_permuted(f, v, whole, [divmod(lane * n + b, v.lanes) for lane in range(v.lanes)]) for b in range(n)]


def _pairs(whole: list[str]) -> list[tuple[str, str]]:
    return list(zip(whole[0::2], whole[1::2], strict=True))


def _even_and_odd(v: Vector) -> tuple[list[int], list[int]]:
    """Which lanes of two vectors, side by side, lie at even places, and which at odd ones."""
    return list(range(0, 2 * v.lanes, 2)), list(range(1, 2 * v.lanes, 2))


def _permuted(f: Function, v: Vector, vectors: list[str], wanted: list[tuple[int, int]]) -> str:
    """A vector of (vector, lane in it) for each lane, by one shuffle for each vector but the first."""
    current = vectors[0]
    for number in range(1, len(vectors)):
        lanes: list[int | None] = []
        for lane, (vector, element) in enumerate(wanted):
            if vector == number:
                lanes.append(v.lanes + element)
            elif vector < number:
                lanes.append(element if number == 1 else lane)
            else:
                lanes.append(None)
        current = f.shuffle(v, current, vectors[number], lanes)
    return current
