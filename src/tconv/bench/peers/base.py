"""What a peer is: a way to run a layer that gets ready once and is then called again and again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple

from tconv import ops
from tconv.arguments import Layout
from tconv.bench.layers import BenchLayer
from tconv.cached import cached_property
from tconv.problem import Array, Operation


@dataclass(frozen=True)
class Case:
    """An operation of a layer with its arrays, channels first; `layout` is that of the arrays that tconv is given."""

    layer: BenchLayer
    x: Array
    w: Array
    threads: int
    layout: Layout = "channels_first"
    operation: Operation = "conv_transpose"

    @classmethod
    def of(
        cls,
        layer: BenchLayer,
        threads: int,
        layout: Layout = "channels_first",
        operation: Operation = "conv_transpose",
    ) -> Case:
        """A case of a layer, with the layer's own arrays."""
        return cls(layer, *layer.arrays(), threads, layout, operation)

    @cached_property
    def y(self) -> Array:
        """What the two other operations read on the fine grid: a gradient by the result of the layer."""
        return self.layer.gradient()

    @property
    def operands(self) -> tuple[Array, Array]:
        """The arrays that the operation takes."""
        if self.operation == "conv_transpose":
            return self.x, self.w
        return (self.y, self.w) if self.operation == "conv" else (self.x, self.y)

    @property
    def writes_weights(self) -> bool:
        """Whether the result has the shape of the weights, which is the same in every layout."""
        return self.operation == "weight_gradient"

    def by_tconv(self, first: Array, second: Array, **more: Any) -> Callable[[], Array]:
        """tconv's function for these operands and the window of the layer."""
        sizes = (self.layer.each("kernel"),) if self.writes_weights else ()
        return partial(getattr(ops, self.operation), first, second, *sizes, **self.layer.keywords, **more)


class TimedCall(NamedTuple):
    """What is timed, and how its result is read as an array (N, C, *size), which is not timed."""

    run: Callable[[], Any]
    read: Callable[[Any], Array]


class LeftOut(Exception):
    """A setting that is not run on this layer, and why."""


class Peer(ABC):
    """A library, or a way to use it. Its settings are alternatives, of which the fastest counts."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()  #: modules that must be installed
    settings: ClassVar[tuple[str, ...]] = ("default",)
    operations: ClassVar[tuple[Operation, ...]] = ("conv_transpose",)
    aside: ClassVar[bool] = False  #: it is shown, but nobody is compared with it

    def missing(self, threads: int) -> str:
        """Why it cannot be measured here with this many threads; "" where it can. Imports as little as possible."""
        lacking = [name for name in self.packages if find_spec(name) is None]
        return f"{' and '.join(lacking)} not installed: pip install 'tconv[bench]'" if lacking else ""

    def settings_for(self, operation: Operation) -> tuple[str, ...]:
        """The alternatives there are to compute an operation; none where the peer is not asked for it."""
        return self.settings if operation in self.operations else ()

    @abstractmethod
    def prepare(self, case: Case, setting: str) -> TimedCall:
        """Weights packed, code compiled, input in place. Raises LeftOut, or whatever the library raises."""

    def release(self) -> None:  # noqa: B027 - most have nothing to undo
        """Undo what `prepare` did to the process; called when a layer is done."""


def load(name: str) -> Any:
    """A module of a library that may not be installed, without types."""
    return import_module(name)


def as_it_is(result: Array) -> Array:
    """For results that are such arrays already."""
    return result
