"""The two tables of `docs/performance.md`: geometric means of everything, and shares of the roofline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from benchmarks.pages import engine, of_jax, of_models, of_onnx, pytorch
from benchmarks.pages.figures import DASH, Summary, two
from benchmarks.pages.markdown import table
from benchmarks.record import Record


class Mean(NamedTuple):
    """A line: what was measured against what, where its tables are, and its records on one thread and on both cores."""

    what: str
    pages: str  #: names, with blanks between them
    summary: Callable[[Record], Summary | None]
    one: str
    both: str = ""


def _engine(name: str) -> Callable[[Record], Summary | None]:
    return partial(engine.of_all, name=name)


def _layers(mode: str, form: str) -> Callable[[Record], Summary | None]:
    return partial(pytorch.of_all, mode=mode, form=form)


def _jax(ours: str, mode: str) -> Callable[[Record], Summary | None]:
    return partial(of_jax.of_all, ours=ours, mode=mode)


_PREPARED, _FUNCTIONAL = _engine("prepared / best peer"), _engine("functional / PyTorch's")
_GRADIENT = _engine("functional / best peer")
_LAST = ("engine-channels-last", "engine-channels-last-both-cores")
_MODELS = ("whole-models", "whole-models-both-cores")
_TORCH = ("torch-layers", "torch-layers-both-cores")
MEANS = (
    Mean("prepared operator / best peer", "one-thread both-cores", _PREPARED, "engine-one-thread", "engine-both-cores"),
    Mean("the same, channels last", "channels-last", _PREPARED, *_LAST),
    Mean("the same, random layers", "random-layers", _PREPARED, "random-layers"),
    Mean("functional call / PyTorch's", "one-thread both-cores", _FUNCTIONAL, "engine-one-thread", "engine-both-cores"),
    Mean("the same, channels last", "channels-last", _FUNCTIONAL, *_LAST),
    Mean("the same, random layers", "random-layers", _FUNCTIONAL, "random-layers"),
    Mean("gradient by the input / PyTorch's", "gradients", _GRADIENT, "gradient-input", "gradient-input-both-cores"),
    Mean("the same, channels last", "gradients", _GRADIENT, "gradient-input-channels-last"),
    Mean(
        "gradient by the weights / PyTorch's", "gradients", _GRADIENT, "gradient-weights", "gradient-weights-both-cores"
    ),
    Mean("the same, channels last", "gradients", _GRADIENT, "gradient-weights-channels-last"),
    Mean("`tconv.torch.nn`, forward / torch.nn", "pytorch", _layers("forward", "contiguous"), *_TORCH),
    Mean("the same, channels last", "pytorch", _layers("forward", "channels_last"), *_TORCH),
    Mean("`tconv.torch.nn`, training / torch.nn", "pytorch", _layers("training", "contiguous"), *_TORCH),
    Mean("the same, channels last", "pytorch", _layers("training", "channels_last"), *_TORCH),
    Mean("whole PyTorch models / as they are", "whole-models", of_models.of_all, *_MODELS),
    Mean("whole ONNX models, after / before", "onnx", of_onnx.of_all, "onnx-models", "onnx-models-both-cores"),
    Mean("`tconv.jax.conv_transpose` / lax", "jax", _jax("conv_transpose", "forward"), "jax-layers"),
    Mean("the same, with gradients", "jax", _jax("conv_transpose", "gradients"), "jax-layers"),
    Mean("`lax_conv_transpose` / lax", "jax", _jax("lax_conv_transpose", "forward"), "jax-layers"),
    Mean("the same, with gradients", "jax", _jax("lax_conv_transpose", "gradients"), "jax-layers"),
)
ROOFLINES = {
    "channels first, one thread": "engine-one-thread",
    "channels first, both cores": "engine-both-cores",
    "channels last, one thread": "engine-channels-last",
    "channels last, both cores": "engine-channels-last-both-cores",
}


def overview(records: Mapping[str, Record]) -> list[str]:
    """A line for each of MEANS, and the shares of the roofline."""
    columns = ["measured / against", "tables", "of", "one thread: mean", "least", "both cores: mean", "least"]
    return [*table(columns, [_cells(mean, records) for mean in MEANS], words=["tables"]), "", *_rooflines(records)]


def _cells(mean: Mean, records: Mapping[str, Record]) -> list[str]:
    one = mean.summary(records[mean.one])
    both = mean.summary(records[mean.both]) if mean.both else None
    if one is None:
        raise ValueError(f"{mean.one} has nothing for {mean.what}")
    figures = [figure for each in (one, both) for figure in _figures(each)]
    links = ", ".join(f"[{name.replace('-', ' ')}](performance/{name}.md)" for name in mean.pages.split())
    return [mean.what, links, str(one.layers), *figures]


def _figures(found: Summary | None) -> list[str]:
    return [DASH, DASH] if found is None else [two(found.mean), two(found.least)]


def _rooflines(records: Mapping[str, Record]) -> list[str]:
    rows = [
        [words, *(cell for bound in engine.BOUNDS for cell in engine.share(records[name], "prepared", bound))]
        for words, name in ROOFLINES.items()
    ]
    names = ["layers bound by multiply-adds", "mean", "least", "layers bound by memory", "mean", "least"]
    return table(["share of the roofline", *names], rows)
