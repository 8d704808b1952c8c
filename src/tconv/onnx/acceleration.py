"""Models made faster where that is measured: every layer in every form, then the whole model, in one runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto

from tconv import checks
from tconv.bench import cores
from tconv.conventions.onnx import OPEN_SIZES
from tconv.measuring.contest import ORIGINAL, Contest
from tconv.measuring.rounds import Effort
from tconv.onnx.contest import contest
from tconv.onnx.convolutions import VARIANTS, Variant
from tconv.onnx.extracting import alone, inputs_of
from tconv.onnx.feeding import feeds_for
from tconv.onnx.functions import inlined
from tconv.onnx.given import given_model
from tconv.onnx.graphs import inferred
from tconv.onnx.nodes import ConvTransposeNode, conv_transposes
from tconv.onnx.rewriting import copied, rewrite, rewrite_nodes
from tconv.onnx.runtimes import RUNTIMES, Array, Feeds, Runtime, first_run, load
from tconv.tables import aligned, printable

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one ConvTranspose, and what it led to."""

    name: str
    place: str  #: "" in the model's graph; else the node and the attribute whose graph it is in
    seconds: Mapping[str, float] = field(hash=False)  #: a run, by variant; "original" is the node as it is
    failures: Mapping[str, str] = field(hash=False)  #: variants that were not timed, and why
    variant: Variant | None  #: the one that won, None where none did
    reason: str  #: why nothing could be compared, the node as it is included or not; "" where something was

    @property
    def gain(self) -> float | None:
        """How many times as fast the variant that won was, or else the fastest; None where none was timed."""
        others = [seconds for name, seconds in self.seconds.items() if name != ORIGINAL]
        if not others:
            return None
        return self.seconds[ORIGINAL] / (min(others) if self.variant is None else self.seconds[self.variant])

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        names = ("name", "place", "variant", "gain", "reason")
        return {name: getattr(self, name) for name in names} | {
            "seconds": dict(self.seconds),
            "failures": dict(self.failures),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Acceleration:
    """A model, faster if something was won, else as it was; prints as a table."""

    model: ModelProto
    changed: int  #: how many layers were rewritten; with 0 the model is a copy of the one given
    layers: tuple[Measured, ...]
    before: float | None  #: seconds a run of the model given; None where no layer won on its own
    after: float | None  #: seconds a run of the model with the layers that won
    difference: float | None  #: of its results, at their largest value
    failure: str  #: why the rewritten model was not timed; "" where it was
    runtime: Runtime
    threads: int
    shapes: Mapping[str, tuple[int, ...]]  #: of the feeds

    @property
    def verdict(self) -> str:
        """What came of the model, in a sentence."""
        if not self.layers:
            return "the model has no transposed convolution: it is left alone"
        if not any(len(layer.seconds) > 1 for layer in self.layers):
            return "no layer could be measured in another form: the model is left alone"
        if self.failure:
            return f"layers are faster on their own, but with them {self.failure}: the model is left alone"
        if self.before is None or self.after is None:
            return "no layer is faster by more than the noise in another form: the model is left alone"
        times = f"{self.before * 1e3:.3g} ms before, {self.after * 1e3:.3g} ms after"
        if not self.changed:
            return f"layers are faster on their own, the whole model is not ({times}): it is left alone"
        layers = checks.count(self.changed, "layer")
        return f"{self.before / self.after:.2f} times as fast, {times}; {layers} rewritten"

    def as_dict(self) -> dict[str, Any]:
        """All but the model, as plain values."""
        names = ("changed", "before", "after", "difference", "failure", "runtime", "threads", "verdict")
        return {name: getattr(self, name) for name in names} | {
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "layers": [layer.as_dict() for layer in self.layers],
        }

    @property
    def conditions(self) -> str:
        """How it was measured."""
        inputs = ", ".join(f"{printable(name)} {'x'.join(map(str, shape))}" for name, shape in self.shapes.items())
        return f"{self.runtime}, {checks.count(self.threads, 'thread')}, on {inputs}"

    def rows(self) -> list[list[str]]:
        """The cells of the table, a row a layer, as `COLUMNS` names them."""
        return [_row(layer) for layer in self.layers]

    def __str__(self) -> str:
        table = ["", *aligned(COLUMNS, self.rows(), right=COLUMNS[1:-1])] if self.layers else []
        return "\n".join([self.verdict, self.conditions, *table])


REWRITTEN = "rewritten"
COLUMNS = ("layer", "ms", *VARIANTS, "outcome")


def accelerate(
    model: ModelProto | str | os.PathLike[str],
    *,
    runtime: Runtime = "onnxruntime",
    feeds: Mapping[str, Array] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    threads: int | None = None,
    rounds: int = 9,
    progress: Progress = lambda done, total, what: None,
) -> Acceleration:
    """The model with those ConvTranspose nodes rewritten that are faster so, measured in the runtime on this machine.

    Every layer is taken out of the model, with what it reads when the model runs on the feeds. It and its `rewrite` in
    every variant then run in turns. With the best of the variants that won the whole model is measured against the one
    given, in turns again, and is returned if it won too; else a copy of the one given is. To win is to be 3 % or more
    faster in all rounds but one, and in their medians. Results that differ from the original's by more than a limit (of
    float32 1e-4, at the largest value) lose. Leaving a model alone is a result like any other.

    Args:
        model: a path or an onnx.ModelProto, which is not changed.
        runtime: "onnxruntime" or "openvino", on the CPU, in float32 where the model is.
        feeds: arrays for the inputs. Those left out are drawn: normally distributed, or zeros and ones.
        shapes: of inputs to be drawn whose sizes are open; else an open batch is 1, and other open sizes are 64.
        threads: as many as there are cores if None.
        rounds: turns that each form of a layer, and each model, has; at least 3.
        progress: called with layers done, their number, and what is measured now.

    In the graphs of If, Loop and Scan, layers are measured on what they read in the last round, and stay as they are
    where they do not run on the feeds. ValueError, TypeError and OSError as in `rewrite`, for other arguments, and
    where the runtime does not run the model given.
    """
    with checks.explained("onnx.accelerate", lambda: checks.echo(runtime=runtime, threads=threads, rounds=rounds)):
        checks.choice("runtime", runtime, RUNTIMES)
        count = cores.count() if threads is None else checks.integer("threads", threads, 1)
        effort = Effort(rounds=checks.integer("rounds", rounds, 3))
        load(runtime)
        source = given_model(model)
        flat = copied(inlined(source))
        found = list(conv_transposes(flat, inferred(flat)))
        given = feeds_for(flat, feeds, shapes)
        setting = _Setting(runtime, count, effort)
        first_run(source, given, runtime, count)  # else every layer would seem to be at fault
        layers = _layers(flat, found, given, setting, progress)
        progress(len(layers), len(layers), "the whole model")
        rewrite_nodes(flat, found, [layer.variant for layer in layers])
        whole = _contest({ORIGINAL: source, REWRITTEN: flat}, given, setting) if _any_won(layers) else None
    won = whole is not None and whole.winner is not None
    return Acceleration(
        model=flat if won else copied(source),
        changed=sum(layer.variant is not None for layer in layers) if won else 0,
        layers=tuple(layers),
        before=None if whole is None else whole.seconds[ORIGINAL],
        after=None if whole is None else whole.seconds.get(REWRITTEN),
        difference=None if whole is None else whole.differences.get(REWRITTEN),
        failure="" if whole is None else whole.failures.get(REWRITTEN, ""),
        runtime=runtime,
        threads=count,
        shapes={name: np.shape(array) for name, array in given.items()},
    )


def _any_won(layers: Sequence[Measured]) -> bool:
    return any(layer.variant is not None for layer in layers)


@dataclass(frozen=True, slots=True)
class _Setting:
    """Where and how long to measure."""

    runtime: Runtime
    threads: int
    effort: Effort


def _contest(models: Mapping[str, ModelProto], feeds: Feeds, setting: _Setting) -> Contest:
    return contest(models, feeds, setting.runtime, setting.threads, setting.effort)


def _layers(
    model: ModelProto, found: Sequence[ConvTransposeNode], feeds: Feeds, setting: _Setting, progress: Progress
) -> list[Measured]:
    """What each layer gains; nothing is changed."""
    arrays = inputs_of(model, found, feeds, setting.runtime, setting.threads)
    layers = []
    for number, (each, x) in enumerate(zip(found, arrays, strict=True)):
        progress(number, len(found), printable(each.name))
        try:
            if isinstance(x, str):
                checks.wrong(x)
            layers.append(_measured(model, each, x, setting))
        except checks.Rejected as rejected:
            layers.append(Measured(each.name, each.scope.place, {}, {}, None, str(rejected)))
    return layers


def _measured(model: ModelProto, each: ConvTransposeNode, x: Array, setting: _Setting) -> Measured:
    """One layer in all its forms; raises `checks.Rejected` where it has none."""
    layer = alone(model, each, x.ndim)
    forms, failures = {ORIGINAL: layer}, {}
    for variant in VARIANTS:
        rewriting = rewrite(layer, variant=variant)
        if rewriting.changed:
            forms[variant] = rewriting.model
        else:
            failures[variant] = rewriting.layers[0].reason
    if len(forms) == 1:
        checks.wrong(failures["one_conv"])
    came = _contest(forms, {layer.graph.input[0].name: x}, setting)
    winner = next((variant for variant in VARIANTS if variant == came.winner), None)
    reason = "" if len(came.seconds) > 1 else _nothing_else(each, came.failures, setting.runtime)
    return Measured(each.name, each.scope.place, came.seconds, failures | came.failures, winner, reason)


def _nothing_else(each: ConvTransposeNode, failures: Mapping[str, str], runtime: Runtime) -> str:
    """Why no other form was timed, in a sentence; all of them fail alike where the runtime is wrong about the node."""
    known = OPEN_SIZES if runtime == "openvino" and each.is_open and OPEN_SIZES in each.notes else ""
    told = "; ".join(dict.fromkeys(failures.values()))
    return f"left alone: as a convolution {told}" + (f". {known}" if known else "")


def _row(layer: Measured) -> list[str]:
    times = [f"{layer.seconds[name] * 1e3:.3g}" if name in layer.seconds else "-" for name in (ORIGINAL, *VARIANTS)]
    if layer.reason:
        outcome = layer.reason
    elif layer.variant is None:
        outcome = "left alone"
    else:
        outcome = f"{layer.variant}, {layer.gain:.2f} times as fast"
    return [printable(layer.name), *times, outcome]
