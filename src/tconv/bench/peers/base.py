"""What a peer is: a way to run a layer that gets ready once and is then called again and again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple

from tconv.arguments import Layout
from tconv.bench.layers import Layer
from tconv.problem import Array


@dataclass(frozen=True)
class Case:
    """A layer with its arrays, channels first; `layout` is that of the arrays that tconv is given."""

    layer: Layer
    x: Array
    w: Array
    threads: int
    layout: Layout = "channels_first"

    @classmethod
    def of(cls, layer: Layer, threads: int, layout: Layout = "channels_first") -> Case:
        """With the layer's own arrays."""
        return cls(layer, *layer.arrays(), threads, layout)


class Call(NamedTuple):
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

    def missing(self, threads: int) -> str:
        """Why it cannot be measured here with this many threads; "" where it can. Imports as little as possible."""
        lacking = [name for name in self.packages if find_spec(name) is None]
        return f"{' and '.join(lacking)} not installed: pip install 'tconv[bench]'" if lacking else ""

    @abstractmethod
    def prepare(self, case: Case, setting: str) -> Call:
        """Weights packed, code compiled, input in place. Raises LeftOut, or whatever the library raises."""

    def release(self) -> None:  # noqa: B027 - most have nothing to undo
        """Undo what `prepare` did to the process; called when a layer is done."""


def load(name: str) -> Any:
    """A module of a library that may not be installed, without types."""
    return import_module(name)


def as_it_is(result: Array) -> Array:
    """For results that are such arrays already."""
    return result
