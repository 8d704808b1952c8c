"""`tconv.torch.tiles` and `tconv.torch.tile_plan`: a network computed tile by tile, and what that costs."""

from __future__ import annotations

import functools
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from tconv import checks
from tconv.torch.messages import summary
from tconv.torch.tiling import arrays, costing
from tconv.torch.tiling.network import Network
from tconv.torch.tiling.norms import Statistics, statistics
from tconv.torch.tiling.report import TilePlan, planned
from tconv.torch.tiling.running import Tiler

Progress = bool | Callable[[int, int], object] | None


def tiles(
    module: Module, x: Any, *, tile: int | Sequence[int], out: Any = None, batch: int = 1, norms: str = "refuse",
    progress: Progress = None,
) -> Any:  # fmt: skip
    """What `module(x)` gives, computed tile by tile in the memory that a tile takes, without seams.

    The module is traced by torch.fx, and every tile of the result runs its operations one after the other, each on
    exactly what its own results need: real neighbours inside of the array, padding at its border only. That is
    `module(x)` up to rounding, for networks whose operations are local: convolutions of both kinds, pooling,
    interpolation ("nearest", "nearest-exact", "linear" to "trilinear"), padding but for circular, pixel shuffle,
    BatchNorm in eval mode, whatever computes each cell from that at its place, concatenation and slices of step 1.
    Layers are called as they are: with parametrizations and hooks, and by tconv's engine where they are accelerated.
    Hooks of layers see a tile, so that they have to be local too. Nothing is recorded for derivatives. Threads may call
    it at once.

    Args:
        module: a torch.nn.Module that takes one tensor and returns one, with the same number of axes.
        x: (N, C, *size) with 1 to 3 axes of size: a tensor, or an array whose boxes are read as they are needed, such
            as a NumPy memmap or a Zarr array.
        tile: cells of the result that are computed at once: an integer, or one an axis. What is more than the result
            has means all of it.
        out: where the result is written: a tensor or an array of its shape and dtype that does not overlap x. Without
            it the result is a tensor on the device of x where x is a tensor, else a NumPy array.
        batch: samples that are computed at once. Each is computed by itself: what goes along them is refused, and the
            size of that axis, where a forward method asks for it, is this number.
        norms: "refuse", or "two passes": GroupNorm and InstanceNorm, which need mean and variance of the whole array,
            have them computed in tiles beforehand, each by a pass over the network up to it.
        progress: True to be told on stderr, or a function that is called with the tiles that are done, and all.

    Returns:
        The result of shape (N, C', *size'), `out` where that is given.

    Raises:
        ValueError: an operation is not local, which the message names, or torch.fx cannot trace the module; or a value
            or a shape does not fit. TypeError: something is of the wrong type.

    >>> import torch, tconv.torch
    >>> net = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 5, padding=2), torch.nn.ConvTranspose1d(4, 1, 4, 2, 1))
    >>> x = torch.randn(1, 1, 1000)
    >>> y = tconv.torch.tiles(net, x, tile=256)
    >>> y.shape, torch.allclose(y, net(x), atol=1e-5)
    (torch.Size([1, 1, 2000]), True)
    """
    with checks.explained("tiles", lambda: _called_with(x, tile=tile, batch=batch, norms=norms)):
        job = Job(module, x, arrays.dtype_of("x", x), tile, batch, norms)
        tell = _teller(progress)
        given = job.first.steps[job.first.output].tensors[0]
        result = arrays.result(x, out, (job.shape[0], *given.shape[1:]), given.dtype)
    total = job.boxes
    with torch.no_grad():
        for done, _ in enumerate(job.computed(x, result), 1):
            tell(done, total)
    return result


def tile_plan(module: Module, x: Any, *, tile: int | Sequence[int], batch: int = 1, norms: str = "refuse") -> TilePlan:
    """What `tiles` would do with these arguments, without doing it: tiles, their work and memory, and the least tile.

    `x` may be a shape, of an input with the dtype of the module's parameters. Raises as `tiles` does.

    >>> import torch, tconv.torch
    >>> net = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 5, padding=2), torch.nn.ConvTranspose1d(4, 1, 4, 2, 1))
    >>> print(tconv.torch.tile_plan(net, (1, 1, 1000), tile=256))
    1x1x1000 -> 1x1x2000 in 8 tiles of 256
    reads   134 cells of x a tile at most
    work    1.03 times that of the whole, in 1 pass
    memory  3.1 KiB a tile at most; the whole takes 23.4 KiB
    shapes  3 kinds of tiles; inner ones are alike where a tile is a multiple of 2
    least   18 for less than 1.5 times the work
    """
    with checks.explained("tile_plan", lambda: _called_with(x, tile=tile, batch=batch, norms=norms)):
        if not checks.is_sequence(x):
            return Job(module, x, arrays.dtype_of("x", x), tile, batch, norms).plan
        shape = arrays.without_memory(checks.shape("x", x))
        kinds = [p.dtype for p in module.parameters()] if isinstance(module, Module) else []
        return Job(module, shape, kinds[0] if kinds else torch.float32, tile, batch, norms).plan


class Job:
    """The arguments of a call, checked, and the networks for the batches that it is cut into."""

    def __init__(self, module: Any, x: Any, dtype: torch.dtype, tile: Any, batch: Any, norms: Any) -> None:
        inner, self.shape = _inner(module), tuple(x.shape)
        if not 3 <= len(self.shape) <= 5 or 0 in self.shape[2:]:
            checks.wrong(f"x must have shape (N, C, *size) with 1 to 3 axes of size, none empty; got {self.shape}")
        ndim = len(self.shape) - 2
        many = checks.integer("batch", batch, 1)
        two = checks.choice("norms", norms, ("refuse", "two passes")) == "two passes"
        wanted = checks.per_axis("tile", tile, ndim, 1)
        self.batches = costing.ranges(self.shape[0], many)
        sizes = {stop - start for start, stop in self.batches} or {1}
        self.networks = {n: Network(inner, (n, *self.shape[1:]), dtype, two) for n in sorted(sizes, reverse=True)}
        self.first = next(iter(self.networks.values()))
        samples, *_ = self.first.steps[self.first.output].tensors[0].shape
        if samples != max(sizes):
            checks.wrong(f"module must give as many samples as it is given; it made {samples} of {max(sizes)}")
        size = self.first.size(self.first.output)
        self.tile = tuple(min(t, n) for t, n in zip(wanted, size, strict=True))

    @property
    def plan(self) -> TilePlan:
        """What it costs."""
        return planned(self.first, self.tile)

    @property
    def boxes(self) -> int:
        """How many boxes are computed, in all passes."""
        counts = [
            costing.count(self.first.size(target), tile) for target, tile in costing.passes(self.first, self.tile)
        ]
        return sum(map(math.prod, counts)) * len(self.batches)

    def computed(self, x: Any, result: Any) -> Iterator[None]:
        """Compute, and come back after each box."""
        for samples in self.batches:
            network = self.networks[samples[1] - samples[0]]
            read = functools.partial(arrays.read, x, samples, device=network.device)
            known: dict[int, Statistics] = {}
            *before, last = costing.passes(network, self.tile)
            for (norm, rule), run in zip(network.norms(network.output).items(), before, strict=True):
                tiler = Tiler(network, run[0], read, known)
                for cells in _boxes(network, *run):
                    part = statistics(tiler.box(cells), rule.groups)
                    known[norm] = known[norm].together(part) if norm in known else part
                    yield
            tiler = Tiler(network, last[0], read, known)
            for cells in _boxes(network, *last):
                arrays.write(result, samples, cells, tiler.box(cells))
                yield


def _boxes(network: Network, target: int, tile: Sequence[int]) -> Iterator[tuple[tuple[int, int], ...]]:
    """The boxes of the results of a step."""
    size = network.size(target)
    return itertools.product(*(costing.ranges(n, t) for n, t in zip(size, tile, strict=True)))


def _inner(module: Any) -> Module:
    """The module, or that inside of one that is compiled or distributed."""
    if not isinstance(module, Module):
        checks.wrong_type(
            f"module must be a torch.nn.Module; got {checks.shorten(module)} of type {type(module).__name__}"
        )
    inside = getattr(module, "_orig_mod", None)
    if isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        inside = module.module
    return _inner(inside) if isinstance(inside, Module) else module


def _teller(progress: Any) -> Callable[[int, int], object]:
    """What is called after each box."""
    if progress is None or progress is False:
        return lambda done, total: None
    if progress is True:
        return _printed
    if not callable(progress):
        checks.wrong_type(f"progress must be True, None or a function of two integers; got {checks.shorten(progress)}")
    return progress  # type: ignore[no-any-return]


def _printed(done: int, total: int) -> None:
    print(f"\rtile {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _called_with(x: Any, **others: Any) -> str:
    shown = summary(x) if isinstance(x, Tensor) else checks.shorten(getattr(x, "shape", x))
    return f"x={shown}, {checks.echo(**others)}"
