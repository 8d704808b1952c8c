"""`tconv.Stream`: operators on cells that come one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise, takewhile
from typing import Any, TypeAlias

from tconv import arrays, checks
from tconv.methods import METHODS
from tconv.prepared import Conv, ConvTranspose
from tconv.problem import Array
from tconv.streaming.arrays import ArrayLayer
from tconv.streaming.pace import latency
from tconv.streaming.stage import Stage

Function: TypeAlias = Callable[[Any], Any]
#: What a stream is made of.
Step: TypeAlias = ConvTranspose | Conv | Callable[[Array], Array]


class Stages:
    """Stages and functions one after the other, on arrays of any library: what streams have in common."""

    def __init__(self, name: str, steps: Sequence[tuple[str, Stage | Function]]) -> None:
        self._name = name
        self._lead = [(said, step) for said, step in takewhile(_is_function, steps) if not isinstance(step, Stage)]
        self._steps = tuple(steps[len(self._lead) :])
        self._stages = [step for _, step in self._steps if isinstance(step, Stage)]
        self._first: Any = None  # no cells, in the shape and dtype of the first push

    def push(self, x: Any) -> Any:
        """The results that the next cells finish, maybe none.

        x has the shape that the first operator reads, with any number of cells along the axis, 0 among them; its other
        sizes are those of the first push. Returns a new array. ValueError or TypeError where x does not fit.
        """
        x = self._checked("push", x)
        result = self._through(x, last=False)
        if self._first is None:
            layer = self._stages[0].layer
            self._first = layer.kept(layer.cut(x, 0, 0))
        return result

    def flush(self, x: Any = None) -> Any:
        """The results that the last cells x, if given, finish, and all that are left; then `reset`.

        ValueError where there are no cells at all, and where the whole is too small for an operator, as in one piece.
        """
        x = self._first if x is None else self._checked("flush", x)
        with checks.explained(f"{self._name}.flush"):
            cells = self._stages[0].read + (0 if x is None else self._stages[0].layer.length(x))
            if cells == 0:
                checks.wrong("the stream must have at least 1 cell; got none")
            for stage in self._stages:
                cells = stage.layer.pace.total(cells)
        result = self._through(x, last=True)
        self.reset()
        return result

    def reset(self) -> None:
        """Forget all cells: the next one is the first of another stream, of any batch and other sizes."""
        for stage in self._stages:
            stage.reset()
        self._first = None

    @property
    def scale(self) -> Fraction:
        """Results for each cell, in the long run: every stride of conv_transpose over every stride of conv."""
        scale = Fraction(1)
        for stage in self._stages:
            pace = stage.layer.pace
            scale = scale * pace.stride if pace.is_up else scale / pace.stride
        return scale

    @property
    def latency(self) -> int:
        """Cells that a result waits for, at most, after the one at its own place; 0 where all is causal.

        The place of result r is cell floor(r / scale).
        """
        return latency([stage.layer.pace for stage in self._stages])

    @property
    def nbytes(self) -> int:
        """Bytes of the state: the cells that are held for later results."""
        return sum(0 if stage.held is None else stage.held.nbytes for stage in self._stages)

    def _checked(self, call: str, x: Any) -> Any:
        """What the first operator reads of x: cells of the shape that was pushed before."""
        layer = self._stages[0].layer
        with checks.explained(f"{self._name}.{call}", lambda: f"x={arrays.summary(x)}"):
            for name, function in self._lead:
                x = _applied(name, function, x)
            layer.check(x)
            if self._first is not None and layer.others(x) != layer.others(self._first):
                shown = [str(size) for size in self._first.shape]
                shown[layer.axis] = "any"
                must = f"x must have shape ({', '.join(shown)}), as the first push had"
                checks.wrong(f"{must}; got {tuple(x.shape)} (reset() begins another stream)")
        return x

    def _through(self, x: Any, *, last: bool) -> Any:
        for name, step in self._steps:
            with checks.explained(self._name, partial(_context, name, step, x)):
                if isinstance(step, Stage):
                    if step is not self._stages[0]:
                        step.layer.check(x)
                    x = step.push(x, last=last)
                else:
                    x = _applied(name, step, x)
        return x


def _is_function(step: tuple[str, Stage | Function]) -> bool:
    return not isinstance(step[1], Stage)


def _applied(name: str, function: Function, x: Any) -> Any:
    y = function(x)
    if getattr(y, "shape", None) != getattr(x, "shape", None):
        checks.wrong(
            f"{name} must change each value by itself, and keep the shape of {arrays.summary(x)}; "
            f"got {arrays.summary(y)}"
        )
    return y


def _context(name: str, step: Stage | Function, x: Any) -> str:
    said = str(step.layer) if isinstance(step, Stage) else checks.shorten(step)
    return f"{name}={said}, x={arrays.summary(x)}"


class Stream(Stages):
    """Operators on cells of one axis that come in pieces of any size: every result as soon as its last cell is there.

    `push` takes the next cells and returns the results that they finish, `flush` those that are left at the end. Joined
    along the axis they are what the operators give of all cells at once, however these were cut: bit for bit for
    integers, and within rounding for other numbers, whose sums are taken in an order that depends on sizes.

    Args:
        op: a `tconv.ConvTranspose` or a `tconv.Conv`, or a sequence of them and of functions of one array that change
            each value by itself, such as np.tanh. `output_size`, and "same" of a conv with a stride, mean the size of
            the whole, and are refused; so is `method="winograd"`, which does not serve pieces of few cells.
        axis: which axis of size the cells are of; the last if left out. Along the others a push is whole.

    The state is the last cells that were read, as many as a result reaches back: `nbytes`. Time and memory of a push do
    not depend on what came before. Of pushes of up to 2**k cells an operator computes at most 8 + 4 * k sizes: the
    first of them as they come, later ones rounded up, by less than a quarter, so that kernels are made for no more.
    One thread at a time may use a stream. After an error, in the middle of a sequence of operators, `reset` it.

    Raises ValueError or TypeError where an argument is wrong; the text names the operator.

    >>> import numpy as np, tconv
    >>> op = tconv.ConvTranspose(np.array([[[1.0, 1.0, 0.5]]]), stride=2)
    >>> stream = tconv.Stream(op)
    >>> stream.push(np.array([[1.0]])), stream.push(np.array([[2.0, 3.0]]))
    (array([[1., 1.]]), array([[2.5, 2. , 4. , 3. ]]))
    >>> stream.flush()
    array([[1.5]])
    """

    def __init__(self, op: Step | Sequence[Step], *, axis: int = -1) -> None:
        with checks.explained("Stream"):
            given = list(op) if checks.is_sequence(op) else [op]
            names = [f"op[{i}]" for i in range(len(given))] if checks.is_sequence(op) else ["op"]
            steps = [_step(name, step, axis) for name, step in zip(names, given, strict=True)]
            _check_order(
                [(name, step.layer) for name, step in zip(names, steps, strict=True) if isinstance(step, Stage)]
            )
        super().__init__("Stream", list(zip(names, steps, strict=True)))
        self._given = tuple(given)

    def __repr__(self) -> str:
        said = [getattr(step, "__name__", repr(step)) for step in self._given]
        return f"Stream({said[0] if len(said) == 1 else '[' + ', '.join(said) + ']'})"


def _step(name: str, value: Any, axis: Any) -> Stage | Function:
    """An operator as a stage; a function as it is."""
    if not isinstance(value, ConvTranspose | Conv):
        if not callable(value) or isinstance(value, type):
            must = "must be a tconv.ConvTranspose, a tconv.Conv, or a function of one array"
            checks.wrong_type(f"{name} {must}; got {checks.shorten(value)} of type {type(value).__name__}")
        return value  # type: ignore[no-any-return]
    ndim, number = value._w.ndim - 2, checks.integer("axis", axis)
    if not -ndim <= number < ndim:
        axes = checks.count(ndim, "axis", "axes")
        checks.wrong(f"axis must be from {-ndim} to {ndim - 1}, as {name} has {axes} of size; got {number}")
    if value.method != "auto" and not METHODS[value.method].exact:
        must = "must have a method that serves pieces of every size"
        checks.wrong(f'{name} {must}; got "{value.method}", which does not serve small ones')
    return Stage(ArrayLayer(name, value, number))


def _check_order(layers: Any) -> None:
    """Each operator reads what the one before gives."""
    if not layers:
        checks.wrong("op must hold at least one tconv.ConvTranspose or tconv.Conv; got none")
    for (before, first), (after, second) in pairwise(layers):
        if first.ndim != second.ndim or first.number != second.number:
            checks.wrong(
                f"{after} must have {checks.count(first.ndim, 'axis', 'axes')} of size, as {before} has; "
                f"got {second.ndim}"
            )
        if first.op.layout != second.op.layout:
            checks.wrong(f'{after} must have layout "{first.op.layout}", as {before} has; got "{second.op.layout}"')
        if first.channels[1] != second.channels[0]:
            channels = checks.count(first.channels[1], "channel")
            checks.wrong(f"{after} must read the {channels} that {before} gives; it reads {second.channels[0]}")
