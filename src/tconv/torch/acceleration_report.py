"""What `tconv.torch.accelerate` found, layer by layer and of the whole model; prints as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tconv import checks
from tconv.tables import aligned
from tconv.torch.engine import Operation
from tconv.torch.measured import Measured, MeasuredModule, MeasuredRun, Whole

COLUMNS = ("layer", "shape", "before ms", "after ms", "outcome")
COLUMNS_OF_RUNS = ("run", "modules", *COLUMNS[2:])
COLUMNS_OF_MODULES = ("module", "class", *COLUMNS[1:])


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, and which layers run on the engine now; prints as a table."""

    layers: tuple[Measured, ...]
    measured: bool  #: whether there were inputs to measure with
    trains: bool  #: whether forward and backward were measured, or forward alone
    threads: int
    new_sizes: bool = False  #: whether every run was measured as the first one of a size
    whole: Whole | None = None  #: the last contest of the whole model; None where no layer won
    looked_for: tuple[Operation, ...] = ("conv_transpose", "conv")
    runs: tuple[MeasuredRun, ...] = ()  #: convolutions with what stands behind them, measured together
    modules: tuple[MeasuredModule, ...] = ()  #: normalizations and activations that are in no run, and what pads
    apart: str = ""  #: what was wrong with the whole model by minimal filtering, which was taken back then
    channels_last: bool = False  #: whether the model was laid so, which it was not before
    in_formats: tuple[float, float] | None = None  #: seconds of it by PyTorch alone, as it was and channels last
    not_channels_last: str = ""  #: why that cannot be, where it was asked for

    @property
    def found(self) -> tuple[Measured, ...]:
        """All that was measured."""
        return (*self.layers, *self.runs, *self.modules)

    @property
    def changed(self) -> int:
        """How many layers run on the engine now, alone or in a run."""
        runs = (run for run in self.runs if run.in_store)
        return len({found.name for found in (*self.layers, *runs) if found.kept})

    @property
    def fused(self) -> int:
        """How many runs are computed in one call now."""
        return sum(run.kept for run in self.runs)

    @property
    def by_kernels(self) -> int:
        """How many normalizations and activations are computed by a kernel of their own now."""
        return sum(module.kept for module in self.modules if not module.pads)

    @property
    def by_rows(self) -> int:
        """How many modules that pad one axis with copies do so row by row now."""
        return sum(module.kept for module in self.modules if module.pads)

    @property
    def gain(self) -> float:
        """How many times as fast the whole model is now; 1 where nothing has changed, or that is not known."""
        changed = self.changed or self._others
        return self.whole.ratio if changed and self.whole is not None and self.whole.ratio is not None else 1.0

    @property
    def before(self) -> float:
        """Seconds that PyTorch took for what was measured both ways, in a run of the model."""
        return sum(layer.before for layer in self._both() if layer.before is not None)

    @property
    def after(self) -> float:
        """Seconds that the same takes now, each on whichever is faster."""
        return sum((layer.after if layer.kept else layer.before) or 0.0 for layer in self._both())

    def _both(self) -> Sequence[Measured]:
        return [layer for layer in self.layers if layer.gain is not None]

    @property
    def verdict(self) -> str:
        """What came of the whole model, in a sentence."""
        if not self.layers:
            kind = "convolution" if "conv" in self.looked_for else "transposed convolution"
            others = [
                (self.by_kernels, "other modules are by kernels"),
                (self.by_rows, "what pads does so row by row"),
                (self.channels_last, "its memory format is another"),
            ]
            return (
                f"no {kind} was found in the model: {', '.join(said for n, said in others if n) or 'it is left alone'}"
            )
        of = f"{self.changed} of {checks.count(len(self.layers), 'layer')}"
        if not self.measured and self.changed:
            return f"{of} on tconv's engine, not measured: there were no example inputs"
        if not self.changed and not self._both():
            return f"no layer could be measured: {self._left_alone}"
        if not self.changed and self.whole is not None and not self._others:
            but = f"with them {self.whole.failure}" if self.whole.failure else "the whole model is slower"
            return f"layers are faster on their own, but {but}: the model is left alone"
        if not self.changed:
            return f"no layer is faster by more than the noise on tconv's engine: {self._left_alone}"
        return f"{of} on tconv's engine: {self.before * 1e3:.3g} ms before, {self.after * 1e3:.3g} ms after"

    @property
    def _others(self) -> int:
        """How much has changed beside layers."""
        return self.fused + self.by_kernels + self.by_rows + self.channels_last

    @property
    def _left_alone(self) -> str:
        return f"{'all of them are' if self._others else 'the model is'} left alone"

    @property
    def of_runs(self) -> str:
        """What came of the runs, in a sentence; "" where there were none."""
        of = f"{self.fused} of {checks.count(len(self.runs), 'run')} in one call each"
        return f"{of}: {_took(self.runs)}" if self.runs else ""

    @property
    def of_formats(self) -> str:
        """What the memory format brings, or why it cannot, in a sentence; "" where the model lies as it did."""
        if self.not_channels_last:
            return f"not channels last: {self.not_channels_last}"
        if self.in_formats is None or not self.channels_last:
            return ""
        before, after = (f"{seconds * 1e3:.3g} ms" for seconds in self.in_formats)
        return f"channels last: by PyTorch alone {before} before, {after} after"

    @property
    def of_modules(self) -> str:
        """What came of normalizations and activations by themselves, and of padding, in a line each; "" of none."""
        pads, others = (tuple(each for each in self.modules if each.pads is which) for which in (True, False))
        of_others = f"{self.by_kernels} of {checks.count(len(others), 'other module')} by a kernel: {_took(others)}"
        of_pads = f"{self.by_rows} of {checks.count(len(pads), 'module')} with a border row by row: {_took(pads)}"
        return "\n".join(said for found, said in ((others, of_others), (pads, of_pads)) if found)

    @property
    def conditions(self) -> str:
        """How it was measured."""
        what = "forward and backward" if self.trains else "forward"
        sizes = ", every size as a new one" if self.new_sizes else ""
        return f"{what}, {checks.count(self.threads, 'thread')}{sizes}" if self.measured else "nothing was run"

    def by_operation(self) -> dict[str, Report]:
        """The report of each kind of layer, by the operations that they compute, but for what holds of the model."""
        kinds = dict.fromkeys(layer.operation for layer in sorted(self.layers, key=lambda layer: -len(layer.operation)))
        of = {kind: tuple(layer for layer in self.layers if layer.operation == kind) for kind in kinds}
        return {
            kind: dataclasses.replace(self, layers=layers, whole=None, runs=(), modules=(), channels_last=False)
            for kind, layers in of.items()
        }

    def rows(self) -> list[list[str]]:
        """The cells of the table, as `COLUMNS` names them: a row for each layer, or for those of which all is alike."""
        return _rows(self.layers)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        names = ("measured", "trains", "threads", "new_sizes", "changed", "before", "after", "verdict", "apart")
        fields = ["name", "kind", "operations", "shapes", "before", "after", "kept", "winograd"]
        fields += ["reason", "gain", "outcome"]
        layers = [{field: getattr(layer, field) for field in fields} for layer in self.layers]
        whole = None if self.whole is None else dataclasses.asdict(self.whole)
        of_runs = ["sequence", "members", "kinds", *fields]
        runs = [{field: getattr(run, field) for field in of_runs} for run in self.runs]
        others = [{field: getattr(module, field) for field in [*fields, "pads"]} for module in self.modules]
        found = {"whole": whole, "layers": layers, "runs": runs, "modules": others}
        of_formats = ("channels_last", "in_formats", "not_channels_last")
        return {name: getattr(self, name) for name in (*names, *of_formats)} | found

    def __str__(self) -> str:
        kinds = self.by_operation()
        tables = [
            line
            for kind, report in kinds.items()
            for line in ["", *([f"{kind}: {report._taken()}"] if len(kinds) > 1 else []), *report._table()]
        ]
        if self.runs:
            tables += ["", *aligned(COLUMNS_OF_RUNS, _rows(self.runs), right=COLUMNS_OF_RUNS[2:4])]
        if self.modules:
            tables += ["", *aligned(COLUMNS_OF_MODULES, _rows(self.modules), right=COLUMNS_OF_MODULES[3:5])]
        back = f"by Winograd, which is taken back, {self.apart}" if self.apart else ""
        sentences = filter(None, [self.verdict, self.of_runs, self.of_modules, self.of_formats])
        first = [*sentences, *self._of_the_whole(), *filter(None, [back]), self.conditions]
        return "\n".join([*first, *tables])

    def _table(self) -> list[str]:
        return aligned(COLUMNS, self.rows(), right=COLUMNS[2:4])

    def _taken(self) -> str:
        """How many layers of a kind were taken, and what they took."""
        of = f"{self.changed} of {checks.count(len(self.layers), 'layer')}"
        return of + (f", {self.before * 1e3:.3g} ms before, {self.after * 1e3:.3g} ms after" if self._both() else "")

    def _of_the_whole(self) -> list[str]:
        """Lines on the whole model, and on what may seem not to fit in them."""
        whole = self.whole
        if whole is None:
            return []
        noise = (self.changed or self._others) and whole.ratio is not None and f"{whole.ratio:.2f}" < "1"
        lines = [f"{whole}, which is within the noise" if noise else str(whole), whole.agreement]
        if whole.before is not None and whole.before < self.before:
            lines.append("(the machine was busier while layers were measured: their seconds are not to be compared)")
        return [line for line in lines if line]


def _took(found: Sequence[Measured]) -> str:
    """Seconds of what was measured, as it was and as it is now."""
    measured = [each for each in found if each.gain is not None]
    before = sum(each.before or 0.0 for each in measured)
    after = sum((each.after if each.kept else each.before) or 0.0 for each in measured)
    return f"{before * 1e3:.3g} ms before, {after * 1e3:.3g} ms after"


def _rows(found: Sequence[Measured]) -> list[list[str]]:
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in found:
        alike.setdefault(tuple(each.facts()), []).append(each.name or "the model")
    return [[_names(names), *facts] for facts, names in alike.items()]


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}, {len(names) - 1} more"
