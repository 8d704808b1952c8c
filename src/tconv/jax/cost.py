"""The expected time of each variant: what it multiplies and moves, in seconds each as measured on a CPU.

The seconds are those of one thread of one machine, fitted by `python -m benchmarks.jax_fit` to the public layers of
`tconv bench` and 175 random ones, so that the variants come out in the right order; a sum is no promise of a time.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod

from tconv.checks import length
from tconv.geometry import Geometry
from tconv.jax.grids import most_shifts
from tconv.jax.task import Task
from tconv.jax.variants import VARIANTS
from tconv.jax.variants.dense import Split, split_blocks, split_phases, split_stacked
from tconv.jax.xla import KEPT, Convolution, Parts, convolved, faulted, placed
from tconv.jax.xla import product as matrix_product
from tconv.phases import AxisBlock
from tconv.problem import Problem

#: Of one of each part.
SECONDS: Parts = {
    "multiplied": 1.2e-11,  # in a matrix product
    "summed": 4.5e-10,  # an element of its result; "far" in all of these: of more than the caches hold
    "summed far": 4.3e-10,
    "packed": 7.3e-11,  # a weight, copied for it
    "packed far": 1.3e-10,
    "packed across": 7.5e-10,  # the same where they lie across, and the caches do not hold them
    "looped": 5.4e-09,  # a multiplication where XLA has plain loops
    "patch": 7.8e-11,  # an element of the patches that Eigen multiplies
    "patch run": 1.1e-08,  # a run of them: the channels of a cell
    "grouped patch": 1.5e-09,  # an element of those of a group
    "volume patch": 6.2e-09,  # of three axes
    "stretched patch": 2.2e-10,  # of an input with zeros between its cells
    "swapped patch": 8.5e-11,  # where the kernel is convolved with the input
    "landed": 1.2e-09,  # a run of lax's own columns, added to where it lands
    "landed far": 7.4e-09,
    "column": 4.8e-12,  # an element of them
    "column far": 9e-11,
    "own column": 1.7e-11,  # an element of the columns of `columns`
    "own run": 1.1e-09,  # a run of them, where interleaved in more than one axis
    "ragged row": 4e-10,  # an element where zeros are put in because the stride does not divide the kernel
    "ragged column": 4e-10,  # the same in more than one axis
    "grouped column": 2.7e-10,  # an element of columns of groups, which come apart from each other
    "grouped column far": 7.6e-10,
    "tap run": 1.8e-09,  # a run of what a tap of `taps` adds
    "grouped tap": 9.4e-10,  # an element of it, of groups
    "plain": 2.7e-10,  # a multiplication of one input channel by one output channel
    "moved": 1.6e-11,  # an element of the result, copied
    "moved far": 2.5e-11,
    "joined": 3.4e-11,  # the same, for each part of it that is joined to others
    "stacked": 9.4e-12,  # the same in `taps`
    "faulted": 2.5e-09,  # an element of a large buffer, which the system has to find pages for
    "turned": 1.9e-09,  # an element, mostly of weights, brought into another order
    "in pieces": 9.3e-10,  # a weight of a dense convolution, cut out and put together
    "sliced": 1.1e-10,  # a weight of a tap
    "operation": 4.7e-06,  # a convolution, product or shifted sum
}

_SPLITS: dict[str, Split] = {"stacked": split_stacked, "blocks": split_blocks, "phases": split_phases}


def seconds(name: str, task: Task) -> float:
    """What a variant is expected to take for the result."""
    return sum(SECONDS[part] * number for part, number in parts(name, task).items())


def parts(name: str, task: Task) -> Parts:
    """How many of what `SECONDS` counts a variant takes for the result."""
    p = task.problem
    if name == "native":
        found = Counter(_native(p))
    elif name == "columns":
        found = _columns(p)
    elif name == "taps":
        found = _taps(p)
    else:
        found = _dense(p, _SPLITS[name])
    found.update(_weights(name, task))
    found.update(faulted(_result(p)))
    found["operation"] += operations(name, p.geometry)
    return dict(found)


def operations(name: str, geometry: Geometry) -> int:
    """How many convolutions, matrix products or shifted sums."""
    if name == "native":
        return 1
    if name == "columns":
        return prod(map(most_shifts, geometry.axes))
    if name == "taps":
        return prod(geometry.kernel)
    return prod(len(_SPLITS[name](axis)) for axis in geometry.axes)


def _weights(name: str, task: Task) -> Parts:
    """What it takes to bring the weights into the order that a variant works on."""
    p = task.problem
    number = p.in_channels * p.cout * p.taps
    return {"turned": number, **faulted(number)} if VARIANTS[name].order != task.order else {}


def _native(p: Problem) -> Parts:
    g = p.geometry
    return convolved(
        Convolution(
            ndim=g.ndim,
            batch=p.batch,
            cells=p.coarse_cells,
            taps=p.taps,
            positions=p.fine_cells,
            cin=p.cin,
            cout=p.cout,
            groups=p.groups,
            stretched=max(g.stride) > 1,
            dilated=max(g.dilation) > 1,
        )
    )


def _columns(p: Problem) -> Counter[str]:
    number = prod(map(most_shifts, p.geometry.axes))
    taps = number * prod(p.geometry.stride)  # with those that are zero
    columns = p.batch * p.coarse_cells * p.out_channels * taps
    found = _moved(p)
    if p.cin == 1:
        found["plain"] += columns
    else:
        found.update(_products(p, p.taps))
    if p.groups > 1 and p.cin > 1:
        found[placed("grouped column", columns)] += columns
    # Depthwise, XLA multiplies while it adds, unless zeros are put in. Where the kernel is the stride nothing is added.
    ragged = taps != p.taps and number > 1
    if ragged:
        found["ragged column" if p.geometry.ndim > 1 else "ragged row"] += columns if columns < KEPT else 0
    elif number > 1 and p.cin > 1:
        found["own column"] += columns if columns < KEPT else 0
        found["own run"] += columns // p.cout if p.geometry.ndim > 1 else 0
    if ragged or p.cin > 1:
        found.update(faulted(columns if number > 1 else columns // taps * p.taps))
    return found


def _taps(p: Problem) -> Counter[str]:
    found = _moved(p)
    if p.cin == 1:
        stride = prod(p.geometry.stride)
        found["plain"] += 2 * _result(p) * max(stride, p.taps) // stride
        return found
    landed = p.batch * p.coarse_cells * p.out_channels * p.taps
    weights = p.in_channels * p.cout * p.taps
    for _ in range(p.taps):
        found.update(_products(p, 1))
    found.update({"grouped tap": landed} if p.groups > 1 else {"tap run": landed // p.cout})
    found["sliced"] += weights
    found["stacked"] += _result(p) * (prod(p.geometry.stride) - 1)
    found.update(faulted(landed))
    found.update(faulted(weights))
    return found


def _dense(p: Problem, split: Split) -> Counter[str]:
    """A convolution for each combination of blocks, then everything joined, axis by axis, interleaved and cropped."""
    found: Counter[str] = Counter()
    splits = [split(axis) for axis in p.geometry.axes]
    results = weights = 0
    for block in product(*splits):
        c = _block(p, block)
        found.update(convolved(c))
        weights += c.taps * c.cin * c.cout * c.groups
        results += c.batch * c.positions * c.cout * c.groups
    found.update(_moved(p))
    found.update(_moved(p))
    if p.geometry.ndim > 1:  # along one axis what is joined is interleaved already
        found["joined"] += _result(p) * sum(len(blocks) - 1 for blocks in splits)
    found["in pieces"] += weights
    found.update(faulted(results))
    found.update(faulted(weights))
    return found


def _block(p: Problem, block: tuple[AxisBlock, ...]) -> Convolution:
    return Convolution(
        ndim=p.geometry.ndim,
        batch=p.batch,
        cells=p.coarse_cells,
        taps=prod(length(axis.shifts) for axis in block),
        positions=prod(axis.count for axis in block),
        cin=p.cin,
        cout=p.cout * prod(len(axis.residues) for axis in block),
        groups=p.groups,
        dilated=any(axis.shifts.step != -1 for axis in block),
    )


def _moved(p: Problem) -> Counter[str]:
    """The result copied once, from where it is to where it belongs."""
    result = _result(p)
    return Counter({placed("moved", result): result})


def _products(p: Problem, taps: int) -> Parts:
    """Every coarse value multiplied by so many taps at once."""
    return matrix_product(p.batch * p.coarse_cells, p.cin, p.cout * taps, p.groups)


def _result(p: Problem) -> int:
    return p.batch * p.fine_cells * p.out_channels
