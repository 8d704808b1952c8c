"""Remembers the schedules that `tconv.tune` found best: in this process, and from one process to the next.

On disk each is an entry of the cache of compiled kernels (`machine/cache.py`), with its checks of who may have written
it. The content is JSON: the kind of schedule, and the values of its free fields (`Kind.free`). Whatever else is found
there is not used.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from tconv._version import __version__
from tconv.jit.choice.model import offered
from tconv.jit.choice.search import allowed
from tconv.jit.machine import cache as disk
from tconv.jit.machine.isa import Isa
from tconv.jit.machine.sources import HERE, digest
from tconv.jit.schedules.base import Schedule
from tconv.jit.schedules.layouts import innermost
from tconv.jit.schedules.registry import free
from tconv.problem import Problem

#: What was measured in this process.
_here: dict[tuple[Problem, bool, Isa], Schedule] = {}


def remembered(problem: Problem, channels_last: bool, isa: Isa) -> Schedule | None:
    """The schedule that was found best, in this process or an earlier one; None where nothing was measured."""
    channels_last = innermost(problem, channels_last)
    found = _here.get((problem, channels_last, isa))
    if found is None and _anything(disk.place()):
        content = disk.read(_key(problem, channels_last, isa), _sources())
        found = None if content is None else from_json(content, problem, channels_last, isa)
    return found


def remember(problem: Problem, channels_last: bool, isa: Isa, schedule: Schedule) -> bool:
    """Keep a schedule for this process, and on disk where that can be done; whether it could."""
    channels_last = innermost(problem, channels_last)
    _here[problem, channels_last, isa] = schedule
    key, content = _key(problem, channels_last, isa), to_json(schedule)
    _keep(key, content)
    return disk.read(key, _sources()) == content


def _keep(key: str, content: bytes) -> None:
    disk.write(key, _sources(), content)
    disk.write(_ANYTHING, _BY_ANY, b"")
    _anything.cache_clear()


#: The entry that says that there are others, whatever they come from: so nobody else has to read all sources.
_ANYTHING, _BY_ANY = hashlib.sha256(b"something was measured").hexdigest(), "0" * 16


@lru_cache(maxsize=8)
def _anything(folder: Path | None) -> bool:
    """Whether anything was measured on this machine. A process asks once: to look on disk for each new size of a layer
    takes as long as half of what else is to be chosen. What another process finds meanwhile is for those after it.
    """
    return disk.read(_ANYTHING, _BY_ANY) is not None


def to_json(schedule: Schedule) -> bytes:
    """A schedule as what is free in it: the rest follows from the problem."""
    return json.dumps({"kind": schedule.kind, **free(schedule)}).encode()


def from_json(content: bytes, problem: Problem, channels_last: bool, isa: Isa) -> Schedule | None:
    """The schedule back; None where the content does not describe one of this problem."""
    try:
        said = json.loads(content)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    for offer in offered(problem, channels_last, isa):
        schedule = offer.make()
        if schedule.kind == said.get("kind"):
            return _changed(schedule, {name: value for name, value in said.items() if name != "kind"}, isa)
    return None


def _changed(schedule: Schedule, values: dict[str, Any], isa: Isa) -> Schedule | None:
    """The schedule with these values in its free fields, if they are of their types and within their limits."""
    if set(values) != set(free(schedule)) or not isinstance(values["cache_block"], list):
        return None
    values = {**values, "cache_block": tuple(values["cache_block"])}
    expected = [type(value) for value in free(schedule).values()]
    if [type(values[name]) for name in free(schedule)] != expected or {*map(type, values["cache_block"])} != {int}:
        return None
    changed = schedule.with_(**values)
    return changed if allowed(changed, isa) else None


def _key(problem: Problem, channels_last: bool, isa: Isa) -> str:
    p, g = problem, problem.geometry
    posed = (p.operation, p.batch, p.in_channels, p.out_channels, p.groups, p.dtype)
    # Numbers, not the text of a geometry: each new size of a layer looks for its choice.
    grids = (g.coarse, g.kernel, g.stride, g.padding, g.output_padding, g.dilation)
    return hashlib.sha256(repr(("a measured choice", posed, grids, channels_last, isa)).encode()).hexdigest()


@lru_cache(maxsize=1)
def _sources() -> str:
    """A digest of all of the engine: what was best before it changed is not used after."""
    return digest(__version__, sorted(HERE.rglob("*.py")))[:16]
