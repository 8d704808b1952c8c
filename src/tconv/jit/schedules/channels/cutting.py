"""Whether rows are cut where a tap comes upon x or leaves it, by the cycles that all tiles take either way.

Beside a small grid, or with a large dilation, most cells that the outer pixels of a tile meet are zeros. Cut there, a
row has tiles without such a tap, but smaller ones, each of which loads the weights anew; several rows share such a
tile. Along the other axes no row of zeros is met in any case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise, product
from typing import NamedTuple, TypeAlias

from tconv.cached import cached_property
from tconv.jit.machine.isa import Isa
from tconv.jit.programs.cuts import sizes, spans
from tconv.jit.schedules.axes import LoopAxis, phase_taps
from tconv.jit.schedules.lane_tiles import cycles_of_tile, most_sums, rows_of_short

#: The share of the cycles of whole rows from which cutting them is worth more tiles, and more tables.
WORTH = 0.95
#: The same where x is then read in place by all rows for one tap of the outer axes after the other, because its weights
#: are many: 512 to 256 channels over 8x9x9 cells take 1.08 times less so (AMD Zen 4). With 16 registers, whose tiles
#: are small in any case, it does not pay: 2048 to 256 channels over 8x6 cells take 1.09 times as long (AVX2).
IN_PLACE = 1.1


class Tile(NamedTuple):
    """Sizes of a tile, at most, and the cycles that all tiles take, for each input channel."""

    cycles: float
    vectors: int
    pixels: int
    rows: int


#: Cycles by pixels.
_Cycles: TypeAlias = Callable[[int], float]


class _Part(NamedTuple):
    """Pixels that are cut into tiles, and the shifts of the taps of their phase."""

    pixels: range
    shifts: tuple[int, ...]


class Cutting:
    """The rows of a layer: its last axis and the others, how many vectors its channels fill, what loading one costs."""

    def __init__(self, axes: Sequence[LoopAxis], vectors: int, loaded: float) -> None:
        *self.outer, self.last = axes
        self.vectors, self.loaded = vectors, loaded

    def best(self, most_rows: int, isa: Isa, widest: int) -> Tile:
        """The tile that takes the fewest cycles if rows are cut."""
        parts = self.parts()
        longest, found = max(length for length, _ in parts), []
        for wide in range(widest if isa.registers >= 32 else min(widest, 2), 0, -1):
            cycles = self._per_tap(wide)
            for rows in range(1, most_rows + 1):
                pixels = min(longest, most_sums(wide, isa) // rows)
                if pixels:
                    found.append(Tile(self._cut(parts, cycles, pixels, rows, most_rows), wide, pixels, rows))
        return min(found)

    def parts(self) -> Counter[tuple[int, int]]:
        """The parts of a row, of all phases: their pixels and the taps that reach them, and how many are alike."""
        return Counter((len(part.pixels), self._taps(part, part.pixels)) for part in _parts(self.last))

    def _cut(self, parts: Counter[tuple[int, int]], cycles: _Cycles, pixels: int, rows: int, most_rows: int) -> float:
        """The cycles of tiles of parts of rows: of so many rows, or where parts are short also of some."""
        total = 0.0
        for (length, taps), alike in parts.items():
            of_tile = rows if rows > 1 else min(most_rows, rows_of_short(length, pixels))
            for n, tiles in sizes(length, pixels):
                total += alike * tiles * taps * self._of_rows(cycles, n, of_tile, tap_by_tap=rows > 1)
        return total

    def whole(self, wide: int, pixels: int, rows: int) -> float:
        """The cycles if they are not, in tiles of a size."""
        cycles, total = self._per_tap(wide), 0.0
        for part in _phases(self.last):
            for tile in spans(part.pixels, pixels) if part.pixels else ():
                total += self._taps(part, tile) * self._of_rows(cycles, len(tile), rows, tap_by_tap=rows > 1)
        return total

    def _taps(self, part: _Part, tile: range) -> int:
        """Taps through which a pixel of a tile reads x."""
        return sum(_common(self.last.reads(shift), tile) > 0 for shift in part.shifts)

    def _per_tap(self, wide: int) -> _Cycles:
        """The cycles of a term of all tiles side by side that cover the channels, by their pixels."""
        vectors = sizes(self.vectors, wide)

        @cache
        def cycles(pixels: int) -> float:
            return sum(alike * cycles_of_tile(pixels, v, self.loaded) for v, alike in vectors)

        return cycles

    def _of_rows(self, cycles: _Cycles, pixels: int, of_tile: int, tap_by_tap: bool) -> float:
        """The cycles of a tap of the last axis in all rows, of which so many share a tile as far as they come out."""
        together, alone = cycles(of_tile * pixels), cycles(pixels)
        of_rows = self._tap_by_tap if tap_by_tap else self._at_once
        return sum(times * (n // of_tile * together + n % of_tile * alone) for n, times in of_rows.items())

    @cached_property
    def _tap_by_tap(self) -> Counter[int]:
        """How many rows a tap of the outer axes reaches, and how many taps reach so many."""
        return _rows(
            [(_common(pixels, line.reads(shift)), 1) for pixels, shifts in _phases(line) for shift in shifts]
            for line in self.outer
        )

    @cached_property
    def _at_once(self) -> Counter[int]:
        """How many rows the same taps of the outer axes reach, and how many taps all of those have."""
        return _rows(
            [
                (len(pixels), sum(_common(line.reads(shift), pixels) > 0 for shift in shifts))
                for pixels, shifts in _parts(line)
            ]
            for line in self.outer
        )


def _rows(axes: Iterable[Iterable[tuple[int, int]]]) -> Counter[int]:
    """The rows of all combinations of what is found along each axis, and how many taps they have."""
    found = Counter({1: 1})
    for axis in axes:
        before, found = found, Counter()
        for (rows, times), (more, taps) in product(before.items(), axis):
            found[rows * more] += times * taps
    return found


def _phases(line: LoopAxis) -> Iterator[_Part]:
    for b, taps in enumerate(phase_taps(line)):
        yield _Part(line.of_phase(b, line.span()), tuple(shift for _, shift in taps))


def _parts(line: LoopAxis) -> Iterator[_Part]:
    """The q of an axis that the same taps reach."""
    for pixels, shifts in _phases(line):
        ends = {end for shift in shifts for end in (line.reads(shift).start, line.reads(shift).stop)}
        cuts = [pixels.start, *sorted(end for end in ends if end in pixels[1:]), pixels.stop]
        yield from (_Part(range(*pair), shifts) for pair in pairwise(cuts) if pixels)


def _common(a: range, b: range) -> int:
    return max(0, min(a.stop, b.stop) - max(a.start, b.start))
