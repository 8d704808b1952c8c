"""Runs of a model, measured as its convolutions come by: in one call, and module by module as they are else.

What a run has to beat is its convolution on whichever is faster, PyTorch or the engine, with PyTorch's own modules
behind it.
"""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import Module

from tconv.measuring.contest import ORIGINAL, Contest
from tconv.measuring.rounds import Effort
from tconv.torch import both_ways
from tconv.torch.accelerated import FILTERED, LAYERS
from tconv.torch.acceleration_report import MeasuredRun
from tconv.torch.both_ways import OURS, WINOGRAD, Manner
from tconv.torch.engine import Operation
from tconv.torch.fusing.call import computed
from tconv.torch.fusing.links import Add, Pair
from tconv.torch.fusing.runs import Run, starting
from tconv.torch.fusing.sequences import Heads, chains_of, in_order
from tconv.torch.kept import PackedWeights
from tconv.torch.measuring import best, saving_here, settled
from tconv.torch.watching import WatchedCall


class Place(NamedTuple):
    """Where a run stands in a model."""

    sequence: Module
    inside: str  #: the name of the sequence
    members: tuple[str, ...]  #: the names of the modules in it
    run: Run


class Called(NamedTuple):
    """A call of the convolution of a run."""

    operation: Operation
    shapes: tuple[tuple[int, ...], tuple[int, ...]]  #: of x and of the result


class MeasuringRuns:
    """Measures runs, those that are alike once."""

    def __init__(self, model: Module, *, new_sizes: bool) -> None:
        self.places, self.new_sizes = places(model), new_sizes
        #: None: some call of the run could not be computed in one.
        self.calls: dict[Module, list[tuple[Called, Contest | None]]] = {}
        self._contests: dict[Hashable, Contest | None] = {}

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
            contests = [contest for _, contest in found if contest is not None]
            if len(contests) == len(found) and self.places[head].sequence not in others:
                yield _measured(self.places[head], [called for called, _ in found], contests)


def _measured(place: Place, calls: Sequence[Called], contests: Sequence[Contest]) -> MeasuredRun:
    reason = next((wrong for contest in contests if (wrong := contest.failures.get(OURS, ""))), "")
    name = f"{place.inside}.{place.members[0]}" if place.inside else place.members[0]
    kinds = tuple(type(module).__name__ for module in place.run.members)
    found = MeasuredRun(
        name, kinds[0], tuple(called.shapes for called in calls), None, None, False, reason, (calls[0].operation,),
        sequence=place.inside, members=place.members, kinds=kinds, in_store=place.run.statistics is None,
    )  # fmt: skip
    return found if reason else settled(found, contests)


def places(model: Module) -> dict[Module, Place]:
    """The runs of a model by their convolutions, of which each is in one place only."""
    found = [place for name, module in model.named_modules() for place in _of_module(name, module)]
    times = Counter(place.run.conv for place in found)
    return {place.run.conv: place for place in found if times[place.run.conv] == 1}


def _of_module(name: str, module: Module) -> Iterator[Place]:
    found = chains_of(module)
    for chain in found.chains:
        called = [_meant(module, each) for each in chain]
        names = [_said(each) for each in chain]
        for at, head in enumerate(chain):
            run = starting(called, at) if isinstance(head, str) and head in found.heads else None
            if run is not None and type(run.conv) in LAYERS:
                yield Place(module, name, tuple(names[at : at + run.span]), run)


def _meant(module: Module, each: Any) -> Any:
    """What is called: a part of a module that has a name, a function with a number, or what it is."""
    if type(each) is Pair and isinstance(each.argument, str):
        return Pair(each.function, _found(module, each.argument))
    return _found(module, each) if isinstance(each, str) else each


def _found(module: Any, path: str) -> Any:
    """What a module has at the end of a path; None where there is nothing."""
    for name in path.split("."):
        module = getattr(module, name, None)
    return module


def _said(each: Any) -> str:
    """What is called, in a word."""
    if isinstance(each, str):
        return each
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
