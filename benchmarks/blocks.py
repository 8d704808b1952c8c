"""Blocks on Dask: against one piece, against PyTorch's and SciPy's functions under map_overlap, and from Zarr to Zarr.

    python -m benchmarks.blocks [--parts pieces peers graph zarr] [--rounds 5] [--gigabytes 8.6] [--record FILE]

pieces: layers that fit into memory, on two threads of Dask, each with one of tconv, and in one piece by an operator
that is prepared, on two threads; both write into memory that is there and begins at a cache line, where one piece is
fastest. Blocks are cubes, or slabs: as many cells, in whole rows. They are stored by `tconv.dask.store`, which computes
them in that memory ("there"), and by Dask, which copies them there; storing: what Dask takes to copy blocks that are
there already. peers: the same work by `map_overlap` of a function as its users write it. graph: microseconds a block to
make, to optimize and to run. zarr: a volume doubled from one store to another in a process of its own, whose peak
memory counts; the result is of so many gigabytes. All take turns in one process, and the least counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from dask._task_spec import DataNode

import tconv
import tconv.dask
from benchmarks.memory import peak
from benchmarks.record import Row, digits, keep, record_option
from tconv.jit import engine

WORKERS = 2


class Layer(NamedTuple):
    """A layer at stride 2 with kernel 4 and padding 1, or depthwise, on a grid in chunks."""

    channels: tuple[int, int]
    size: tuple[int, ...]
    chunk: tuple[int, ...]
    slab: tuple[int, ...]  #: about as many cells in whole rows
    bound: str  #: by what one piece is
    groups: int = 1
    kernel: int = 4

    @property
    def keywords(self) -> dict[str, Any]:
        """Of the call."""
        return {"stride": 2, "padding": (self.kernel - 2) // 2, "groups": self.groups}

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """x and w, random."""
        rng, (cin, cout) = np.random.default_rng(0), self.channels
        x = rng.normal(size=(1, cin, *self.size)).astype(np.float32)
        w = rng.normal(size=(cin, cout // self.groups, *[self.kernel] * len(self.size))).astype(np.float32)
        return x, w


LAYERS = {
    "2-D, 64 to 32 channels": Layer((64, 32), (512, 512), (128, 128), (32, 512), "computing"),
    "2-D, 256 to 128 channels": Layer((256, 128), (128, 128), (64, 64), (32, 128), "computing"),
    "3-D, 32 to 16 channels": Layer((32, 16), (96, 96, 96), (48, 48, 48), (12, 96, 96), "computing"),
    "3-D, 8 to 8 channels": Layer((8, 8), (128, 128, 128), (32, 32, 32), (2, 128, 128), "computing"),
    "2-D, depthwise": Layer((32, 32), (768, 768), (192, 192), (48, 768), "memory", groups=32),
    "3-D, one channel, kernel 2": Layer((1, 1), (256, 256, 256), (64, 64, 64), (4, 256, 256), "memory", kernel=2),
    "3-D, one channel": Layer((1, 1), (256, 256, 256), (64, 64, 64), (4, 256, 256), "memory"),
}
PEERS = {
    "2-D, 64 to 32 channels": LAYERS["2-D, 64 to 32 channels"],
    "3-D, 8 to 8 channels": LAYERS["3-D, 8 to 8 channels"],
    "3-D, one channel": Layer((1, 1), (128, 128, 128), (64, 64, 64), (16, 128, 128), "memory"),
}


def best(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The least milliseconds of each way, once all have been called."""
    for way in ways.values():
        way()
    found = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = perf_counter()
            way()
            found[name] = min(found[name], perf_counter() - start)
    return {name: digits(seconds * 1e3) for name, seconds in found.items()}


def stored(y: da.Array, out: np.ndarray) -> Callable[[], None]:
    """Compute a Dask array into memory that is there."""

    def way() -> None:
        y.store(out, lock=False, scheduler="threads", num_workers=WORKERS)

    return way


def computed_there(y: da.Array, out: np.ndarray) -> Callable[[], None]:
    """Likewise, each block computed where it belongs."""

    def way() -> None:
        tconv.dask.store(y, out, scheduler="threads", num_workers=WORKERS)

    return way


def pieces(rounds: int) -> list[Row]:
    """Blocks against one piece."""
    rows = []
    for name, layer in LAYERS.items():
        values, w = layer.arrays()
        x = aligned(values.shape)
        x[:] = values
        op = tconv.ConvTranspose(w, **layer.keywords)
        cubes, slabs = (tconv.conv_transpose(cut(x, chunk), w, **layer.keywords) for chunk in (layer.chunk, layer.slab))
        out, there_already, whole = (aligned(cubes.shape) for _ in range(3))
        ways = {
            "one piece": lambda op=op, x=x, whole=whole: op(x, out=whole),
            "storing slabs": stored(there(slabs), out),
            "storing": stored(there(cubes), out),
            "slabs": stored(slabs, out),
            "blocks": stored(cubes, out),
            "slabs, there": computed_there(slabs, there_already),
            "blocks, there": computed_there(cubes, there_already),
        }
        ms = best(ways, rounds)
        equal = bool((out == whole).all() and (there_already == whole).all())
        about = {"layer": name, "bound": layer.bound, "blocks": cubes.npartitions, "equal": equal}
        ratios = ", ".join(f"{way} {ms[way] / ms['one piece']:.2f}" for way in ways)
        print(f"{name:30}{layer.bound:12}one piece {ms['one piece']:8.1f} ms   over it: {ratios}", flush=True)
        rows.append({"part": "pieces", **about, "ms": ms})
    return rows


def cut(x: np.ndarray, chunk: tuple[int, ...]) -> da.Array:
    """An array in chunks of all channels."""
    return da.from_array(x, chunks=(1, x.shape[1], *chunk))


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Memory that is there, and begins at a cache line."""
    array = engine.empty(shape, np.dtype(np.float32))
    array[:] = 1
    return array


def there(y: da.Array) -> da.Array:
    """An array in the chunks of y whose blocks are there: those of a shape are one in memory."""
    blocks = {shape: aligned(shape) for shape in product(*y.chunks)}
    keys = product([f"there-{y.name}"], *(range(n) for n in y.numblocks))
    tasks = {key: DataNode(key, blocks[shape]) for key, shape in zip(keys, product(*y.chunks), strict=True)}
    return da.Array(tasks, f"there-{y.name}", y.chunks, meta=y._meta)


def peers(rounds: int) -> list[Row]:
    """Blocks against functions under map_overlap."""
    rows = []
    for name, layer in PEERS.items():
        x, w = layer.arrays()
        chunks = cut(x, layer.chunk)
        y = tconv.conv_transpose(chunks, w, **layer.keywords)
        results = {"tconv": y, "torch, map_overlap": _overlapped(chunks, y.chunks, _torch(w))}
        if layer.channels == (1, 1):
            results["scipy, map_overlap"] = _overlapped(chunks, y.chunks, _scipy(w))
        outs = {name: np.ones(y.shape, np.float32) for name in results}
        ms = best({name: stored(result, outs[name]) for name, result in results.items()}, rounds)
        for other, out in outs.items():
            np.testing.assert_allclose(out, outs["tconv"], atol=1e-4 * np.abs(out).max(), err_msg=other)
        print(f"{name:30}{_shown(ms)}", flush=True)
        rows.append({"part": "peers", "layer": name, "ms": ms})
    return rows


def _overlapped(x: da.Array, chunks: Any, function: Callable[[np.ndarray], np.ndarray]) -> da.Array:
    """As one writes it without tconv: a cell more on each side, zeros beyond the ends, what is too much cropped."""
    depth = dict.fromkeys(range(2, x.ndim), 1)
    around = da.overlap.overlap(x, depth=depth, boundary=dict.fromkeys(depth, 0))
    return around.map_blocks(function, chunks=chunks, dtype=x.dtype, meta=np.empty((0,) * x.ndim, x.dtype))


def _torch(w: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    torch.set_num_threads(1)
    weight, function = torch.from_numpy(w), (torch.conv_transpose2d, torch.conv_transpose3d)[w.ndim - 4]
    return lambda block: function(torch.from_numpy(np.ascontiguousarray(block)), weight, stride=2, padding=3).numpy()


def _scipy(w: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    from scipy import signal

    def function(block: np.ndarray) -> np.ndarray:
        stuffed = np.zeros([2 * n - 1 for n in block.shape[2:]], block.dtype)
        stuffed[::2, ::2, ::2] = block[0, 0]
        return signal.oaconvolve(stuffed, w[0, 0])[None, None, *[slice(3, -3)] * 3]

    return function


def graph(rounds: int) -> list[Row]:
    """What a block costs beside its work: blocks of a few cells."""
    rows = []
    for ndim, side in ((2, 32), (2, 55), (2, 100), (3, 10), (3, 15), (3, 22)):
        x = da.zeros((1, 1, *[8 * side] * ndim), chunks=(1, 1, *[8] * ndim), dtype=np.float32)
        w = np.ones((1, 1, *[4] * ndim), np.float32)
        found: dict[str, float] = {}
        for _ in range(rounds):
            y = tconv.conv_transpose(x, w, stride=2, padding=1)
            ours = [layer for name, layer in y.dask.layers.items() if name not in x.dask.layers]
            for name, step in {
                "make": lambda ours=ours: list(map(dict, ours)),
                "optimize": lambda y=y: dask.optimize(y),
                "run": lambda y=y: y.store(_Nowhere(), lock=False, scheduler="threads", num_workers=WORKERS),
            }.items():
                start = perf_counter()
                step()
                found[name] = min(found.get(name, float("inf")), (perf_counter() - start) / side**ndim * 1e6)
        us = {name: digits(value) for name, value in found.items()}
        print(f"{side**ndim:6} blocks, {ndim}-D: " + ", ".join(f"{n} {v:.0f} us" for n, v in us.items()), flush=True)
        rows.append({"part": "graph", "axes": ndim, "blocks": side**ndim, "us": us})
    return rows


class _Nowhere:
    """Takes what is stored, and forgets it."""

    def __setitem__(self, index: Any, value: Any) -> None:
        pass


def zarrs(gigabytes: float) -> list[Row]:
    """A volume doubled from Zarr to Zarr, in a process of its own; everything is new to it."""
    folder = Path(tempfile.mkdtemp(prefix="blocks-", dir="."))
    try:
        if shutil.disk_usage(folder).free < 1.5e9 * gigabytes:
            raise SystemExit(f"zarr needs {1.5 * gigabytes:.1f} GB of disk in {folder.resolve().parent}")
        command = [sys.executable, "-m", "benchmarks.blocks", "--child", str(folder), "--gigabytes", str(gigabytes)]
        subprocess.run([*command, "--child-makes"], check=True)
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    finally:
        shutil.rmtree(folder)
    print(f"zarr, {row['gigabytes']} GB: {row['seconds']} s, {row['peak_mb']} MB at most", flush=True)
    return [{"part": "zarr", **row}]


def child_makes(folder: Path, gigabytes: float) -> None:
    """The volume: noise that is smooth enough to be stored in less."""
    import zarr

    chunk = 96
    side = max(1, round((gigabytes * 1e9 / 4 / 8) ** (1 / 3) / chunk)) * chunk
    x = zarr.create_array(folder / "x.zarr", shape=(1, 1, *[side] * 3), chunks=(1, 1, *[chunk] * 3), dtype="float32")
    rng = np.random.default_rng(0)
    for start in range(0, side, chunk):
        x[:, :, start : start + chunk] = rng.normal(size=(1, 1, chunk, side, side)).round(1)


def child(folder: Path) -> None:
    """Double it, and print what it took."""
    x = da.from_zarr(folder / "x.zarr")
    start = perf_counter()
    y = tconv.conv_transpose(x, np.ones((1, 1, 4, 4, 4), np.float32) / 8, stride=2, padding=1)
    with dask.config.set(scheduler="threads", num_workers=WORKERS):
        y.to_zarr(str(folder / "y.zarr"))
    seconds = digits(perf_counter() - start)
    at_most = peak() / 1e6
    print(json.dumps({"gigabytes": digits(y.nbytes / 1e9), "seconds": seconds, "peak_mb": round(at_most)}))


def _shown(ms: dict[str, float]) -> str:
    return "   ".join(f"{name} {value:8.1f} ms" for name, value in ms.items())


PARTS = ("pieces", "peers", "graph", "zarr")


def main() -> None:
    """Print a line a case, and keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blocks", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gigabytes", type=float, default=8.6)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child-makes", action="store_true", help=argparse.SUPPRESS)
    record_option(parser)
    options = parser.parse_args()
    if options.child:
        child_makes(options.child, options.gigabytes) if options.child_makes else child(options.child)
        return
    tconv.set_num_threads(WORKERS)
    rows = []
    for part in options.parts:
        if part == "zarr":
            rows += zarrs(options.gigabytes)
        else:
            rows += {"pieces": pieces, "peers": peers, "graph": graph}[part](options.rounds)
    keep(options.record, rows, ("dask", "zarr", "torch", "scipy"))


if __name__ == "__main__":
    main()
