"""What solve is compared with: every parameter set in its bounds, tried one after another."""

from __future__ import annotations

from itertools import product

from hypothesis import strategies as st

from tconv import Axis
from tconv.solving.rank import order

sizes = st.integers(1, 12)


def maybe(strategy):
    return st.one_of(st.none(), strategy)


@st.composite
def fixed_parameters(draw):
    """Arguments of solve beside the sizes, most of them left free; the search is bounded by max_kernel."""
    fixed = {
        "kernel": draw(maybe(st.integers(1, 5))),
        "stride": draw(maybe(st.integers(1, 4))),
        "padding": draw(maybe(st.one_of(st.integers(-2, 4), st.tuples(st.integers(-2, 4), st.integers(-2, 4))))),
        "output_padding": draw(maybe(st.integers(0, 3))),
        "dilation": draw(maybe(st.integers(1, 3))),
    }
    if fixed["kernel"] is None:
        fixed["max_kernel"] = draw(st.integers(1, 7))
    if isinstance(fixed["padding"], tuple):
        fixed["padding"] = (fixed["padding"],)
    return fixed


def suggested_strides(coarse, fine, kernel, padding, output_padding, dilation):
    """The strides that are tried, as the docstring of solve has them."""
    if coarse == 1:
        return {1, fine}
    suggested = {fine // coarse, -(-fine // coarse)}
    if kernel is not None and padding is not None:
        suggested.add((fine + sum(padding) - (dilation * (kernel - 1) + 1) - (output_padding or 0)) // (coarse - 1))
    elif fine % coarse:
        suggested.add((fine - 1) // (coarse - 1))
    return {s for s in suggested if s >= 1}


def brute_force(coarse, fine, kernel, stride, padding, output_padding, dilation, max_kernel=None):
    """All axes with these sizes: every combination in the bounds of the docstring is tried."""
    dilation = dilation or 1
    if padding is not None:
        padding = (padding, padding) if isinstance(padding, int) else padding[0]
    strides = {stride} if stride else suggested_strides(coarse, fine, kernel, padding, output_padding, dilation)
    best = {}
    for k, s in product([kernel] if kernel else range(1, max_kernel + 1), strides):
        end = dilation * (k - 1)
        pairs = [padding] if padding else [(low, high) for high in range(end + 1) for low in range(high + 1)]
        everything = range(max(s, dilation))
        for pair, a in product(pairs, everything if output_padding is None else {output_padding} & {*everything}):
            if (coarse - 1) * s - sum(pair) + end + 1 + a == fine:
                axis = Axis(coarse, k, s, pair, a, dilation)
                same = (k, s, pair[0])  # what decides which cells touch which
                best[same] = min(best.get(same, axis), axis, key=lambda axis: order((axis,)))
    return sorted(best.values(), key=lambda axis: order((axis,)))
