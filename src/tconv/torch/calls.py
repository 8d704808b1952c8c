"""The way of a call: straight to the engine, or through PyTorch's dispatcher where somebody wants to know of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tconv import arguments, checks
from tconv.torch import autocasting, dispatched, engine, kept, messages, windows
from tconv.torch.engine import Call, Operation, OperationWindow
from tconv.torch.gradients import RECORD
from tconv.torch.kept import PackedWeights, Small
from tconv.torch.native import SaidByTorch
from tconv.torch.plain import needs_graph, plain
from tconv.torch.windows import RawArguments


def frozen(operation: Operation, *values: Any) -> tuple[Any, ...]:
    """The arguments as part of a key, in the order of `RawArguments`."""
    if torch.compiler.is_compiling():  # nothing is looked up then
        return values
    try:
        return tuple([arguments.freeze(name, value) for name, value in zip(RawArguments._fields, values, strict=True)])
    except checks.Rejected as rejected:
        raise messages.error(operation, rejected) from None


_is_compiling = torch.compiler.is_compiling
_remembered = engine.remembered


def call(
    operation: Operation, ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, given: tuple[Any, ...],
    layer: PackedWeights | None = None, last: bool | None = None, *, filters: bool = False,
) -> Tensor:  # fmt: skip
    """The operation on ndim axes; x is what it reads, whichever grid that is.

    `layer` is what the layer that calls keeps; `last` says where channels lie in the result; None: PyTorch's rule.
    `filters`: in what is compiled the layer computes by minimal filtering; elsewhere what it keeps says so.
    """
    if _is_compiling() or not plain(x, w, bias):
        if not _is_compiling() and autocasting.is_all(x, w, bias):
            return _cast(operation, ndim, x, w, bias, given, layer, last)
        return dispatched.computed(operation, ndim, x, w, bias, given, filters=filters)
    key = (operation, given, ndim, x.shape, x.stride(), x.dtype, w.shape, w.stride(), w.dtype, last)
    known = _remembered(key)
    if known is None or not (bias is None or known.bias_fits(bias)):
        if x.dim() == ndim + 1:
            return call(operation, ndim, x.unsqueeze(0), w, bias, given, layer, last).squeeze(0)
        if x.dtype not in engine.DTYPES:
            return dispatched.computed(operation, ndim, x, w, bias, given)
        known = prepared(operation, ndim, x, w, bias, given, last)
        engine.remember(key, known)
    if needs_graph(x, w, bias):
        if known.short and known.said is not None:
            return _small(x, w, bias, known, known.said, given, layer)
        layer = None if w.requires_grad else kept.of(w) if layer is None else layer
        return RECORD[operation](x, w, bias, known, layer)
    if known.tiny and known.said is not None and last is None:
        return _small(x, w, bias, known, known.said, given, layer)
    layer = kept.of(w) if layer is None else layer
    return known.run(x, w, bias, layer, layer.filters)


def _cast(
    operation: Operation, ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, given: tuple[Any, ...],
    layer: PackedWeights | None, last: bool | None,
) -> Tensor:  # fmt: skip
    """The call that autocast makes of a call."""
    layer = kept.of(w) if layer is None else layer  # else every call would bring weights that were never seen
    x, w, bias = autocasting.cast(x), autocasting.cast(w), None if bias is None else autocasting.cast(bias)
    with autocasting.without():
        return call(operation, ndim, x, w, bias, given, layer, last)


def _small(
    x: Tensor, w: Tensor, bias: Tensor | None, known: Call, said: SaidByTorch, given: tuple[Any, ...],
    layer: PackedWeights | None,
) -> Tensor:  # fmt: skip
    """Compute by PyTorch, to which the layer goes by itself from now on if its arguments are PyTorch's."""
    if layer is not None and given == said.given:
        layer.remember(x.shape, Small(given, x.dtype, known.tiny, said.function, said.arguments))
    return said.function(x, w, bias, *said.arguments)  # type: ignore[no-any-return]


def prepared(
    operation: Operation, ndim: int, x: Tensor, w: Tensor, bias: Tensor | None, given: tuple[Any, ...],
    last: bool | None = None,
) -> Call:  # fmt: skip
    """The call, once everything about it has been checked."""
    said = RawArguments(*given)
    with messages.explained(operation, ndim, x, w, bias, given):
        messages.check_tensors(ndim, x, w, bias)
        settled = _of_conv(said, w, ndim) if operation == "conv" else _of_conv_transpose(said, w, ndim)
        shapes, dtype = (tuple(x.shape), tuple(w.shape)), engine.DTYPES[x.dtype]
        problem, _ = arguments.problem(operation, *shapes, None, dtype, settled, "channels_first")
        g, up = problem.geometry, operation == "conv_transpose"
        messages.check_bias(bias, problem.out_channels if up else problem.in_channels)
    low, size = tuple(pair[0] for pair in g.padding), g.fine if up else g.coarse
    return engine.call(operation, x, w, OperationWindow(g.stride, low, size, g.dilation, problem.groups), last)


def _of_conv_transpose(said: RawArguments, w: Tensor, ndim: int) -> arguments.Window:
    """PyTorch's arguments as those of `tconv.conv_transpose`."""
    named = {name: windows.unpacked(entry, ndim) for name, entry in said._asdict().items()}
    if isinstance(said.padding, str):
        pads = windows.paddings(said.padding, tuple(w.shape[2:]), said.stride, said.dilation)
        named["padding"] = said.padding if isinstance(pads[0], str) else pads
    if said.output_padding is None:
        checks.wrong_type("output_padding must be an integer, or one for each axis; got None")
    if said.output_size is not None:
        named["output_padding"] = None
    return arguments.Window(**named)


def _of_conv(said: RawArguments, w: Tensor, ndim: int) -> arguments.Window:
    """PyTorch's arguments as those of `tconv.conv`."""
    stride, dilation = (windows.each(name, getattr(said, name), ndim, 1) for name in ("stride", "dilation"))
    pads = windows.paddings_of_conv(said.padding, tuple(w.shape[2:]), stride, dilation)
    return arguments.Window(stride, pads, None, None, said.groups, dilation)
