"""A schedule in words and numbers: what `describe.py` finds out, as lines for people and as a dict for machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tconv import checks
from tconv.jit.schedules.kind import RegisterTile
from tconv.jit.schedules.registry import KINDS, by


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the cores in use can do together at most."""

    peak: float  #: floating-point operations a second
    bandwidth: float  #: bytes a second to and from memory
    measured: bool


@dataclass(frozen=True, slots=True)
class Description:
    """A schedule in words and numbers. `print` shows the lines, `to_dict` is for JSON."""

    kind: str
    isa: str
    threads: int
    lanes: str
    tile: RegisterTile
    cache_block: tuple[int, ...]  #: q of a chunk along each axis, the batch first
    whole: tuple[int, ...]  #: q of all
    pieces: int  #: of work, which threads take one after the other
    order: tuple[str, ...]  #: loops, from the outermost inwards
    in_place: bool  #: what is read is read where it is
    panel: int  #: bytes of it that a thread copies, with zeros around
    direct: bool  #: results are written from registers
    block: int  #: bytes of results on their way, of a thread
    cells: int  #: bytes of the coarse grid that a thread copies, of a weight gradient
    streaming: bool  #: results are written past the caches
    packed: int  #: bytes of the packed weights
    scratch: int  #: bytes of panel, block and cells, rounded up, of a thread
    tables: int  #: bytes of the program
    first: float  #: seconds that the first call of a size is expected to take longer
    flops: int  #: of use
    executed: int  #: really done; by minimal filtering products alone, and fewer than of use
    bytes: int  #: x, y and the weights, each once
    ceiling: Ceiling
    share: float | None  #: of the roofline, that is expected
    read: str  #: the name of the array that is read: x, or of `conv` and of a weight gradient y
    written: str  #: and of the one that is written

    @property
    def wasted(self) -> float:
        """The share of the operations done that is of no use: lanes, columns and taps beside the result."""
        return max(0.0, 1 - self.flops / self.executed) if self.executed else 0.0

    @property
    def intensity(self) -> float:
        """Operations of use for a byte to or from memory."""
        return self.flops / self.bytes

    @property
    def roofline(self) -> float:
        """Operations a second at most: the peak, or what the bandwidth feeds."""
        return min(self.ceiling.peak, self.intensity * self.ceiling.bandwidth)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the fields, and what follows from them."""
        derived = {"wasted": self.wasted, "intensity": self.intensity, "roofline": self.roofline}
        return {**asdict(self), **derived}

    def facts(self) -> list[tuple[str, str]]:
        """Names and what they are, for a table or for lines."""
        pieces = checks.count(self.pieces, "piece")
        said = [
            ("lanes", self.lanes),
            ("tile", _said_tile(self)),
            ("chunk", f"{by(self.cache_block)} of {by(self.whole)} q, the batch first; {pieces} of work for threads"),
            ("loops", " > ".join(self.order)),
            (self.read, "read in place" if self.in_place else f"copied into a panel of {checks.memory(self.panel)}"),
            *([("x", _said_cells(self))] if KINDS[self.kind].coarse_in_lanes else []),
            (self.written, _said_results(self)),
            ("memory", _said_memory(self)),
            ("flops", _said_flops(self)),
            ("bytes", f"{self.bytes:,} at least: {self.intensity:.1f} flops each"),
            ("roofline", _said_roofline(self)),
        ]
        if self.share is not None:
            said.append(("expected", f"{self.share:.0%} of the roofline; {self._beyond()}"))
        return said

    def _beyond(self) -> str:
        return f"a call adds microseconds, the first one of a size {self.first * 1e3:.2g} ms"

    def title(self) -> str:
        """What the lines are about."""
        return f"{KINDS[self.kind].title}, {self.isa}, {checks.count(self.threads, 'thread')}"

    def lines(self) -> list[str]:
        """The text, line by line."""
        return [self.title(), *(f"  {name:<10}{value}" for name, value in self.facts())]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _said_tile(d: Description) -> str:
    t = d.tile
    sizes = [
        checks.count(t.pixels, t.of),
        checks.count(t.channels, "channel"),
        *([f"{t.phases} phases"] if t.phases > 1 else []),
    ]
    of = "" if t.registers is None else f" of {t.registers}"
    return f"{' x '.join(sizes)}, {checks.count(t.vectors, 'vector')} wide: sums in {t.sums}{of} registers"


def _said_cells(d: Description) -> str:
    return f"copied tile by tile, channels innermost: {checks.memory(d.cells)}" if d.cells else "read in place"


def _said_results(d: Description) -> str:
    how = "written from registers" if d.direct else f"by way of a block of {checks.memory(d.block)}"
    return f"{how}, past the caches" if d.streaming else how


def _said_memory(d: Description) -> str:
    packed, scratch, tables = map(checks.memory, (d.packed, d.scratch, d.tables))
    weights = "" if KINDS[d.kind].coarse_in_lanes else f"packed weights {packed}, "
    return f"{weights}tables {tables}, scratch {scratch} a thread"


def _said_flops(d: Description) -> str:
    done = f"{d.wasted:.1%} in vain" if KINDS[d.kind].exact else "products of points, without their transforms"
    return f"{d.flops:,} of use, {d.executed:,} executed ({done})"


def _said_roofline(d: Description) -> str:
    c = d.ceiling
    fed = d.intensity * c.bandwidth
    least = "the peak" if c.peak <= fed else f"{c.bandwidth / 1e9:.1f} GB/s x {d.intensity:.1f} flops"
    how = "measured" if c.measured else "assumed"
    peak = "" if c.peak <= fed else f"; the peak is {c.peak / 1e9:.0f}"
    return f"{min(c.peak, fed) / 1e9:.0f} GFLOP/s ({how}): {least}{peak}"
