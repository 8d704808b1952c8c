"""`tconv.conv_transpose` on tensors: its keywords, on the engine with derivatives, or by a method that is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tconv import checks, ops
from tconv.arguments import Layout
from tconv.plan import check_words
from tconv.torch import calls
from tconv.torch.messages import summary
from tconv.torch.plain import needs_graph


def by_window(
    x: Tensor, w: Tensor, bias: Tensor | None, window: tuple[Any, ...], layout: Layout, method: str, out: Tensor | None
) -> Tensor:
    """`tconv.conv_transpose` with its geometry arguments in the order of `arguments.Window`."""
    with checks.explained("conv_transpose", lambda: _called_with(x, w, bias, out, layout, method)):
        check_words(layout, method)
        _check_tensors(x, w, bias, out)
        output_padding, output_size = window[2:4]
        if output_size is not None and output_padding not in (0, None):
            checks.wrong(
                f"output_padding and output_size must not both be given; got {output_padding} and {output_size}"
            )
        if (by_name := method != "auto" or not _for_torch(x, w)) or out is not None:
            _check_not_recorded(x, w, bias, "out" if out is not None else "method")
        if by_name:
            _check_readable(x)
    result = _by_method(x, w, bias, window, layout, method) if by_name else _differentiable(x, w, bias, window, layout)
    return result if out is None else _written(out, result)


def _for_torch(x: Tensor, w: Tensor) -> bool:
    """Whether the functions of `tconv.torch` compute it: PyTorch has none for more axes, or for integers."""
    return w.dim() <= 5 and (x.dtype.is_floating_point or x.dtype.is_complex)


def _differentiable(x: Tensor, w: Tensor, bias: Tensor | None, window: tuple[Any, ...], layout: Layout) -> Tensor:
    stride, padding, output_padding, output_size, groups, dilation = window
    given = calls.frozen(stride, padding, output_padding, groups, dilation, output_size)
    ndim = w.dim() - 2
    if layout == "channels_first":
        return calls.call(ndim, x, w, bias, given)
    # Views: nothing is moved. Channels are last in the result whatever PyTorch's rule would say.
    y = calls.call(ndim, x.movedim(-1, -1 - ndim), w, bias, given, last=True)
    return y.movedim(-1 - ndim, -1).contiguous()


def _by_method(
    x: Tensor, w: Tensor, bias: Tensor | None, window: tuple[Any, ...], layout: Layout, method: str
) -> Tensor:
    names = ("stride", "padding", "output_padding", "output_size", "groups", "dilation")
    arrays = [None if t is None else t.detach().numpy() for t in (x, w, bias)]
    keywords: Any = dict(zip(names, window, strict=True))
    y = ops.conv_transpose(arrays[0], arrays[1], arrays[2], **keywords, layout=layout, method=method)  # type: ignore[arg-type]
    return torch.from_numpy(np.ascontiguousarray(y))


def _written(out: Tensor, result: Tensor) -> Tensor:
    with checks.explained("conv_transpose"):
        if out.shape != result.shape or out.dtype != result.dtype:
            checks.wrong(f"out must be {summary(result)}; got {summary(out)}")
    return out.copy_(result)


def _check_tensors(x: Any, w: Any, bias: Any, out: Any) -> None:
    for name, value in (("x", x), ("w", w), ("bias", bias), ("out", out)):
        if not isinstance(value, Tensor) and not (name in ("bias", "out") and value is None):
            checks.wrong_type(f"{name} must be a tensor, as another is; got {checks.shorten(value)}")


def _check_not_recorded(x: Tensor, w: Tensor, bias: Tensor | None, name: str) -> None:
    if needs_graph(x, w, bias):
        said = 'method must be "auto", and tensors of floating point with 1 to 3 axes of size,'
        said = "out must be None" if name == "out" else said
        checks.wrong(f"{said} where derivatives are recorded; use torch.no_grad()")


def _check_readable(x: Tensor) -> None:
    if not x.is_cpu:
        checks.wrong(f'method must be "auto" for tensors that are not on the CPU; these are on {x.device}')


def _called_with(x: Any, w: Any, bias: Any, out: Any, layout: Any, method: Any) -> str:
    shown = {"x": x, "w": w, "bias": bias, "out": out}
    tensors = [f"{name}={summary(value)}" for name, value in shown.items() if value is not None]
    return ", ".join([*tensors, f'layout="{layout}"', f'method="{method}"'])
