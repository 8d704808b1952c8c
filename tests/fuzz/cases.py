"""The cases of the fuzz: each comes from a seed and its number alone, so that any of them can be met again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import filtered_cases
from case import on_the_fly
from lowered import runs_natively
from problems import family

from tconv.jit.choice import model
from tconv.jit.choice.search import variations
from tconv.jit.schedules.registry import free
from tests.fuzz import boxes
from tests.fuzz.caches import caches
from tests.fuzz.trial import THEN, Trial

#: Cases that follow each other have windows, channels and dtype in common, so that machine code is met again.
OF_FAMILY = 2
#: Variations of each schedule that are tried in a case, beside those that take another way, not only other sizes.
VARIATIONS = 1


@dataclass(frozen=True)
class Options:
    """What is drawn from."""

    seed: int
    isas: Sequence[str]
    operations: Sequence[str]

    def trial(self, number: int) -> Trial:
        """The case of a number."""
        common = Random(f"{self.seed} {number // OF_FAMILY}")
        isa, channels_last = common.choice(self.isas), common.choice((False, True))
        drawn = family(common.choice, operations=self.operations)
        own = Random(f"{self.seed}, {number}")
        problem = drawn.problem(own.choice)
        sizes = own.choice((1, 2)), own.choice((True, True, False)), number, own.choice((False, False, True))
        then = own.choice(THEN) if own.random() < 0.5 else ""
        return Trial(problem, channels_last, isa, *sizes, then=then)

    def boxed(self, number: int) -> Trial:
        """The same with its grids in larger arrays; a residual would have to lie as the result does."""
        trial, own = self.trial(number), Random(f"boxes {self.seed}, {number}")
        then = trial.then.removeprefix("residual").removeprefix(", ")
        return replace(trial, problem=boxes.posed(trial.problem, trial.channels_last, own.choice), then=then)


def schedules(trial: Trial, seed: int = 0) -> Iterator[Any]:
    """Those that the choice is made from, each with some of the variations that `tconv.tune` would measure."""
    with caches(small=trial.small):
        made = list(_schedules(trial, Random(f"{seed} {trial.seed}")))
    yield from made


def _schedules(trial: Trial, pick: Random) -> Iterator[Any]:
    p = trial.problem
    for kind in model.offered(p, trial.channels_last, trial.target, trial.threads):
        made = kind.make()
        near = variations(made, trial.target)
        others = [one for one in near if _ways(one) != _ways(made)]
        sizes = [one for one in near if _ways(one) == _ways(made)]
        for one in (made, *others, *pick.sample(sizes, min(VARIATIONS, len(sizes)))):
            yield one
            yield from on_the_fly(one) if pick.random() < 0.3 else ()
        if getattr(made, "carries", False):  # few problems have so many sums that they cannot wait in registers
            yield replace(made, carries=False)
    yield from filtered_cases.drawn(p, trial.channels_last, trial.target, pick)


def _ways(schedule: Any) -> list[Any]:
    """What is free, but for sizes."""
    return [value for value in free(schedule).values() if isinstance(value, bool)]


def text(trial: Trial, what: Any = "") -> str:
    """A case in a line; what computes it is a schedule, or the name of a method."""
    p = trial.problem
    words = [
        p.operation,
        "channels last" if trial.channels_last else "channels first",
        p.dtype,
        trial.isa if runs_natively(trial.isa) else f"{trial.isa} lowered",
        f"{trial.threads} thread" + "s" * (trial.threads > 1),
        *(["small caches"] if trial.small else []),
        *(["boxes"] if p.within else []),
        *([f"then {trial.then}"] if trial.finishing else []),
        f"in ({p.batch}, {p.in_channels}), out {p.out_channels}, groups {p.groups}",
    ]
    return ", ".join([*words, *([what if isinstance(what, str) else what.kind] if what else [])]) + f": {p.geometry!r}"


def code(trial: Trial, what: Any, how: str) -> str:
    """Likewise, as Python to be pasted, from the root of the repository."""
    return _of_call(trial, what) if isinstance(what, str) else _of_schedule(trial, what, how)


def _of_schedule(trial: Trial, schedule: Any, how: str) -> str:
    own = type(schedule)
    return "\n".join([
        "import tests.fuzz",
        "from tconv import Geometry",
        "from tconv.jit.schedules.layouts import MemoryLayout",
        "from tconv.jit.schedules.axes import LoopAxis",
        "from tconv.problem import Problem, Within",
        f"from {own.__module__} import {own.__name__}",
        "from tests.fuzz.trial import Trial",
        f"trial = {trial!r}",
        f"schedule = {schedule!r}",
        f"trial.{how}(schedule)",
    ])  # fmt: skip


def _of_call(trial: Trial, method: str) -> str:
    p = trial.problem
    first, second = {"conv_transpose": ("x", "w"), "conv": ("y", "w"), "weight_gradient": ("x", "y")}[p.operation]
    shapes = {
        "x": (p.batch, p.in_channels, *p.geometry.coarse),
        "y": (p.batch, p.out_channels, *p.geometry.fine),
        "w": (p.in_channels, p.cout, *p.geometry.kernel),
    }
    keywords = {**p.geometry.keywords, "groups": p.groups}
    if p.operation == "weight_gradient":
        keywords["kernel_size"] = p.geometry.kernel
    arguments = ", ".join([first, second, *(f"{name}={value!r}" for name, value in keywords.items())])
    drawn = [
        f"{name} = r.choice([-3, -2, -1, 1, 2, 3], {shapes[name]}).astype({p.dtype!r})" for name in (first, second)
    ]
    return "\n".join([
        "import numpy as np, tconv  # channels first here; the case may be channels last, and have a bias",
        "r = np.random.default_rng(0)",
        *drawn,
        f"found = tconv.{p.operation}({arguments}, method={method!r})",
        f"exact = tconv.{p.operation}({arguments}, method='matrix')",
        "assert (found == exact).all(), np.argwhere(found != exact)",
    ])  # fmt: skip
