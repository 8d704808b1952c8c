"""All convolutions that are looked for in a run of a model measured both ways, and what that says of each module."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import Module

from tconv.measuring.contest import ORIGINAL, Contest, verdict
from tconv.measuring.rounds import Effort
from tconv.torch import both_ways
from tconv.torch.accelerated import EVERY, LAYERS
from tconv.torch.both_ways import OURS, WINOGRAD, Manner
from tconv.torch.classes import plain_class
from tconv.torch.engine import Operation
from tconv.torch.measured import Measured
from tconv.torch.watching import WatchedCall

M = TypeVar("M", bound=Measured)

#: Contests that have all of their time. Of a model with more kinds of calls each has less, down to half.
UNHURRIED, SHORTEST = 8, 2


class Called(NamedTuple):
    """A call that came by, and what was measured of it, or why nothing was."""

    operation: Operation
    x: tuple[int, ...]
    y: tuple[int, ...]
    contest: Contest | None
    refused: str


class Measuring:
    """Measures the calls of a run as they come, those that are alike once."""

    def __init__(self, model: Module, effort: Effort, *, new_sizes: bool, winograd: bool) -> None:
        self.model, self.effort, self.new_sizes, self.winograd = model, effort, new_sizes, winograd
        self.calls: dict[Module, list[Called]] = {}
        self.trained = False
        self._contests: dict[Hashable, Contest] = {}

    def found(self, module: Module, call: WatchedCall, refused: str) -> Contest | None:
        """Measure a call that belongs to a module, unless there is a reason why the engine cannot have it."""
        with saving_here():
            contest = None if refused else self._contest(module, call)
        called = Called(call.operation, tuple(call.x.shape), tuple(call.result.shape), contest, refused)
        self.calls.setdefault(module, []).append(called)
        return contest

    def _contest(self, module: Module, call: WatchedCall) -> Contest:
        kind, recorded = plain_class(module), call.result.requires_grad
        trains = module.training and recorded
        self.trained |= trains
        layer = kind if kind in LAYERS else None
        filters = self.winograd and layer is not None and not recorded and both_ways.can_filter(call)
        manner = Manner(layer, self._is_stored(call.w, module), trains, self.new_sizes, filters)
        key = both_ways.key(call, manner)
        known = self._contests.get(key)
        if known is None:
            known = self._contests[key] = both_ways.contest(call, manner, self.effort_now())
        elif OURS not in known.failures and (wrong := both_ways.compared(call, manner)):
            return Contest(known.turns, failures={**known.failures, **wrong})
        return known

    def effort_now(self) -> Effort:
        """What the next contest is to take."""
        shorter = min(max(1.0, len(self._contests) / UNHURRIED), SHORTEST)
        return dataclasses.replace(self.effort, turn=self.effort.turn / shorter, enough=is_decided)

    def _is_stored(self, w: Tensor, module: Module) -> bool:
        """Whether the model has the weights themselves, and does not compute them in every run."""
        owned = itertools.chain(self.model.parameters(), self.model.buffers(), vars(module).values())
        return any(w is tensor for tensor in owned)


def saving_here() -> AbstractContextManager[Any]:
    """What is measured saves its tensors itself, also within a checkpoint, which hooks into that to save less."""
    hooked = torch._C._autograd._top_saved_tensors_default_hooks(False) is not None
    return saved_tensors_hooks(lambda t: t, lambda t: t) if hooked else nullcontext()


def together(name: str, module: Module, calls: Sequence[Called], extra: float) -> Measured:
    """All calls of a module, which has one class for all; `extra` is what its other operations cost then."""
    shapes = tuple((called.x, called.y) for called in calls)
    found = {called.operation for called in calls}
    refused = next((called.refused for called in calls if called.refused), "")
    measured = Measured(
        name, type(module).__name__, shapes, reason=refused,
        operations=tuple(each for each in EVERY if each in found),
    )  # fmt: skip
    contests = [called.contest for called in calls if called.contest is not None]
    return measured if refused else settled(measured, contests, extra)


def settled(found: M, contests: Sequence[Contest], extra: float = 0.0) -> M:
    """What came of contests that belong together; `extra` is what ours takes besides."""
    reason = next((wrong for contest in contests if (wrong := contest.failures.get(OURS, ""))), "")
    if reason:
        return dataclasses.replace(found, reason=reason)
    total = _total(contests, extra)
    name, seconds = _best(total), total.seconds
    exact = dataclasses.replace(found, before=seconds[ORIGINAL], after=seconds[OURS], kept=_has_won(OURS, total))
    if name != WINOGRAD:
        return exact
    return dataclasses.replace(exact, after=seconds[WINOGRAD], kept=True, winograd=True, exactly=exact)


def best(contest: Contest) -> str | None:
    """Who is to compute what a contest was about; None: PyTorch."""
    return None if OURS in contest.failures else _best(_total([contest]))


def _best(total: Contest) -> str | None:
    # By minimal filtering it is less exact, so that has to win against both.
    if WINOGRAD in total.turns and all(_has_won(WINOGRAD, total, against) for against in (ORIGINAL, OURS)):
        return WINOGRAD
    return OURS if _has_won(OURS, total) else None


def is_decided(turns: Mapping[str, Sequence[float]]) -> bool:
    """Whether more rounds of a contest would not change who is best."""
    exact = verdict(turns, OURS)
    if WINOGRAD not in turns:
        return exact is not None
    filtered = {verdict(turns, WINOGRAD, against) for against in (ORIGINAL, OURS)}
    return filtered == {True} or (False in filtered and exact is not None)


def _has_won(name: str, total: Contest, against: str = ORIGINAL) -> bool:
    return Contest({ORIGINAL: total.turns[against], name: total.turns[name]}).winner == name


def _total(contests: Sequence[Contest], extra: float = 0.0) -> Contest:
    """Several contests as one; by minimal filtering calls that it is not for are computed as else."""
    turns = {ORIGINAL: _sum(contests, ORIGINAL, 0.0), OURS: _sum(contests, OURS, extra)}
    if any(WINOGRAD in c.turns for c in contests) and not any(WINOGRAD in c.failures for c in contests):
        turns[WINOGRAD] = _sum(contests, WINOGRAD, extra)
    return Contest(turns)


def _sum(contests: Sequence[Contest], who: str, extra: float) -> list[float]:
    """Seconds of all in each round; who was hopeless would have taken as long in each."""
    rounds = max(len(contest.turns[ORIGINAL]) for contest in contests)
    each = [_padded(contest, who if who in contest.turns else OURS, rounds) for contest in contests]
    return [extra + sum(turns) for turns in zip(*each, strict=True)]


def _padded(contest: Contest, who: str, rounds: int) -> list[float]:
    turns = list(contest.turns[who])
    return turns if len(turns) == rounds else [contest.seconds[who]] * rounds
