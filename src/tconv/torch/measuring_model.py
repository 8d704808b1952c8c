"""A model measured: all that may be accelerated in it both ways, as a run of it comes to it, and then the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import Module

from tconv.measuring.rounds import Effort
from tconv.torch import both_ways, watching
from tconv.torch.accelerated import EVERY, LAYERS, Operations
from tconv.torch.acceleration_report import Report
from tconv.torch.candidates import foreign, operation_of, untouchable
from tconv.torch.classes import plain_class
from tconv.torch.closing import closed
from tconv.torch.fusing.measuring import MeasuringRuns
from tconv.torch.fusing.measuring_alone import MeasuringAlone
from tconv.torch.fusing.measuring_bordered import MeasuringBordered
from tconv.torch.measured import Measured, MeasuredModule, MeasuredRun
from tconv.torch.measuring import Measuring, together
from tconv.torch.undone import undone
from tconv.torch.watching import Watch, WatchedCall
from tconv.torch.whole_format import ChannelsLast
from tconv.torch.whole_runs import Example


class MeasuringModel:
    """Measures a model once, with all of its convolutions that are wanted, and what stands around them."""

    def __init__(self, model: Module, example: Example, effort: Effort, wanted: Operations, *, winograd: bool) -> None:
        self.model, self.example, self.effort, self.wanted = model, example, effort, wanted
        new_sizes = example.new_sizes
        self.layers = Measuring(model, effort, new_sizes=new_sizes, winograd=winograd)
        self.runs = MeasuringRuns(model, new_sizes=new_sizes)
        self.alone = MeasuringAlone(model, new_sizes=new_sizes)
        self.bordered = MeasuringBordered(model)
        # They are in front of convolutions, or behind, and are asked for with them.
        others = frozenset(self.alone.names if wanted == EVERY else ())
        self.watch = Watch(self._found, Counter(), wanted, others, self._called, self._padded)

    def measured(self, last: ChannelsLast | None) -> Report:
        """The report, what came of the whole model included; `last`: as it is channels last."""
        args, kwargs = self.example.args, self.example.kwargs
        with undone(self.model, (args, kwargs)) as again, nullcontext() if last is None else last.lying():
            self.runs.meet(lambda: self.model(*args, **kwargs))
            again()
            watching.run(self.model, args, kwargs, self.watch)
        report = self._report()
        return closed(self.model, self.example._replace(trains=report.trains), report, self.effort, last)

    def _found(self, module: Module, call: WatchedCall) -> None:
        contest = self.layers.found(module, call, untouchable(module) or both_ways.refusal(call))
        self.runs.found(module, call, contest, self.layers.effort_now())

    def _called(self, module: Module, args: Any) -> None:
        self.alone.called(module, args, self.layers.effort_now())

    def _padded(self, module: Module, *args: Any, **kwargs: Any) -> None:
        if self.wanted == EVERY:
            self.bordered.padded(module, self.layers.effort_now(), *args, **kwargs)

    def _report(self) -> Report:
        """What came of each part by itself."""
        runs = tuple(self.runs.together(self.layers.calls))
        slowed = both_ways.seconds_an_operation() if self.layers.calls or self.bordered.calls else 0.0
        return Report(
            tuple(self._layers(slowed)),
            measured=True,
            trains=self.layers.trained,
            threads=torch.get_num_threads(),
            new_sizes=self.example.new_sizes,
            looked_for=self.wanted,
            runs=runs,
            modules=tuple(self._modules([run for run in runs if run.kept], slowed)),
        )

    def _layers(self, slowed: float) -> Iterator[Measured]:
        """All modules with convolutions that are wanted; an operation takes so much longer where calls are replaced."""
        for name, module in self.model.named_modules():
            if module in self.layers.calls:
                extra = 0.0 if plain_class(module) in LAYERS else slowed * self.watch.operations[module]
                yield together(name, module, self.layers.calls[module], extra)
            elif (operation := operation_of(module)) in self.wanted:
                reason = untouchable(module) or foreign(module) or "not called on the example inputs"
                yield Measured(name, type(module).__name__, (), reason=reason, operations=(operation,))

    def _modules(self, kept: list[MeasuredRun], slowed: float) -> Iterator[MeasuredModule]:
        """Those without convolutions, but for what is part of runs that are kept, or gets another class by them."""
        convolving = self.layers.calls
        yield from self.alone.by_themselves({*self.runs.members(kept), *convolving})
        inside = {self.model.get_submodule(run.sequence) for run in kept}
        others = {*inside, *convolving, *self.alone.calls}
        yield from self.bordered.by_themselves(others, self.watch.operations, slowed)
