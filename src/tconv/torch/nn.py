"""`ConvTranspose1d` to `3d` and `Conv1d` to `3d`, also lazy ones: those of torch.nn, their constructor, state, repr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from tconv import checks
from tconv.resolve import Ints, PaddingLike
from tconv.torch import borders
from tconv.torch.calls import call
from tconv.torch.engine import Operation
from tconv.torch.kept import PackedWeights
from tconv.torch.plain import needs_graph
from tconv.torch.windows import WORDS, WORDS_OF_CONV

_is_compiling = torch.compiler.is_compiling
_autocast: Any = torch._C._is_any_autocast_enabled


class _Layer(torch.nn.modules.conv._ConvNd):
    """What all of them have in common: weights that are kept packed, a short way to PyTorch where that is sooner."""

    _operation: ClassVar[Operation]
    #: Whether it computes by minimal filtering, where that can be and no derivative is recorded (`accelerated.py`).
    _filters: ClassVar[bool] = False

    def __prepare_scriptable__(self) -> Any:
        """What torch.jit.script asks for."""
        raise RuntimeError(
            "torch.jit.script compiles PyTorch's own layers, and not tconv's: use torch.compile or torch.export, or "
            f"torch.nn.{type(self).__name__}, which has the same state_dict"
        )

    def _check(self) -> None:
        """What PyTorch's constructors let pass is said here, and not in the first call."""
        with checks.explained(type(self).__name__):
            ndim = len(self.kernel_size)
            for name in ("kernel_size", "stride", "dilation"):
                checks.per_axis(name, getattr(self, name), ndim, 1)
            if not isinstance(self.padding, str):
                checks.padding_per_axis(self.padding, ndim)

    def _computed(self, input: Tensor, given: tuple[Any, ...]) -> Tensor:
        """The result; `given` are the arguments that are no tensors, in the order of `windows.RawArguments`."""
        state = self.__dict__
        # Parametrized weights are attributes; those that are parameters are found sooner where they lie.
        parameters = state["_parameters"]
        w = parameters["weight"] if "weight" in parameters else self.weight  # noqa: SIM401 - not both
        bias = parameters["bias"] if "bias" in parameters else self.bias  # noqa: SIM401
        kept = state.get("_kept")
        if not _is_compiling():
            if kept is None:  # also in a layer whose class was changed
                kept = state["_kept"] = PackedWeights(self._filters)
            try:
                small = kept.small.get(input.shape)
                if (
                    small is not None
                    and small.given == given
                    and small.dtype is input.dtype
                    and (small.tiny or (needs_graph(input, w, bias) and not _autocast()))
                ):
                    return small.function(input, w, bias, *small.arguments)  # type: ignore[no-any-return]
            except (AttributeError, RuntimeError, TypeError):
                pass  # what is wrong is found, and said, below
        if self.padding_mode != "zeros":
            return borders.computed(self._operation, self.padding_mode, input, w, bias, given, kept)
        return call(self._operation, len(self.kernel_size), input, w, bias, given, kept, filters=self._filters)


class _ConvTranspose(_Layer, torch.nn.modules.conv._ConvTransposeNd):
    """What the transposed ones have in common."""

    _operation = "conv_transpose"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: PaddingLike = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        said = _settled(type(self).__name__, padding, WORDS, padding_mode)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding if said is None else 0, output_padding, groups,
            bias, dilation, "zeros", device, dtype,
        )  # fmt: skip
        self.padding_mode: Any = padding_mode  # PyTorch's layers refuse all others
        if said is not None:
            self.padding = said
        self._check()

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Compute; `output_size` is the size of the result, with or without its batch and channels."""
        size = None if output_size is None else self._size(input, output_size)
        given = self.stride, self.padding, self.output_padding, self.groups, self.dilation, size
        return self._computed(input, given)

    def _size(self, input: Tensor, size: Any) -> Any:
        """The size without the batch and channels that PyTorch allows before it."""
        if not checks.is_sequence(size):
            return size
        ndim = len(self.kernel_size)
        return tuple(size[-ndim:]) if len(size) == input.dim() > ndim else tuple(size)


class _Conv(_Layer):
    """What the convolutions have in common."""

    _operation = "conv"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: PaddingLike = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        said = _settled(type(self).__name__, padding, WORDS_OF_CONV, padding_mode)
        pairs = None if isinstance(said, str) else said
        channels, make = (in_channels, out_channels), cast(Any, super().__init__)
        rest = (dilation, groups, bias, padding_mode, device, dtype)
        make(*channels, kernel_size, stride, padding if pairs is None else 0, *rest)
        if pairs is not None:
            self.padding = pairs
        self._check()

    def forward(self, input: Tensor) -> Tensor:
        """Compute."""
        own = self.__dict__.get("_conv_forward")
        if own is not None:  # which people set on PyTorch's layers, to pad pictures in another way
            return own(input, self.weight, self.bias)  # type: ignore[no-any-return]
        return self._computed(input, (self.stride, self.padding, None, self.groups, self.dilation, None))


def _settled(name: str, padding: Any, words: Sequence[str], mode: str) -> Any:
    """Padding that PyTorch's layers cannot say, as a word or pairs; None where they can."""
    with checks.explained(name):
        checks.choice("padding_mode", mode, ("zeros", *borders.MODES))
        if isinstance(padding, str):
            return checks.padding_word(padding, words)
    if checks.is_sequence(padding) and any(checks.is_sequence(entry) for entry in padding):
        return tuple(tuple(entry) if checks.is_sequence(entry) else entry for entry in padding)
    return None


class ConvTranspose1d(_ConvTranspose, torch.nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` on tconv's engine; see `ConvTranspose2d`."""


class ConvTranspose2d(_ConvTranspose, torch.nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` on tconv's engine: a subclass, with the same constructor, parameters and repr.

    Its state_dict is that of PyTorch's layer, so checkpoints load into either. Beyond PyTorch, `padding` may be "same"
    (the result has input * stride cells), "causal" (it has as many, and no cell depends on a later one), "valid", or
    have an integer or a (low, high) pair for each axis; and `padding_mode` may be "circular", "reflect" or "replicate":
    the layer is then the transpose of PyTorch's convolution that pads so. Arguments that are wrong raise ValueError or
    TypeError here, not in the first call.

    Copies, pickles and state_dicts hold no packed weights: they are packed again where they are needed.

    >>> import torch, tconv.torch
    >>> layer = tconv.torch.nn.ConvTranspose2d(8, 4, 3, stride=2, padding="same")
    >>> layer
    ConvTranspose2d(8, 4, kernel_size=(3, 3), stride=(2, 2), padding=same)
    >>> layer(torch.ones(1, 8, 5, 6)).shape
    torch.Size([1, 4, 10, 12])
    """


class ConvTranspose3d(_ConvTranspose, torch.nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d` on tconv's engine; see `ConvTranspose2d`."""


class LazyConvTranspose1d(torch.nn.LazyConvTranspose1d, ConvTranspose1d):  # type: ignore[misc]
    """A `ConvTranspose1d` that takes `in_channels` from its first input; see `LazyConvTranspose2d`."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(torch.nn.LazyConvTranspose2d, ConvTranspose2d):  # type: ignore[misc]
    """A `ConvTranspose2d` that takes `in_channels` from its first input, as `torch.nn.LazyConvTranspose2d` does.

    >>> import torch, tconv.torch
    >>> layer = tconv.torch.nn.LazyConvTranspose2d(4, kernel_size=3, stride=2, padding="same")
    >>> layer(torch.ones(1, 8, 5, 6)).shape
    torch.Size([1, 4, 10, 12])
    >>> layer
    ConvTranspose2d(8, 4, kernel_size=(3, 3), stride=(2, 2), padding=same)
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(torch.nn.LazyConvTranspose3d, ConvTranspose3d):  # type: ignore[misc]
    """A `ConvTranspose3d` that takes `in_channels` from its first input; see `LazyConvTranspose2d`."""

    cls_to_become = ConvTranspose3d


class Conv1d(_Conv, torch.nn.Conv1d):
    """`torch.nn.Conv1d` on tconv's engine; see `Conv2d`."""


class Conv2d(_Conv, torch.nn.Conv2d):
    """`torch.nn.Conv2d` on tconv's engine: a subclass, with the same constructor, parameters and repr.

    Its state_dict is that of PyTorch's layer, so checkpoints load into either. Beyond PyTorch, `padding` may have an
    integer or a (low, high) pair for each axis. With another `padding_mode` than "zeros" the input is padded first, as
    PyTorch's layer does, around one axis row by row. Wrong arguments, copies and packed weights are as in
    `ConvTranspose2d`.

    >>> import torch, tconv.torch
    >>> layer = tconv.torch.nn.Conv2d(8, 4, 3, stride=2, padding=((0, 1), (0, 1)))
    >>> layer
    Conv2d(8, 4, kernel_size=(3, 3), stride=(2, 2), padding=((0, 1), (0, 1)))
    >>> layer(torch.ones(1, 8, 10, 12)).shape
    torch.Size([1, 4, 5, 6])
    """


class Conv3d(_Conv, torch.nn.Conv3d):
    """`torch.nn.Conv3d` on tconv's engine; see `Conv2d`."""


class LazyConv1d(torch.nn.LazyConv1d, Conv1d):  # type: ignore[misc]
    """A `Conv1d` that takes `in_channels` from its first input; see `LazyConvTranspose2d`."""

    cls_to_become = Conv1d


class LazyConv2d(torch.nn.LazyConv2d, Conv2d):  # type: ignore[misc]
    """A `Conv2d` that takes `in_channels` from its first input; see `LazyConvTranspose2d`."""

    cls_to_become = Conv2d


class LazyConv3d(torch.nn.LazyConv3d, Conv3d):  # type: ignore[misc]
    """A `Conv3d` that takes `in_channels` from its first input; see `LazyConvTranspose2d`."""

    cls_to_become = Conv3d
