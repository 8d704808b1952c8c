"""What `tconv.torch.tile_plan` tells beforehand; prints itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tconv import checks
from tconv.torch.tiling import costing
from tconv.torch.tiling.network import Network

#: Times the work of the whole below which tiles cost little.
CHEAP = 1.5


@dataclass(frozen=True, slots=True)
class TilePlan:
    """The tiles of a result, and what they cost; made by `tconv.torch.tile_plan`."""

    shape: tuple[int, ...]  #: of x, a batch at a time
    result: tuple[int, ...]  #: the shape of what the module gives
    tile: tuple[int, ...]  #: cells of the result that are computed at once
    count: tuple[int, ...]  #: tiles along each axis
    reads: tuple[int, ...]  #: cells of x along each axis that a tile reads, at most
    work: float  #: times the work of the whole, as halos are computed in more than one tile
    passes: int  #: over all tiles: one, and one more for each normalization over the whole array
    memory: int  #: bytes of arrays that are there at once as a tile is computed, without x, the result and the weights
    whole_memory: int  #: the same if the whole is computed at once
    shapes: int  #: kinds of tiles that differ in size: the engine prepares itself once for each
    grain: tuple[int, ...]  #: tiles of multiples of this are alike, away from the border
    least: tuple[int, ...] | None  #: the least tile for less than 1.5 times the work; None where there is none

    def __str__(self) -> str:
        kinds = checks.count(self.shapes, "kind")
        tiles = checks.count(math.prod(self.count), "tile")
        lines = [
            f"{_by(self.shape)} -> {_by(self.result)} in {tiles} of {_by(self.tile)}",
            f"reads   {_by(self.reads)} cells of x a tile at most",
            f"work    {self.work:.3g} times that of the whole, in {checks.count(self.passes, 'pass', 'passes')}",
            f"memory  {checks.memory(self.memory)} a tile at most; the whole takes {checks.memory(self.whole_memory)}",
            f"shapes  {kinds} of tiles; inner ones are alike where a tile is a multiple of {_by(self.grain)}",
        ]
        least = _by(self.least) if self.least else "none"
        return "\n".join([*lines, f"least   {least} for less than {CHEAP} times the work"])


def planned(network: Network, tile: tuple[int, ...]) -> TilePlan:
    """The plan of a network in tiles."""
    size, output = network.size(network.output), network.output
    axes = [costing.along(network, axis, output, t) for axis, t in enumerate(tile)]
    runs = costing.passes(network, tile)
    each = [[costing.along(network, axis, target, t) for axis, t in enumerate(of)] for target, of in runs]
    whole = [costing.along(network, axis, output, n) for axis, n in enumerate(size)]
    shapes = math.prod(axis.shapes for axis in axes)
    return TilePlan(
        tuple(network.steps[network.input].tensors[0].shape),
        tuple(network.steps[output].tensors[0].shape),
        tile,
        tuple(-(-n // t) for n, t in zip(size, tile, strict=True)),
        tuple(axis.reads for axis in axes),
        costing.factor(network, tile),
        len(runs),
        max(costing.peak(network, one) for one in each),
        costing.peak(network, whole),
        shapes,
        costing.grain(network),
        costing.least_tile(network, CHEAP),
    )


def _by(values: Sequence[int]) -> str:
    return "x".join(map(str, values))
