"""What is wrong with a call, in tconv's sentences, PyTorch's names of arguments, and PyTorch's classes of errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tconv import arrays, checks
from tconv.checks import Rejected
from tconv.hints import words
from tconv.problem import Operation
from tconv.torch.windows import RawArguments


@contextmanager
def explained(operation: Operation, ndim: int, x: Any, w: Any, bias: Any, given: Any) -> Iterator[None]:
    """Turn a `Rejected` from inside into the error that the user sees."""
    try:
        yield
    except Rejected as rejected:
        shown = _called_with(operation, x, w, bias, given)
        problem = error(f"{operation}{ndim}d", rejected, shown, -1 - ndim)
    else:
        return
    raise problem from None


def error(name: str, rejected: Rejected, context: str = "", channels: int = 1) -> Exception:
    """PyTorch raises RuntimeError for values; ValueError is what its layers raise for a wrong output_size."""
    reason = _renamed(str(rejected), channels, reads="x" if name.startswith("conv_transpose") else "y")
    of_size = reason.startswith("output_size")
    kind = RuntimeError if rejected.kind is ValueError and not of_size else rejected.kind
    return kind(f"{name}: {reason}" + (f"\n  called with {context}" if context else ""))


def _renamed(reason: str, channels: int, reads: str) -> str:
    """x and w are input and weight to PyTorch, whose functions have no layout, and whose tensors no astype.

    To `tconv.conv` y is the input, with Cout channels: names of a transposed convolution, which PyTorch has the other
    way round.
    """
    if reads == "y":
        reason = reason.replace("the channels of x, Cin", "the channels of the result, Cin")
        reason = reason.replace("a convolution's order", "a transposed convolution's order")
        reason = re.sub(r"\bC(in|out)\b", lambda found: "Cin" if found[1] == "out" else "Cout", reason)
    reason = reason.replace('layout="channels_last"', f"{reads}.movedim(-1, {channels})")
    reason = reason.replace("w.transpose", "w.permute")
    return re.sub(r"\bw\b", "weight", re.sub(rf"\b{reads}\b", "input", reason))


def _called_with(operation: Operation, x: Any, w: Any, bias: Any, given: Any) -> str:
    shown = [f"input={summary(x)}", f"weight={summary(w)}"] + ([] if bias is None else [f"bias={summary(bias)}"])
    defaults = (1, 0, None if operation == "conv" else 0, 1, 1, None)
    for (name, value), default in zip(RawArguments(*given)._asdict().items(), defaults, strict=True):
        if not (type(value) is type(default) and value == default):
            shown.append(f"{name}={checks.shorten(value)}")
    return ", ".join(shown)


def summary(value: Any) -> str:
    """A tensor by dtype, shape and device."""
    if not isinstance(value, Tensor):
        return checks.shorten(value)
    device = "" if value.device.type == "cpu" else f" on {value.device}"
    return f"{name_of(value.dtype)} {tuple(value.shape)}{device}"


def name_of(dtype: torch.dtype) -> str:
    """The name of a dtype, as NumPy says it."""
    return str(dtype).removeprefix("torch.")


def cast(name: str, got: str, other: str, wanted: str) -> str:
    """How two tensors come to one dtype."""
    return re.sub(r'astype\("(\w+)"\)', r"to(torch.\1)", words.cast(name, got, other, wanted))


def check_tensors(ndim: int, x: Any, w: Any, bias: Any) -> None:
    """Tensors of one dtype, unless autocast will see to it, on one device, with as many axes as the function is for."""
    for name, value in (("input", x), ("weight", w), ("bias", bias)):
        if not isinstance(value, Tensor) and not (name == "bias" and value is None):
            kind, hint = type(value).__name__, words.tensor(name, value)
            checks.wrong_type(f"{name} must be a tensor; got {arrays.summary(value)} of type {kind}{hint}")
    for name, value in (("weight", w), ("bias", bias)):
        if value is None:
            continue
        if value.dtype is not x.dtype and not torch._C._is_any_autocast_enabled():
            wanted, got = name_of(x.dtype), name_of(value.dtype)
            checks.wrong(f"{name} must have the dtype of input, {wanted}; got {got}{cast(name, got, 'input', wanted)}")
        if value.device != x.device:
            checks.wrong(f"{name} must be on the device of input, {x.device}; got {value.device}")
    if w.dim() != ndim + 2:
        axes = checks.count(ndim + 2, "axis", "axes")
        checks.wrong(f"weight must have {axes}, (Cin, Cout / groups, *kernel); got shape {tuple(w.shape)}")


def check_bias(bias: Tensor | None, channels: int) -> None:
    """One number an output channel."""
    if bias is not None and tuple(bias.shape) != (channels,):
        checks.wrong(f"bias must have shape ({channels},), one entry an output channel; got {tuple(bias.shape)}")
