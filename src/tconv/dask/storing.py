"""Blocks that are computed right where they belong, in an array that is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask._task_spec import DataNode
from dask.base import compute_as_if_collection, get_scheduler
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from tconv import arrays, checks
from tconv.dask.layers import Blocks
from tconv.dask.target import Target

#: Keywords of `dask.compute`, and of Dask's schedulers in one process.
KEYWORDS = (
    "scheduler", "num_workers", "pool", "chunksize", "callbacks", "cache", "rerun_exceptions_locally",
    "optimize_graph", "traverse",
)  # fmt: skip
#: Keywords of `y.store` that are none of them: when or where blocks are stored, and what is given back.
OF_METHOD = ("lock", "regions", "compute", "return_stored", "load_stored")


def store(y: Any, out: Any, **keywords: Any) -> None:
    """Compute a Dask array into an array of NumPy that is there, as `y.store(out)` does, with fewer copies.

    Blocks of `conv_transpose` and `conv` are computed where they belong, and read x where it lies if x is an array of
    NumPy in chunks; Dask would copy each block once it is computed, row by row. What layers bound by memory take is
    then little more than in one piece. Other arrays are stored as Dask does, each block without a lock.

    Args:
        y: a Dask array, of any kind.
        out: an array of NumPy, a memory map too, of the shape and dtype of y, with any strides. No block may read it.
        keywords: of `dask.compute` and its schedulers, such as `scheduler="threads"`, which a `distributed.Client`
            makes necessary, and `num_workers`; of a scheduler of your own, a function, any that it takes. Those of
            `y.store`, such as `compute`, are none of them.

    Raises:
        ValueError, TypeError: y or out is something else, out cannot be written or is read, a keyword is unknown, or
            the scheduler would compute in other processes.

    >>> import dask.array as da, numpy as np, tconv.dask
    >>> x = da.from_array(np.ones((1, 2, 100, 100), "float32"), chunks=(1, 2, 50, 50))
    >>> y = tconv.dask.conv_transpose(x, np.ones((2, 1, 4, 4), "float32"), stride=2, padding=1)
    >>> out = np.empty(y.shape, "float32")
    >>> tconv.dask.store(y, out, scheduler="threads")
    >>> out[0, 0, 98:102, 7]
    array([8., 8., 8., 8.], dtype=float32)
    """
    with checks.explained("store"):
        if not isinstance(y, da.Array):
            checks.wrong_type(f"y must be a Dask array; got {checks.shorten(y)} of type {type(y).__name__}")
        arrays.output(out, y.shape, y.dtype, {})
        for key, held in _arrays(y):
            if arrays.share_memory(out, held):
                must = "out must share no memory with what y is computed from"
                checks.wrong(f"{must}; got an array that overlaps {key!r} of its graph")
        _check_keywords(keywords)
        if _elsewhere(y, keywords.get("scheduler")):
            allowed = '"threads" or "sync", in this process, where out is'
            checks.wrong(f"scheduler must be {allowed}; got one of other processes, or of a cluster")
    layer = y.dask.layers.get(y.name) if isinstance(y.dask, HighLevelGraph) else None
    if isinstance(layer, Blocks):
        graph, keys = _graph(y, layer, out)
        compute_as_if_collection(da.Array, graph, keys, **keywords)
    else:
        target: Any = Target(out)
        y.store(target, lock=False, **keywords)


def _check_keywords(keywords: dict[str, Any]) -> None:
    """Dask would pass over what is misspelt."""
    own = callable(keywords.get("scheduler") or dask.config.get("scheduler", None))
    for name in keywords:
        if name in OF_METHOD or not (own or name in KEYWORDS):
            of = ", which is of the method y.store" if name in OF_METHOD else ""
            checks.wrong_type(f"keywords must be among {', '.join(KEYWORDS)}; got {name}{of}")


def _elsewhere(y: da.Array, scheduler: Any) -> bool:
    """Whether tasks would write into copies of what is in this process."""
    get = get_scheduler(scheduler=scheduler, collections=[y])
    of = type(getattr(get, "__self__", None)).__module__
    return of.startswith("distributed.") or getattr(get, "__module__", "") == "dask.multiprocessing"


def _graph(y: da.Array, layer: Blocks, out: Any) -> tuple[HighLevelGraph, list[Any]]:
    """The graph of y with a layer of tasks that store its blocks, and their keys."""
    name, target = (f"{kind}-{uuid4().hex}" for kind in ("tconv-store", "tconv-target"))
    stored = layer.stored(name, target, rims=not _stays(y.dask.layers.get(layer.reading.grid.name)))
    layers = {**y.dask.layers, target: MaterializedLayer({target: DataNode(target, Target(out))}), name: stored}
    needed = {**y.dask.dependencies, target: set(), name: {*y.dask.dependencies[y.name], target}}
    return HighLevelGraph(layers, needed), list(stored.get_output_keys())


def _arrays(y: da.Array) -> Iterator[tuple[Any, Any]]:
    """The arrays of NumPy in a graph: a block that is computed in one would change what others read."""
    for layer in y.dask.layers.values() if isinstance(y.dask, HighLevelGraph) else ():
        yield from ((key, value) for key, value in _held(layer) if isinstance(value, np.ndarray))


def _held(layer: Any) -> Iterator[tuple[Any, Any]]:
    """What a layer has, by its keys: tasks, and chunks that are there."""
    nodes = layer.mapping.items() if isinstance(layer, MaterializedLayer) else ()
    yield from ((key, node.value if isinstance(node, DataNode) else node) for key, node in nodes)


def _stays(layer: Any) -> bool:
    """Whether the chunks of an array are in memory as long as the graph is: then nothing is won by forgetting them."""
    values = [value for _, value in _held(layer)]
    return bool(values) and all(type(value) is np.ndarray for value in values)
