"""From the results of the convolutions to that of the layer: put together, interleaved, cropped.

Each convolution gives (N, Cout * residues, *cells). Put together they are (N, Cout, *residues, *cells), and the result
has the residues of an axis beside its cells. Moving one axis at a time is what runtimes do fastest, so that the last
axis is interleaved first, and after that the others move whole rows.

Sizes that are known only when the model runs are taken from the results: a Reshape can leave out one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tconv.onnx.alignment import Alignment
from tconv.onnx.convolutions import Array, Convolutions
from tconv.onnx.nodes import CHANNEL_AXES
from tconv.onnx.writing import Writer

#: A slice to the end of an axis.
TO_THE_END = 2**63 - 1

Size: TypeAlias = "int | Cells"


@dataclass(frozen=True, slots=True)
class Cells:
    """A size that is known when the model runs: so many times the cells of an axis."""

    axis: int
    times: int = 1


@dataclass
class KnownSizes:
    """The cells of each axis in the results of the convolutions, and Reshape nodes that use them."""

    writer: Writer
    result: str  #: of one convolution, any of them: its shape says what is not known
    cells: tuple[int | None, ...]
    _vectors: dict[Cells | None, str] = field(default_factory=dict)

    def of(self, axis: int, times: int = 1) -> Size:
        """So many times the cells of an axis."""
        known = self.cells[axis]
        return Cells(axis, times) if known is None else known * times

    def reshape(self, value: str, sizes: Sequence[Size]) -> str:
        """A value as (N, *sizes)."""
        return self.writer.node("Reshape", [value, self.shape(sizes)])

    def shape(self, sizes: Sequence[Size]) -> str:
        """The name of the shape (N, *sizes) as Reshape takes it: 0 keeps N, and -1 is the one size left open."""
        if sum(isinstance(size, Cells) for size in sizes) <= 1:
            entries = [0, *(-1 if isinstance(size, Cells) else size for size in sizes)]
            return self.writer.integers(entries, "shape")
        return self._joined([0, *sizes])

    def broadcast(self, value: str, sizes: Sequence[Size]) -> str:
        """A value repeated along N and wherever else it has one entry, to (N, *sizes)."""
        batch = self._slice(0)
        return self.writer.node("Expand", [value, self._joined([batch, *sizes])])

    def _joined(self, sizes: Sequence[Size | str]) -> str:
        """One vector from integers, sizes that are known later, and vectors."""
        parts: list[str] = []
        numbers: list[int] = []
        for size in (*sizes, None):
            if isinstance(size, int):
                numbers.append(size)
                continue
            if numbers:
                parts.append(self.writer.integers(numbers, "sizes"))
                numbers = []
            if size is not None:
                parts.append(size if isinstance(size, str) else self._vector(size))
        return self.writer.node("Concat", parts, axis=0) if len(parts) > 1 else parts[0]

    def _vector(self, size: Cells) -> str:
        if size not in self._vectors:
            if size.times == 1:
                self._vectors[size] = self._slice(CHANNEL_AXES + size.axis)
            else:
                times = self.writer.integers([size.times], "times")
                self._vectors[size] = self.writer.node("Mul", [self._vector(Cells(size.axis)), times])
        return self._vectors[size]

    def _slice(self, position: int) -> str:
        if None not in self._vectors:
            self._vectors[None] = self.writer.node("Shape", [self.result])
        return self.writer.slice(self._vectors[None], [position], [position + 1], [0], "size")


def put_together(made: Convolutions, results: Sequence[str | None], sizes: KnownSizes, nothing: Array) -> str:
    """The results of all pieces as (N, Cout, *residues, *cells); None stands for a piece that no tap reaches.

    `nothing` is what positions hold that no tap reaches: (Cout,) the bias, or zeros.
    """
    cells = [sizes.of(i) for i in range(len(made.axes))]
    parts = []
    for pieces, result in zip(made.pieces, results, strict=True):
        shape = [len(nothing), *(len(pieces[i].residues) for i in made.split), *cells]
        parts.append(_filled(nothing, shape, sizes) if result is None else sizes.reshape(result, shape))
    for number, i in reversed(list(enumerate(made.split))):
        run = len(made.axes[i].pieces)
        rows = [parts[start : start + run] for start in range(0, len(parts), run)]
        if run > 1:
            parts = [sizes.writer.node("Concat", row, axis=CHANNEL_AXES + number) for row in rows]
    return parts[0]


def side_by_side(made: Convolutions, results: Sequence[str | None], sizes: KnownSizes, nothing: Array) -> str:
    """Results as (N, *residues, Cout, *cells), by one Concat, where every piece is one phase."""
    cells = [sizes.of(i) for i in range(len(made.axes))]
    shape = [len(nothing), *cells]
    parts = [_filled(nothing, shape, sizes) if result is None else result for result in results]
    together = sizes.writer.node("Concat", parts, axis=1)
    return sizes.reshape(together, [*(made.axes[i].stride for i in made.split), *shape])


def interleaved(value: str, made: Convolutions, channels: int, sizes: KnownSizes, *, phases_first: bool) -> str:
    """(N, Cout, *residues, *cells), or with residues before Cout, as (N, Cout, *fine), the last axis first."""
    ndim, split = len(made.axes), made.split
    for number, i in reversed(list(enumerate(split))):
        place = number + (1 if phases_first else CHANNEL_AXES)
        cells_at = CHANNEL_AXES + number + 1 + i
        rest = [axis for axis in range(CHANNEL_AXES + number + 1 + ndim) if axis != place]
        at = rest.index(cells_at) + 1
        moved = sizes.writer.node("Transpose", [value], perm=[*rest[:at], place, *rest[at:]])
        residues = [made.axes[j].stride for j in split[:number]]
        cells = [sizes.of(j, made.axes[j].stride if j in split[number:] else 1) for j in range(ndim)]
        head = [*residues, channels] if phases_first else [channels, *residues]
        value = sizes.reshape(moved, [*head, *cells])
    return value


def _filled(nothing: Array, shape: Sequence[Size], sizes: KnownSizes) -> str:
    """What positions hold that no tap reaches, as (N, *shape)."""
    fill = nothing.reshape(1, -1, *[1] * (len(shape) - 1))
    return sizes.broadcast(sizes.writer.constant(fill, "unreached"), shape)


def depth_to_space(value: str, axes: Sequence[Alignment], writer: Writer) -> str:
    """The result of one convolution, (N, Cout * residues, *cells), interleaved by the operator made for it."""
    return writer.node("DepthToSpace", [value], blocksize=axes[0].stride, mode="CRD")


def cropped(value: str, axes: Sequence[Alignment], writer: Writer) -> str:
    """The value without lead and tail."""
    where = [i for i, axis in enumerate(axes) if axis.lead or axis.tail]
    if not where:
        return value
    starts, ends = [axes[i].lead for i in where], [-axes[i].tail or TO_THE_END for i in where]
    return writer.slice(value, starts, ends, [CHANNEL_AXES + i for i in where], "crop")
