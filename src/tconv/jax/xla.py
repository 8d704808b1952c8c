"""What XLA's CPU backend makes of a convolution: which of its four ways it takes, and what that multiplies and moves.

The ways are those of XLA as JAX 0.10 has it (AlgebraicSimplifier::SwapConvOperands, EigenTransposedConv2D,
EigenGenericConv2D), and of its plain loops, which it takes where Eigen has nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What one multiplies or moves: numbers by the names that `tconv.jax.cost.SECONDS` has.
Parts = dict[str, float]

#: Eigen multiplies so many output channels at once, or as if there were so many.
LANES = 16
#: More elements than the caches hold.
NEAR = 2**20
#: From so many elements on a buffer of float32 is new memory at every call, whose pages the system has to find.
KEPT = 2**23


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution at stride 1. `cells`, `taps` and `positions` are of all axes together, channels of one group."""

    ndim: int
    batch: int
    cells: int  #: of the input, without zeros between
    taps: int
    positions: int  #: of the result
    cin: int
    cout: int
    groups: int = 1
    stretched: bool = False  #: whether there are zeros between the cells
    dilated: bool = False


def convolved(c: Convolution) -> Parts:
    """What a convolution of XLA takes, in the parts that are measured."""
    if c.groups > 1 and (c.cin == 1 or c.ndim > 2):
        return _in_loops(c)
    if c.groups == 1 and c.taps > c.cells:
        return _swapped(c)
    if c.ndim > 2 and c.stretched:
        return _in_loops(c)
    if c.stretched and not c.dilated and c.groups == 1:
        return _by_columns(c)
    return _by_patches(c)


def product(rows: int, inner: int, columns: int, times: int = 1) -> Parts:
    """Matrix products whose right-hand side has so many columns; a few beyond whole vectors are done one by one."""
    whole, rest = divmod(columns, LANES)
    lanes = whole * LANES + min(4 * rest, LANES)
    return {
        "multiplied": rows * inner * lanes * times,
        placed("summed", rows * lanes * times): rows * lanes * times,
        placed("packed", inner * columns * times): inner * columns * times,
    }


def faulted(elements: int) -> Parts:
    """What a new buffer of so many elements takes in page faults."""
    return {"faulted": elements} if elements >= KEPT else {}


def placed(name: str, elements: int) -> str:
    """The name of a part, another one where the caches do not hold so many elements."""
    return f"{name} far" if elements > NEAR else name


def _in_loops(c: Convolution) -> Parts:
    products = c.batch * c.positions * c.taps * c.cin * c.cout * c.groups
    return {"plain" if c.cin == c.cout == c.taps == 1 and not c.stretched else "looped": products}


def _swapped(c: Convolution) -> Parts:
    """More taps than cells: the kernel is convolved with the input, whose images take the place of output channels."""
    weights = c.taps * c.cin * c.cout
    return {
        **product(c.cout * c.positions, c.cells * c.cin, c.batch),
        "swapped patch": c.cout * c.positions * c.cells * c.cin,
        "turned": weights + c.batch * (c.cells * c.cin + c.positions * c.cout),
        **faulted(weights),
    }


def _by_columns(c: Convolution) -> Parts:
    """One product of all cells and all taps, then each tap added to where it lands, run of channels by run."""
    landed = c.batch * c.cells * c.taps
    found = product(c.batch * c.cells, c.cin, c.taps * c.cout)
    if "packed far" in found:
        found["packed across"] = found.pop("packed far")
    columns = landed * c.cout
    return {**found, placed("landed", columns): landed, placed("column", columns): columns, **faulted(columns)}


def _by_patches(c: Convolution) -> Parts:
    """One product of the patches and the kernel, for each group."""
    rows, inner = c.batch * c.positions, c.taps * c.cin
    found = product(rows, inner, c.cout, c.groups)
    if c.taps > 1 or c.groups > 1:
        found[_kind_of_patch(c)] = rows * inner * c.groups
        found["patch run"] = rows * c.taps * c.groups
    return found


def _kind_of_patch(c: Convolution) -> str:
    """Eigen copies runs of channels where it can, and single elements elsewhere."""
    if c.ndim > 2:
        return "volume patch"
    if c.groups > 1 and not c.stretched:
        return "grouped patch"
    return "stretched patch" if c.stretched else "patch"
