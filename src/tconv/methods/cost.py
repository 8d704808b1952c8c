"""The cost model: seconds of a matrix product, of moving elements and of a NumPy call, from a few measured constants.

Only the order of the methods matters, so the constants describe one machine: AMD Zen 5 (EPYC, 2 cores), NumPy 2.4 with
OpenBLAS 0.3, float32. They were fitted to the times of all methods and operations on the public layers and on 70 random
ones: first of all that the fastest method comes out first, then that the times come out. `python -m benchmarks.methods`
shows how well the choice does.
"""

from __future__ import annotations

from tconv.methods.base import Problem

#: Multiplications a second of a large float32 matrix product, and of an integer one, which NumPy does without BLAS.
PRODUCT_RATE, INTEGER_RATE = 8.2e10, 5e8
#: A product of m rows and n columns over k takes as long as one of m + M_HALF, n + N_HALF and k + K_HALF would.
M_HALF, N_HALF, K_HALF = 3.8, 27.0, 4.9
#: Float32 elements a second: copied in runs, copied with a stride, added with a stride, and gathered from the weights.
COPY_RATE, STRIDED_RATE, ADD_RATE, GATHER_RATE = 2.3e9, 1.4e9, 1.1e9, 7.4e8
#: Seconds: of one run of neighbouring elements within a NumPy call, of that call, and of a call of the BLAS.
RUN, CALL, PRODUCT_CALL = 2.7e-9, 3.3e-6, 4.4e-7
#: Seconds to build one stored element of the sparse matrix, and to multiply it once.
BUILD, MULTIPLY = 7.4e-9, 4.6e-9


def matmul(problem: Problem, m: int, k: int, n: int, blocks: int = 1) -> float:
    """A product (groups, m, k) @ (groups, k, n), done in `blocks` pieces of n."""
    if k == 1:
        return copy(problem, problem.groups * m * n, n) + calls(blocks)
    rate = PRODUCT_RATE * 4 / problem.itemsize if problem.dtype.startswith("float") else INTEGER_RATE
    as_if = (m + M_HALF) * (k + K_HALF) * (n + blocks * N_HALF)
    return problem.groups * (as_if / rate + blocks * PRODUCT_CALL)


def copy(problem: Problem, elements: int, run: int, stride: int = 1) -> float:
    """Copy elements in runs of this length, one side of them with this stride."""
    return _moved(problem, elements, run, COPY_RATE if stride == 1 else STRIDED_RATE)


def add(problem: Problem, elements: int, run: int) -> float:
    """Add elements to others, in runs of this length."""
    return _moved(problem, elements, run, ADD_RATE)


def gather(problem: Problem, elements: int) -> float:
    """Bring elements of the weights into another order."""
    return _moved(problem, elements, elements, GATHER_RATE)


def _moved(problem: Problem, elements: int, run: int, rate: float) -> float:
    return elements * problem.itemsize / 4 / rate + elements / max(1, run) * RUN


def calls(number: int) -> float:
    """The fixed cost of this many NumPy calls."""
    return number * CALL


def blocks(images: int, rows: int, images_at_a_time: int, rows_at_a_time: int) -> int:
    """In how many pieces work is done."""
    return -(-images // images_at_a_time) * -(-rows // rows_at_a_time)
