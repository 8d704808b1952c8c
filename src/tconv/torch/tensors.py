"""The operations of `tconv.ops` on tensors: on the engine with derivatives, or by a method that is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tconv import checks, numpy_ops, repeated
from tconv.arguments import Layout
from tconv.hints import words
from tconv.methods import Operation
from tconv.plan import check_words
from tconv.torch import adjoints, calls
from tconv.torch.messages import summary
from tconv.torch.plain import needs_graph


def compute(
    operation: Operation, operands: dict[str, Any], kernel_size: Any, bias: Any, window: tuple[Any, ...],
    layout: Layout, method: str, out: Any,
) -> Tensor:  # fmt: skip
    """The result of an operation, a tensor; `window` holds the geometry arguments in the order of `Window`."""
    shown = {**operands, "bias": bias, "out": out}
    with checks.explained(operation, lambda: _called_with(shown, kernel_size, layout, method)):
        check_words(layout, method)
        _check_tensors(shown)
        if isinstance(window[1], str):
            checks.padding_word(window[1])
        first, second = operands.values()
        if operation == "conv_transpose":
            _check_one_of(*window[2:4])
        by_name = method != "auto" or not _for_torch(_axes(operation, first, second, kernel_size), first)
        if by_name or out is not None:
            _check_not_recorded(first, second, bias, "out" if out is not None else "method")
        if by_name:
            _check_readable(first)
    if by_name:
        result = _by_method(operation, operands, kernel_size, bias, window, layout, method)
    elif operation == "conv_transpose":
        result = _conv_transpose(first, second, bias, window, layout)
    else:
        with checks.explained(operation, lambda: _called_with(shown, kernel_size, layout, method)):
            result = adjoints.computed(operation, operands, kernel_size, bias, window, layout)
    return result if out is None else _written(operation, out, result)


def _axes(operation: Operation, first: Tensor, second: Tensor, kernel_size: Any) -> int:
    """Axes of size; as many as x has behind two others, where neither weights nor kernel say it."""
    if operation != "weight_gradient":
        return second.dim() - 2
    return len(kernel_size) if checks.is_sequence(kernel_size) else first.dim() - 2


def _for_torch(axes: int, first: Tensor) -> bool:
    """Whether PyTorch has such operators: it has none for more axes, or for integers."""
    return axes <= 3 and (first.dtype.is_floating_point or first.dtype.is_complex)


def _conv_transpose(x: Tensor, w: Tensor, bias: Tensor | None, window: tuple[Any, ...], layout: Layout) -> Tensor:
    stride, padding, output_padding, output_size, groups, dilation = window
    given = calls.frozen("conv_transpose", stride, padding, output_padding, groups, dilation, output_size)
    ndim = w.dim() - 2
    if layout == "channels_first":
        return calls.call("conv_transpose", ndim, x, w, bias, given)
    # Views: nothing is moved. Channels are last in the result whatever PyTorch's rule would say.
    y = calls.call("conv_transpose", ndim, x.movedim(-1, -1 - ndim), w, bias, given, last=True)
    return y.movedim(-1 - ndim, -1).contiguous()


def _by_method(
    operation: Operation, operands: dict[str, Tensor], kernel_size: Any, bias: Tensor | None,
    window: tuple[Any, ...], layout: Layout, method: str,
) -> Tensor:  # fmt: skip
    first, second = arrays = [_on_its_memory(operand) for operand in operands.values()]
    shift = None if bias is None else _on_its_memory(bias)
    result = None
    if operation != "weight_gradient":
        result = repeated.call(operation, first, second, shift, window, layout, method)
    if result is None:
        named = dict(zip(operands, arrays, strict=True))
        result = numpy_ops.compute(operation, named, kernel_size, shift, window, layout, method, None)
    return torch.from_numpy(np.ascontiguousarray(result))


def _on_its_memory(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The tensor as an array of NumPy, which knows no conjugate that is still to be taken, nor a sign."""
    array: np.ndarray[Any, Any] = tensor.detach().resolve_conj().resolve_neg().numpy()
    return array


def _written(operation: Operation, out: Tensor, result: Tensor) -> Tensor:
    with checks.explained(operation):
        if out.shape != result.shape or out.dtype != result.dtype:
            checks.wrong(f"out must be {summary(result)}; got {summary(out)}")
    return out.copy_(result)


def _check_one_of(output_padding: Any, output_size: Any) -> None:
    if output_size is not None and output_padding not in (0, None):
        checks.wrong(f"output_padding and output_size must not both be given; got {output_padding} and {output_size}")


def _check_tensors(shown: dict[str, Any]) -> None:
    for name, value in shown.items():
        if not isinstance(value, Tensor) and not (name in ("bias", "out") and value is None):
            hint = words.tensor(name, value)
            checks.wrong_type(f"{name} must be a tensor, as another is; got {checks.shorten(value)}{hint}")


def _check_not_recorded(first: Tensor, second: Tensor, bias: Tensor | None, name: str) -> None:
    if needs_graph(first, second, bias):
        said = 'method must be "auto", and tensors of floating point with 1 to 3 axes of size,'
        said = "out must be None" if name == "out" else said
        checks.wrong(f"{said} where derivatives are recorded; use torch.no_grad()")


def _check_readable(first: Tensor) -> None:
    if not first.is_cpu:
        checks.wrong(f'method must be "auto" for tensors that are not on the CPU; these are on {first.device}')


def _called_with(shown: dict[str, Any], kernel_size: Any, layout: Any, method: Any) -> str:
    tensors = [f"{name}={summary(value)}" for name, value in shown.items() if value is not None]
    kernel = [] if kernel_size is None else [f"kernel_size={checks.shorten(kernel_size)}"]
    return ", ".join([*tensors, *kernel, f'layout="{layout}"', f'method="{method}"'])
