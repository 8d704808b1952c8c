"""A whole model run again and again, as it was or as it would be, and always from the same state."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.utils._pytree import tree_leaves

from tconv.measuring.contest import ORIGINAL
from tconv.measuring.rounds import timed
from tconv.torch import watching
from tconv.torch.accelerated import LAYERS
from tconv.torch.both_ways import OURS, anew
from tconv.torch.classes import plain_class
from tconv.torch.fusing.links import METHOD
from tconv.torch.fusing.sequences import KEPT, KeptRuns
from tconv.torch.kept import PackedWeights
from tconv.torch.undone import undone
from tconv.torch.whole_format import ChannelsLast, lie


class Example(NamedTuple):
    """A run of a model."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    trains: bool  #: it is forward and backward
    new_sizes: bool  #: no run has the sizes of one before


class Results(NamedTuple):
    """What a run has computed up to rounding."""

    outputs: list[Tensor]
    gradients: list[Tensor]


class ModelRun:
    """A run of the model: forward, and if it trains, backward from noise, by all that wants gradients."""

    def __init__(self, model: Module, example: Example) -> None:
        self.model, self.example = model, example
        self.noise: list[Tensor] = []
        self.outputs = 0  #: of the last run
        given = (leaf for leaf in tree_leaves((example.args, example.kwargs)) if isinstance(leaf, Tensor))
        self.wanted = [t for t in itertools.chain(model.parameters(), given) if t.requires_grad]

    def results(self) -> Results:
        """Run the model; returns what it has computed. No gradient is left anywhere."""
        outputs = list(_floating(self.model(*self.example.args, **self.example.kwargs)))
        self.outputs = len(outputs)
        recorded = [y for y in outputs if y.requires_grad] if self.example.trains else []
        if not recorded:
            return Results(outputs, [])
        gradients = torch.autograd.grad(recorded, self.wanted, self._noise(recorded), allow_unused=True)
        return Results([y.detach() for y in outputs], list(_floating(gradients)))

    def _noise(self, recorded: Sequence[Tensor]) -> list[Tensor]:
        """What goes backward, the same in every run; not ones, for which a softmax or a normalization gives 0."""
        if [t.shape for t in self.noise] != [t.shape for t in recorded]:
            source = torch.Generator().manual_seed(0)
            self.noise = [torch.randn(t.shape, dtype=t.dtype, generator=source).to(t.device) for t in recorded]
        return self.noise


@dataclass(frozen=True, slots=True)
class Form:
    """The model as it was, or as it would be."""

    run: ModelRun
    kinds: Mapping[Module, type]
    put_back: Callable[[], None]
    compute: Callable[[], Results]
    weights: Mapping[Parameter, Tensor] = field(default_factory=dict)  #: that lie in one way in it

    def take_shape(self) -> None:
        """Make the model this one, in the state of the beginning."""
        self.put_back()
        lie(self.weights)
        for module, kind in self.kinds.items():
            module.__class__ = kind

    def __call__(self) -> Results:
        """A run, as the model is now."""
        return self.compute()

    def results(self, around: AbstractContextManager[None] | None = None) -> list[Tensor]:
        """Copies of the outputs, and behind them all gradients in one tensor; `around` holds while the model runs.

        A gradient is to be compared with the largest of all: that of a bias before a normalization is only rounding.
        """
        self.take_shape()
        with around or nullcontext():
            outputs, gradients = self.run.results()
        flat = [t.detach().cpu().reshape(-1) for t in gradients]
        return [t.detach().clone() for t in outputs] + ([torch.cat(flat)] if flat else [])

    def seconds(self) -> float:
        """Seconds of a run of the model in this form."""
        self.take_shape()
        return timed(self)


@contextmanager
def both_forms(
    model: Module, example: Example, after: Mapping[Module, type], last: ChannelsLast | None = None
) -> Iterator[dict[str, Form]]:
    """The model as it was, and with modules of the classes that accelerate them; in the end it is as it was.

    `last`: as it is channels last, if it is to be that too.
    """
    if last is not None:
        after = {**after, model: last.kind(after.get(model, type(model)))}
    with _packed(after), watching.eagerly(), undone(model, (example.args, example.kwargs)) as put_back:
        run = ModelRun(model, example)
        kinds = {module: type(module) for module in after}
        original = Form(run, kinds, put_back, run.results, {} if last is None else last.before)
        compute = anew(run.results) if example.new_sizes else run.results
        ours = Form(run, after, put_back, compute, {} if last is None else last.after)
        try:
            yield {ORIGINAL: original, OURS: ours}
        finally:
            original.take_shape()


@contextmanager
def _packed(after: Mapping[Module, type]) -> Iterator[None]:
    """There is room for packed weights, which putting back would take from modules after every run."""
    rooms: list[tuple[dict[str, Any], str]] = []
    for module, kind in after.items():
        if plain_class(module) in LAYERS:
            module.__dict__["_kept"] = PackedWeights(getattr(kind, "_filters", False))
            rooms.append((module.__dict__, "_kept"))
        elif hasattr(kind, METHOD):
            module.__dict__[KEPT] = KeptRuns()
            rooms.append((module.__dict__, KEPT))
    try:
        yield
    finally:
        for attributes, name in rooms:
            attributes.pop(name, None)


def _floating(result: Any) -> Iterator[Tensor]:
    """The tensors of a result that hold numbers up to rounding, whatever holds them."""
    for leaf in tree_leaves(result):
        if not isinstance(leaf, Tensor) or leaf.is_meta or leaf.layout is not torch.strided:
            continue
        if leaf.is_floating_point() or leaf.is_complex():
            yield leaf
