"""`ConvTranspose1d` to `3d`, also lazy ones, in place of those of torch.nn, with their constructor, state and repr."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tconv import checks
from tconv.resolve import Ints, PaddingLike
from tconv.torch import borders
from tconv.torch.calls import call
from tconv.torch.kept import PackedWeights
from tconv.torch.plain import needs_graph
from tconv.torch.windows import WORDS

_is_compiling = torch.compiler.is_compiling
_autocast: Any = torch._C._is_any_autocast_enabled


class _Layer(torch.nn.modules.conv._ConvTransposeNd):
    """What the three have in common."""

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
        said = _pairs(padding, type(self).__name__)
        with checks.explained(type(self).__name__):
            checks.choice("padding_mode", padding_mode, ("zeros", *borders.MODES))
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding if said is None else 0, output_padding, groups,
            bias, dilation, "zeros", device, dtype,
        )  # fmt: skip
        self.padding_mode: Any = padding_mode  # PyTorch's layers refuse all others
        if said is not None:
            self.padding = said
        with checks.explained(type(self).__name__):
            ndim = len(self.kernel_size)
            for name in ("kernel_size", "stride", "dilation"):
                checks.per_axis(name, getattr(self, name), ndim, 1)
            if not isinstance(said, str):
                checks.padding_per_axis(self.padding, ndim)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Compute; `output_size` is the size of the result, with or without its batch and channels."""
        state = self.__dict__
        # Parametrized weights are attributes; those that are parameters are found sooner where they lie.
        parameters = state["_parameters"]
        w = parameters["weight"] if "weight" in parameters else self.weight  # noqa: SIM401 - not both
        bias = parameters["bias"] if "bias" in parameters else self.bias  # noqa: SIM401
        size = None if output_size is None else self._size(input, output_size)
        given = self.stride, self.padding, self.output_padding, self.groups, self.dilation, size
        kept = state.get("_kept")
        if not _is_compiling():
            if kept is None:  # also in a layer whose class was changed
                kept = state["_kept"] = PackedWeights()
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
            return borders.conv_transpose(self.padding_mode, input, w, bias, given, kept)
        return call("conv_transpose", len(self.kernel_size), input, w, bias, given, kept)

    def __prepare_scriptable__(self) -> Any:
        """What torch.jit.script asks for."""
        raise RuntimeError(
            "torch.jit.script compiles PyTorch's own layers, and not tconv's: use torch.compile or torch.export, or "
            f"torch.nn.{type(self).__name__}, which has the same state_dict"
        )

    def _size(self, input: Tensor, size: Any) -> Any:
        """The size without the batch and channels that PyTorch allows before it."""
        if not checks.is_sequence(size):
            return size
        ndim = len(self.kernel_size)
        return tuple(size[-ndim:]) if len(size) == input.dim() > ndim else tuple(size)


def _pairs(padding: Any, name: str) -> Any:
    """Padding that PyTorch's layers cannot say, as a word or pairs; None where they can."""
    if isinstance(padding, str):
        with checks.explained(name):
            return checks.padding_word(padding, WORDS)
    if checks.is_sequence(padding) and any(checks.is_sequence(entry) for entry in padding):
        return tuple(tuple(entry) if checks.is_sequence(entry) else entry for entry in padding)
    return None


class ConvTranspose1d(_Layer, torch.nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` on tconv's engine; see `ConvTranspose2d`."""


class ConvTranspose2d(_Layer, torch.nn.ConvTranspose2d):
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


class ConvTranspose3d(_Layer, torch.nn.ConvTranspose3d):
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
