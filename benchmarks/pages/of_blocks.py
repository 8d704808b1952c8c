"""Tables of what is larger than memory: blocks on Dask, and networks in tiles."""

from __future__ import annotations

from benchmarks.pages.figures import DASH, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record, Row


def pieces(record: Record) -> list[str]:
    """Blocks over one piece, in slabs and in cubes: by `tconv.dask.store`, by Dask, and its copy alone."""
    ways = ("slabs, there", "blocks, there", "slabs", "blocks", "storing slabs", "storing")
    rows = []
    for row in _part(record, "pieces"):
        ms = row["ms"]
        ratios = (two(ms[way] / ms["one piece"]) if way in ms else DASH for way in ways)
        rows.append([row["layer"], row["bound"], str(row["blocks"]), f"{ms['one piece']:.1f}", *ratios])
    kinds = [
        f"{kind}, {way}" for way in ("tconv.dask.store", "y.store", "storing alone") for kind in ("slabs", "cubes")
    ]
    columns = ["layer", "bound by", "blocks", "one piece, ms", *kinds]
    return table(columns, rows, words=["bound by"])


def peers(record: Record) -> list[str]:
    """Blocks of tconv, and functions under map_overlap."""
    others = ("torch, map_overlap", "scipy, map_overlap")
    rows = []
    for row in _part(record, "peers"):
        ms = row["ms"]
        rows.append([row["layer"], f"{ms['tconv']:.1f}", *(f"{ms[way]:.1f}" if way in ms else DASH for way in others)])
    return table(["layer", "tconv, ms", "PyTorch, ms", "SciPy, ms"], rows)


def graph(record: Record) -> list[str]:
    """What a block costs beside its work."""
    steps = ("make", "optimize", "run")
    rows = [
        [f"{row['axes']}-D", f"{row['blocks']:,}", *(f"{row['us'][step]:.0f}" for step in steps)]
        for row in _part(record, "graph")
    ]
    return table(["grid", "blocks", *(f"{step}, us" for step in steps)], rows)


def stores(record: Record) -> list[str]:
    """A volume from Zarr to Zarr."""
    rows = [
        [f"{row['gigabytes']:.1f}", f"{row['seconds']:.1f}", f"{row['peak_mb']:.0f}"] for row in _part(record, "zarr")
    ]
    return table(["result, GB", "seconds", "memory at most, MB"], rows)


def tiles(record: Record) -> list[str]:
    """Networks in tiles: time and memory."""
    rows = [
        [
            row["model"],
            _by(row["result"][2:]),
            _by(row["tile"]),
            two(row["work"]),
            f"{row['tiles']['seconds']:.1f}",
            f"{row['tiles']['gigabytes']:.2f}",
            f"{row['whole_gb']:.2f}",
        ]
        for row in record.rows
    ]
    columns = ["network", "result", "tile", "work, times the whole", "seconds", "memory, GB", "of the whole, GB"]
    return table(columns, rows, words=["result", "tile"])


def _part(record: Record, name: str) -> list[Row]:
    return [row for row in record.rows if row["part"] == name]


def _by(values: list[int]) -> str:
    return "x".join(map(str, values))
