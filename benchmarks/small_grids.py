"""tconv's prepared operators on small grids with dilated kernels that nobody chose, against the best of three peers.

    python -m benchmarks.small_grids [--number 60] [--seed 0] [--rounds 9] [--isa avx2]

A draw depends on the seed and its number alone: a convolution or a transposed one, of 2 or 3 axes, grids of 4 to 14, 32
to 512 channels, kernels of 3 to 5, dilation 2 to 4, and at most 2 GFLOP. Peers are PyTorch's functions, contiguous and
channels last, and OpenVINO, which packs the weights as the prepared operator does. All take turns in one process on one
thread, after their results were compared; the quickest call of each counts, by the time of the thread, which other work
on the machine hardly changes. tconv is measured in both layouts, and each is held against the best peer in any.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import prod
from typing import Any

import numpy as np

import tconv
from benchmarks.held import HELD_PEERS, LAYOUTS, held, isa_option, quickest, ratio, say_ratios
from benchmarks.methods import check_agreement
from benchmarks.record import keep, milliseconds, record_option
from tconv.bench.peers.base import load
from tconv.measuring.rounds import Run

#: Operations of a draw, at most: what a benchmark of sixty has the time for.
MOST_FLOPS = 2_000_000_000


@dataclass(frozen=True)
class Grid:
    """One draw: a layer of stride 1 whose grids have about the same size, or a transposed one of stride 1 or 2."""

    operation: str  #: conv or conv_transpose
    channels: tuple[int, int]  #: in, out
    size: tuple[int, ...]
    kernel: int
    stride: int
    dilation: int

    @classmethod
    def drawn(cls, seed: int, number: int) -> Grid:
        """The draw of this number: the first of its stream that is not too large."""
        stream = random.Random(f"{seed} {number}")
        return next(grid for grid in (cls._any(stream) for _ in count()) if grid.flops <= MOST_FLOPS)

    @classmethod
    def _any(cls, stream: random.Random) -> Grid:
        axes, operation = stream.choice((2, 3)), stream.choice(("conv", "conv_transpose"))
        # Powers of two and what lies between them, small ones as often as large ones.
        channels = [int(2 ** stream.uniform(5, 9.001)) // 8 * 8 for _ in range(2)]
        size = tuple(stream.randint(4, 14) for _ in range(axes))
        stride = stream.choice((1, 2)) if operation == "conv_transpose" else 1
        return cls(operation, (channels[0], channels[1]), size, stream.randint(3, 5), stride, stream.randint(2, 4))

    @property
    def padding(self) -> int:
        """Half of what the kernel reaches, so that the grids have about the same size."""
        return self.dilation * (self.kernel - 1) // 2

    @property
    def window(self) -> dict[str, Any]:
        """Keywords of both operators."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}

    @property
    def w_shape(self) -> tuple[int, ...]:
        """As PyTorch has it: (out, in, *kernel) of a convolution, (in, out, *kernel) of a transposed one."""
        pair = self.channels if self.operation == "conv_transpose" else self.channels[::-1]
        return (*pair, *(self.kernel,) * len(self.size))

    @property
    def flops(self) -> int:
        """Two for each product, those of zeros beside x too."""
        return 2 * prod(self.size) * prod(self.w_shape)

    def __str__(self) -> str:
        size = "x".join(map(str, self.size))
        kernel = f"k{self.kernel} s{self.stride} d{self.dilation}"
        return f"{self.operation} {size} {self.channels[0]}->{self.channels[1]} {kernel}"


def contestants(grid: Grid) -> Iterator[tuple[str, Run]]:
    """By name what computes the draw; its result is an array or a tensor, or OpenVINO's."""
    stream = np.random.default_rng(0)
    x, w = (
        stream.standard_normal(shape, dtype=np.float32) for shape in ((1, grid.channels[0], *grid.size), grid.w_shape)
    )
    yield from _ours(grid, x, w)
    yield from _torch(grid, x, w)
    yield "openvino", _openvino(grid, x, w)


def _ours(grid: Grid, x: Any, w: Any) -> Iterator[tuple[str, Run]]:
    make: Any = tconv.Conv if grid.operation == "conv" else tconv.ConvTranspose
    first, last = make(w, **grid.window), make(w, layout="channels_last", **grid.window)
    moved = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    out, out_last = first(x), last(moved)
    yield "tconv channels first", lambda: first(x, out=out)
    yield "tconv channels last", lambda: last(moved, out=out_last)


def _torch(grid: Grid, x: Any, w: Any) -> Iterator[tuple[str, Run]]:
    torch = load("torch")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    function = getattr(torch.nn.functional, f"{grid.operation}{len(grid.size)}d")
    tensors = [torch.from_numpy(each) for each in (x, w)]
    order = torch.channels_last if len(grid.size) == 2 else torch.channels_last_3d
    for name, (a, b) in zip(
        HELD_PEERS.values(), (tensors, [each.to(memory_format=order) for each in tensors]), strict=False
    ):
        yield name, partial(function, a, b, **grid.window)


def _openvino(grid: Grid, x: Any, w: Any) -> Run:
    """A compiled model of this layer alone, in float32."""
    openvino = load("openvino")
    opset, axes = openvino.opset13, len(grid.size)
    window = {"strides": [grid.stride] * axes, "dilations": [grid.dilation] * axes}
    pads = {"pads_begin": [grid.padding] * axes, "pads_end": [grid.padding] * axes}
    parameter = opset.parameter(x.shape, np.float32)
    make = opset.convolution if grid.operation == "conv" else opset.convolution_backprop_data
    node = make(parameter, opset.constant(w), **window, **pads)
    properties = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Model([node], [parameter], "layer")
    request = openvino.Core().compile_model(model, "CPU", properties).create_infer_request()
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    return lambda: request.infer(share_outputs=True)[0]


def measured(grid: Grid, number: int, rounds: int) -> dict[str, Any]:
    """The milliseconds of every way."""
    runs = dict(contestants(grid))
    check_agreement({name: _channels_first(name, run()) for name, run in runs.items()})
    row = {"number": number, "layer": str(grid), "ms": milliseconds(quickest(runs, rounds))}
    said = "  ".join(f"{layout} {ratio(row, layout):.2f}" for layout in LAYOUTS)
    print(f"{number:3} {row['layer']:<52}{said}  {row['ms']}", file=sys.stderr)
    return row


def _channels_first(name: str, result: Any) -> Any:
    array = np.array(result)
    return np.moveaxis(array, -1, 1) if name == "tconv channels last" else array


def main() -> None:
    """Measure, print, and keep a record where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_grids", description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=60, help="how many to draw")
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="only the draws of these numbers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=9)
    isa_option(parser)
    record_option(parser)
    options = parser.parse_args()
    if held("benchmarks.small_grids", options.isa):
        return
    tconv.set_num_threads(1)
    numbers = options.only or range(options.number)
    rows = [measured(Grid.drawn(options.seed, number), number, options.rounds) for number in numbers]
    say_ratios(rows)
    keep(options.record, rows, ["torch", "openvino"])


if __name__ == "__main__":
    main()
