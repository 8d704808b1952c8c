"""What this machine was measured to do, kept beside the compiled kernels: for what is expected, never for results.

The constants of the cost models describe one processor. Of another one, what differs first of all are its peak and its
bandwidth. `measured` takes them with `roofline.py`, and only when it is asked: `tconv machine` does. From then on every
process finds them on disk, once; without them the models keep their constants.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from functools import lru_cache
from typing import NamedTuple

from tconv.jit.machine import cache as disk
from tconv.jit.machine import isa as isas
from tconv.jit.machine.isa import Isa

#: Measurements of which the best counts: other work makes a machine slower, never quicker.
ROUNDS = 20
#: Who keeps them, in the place of a compiler; another number for another way to measure.
_BY = hashlib.sha256(b"rates 1").hexdigest()[:16]


class Rates(NamedTuple):
    """Of one core, in float32."""

    peak: float  #: floating-point operations a second, by multiply-adds of whole vectors
    bandwidth: float  #: bytes a second, read and written, by a copy of 64 MB


#: The machine that the constants of the cost models describe: one core of an AMD Zen 5 with AVX-512.
ASSUMED = Rates(236e9, 15.6e9)


def measured(isa: Isa) -> tuple[Rates, bool]:
    """Measure one core with a set of instructions, and keep that; also whether it could be kept."""
    from tconv.jit.machine import roofline  # it compiles: only who measures has to load that

    peak = max(roofline.peak(isa) for _ in range(ROUNDS))
    found = Rates(peak, max(roofline.bandwidth(isa) for _ in range(ROUNDS)))
    content = json.dumps(found._asdict()).encode()
    disk.write(_key(isa), _BY, content)
    known.cache_clear()
    compared.cache_clear()
    return found, disk.read(_key(isa), _BY) == content


@lru_cache(maxsize=8)
def known(isa: Isa) -> Rates | None:
    """What was measured of this machine with a set of instructions; None where nothing was. A process looks once."""
    content = disk.read(_key(isa), _BY)
    return None if content is None else from_json(content)


@lru_cache(maxsize=1)
def compared() -> Rates:
    """How many times as much this machine does as the assumed one, with the best instructions it has; 1 if unknown."""
    names = isas.available()
    found = known(isas.ISAS[names[0]]) if names else None
    if found is None:
        return Rates(1.0, 1.0)
    return Rates(found.peak / ASSUMED.peak, found.bandwidth / ASSUMED.bandwidth)


def from_json(content: bytes) -> Rates | None:
    """Rates back; None where the content is something else, or no machine's."""
    try:
        said = json.loads(content)
        found = Rates(float(said["peak"]), float(said["bandwidth"]))
    except (ValueError, TypeError, KeyError):
        return None
    return found if all(math.isfinite(rate) and rate > 0 for rate in found) else None


def _key(isa: Isa) -> str:
    """A folder may be shared by machines."""
    said = "what a machine does", isa, platform.node(), platform.machine()
    return hashlib.sha256(repr(said).encode()).hexdigest()
