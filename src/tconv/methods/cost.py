"""The cost model: seconds of a matrix product, of moving elements and of a NumPy call, from a few measured constants.

Only the order of the methods matters, so the constants describe one machine: AMD Zen 5 (EPYC, 2 cores), NumPy 2.4 with
OpenBLAS 0.3, float32. They were fitted to the times of all methods and operations on the public layers and on 70 random
ones: first of all that the fastest method comes out first, then that the times come out. `python -m benchmarks.methods`
shows how well the choice does. Where `tconv machine` has measured another machine, products are taken to be as much
faster or slower there as its peak is, and what is moved as its bandwidth is (`jit/machine/rates.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tconv.problem import Problem

if TYPE_CHECKING:
    from tconv.jit.machine.rates import Rates

#: Multiplications a second of a large float32 matrix product, and of an integer one, which NumPy does without BLAS.
PRODUCT_RATE, INTEGER_RATE = 5.2e10, 5e8
#: A product of m rows and n columns over k takes as long as one of m + M_HALF, n + N_HALF and k + K_HALF would.
M_HALF, N_HALF, K_HALF = 5.0, 3.0, 5.0
#: Float32 elements a second: copied, added, and weights brought into another order.
COPY_RATE, ADD_RATE, GATHER_RATE = 1.85e9, 1.26e9, 5.9e8
#: How much longer each further step of the stride makes it, up to a cache line of 16 elements.
STRIDED = 0.14
#: Seconds of one run of neighbouring elements within a NumPy call that copies, and within one that adds.
COPY_RUN, ADD_RUN = 5e-9, 1.8e-8
#: Seconds of a NumPy call on views, and of a call of the BLAS.
CALL, PRODUCT_CALL = 3.7e-6, 1.4e-6
#: Seconds to build one stored element of the sparse matrix, and to multiply it once.
BUILD, MULTIPLY = 4.9e-9, 7.1e-9
#: Seconds of one complex64 number of a transform along one axis, and of a product of two that is added to others.
TRANSFORM, SPECTRAL = 7e-10, 5e-10
#: How much longer a transform takes where the caches do not hold a row of it, or all rows: so many bytes, and factors.
ROW, ROWS = (1 << 18, 4.0), (7 << 19, 3.0)


def _machine() -> Rates:
    """How many times as much this machine does as the one that the constants describe."""
    from tconv.jit.machine.rates import compared  # what reads from disk is loaded with the first plan

    return compared()


def matmul(problem: Problem, m: int, k: int, n: int, blocks: int = 1) -> float:
    """A product (groups, m, k) @ (groups, k, n), done in `blocks` pieces of n."""
    if k == 1:
        return copy(problem, problem.groups * m * n, n) + calls(blocks)
    rate = INTEGER_RATE if "int" in problem.dtype else PRODUCT_RATE * _machine().peak * 4 / problem.itemsize
    if problem.dtype.startswith("complex"):  # four real products, of numbers of half the size
        rate /= 2
    as_if = (m + M_HALF) * (k + K_HALF) * (n + blocks * N_HALF)
    return problem.groups * (as_if / rate + blocks * PRODUCT_CALL)


def copy(problem: Problem, elements: int, run: int, stride: int = 1) -> float:
    """Copy elements in runs of this length, one side of them with this stride."""
    return _moved(problem, elements, COPY_RATE, stride) + elements / max(1, run) * COPY_RUN


def add(problem: Problem, elements: int, run: int, stride: int = 1) -> float:
    """Add elements to others; the arguments are those of `copy`."""
    return _moved(problem, elements, ADD_RATE, stride) + elements / max(1, run) * ADD_RUN


def gather(problem: Problem, elements: int) -> float:
    """Bring elements of the weights into another order."""
    return _moved(problem, elements, GATHER_RATE)


def _moved(problem: Problem, elements: int, rate: float, stride: int = 1) -> float:
    return elements * problem.itemsize / 4 / (rate * _machine().bandwidth) * (1 + STRIDED * (min(stride, 16) - 1))


def calls(number: int) -> float:
    """The fixed cost of this many NumPy calls."""
    return number * CALL


def transform(problem: Problem, number: int, lengths: tuple[int, ...], numbers: int) -> float:
    """So many Fourier transforms of these lengths, each of which yields so many complex numbers."""
    size = _complex_size(problem)
    along_rows = ROW[1] if lengths[-1] * size > ROW[0] else 1.0
    across = ROWS[1] if numbers * size > ROWS[0] else 1.0
    return number * numbers * size / 8 * TRANSFORM * (along_rows + (len(lengths) - 1) * across)


def spectral(problem: Problem, products: int) -> float:
    """So many products of complex numbers, and their sums."""
    return products * _complex_size(problem) / 8 * SPECTRAL


def _complex_size(problem: Problem) -> int:
    """Bytes of a number of a spectrum."""
    return problem.itemsize if problem.dtype.startswith("complex") else 2 * problem.itemsize
