"""JAX on the CPU: a jitted convolution of the stretched input, its weights flipped and ordered before."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tconv.bench import cores
from tconv.bench.peers.base import Case, LeftOut, Peer, TimedCall, load
from tconv.problem import Array

#: XLA has plain loops over the stretched input for depthwise layers and for those of three axes, slower ones where they
#: are grouped. They do about so many multiplications a second where these benchmarks were written, a thousandth and a
#: fiftieth of that machine's peak; a layer that would take them longer than this is left out.
LOOPED_IN_GROUPS, LOOPED, MOST_SECONDS = 1.5e8, 2.5e9, 20.0


class Jax(Peer):
    """`lax.conv_general_dilated` with `lhs_dilation`, which `lax.conv_transpose` calls too, in two layouts."""

    name: ClassVar[str] = "jax"
    packages = ("jax",)
    settings = ("channels_first", "channels_last")

    def missing(self, threads: int) -> str:
        """XLA takes a thread for each core that the process may use; there is no option."""
        lacking = super().missing(threads)
        if not lacking and cores.count() != threads:
            return f"its threads are as many as the cores of the process, {cores.count()}, and not {threads}"
        return lacking

    def prepare(self, case: Case, setting: str) -> TimedCall:
        """Compiled for this layer, with its arrays on the device."""
        if (seconds := _looped_seconds(case)) > MOST_SECONDS:
            raise LeftOut(f"expected to take {seconds:.0f} s: XLA runs it in plain loops")
        jax = load("jax")
        cpu = jax.devices("cpu")[0]
        last = setting == "channels_last"
        x, w = jax.device_put(_moved(case.x, last), cpu), jax.device_put(_weights(case, last), cpu)
        compiled = jax.jit(_function(jax, case, last)).lower(x, w).compile()
        return TimedCall(
            lambda: compiled(x, w).block_until_ready(),
            lambda y: np.moveaxis(np.asarray(y), -1, 1) if last else np.asarray(y),
        )


def _looped_seconds(case: Case) -> float:
    layer = case.layer
    stretched = layer.work.zero_insertion_multiplications
    if layer.groups > 1 and (layer.ndim > 2 or layer.groups == layer.in_channels):
        return stretched / LOOPED_IN_GROUPS
    return stretched / LOOPED if layer.ndim > 2 else 0.0


def _function(jax: Any, case: Case, last: bool) -> Any:
    layer = case.layer
    axes = "DHW"[-layer.ndim :]
    orders = (f"N{axes}C", f"{axes}IO", f"N{axes}C") if last else (f"NC{axes}", f"OI{axes}", f"NC{axes}")
    pads = [(z.padding[0], z.padding[1] + z.extra) for z in layer.geometry.zero_inserted]

    def function(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x,
            w,
            window_strides=(1,) * layer.ndim,
            padding=pads,
            lhs_dilation=layer.each("stride"),
            rhs_dilation=layer.each("dilation"),
            dimension_numbers=orders,
            feature_group_count=layer.groups,
        )

    return function


def _weights(case: Case, last: bool) -> Array:
    """Flipped, and from (Cin, Cout / groups, *kernel) to (Cout, Cin / groups, *kernel), or that with channels last."""
    groups, (cin, cout, *kernel) = case.layer.groups, case.w.shape
    flipped = np.flip(case.w, tuple(range(2, case.w.ndim))).reshape(groups, cin // groups, cout, *kernel)
    ordered = flipped.swapaxes(1, 2).reshape(groups * cout, cin // groups, *kernel)
    return np.ascontiguousarray(np.moveaxis(ordered, (0, 1), (-1, -2)) if last else ordered)


def _moved(x: Array, last: bool) -> Array:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if last else x
