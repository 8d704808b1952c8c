"""Weights as one node of a graph, with the operators that are prepared from them where tasks run."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from dask.base import tokenize

from tconv.arguments import Layout
from tconv.dask.lending import lender
from tconv.forks import uninterrupted
from tconv.prepared import Conv, ConvTranspose
from tconv.problem import Array, Operation

Padding: TypeAlias = tuple[tuple[int, int], ...]
#: Operators that are kept: one for each way in which blocks begin and end between strides. Each holds the weights.
MOST = 16


class Weights:
    """The weights and the bias of a layer, and the layer but for its padding, which blocks have of their own.

    A process has one object of it for a graph, and with it the operators that were prepared: they are not sent.
    """

    def __init__(
        self, operation: Operation, w: Array, bias: Array | None, stride: tuple[int, ...], dilation: tuple[int, ...],
        groups: int, layout: Layout, method: str,
    ) -> None:  # fmt: skip
        # Copies: the graph is of the values that its keys are made of, whatever becomes of the arrays.
        self.operation, self.w = operation, np.array(w, order="C")
        self.bias = None if bias is None else np.array(bias)
        self.stride, self.dilation, self.groups, self.layout, self.method = stride, dilation, groups, layout, method
        #: Zeros beyond the ends meet weights: where one of these is not finite, blocks are cut off at the ends instead.
        self.finite = bool(np.isfinite(self.w).all())
        self._operators: dict[Padding, ConvTranspose | Conv] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_operators": {}}

    def __dask_tokenize__(self) -> str:
        return tokenize(self.__getstate__())

    def __call__(self, grid: Array, padding: Padding, size: tuple[int, ...]) -> Array:
        """The result on a block of the grid with the padding of that block: so many cells, in memory that is lent."""
        up, images = self.operation == "conv_transpose", grid.shape[: grid.ndim - 1 - len(size)]
        channels = self.w.shape[1] * self.groups if up else self.w.shape[0]
        inner = (*size, channels) if self.layout == "channels_last" else (channels, *size)
        return self._operator(padding)(grid, lender.empty((*images, *inner), self.w.dtype))

    def blank(self, shape: tuple[int, ...]) -> Array:
        """A block that no tap reaches: the bias alone."""
        result = np.zeros(shape, self.w.dtype)
        if self.bias is not None:
            last = self.layout == "channels_last"
            result += self.bias if last else self.bias.reshape(-1, *[1] * (self.w.ndim - 2))
        return result

    def _operator(self, padding: Padding) -> ConvTranspose | Conv:
        with uninterrupted:
            made = self._operators.get(padding)
            if made is None:
                if len(self._operators) >= MOST:
                    del self._operators[next(iter(self._operators))]
                prepared = ConvTranspose if self.operation == "conv_transpose" else Conv
                made = self._operators[padding] = prepared(
                    self.w, self.bias, stride=self.stride, padding=padding, dilation=self.dilation,
                    groups=self.groups, layout=self.layout, method=self.method,
                )  # fmt: skip
            return made
