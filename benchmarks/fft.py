"""Convolutions with large kernels: the method `fft`, the best other one, and SciPy's two on the same work.

    python -m benchmarks.fft [--rounds 9] [--record FILE]

SciPy convolves at stride 1: of a convolution with a stride the rest is thrown away, and of a transposed one zeros are
put between the cells. Results are compared first. Then all take turns in one process, on one thread; the least counts.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import signal

import tconv
from benchmarks.record import digits, keep, record_option


class Case(NamedTuple):
    """One channel, a batch of one: a size of the fine grid, a kernel, a stride."""

    operation: str
    fine: tuple[int, ...]
    kernel: int
    stride: int = 1
    dtype: str = "float64"

    def __str__(self) -> str:
        size, stride = "x".join(map(str, self.fine)), f", stride {self.stride}" if self.stride > 1 else ""
        return f"{self.operation}, {size}, kernel {self.kernel}{stride}, {self.dtype}"


CASES = [
    Case("conv", (512, 512), 63),
    Case("conv_transpose", (512, 512), 63),
    Case("weight_gradient", (512, 512), 63),
    Case("conv", (512, 512), 63, dtype="float32"),
    Case("conv", (512, 512), 63, dtype="complex128"),
    Case("conv", (512, 512), 15),
    Case("conv", (512, 512), 63, 2),
    Case("conv", (512, 512), 63, 4),
    Case("conv_transpose", (512, 512), 63, 2),
    Case("conv_transpose", (512, 512), 63, 4),
    Case("conv", (2048, 2048), 31),
    Case("conv", (1 << 20,), 1025),
]


def main() -> None:
    """Print a line a case, and keep them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fft", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    record_option(parser)
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    tconv.set_num_threads(1)
    rows = []
    for case in CASES:
        seconds, other = measure(case, options.rounds)
        ms = {name: digits(value * 1e3) for name, value in seconds.items()}
        print(f"{case!s:60}" + "".join(f"{name} {value:9.3f} ms   " for name, value in ms.items()) + other, flush=True)
        rows.append({"case": str(case), "ms": ms, "other": other})
    keep(options.record, rows, ("scipy",))


def measure(case: Case, rounds: int) -> tuple[dict[str, float], str]:
    """The least seconds of each way, and which other method is the best by the cost model."""
    ways, other = _ways(case)
    results = {name: way() for name, way in ways.items()}
    for name, result in results.items():
        np.testing.assert_allclose(result, results["fft"], atol=1e-4 * np.abs(result).max(), err_msg=name)
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - start)
    return best, other


def _ways(case: Case) -> tuple[dict[str, Callable[[], Any]], str]:
    rng, k, s, ndim = np.random.default_rng(0), case.kernel, case.stride, len(case.fine)

    def drawn(*shape: int) -> Any:
        real = rng.normal(size=shape)
        return (real + 1j * rng.normal(size=shape) if case.dtype.startswith("complex") else real).astype(case.dtype)

    y, w = drawn(1, 1, *case.fine), drawn(1, 1, *[k] * ndim)
    geometry = tconv.Geometry.conv(case.fine, k, stride=s, padding=k // 2)
    keywords = geometry.keywords
    x = tconv.conv(y, w, **keywords)
    cells = tuple(slice(None, None, s) for _ in range(ndim))
    flipped = np.flip(w[0, 0])

    def stretched() -> Any:
        zeros = np.zeros(case.fine, case.dtype)
        zeros[cells] = x[0, 0]
        return zeros

    first, second, sizes = {
        "conv": (y, w, {}),
        "conv_transpose": (x, w, {}),
        "weight_gradient": (x, y, {"kernel_size": geometry.kernel}),
    }[case.operation]
    plan = tconv.plan(first, second, operation=case.operation, **sizes, **keywords)  # type: ignore[arg-type]
    able = [candidate for candidate in plan.candidates if candidate.method != "fft" and not candidate.excluded]
    other = min(able, key=lambda candidate: candidate.cost.seconds).method

    def ours(method: str) -> Any:
        return getattr(tconv, case.operation)(first, second, **sizes, **keywords, method=method)

    def scipys(convolve: Any) -> Any:
        if case.operation == "conv":
            return convolve(y[0, 0], flipped, "same")[cells][None, None]
        if case.operation == "conv_transpose":
            return convolve(stretched(), w[0, 0], "same")[None, None]
        return convolve(np.pad(y[0, 0], k // 2), np.flip(x[0, 0]), "valid")[None, None]

    return {
        "fft": lambda: ours("fft"),
        "other": lambda: ours(other),
        "fftconvolve": lambda: scipys(signal.fftconvolve),
        "oaconvolve": lambda: scipys(signal.oaconvolve),
    }, other


if __name__ == "__main__":
    main()
