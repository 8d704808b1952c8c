"""The cost model: seconds of a matrix product, of moving elements and of a NumPy call, from a few measured constants.

Only the order of the methods matters, so the constants describe one machine: AMD Zen 5 (EPYC, 2 cores), NumPy 2.4 with
OpenBLAS 0.3, float32. `python -m benchmarks.methods` shows how well the choice does on the public layers.
"""

from __future__ import annotations

from tconv.methods.base import Problem

#: Multiplications a second of a large float32 matrix product, and of an integer one, which NumPy does without BLAS.
PRODUCT_RATE, INTEGER_RATE = 8e10, 5e8
#: A matrix product of m rows and n columns over k takes as long as one of m + M_HALF, n + N_HALF and k + K_HALF would.
M_HALF, N_HALF, K_HALF = 8, 16, 16
#: Elements of float32 a second that NumPy copies or adds with unit stride, and with a larger one; gathered weights.
MOVE_RATE, STRIDED_RATE, GATHER_RATE = 1.5e9, 8e8, 5e8
#: Seconds of one NumPy call on views, and of one call of the matrix product.
CALL, PRODUCT_CALL = 1.5e-6, 1e-6


def matmul(problem: Problem, m: int, k: int, n: int, blocks: int = 1) -> float:
    """A product (groups, m, k) @ (groups, k, n), done in `blocks` pieces of n."""
    rate = PRODUCT_RATE * 4 / problem.itemsize if problem.dtype.startswith("float") else INTEGER_RATE
    as_if = (m + M_HALF) * (k + K_HALF) * (n + blocks * N_HALF)
    return problem.groups * (as_if / rate + blocks * PRODUCT_CALL)


def move(problem: Problem, elements: int, stride: int = 1) -> float:
    """Copy or add elements, one side of them with this stride."""
    return elements * problem.itemsize / 4 / (MOVE_RATE if stride == 1 else STRIDED_RATE)


def gather(problem: Problem, elements: int) -> float:
    """Bring elements of the weights into another order."""
    return elements * problem.itemsize / 4 / GATHER_RATE


def calls(number: int) -> float:
    """The fixed cost of this many NumPy calls."""
    return number * CALL


def blocks(images: int, rows: int, images_at_a_time: int, rows_at_a_time: int) -> int:
    """In how many pieces work is done."""
    return -(-images // images_at_a_time) * -(-rows // rows_at_a_time)
