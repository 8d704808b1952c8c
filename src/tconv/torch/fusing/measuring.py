"""Runs of a model, measured as its convolutions come by: in one call, and module by module as they are else.

What a run has to beat is its convolution on whichever is faster, PyTorch or the engine, with PyTorch's own modules
behind it.
"""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import Module

from tconv.measuring.contest import ORIGINAL, Contest
from tconv.measuring.rounds import Effort
from tconv.torch import both_ways
from tconv.torch.accelerated import FILTERED, LAYERS
from tconv.torch.both_ways import OURS, WINOGRAD, Manner
from tconv.torch.engine import Operation
from tconv.torch.fusing.call import computed
from tconv.torch.fusing.links import LOOKED_UP, Add, Pair
from tconv.torch.fusing.meeting import Met, met
from tconv.torch.fusing.runs import Run, starting
from tconv.torch.fusing.sequences import Heads, in_order, is_sequence
from tconv.torch.kept import PackedWeights
from tconv.torch.measured import MeasuredRun, Shapes
from tconv.torch.measuring import best, saving_here, settled
from tconv.torch.watching import WatchedCall


class Place(NamedTuple):
    """Where a run stands in a model."""

    sequence: Module
    inside: str  #: the name of the sequence
    members: tuple[str, ...]  #: the names of the modules in it
    run: Run
    times: int = 0  #: how often it is called, of what a forward method calls; 0: not known


class Called(NamedTuple):
    """A call of the convolution of a run."""

    operation: Operation
    shapes: Shapes


class MeasuringRuns:
    """Measures runs, those that are alike once."""

    def __init__(self, model: Module, *, new_sizes: bool) -> None:
        self.model, self.new_sizes = model, new_sizes
        self.places = _apart(_of_sequences(model))
        #: None: some call of the run could not be computed in one.
        self.calls: dict[Module, list[tuple[Called, Contest | None]]] = {}
        self._contests: dict[Hashable, Contest | None] = {}

    def meet(self, run: Callable[[], Any]) -> None:
        """Find the runs in forward methods, by a run of the model."""
        names = {module: name for name, module in self.model.named_modules()}
        in_methods = (place for each in met(self.model, run) for place in _of_method(names[each.owner], each))
        self.places = _apart([*_of_sequences(self.model), *in_methods])

    def found(self, module: Module, call: WatchedCall, alone: Contest | None, effort: Effort) -> None:
        """Measure the run of a convolution that was measured alone."""
        place = self.places.get(module)
        if place is None:
            return
        contest = None
        if alone is not None and call.caller is place.sequence:
            with saving_here():
                contest = self._contest(place.run, call, alone, effort)
        called = Called(call.operation, (tuple(call.x.shape), tuple(call.result.shape)))
        self.calls.setdefault(module, []).append((called, contest))

    def _contest(self, run: Run, call: WatchedCall, alone: Contest, effort: Effort) -> Contest | None:
        plain = type(run.conv)
        kind = {OURS: LAYERS[plain], WINOGRAD: FILTERED[plain], None: plain}[best(alone)]
        key = both_ways.key(call, Manner(kind, True, False, self.new_sizes)), tuple(map(repr, run.members))
        if key not in self._contests:
            self._contests[key] = _contest(run, kind, call, effort, new_sizes=self.new_sizes)
        return self._contests[key]

    def members(self, kept: Iterable[MeasuredRun]) -> set[Module]:
        """The modules of runs that are computed in one call."""
        names = {(run.sequence, run.members[0]) for run in kept}
        found = (place for place in self.places.values() if (place.inside, place.members[0]) in names)
        return {module for place in found for module in place.run.members}

    def together(self, others: Container[Module]) -> Iterator[MeasuredRun]:
        """Those that could be computed in one call, and what came of each; modules of others get another class."""
        for head, found in self.calls.items():
            contests, place = [contest for _, contest in found if contest is not None], self.places[head]
            elsewhere = place.times not in (0, len(found))  # some calls are without what is behind it
            if len(contests) == len(found) and not elsewhere and place.sequence not in others:
                yield _measured(place, [called for called, _ in found], contests)


def _measured(place: Place, calls: Sequence[Called], contests: Sequence[Contest]) -> MeasuredRun:
    name = f"{place.inside}.{place.members[0]}" if place.inside else place.members[0]
    kinds = tuple(type(module).__name__ for module in place.run.members)
    found = MeasuredRun(
        name, kinds[0], tuple(called.shapes for called in calls), operations=(calls[0].operation,),
        sequence=place.inside, members=place.members, kinds=kinds, in_store=place.run.statistics is None,
    )  # fmt: skip
    return settled(found, contests)


def _of_sequences(model: Module) -> list[Place]:
    """The runs in the sequences of a model."""
    found = []
    for inside, module in model.named_modules():
        if is_sequence(module):
            names, called = tuple(module._modules), tuple(module._modules.values())
            found += list(_of_chain(module, inside, names, names, called, 0))
    return found


def _of_method(inside: str, each: Met) -> Iterator[Place]:
    """The runs in what a forward method was met calling."""
    paths = {module: path for path, module in each.owner.named_modules()}
    heads = [
        paths.get(called, "") if name == LOOKED_UP and isinstance(called, Module) else name
        for name, called in zip(each.names, each.called, strict=True)
    ]
    names = [
        head if isinstance(called, Module) else _said(called) for head, called in zip(heads, each.called, strict=True)
    ]
    yield from _of_chain(each.owner, inside, heads, names, each.called, each.times)


def _of_chain(
    owner: Module, inside: str, heads: Sequence[str], names: Sequence[str], called: Sequence[Any], times: int
) -> Iterator[Place]:
    for at, head in enumerate(heads):
        run = starting(called, at) if head else None
        if run is not None and type(run.conv) in LAYERS:
            yield Place(owner, inside, tuple(names[at : at + run.span]), run, times)


def _apart(found: Iterable[Place]) -> dict[Module, Place]:
    """Those by their convolutions, of which each is in one place only."""
    of: defaultdict[Module, dict[Hashable, Place]] = defaultdict(dict)
    for place in found:
        same, where = of[place.run.conv], (place.sequence, place.members)
        same[where] = place._replace(times=place.times + (same[where].times if where in same else 0))
    return {conv: next(iter(places.values())) for conv, places in of.items() if len(places) == 1}


def _said(each: Any) -> str:
    """What is called, in a word."""
    if type(each) is Add:
        return each.how
    return getattr(each.function if type(each) is Pair else each, "__name__", "")


def _contest(run: Run, kind: type, call: WatchedCall, effort: Effort, *, new_sizes: bool) -> Contest | None:
    """Compare and time; None where the run cannot be computed in one call."""
    x, forms = call.x.detach(), {OURS: _Form(run, kind, call.result, ("0",))}
    # Behind statistics the convolution is a call by itself: its class says whether it is by minimal filtering.
    if kind in FILTERED.values() and run.statistics is None:
        forms[WINOGRAD] = _Form(run, kind, call.result, ("0",), ("0",))
    separate = _Form(run, kind, call.result)
    own, kept = starting(forms[OURS].called, 0), PackedWeights()
    try:
        if own is None or [computed(own, x, kept) for _ in range(2)][1] is None:
            return None
        for form in forms.values():
            form(x)  # it meets the weights
    except Exception:  # of any class: the model does without
        return None
    runs = {ORIGINAL: _runner(separate, x)}
    for name, form in forms.items():
        runs[name] = both_ways.anew(_runner(form, x)) if new_sizes else _runner(form, x)
    return both_ways.decided(runs, effort)


def _runner(form: _Form, x: Tensor) -> Callable[[], list[Tensor]]:
    return lambda: [form(x).detach()]


class _Form:
    """A run as a rewritten method calls it: with a convolution of one class, a residual and packed weights of its own.

    Without heads it is module by module.
    """

    def __init__(self, run: Run, kind: type, result: Tensor, heads: Heads = (), filtered: Heads = ()) -> None:
        self.called: list[Any] = [
            copied(each) if isinstance(each, Module) else Add(each.how, result.detach().clone()) for each in run.members
        ]
        self.called[0].__class__ = kind
        self.owner, self.heads, self.filtered = Module(), heads, filtered
        self.names = tuple(map(str, range(len(self.called))))

    def __call__(self, x: Tensor) -> Any:
        return in_order(self.owner, self.names, self.called, x, self.heads, self.filtered)


def copied(module: Module) -> Any:
    """The same module with the same tensors, but for the hooks of who watches, and what it keeps."""
    made = copy.copy(module)
    for name in ("_forward_hooks", "_forward_pre_hooks"):
        made.__dict__[name] = OrderedDict()
    made.__dict__.pop("_kept", None)
    return made
