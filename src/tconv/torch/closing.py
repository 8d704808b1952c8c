"""The closing contest: the whole model as it was against that with the layers that won, compared and timed in turns.

Layers are measured alone, one call after another, with their data in the caches. In the model something else has the
caches in between, and results go to memory that nobody has touched; so layers that win may win nothing together. They
go only if the model loses by them: their share may be so small that the noise of everything else hides what they win.
Then those go first that have the least to win, half of them, until the model does not lose.

Where results of the whole are not what they were, layers by minimal filtering, whose rounding adds up from layer to
layer, are taken back to the sums of the definition first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from torch.nn import Module

from tconv import checks
from tconv.measuring.contest import ORIGINAL, Contest, all_lead, in_turns
from tconv.measuring.rounds import Effort, with_result
from tconv.torch.acceleration_report import Report
from tconv.torch.becoming import classes_after
from tconv.torch.both_ways import OURS
from tconv.torch.comparing import difference, disagreement
from tconv.torch.measured import Measured, Whole
from tconv.torch.rounding import judged
from tconv.torch.whole_format import ChannelsLast
from tconv.torch.whole_runs import Example, Form, both_forms

M = TypeVar("M", bound=Measured)

#: While it cannot be told whether a model lost, so many times as many rounds are measured at most.
LONGER = 3
#: Why a layer that won alone is left out.
SLOWER = "it is faster alone, and not in the whole model"


def closed(model: Module, example: Example, report: Report, effort: Effort, last: ChannelsLast | None = None) -> Report:
    """The report, in which those layers are kept by which the whole model does not lose, or channels last alone."""
    kept = sorted((layer for layer in report.found if layer.kept), key=_saved, reverse=True)
    whole, lost, apart = None, False, ""
    while kept or last is not None:
        with both_forms(model, example, classes_after(model, kept), last) as forms:
            whole, lost = _contest(forms, len(kept), effort)
        if not lost:
            break
        if not kept:
            last = None
        elif whole.failure and any(found.winograd for found in kept):
            report, apart = _exactly(report), whole.failure
            kept = [found for found in map(_by_the_definition, kept) if found.kept]
        else:
            kept = [] if whole.failure else kept[: len(kept) // 2]
    reason = f"in the whole model {whole.failure}" if whole is not None and whole.failure else SLOWER

    def settled(found: Sequence[M]) -> tuple[M, ...]:
        out = (each for each in found if each.kept and each not in kept)
        left = {each: dataclasses.replace(each, kept=False, reason=reason) for each in out}
        return tuple(left.get(each, each) for each in found)

    layers, runs, modules = settled(report.layers), settled(report.runs), settled(report.modules)
    return dataclasses.replace(
        report, layers=layers, runs=runs, modules=modules, whole=whole, apart=apart, channels_last=last is not None
    )


def _by_the_definition(found: M) -> M:
    """What came of a layer by the sums of the definition."""
    return found.exactly or found  # type: ignore[return-value]  # it is made from the other


def _exactly(report: Report) -> Report:
    """The report in which nothing is by minimal filtering."""
    layers, runs = tuple(map(_by_the_definition, report.layers)), tuple(map(_by_the_definition, report.runs))
    return dataclasses.replace(report, layers=layers, runs=runs)


def _saved(layer: Measured) -> float:
    return (layer.before or 0.0) - (layer.after or 0.0)


def _contest(forms: Mapping[str, Form], layers: int, effort: Effort) -> tuple[Whole, bool]:
    """What came of the model with so many layers on the engine, and whether they have to go."""
    took: dict[str, float] = {}
    try:
        expected = forms[ORIGINAL].results()
        took[ORIGINAL], again = with_result(forms[ORIGINAL].results)
    except Exception as error:  # of any class: that it ran forward once does not mean that it runs backward
        return Whole(layers, unmeasured=f"it fails when it is run again: {checks.first_line(error)}"), False
    outputs = forms[ORIGINAL].run.outputs
    try:
        forms[OURS].results()  # weights of runs are folded when they come a second time
        took[OURS], results = with_result(forms[OURS].results)
    except Exception as error:
        return Whole(layers, failure=f"it fails: {checks.first_line(error)}"), True
    differs, rounding = None, None
    if not disagreement(again, expected, outputs):  # else nothing can be said of others
        wrong, rounding = judged(results, expected, forms[ORIGINAL])
        if wrong:
            return Whole(layers, failure=wrong), True
        differs = difference(results, expected)
    del expected, again, results
    came = _in_turns(forms, took, effort)
    # Seconds drift from round to round, and their medians may say the opposite of the ratio: one of them follows.
    before, ratio = came.seconds[ORIGINAL], came.ratio(OURS)
    return Whole(layers, before, before / ratio, ratio, differs, rounding), came.lost(OURS)


def _in_turns(forms: Mapping[str, Form], first: Mapping[str, float], effort: Effort) -> Contest:
    """Time the two models in turns: as many rounds as are asked for, and more while ours seems to have lost.

    `first` is what a run took before.
    """
    effort = dataclasses.replace(effort, enough=partial(all_lead, of=effort.rounds))
    turns: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(LONGER):
        for name, seconds in in_turns(forms, first, effort, _seconds).items():
            turns[name] += seconds
        came = Contest(turns)
        if came.lost(OURS) or not came.lags(OURS):
            break
    return came


def _seconds(form: Any) -> float:
    return form.seconds()  # type: ignore[no-any-return]
