"""Dialects: how frameworks say the same transposed convolution, read into a `Layer` and written from one.

Each dialect is a file of its own and an entry of `DIALECTS`; nothing here imports a framework. A dialect's `read` is
exact or an error; its `write` is exact or the nearest larger layer with an explicit crop or pad, which `Saying` states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tconv import checks
from tconv.conventions import weights
from tconv.conventions.base import Dialect, Layer, Saying
from tconv.conventions.ends import canonical
from tconv.conventions.given import NOMINAL_COARSE
from tconv.conventions.registry import ALIASES, DIALECTS, NATIVE, named, transposing
from tconv.resolve import Ints

__all__ = [
    "ALIASES",
    "DIALECTS",
    "NOMINAL_COARSE",
    "Dialect",
    "Layer",
    "Saying",
    "canonical",
    "convert",
    "weight_from_tconv",
    "weight_to_tconv",
]


def convert(
    parameters: Mapping[str, Any],
    *,
    source: str,
    target: str,
    kernel: Ints | None = None,
    coarse: Ints | None = None,
    ndim: int | None = None,
    in_channels: int | None = None,
    out_channels: int | None = None,
    bias: bool | None = None,
) -> Saying:
    """What the `target` dialect says for the layer that these parameters say in the `source` dialect.

    `parameters` are named as the source names them; the keywords add what it takes from arrays (see `Dialect.read`).
    `source` and `target` are names of `DIALECTS`, or others that people have for them, such as "pytorch" (`ALIASES`).
    A whole `get_config()` of a Keras layer is taken as it is. Sizes may be left out: nothing but an explicit output
    size depends on them, and a nominal coarse size of 16 stands in. The code of the result starts from the source's
    weights and leaves y; its notes hold what the source's runtimes disagree about too. ValueError or TypeError for
    unknown dialects and parameters, and for what cannot be said.

    >>> from tconv.conventions import convert
    >>> parameters = {"filters": 8, "kernel_size": 4, "strides": 2, "padding": "same"}
    >>> print(convert(parameters, source="keras", target="torch", in_channels=16))
    import torch
    <BLANKLINE>
    w = kernel.transpose(3, 2, 0, 1)  # from (*kernel, Cout, Cin)
    # x and y: (N, channels, *size)
    # w: (Cin, Cout/groups, *kernel)
    layer = torch.nn.ConvTranspose2d(16, 8, kernel_size=4, stride=2, padding=1)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(w))
        layer.bias.copy_(torch.as_tensor(b))
    y = layer(x)
    """
    with checks.explained("convert"):
        read, written = named("source", source), named("target", target)
        if not isinstance(parameters, Mapping):
            hint = "; layer.get_config() is one" if hasattr(parameters, "get_config") else ""
            checks.wrong_type(f"parameters must map names to values; got {checks.shorten(parameters)}{hint}")
        held = read.held(parameters)
    layer = read.read(
        parameters,
        kernel=kernel,
        coarse=coarse,
        ndim=ndim,
        in_channels=in_channels,
        out_channels=out_channels,
        bias=bias,
    )
    # Keras says in each layer where its channels are.
    channels = held.parameters.get("data_format") or read.channels
    saying = NATIVE.write_for(layer, channels) if written is NATIVE else written.write(layer)
    lines = weights.to_tconv_lines(read.layout(held.parameters), layer.groups, layer.geometry.ndim)
    known = (*held.notes, *read.reservations, *read.disagreements(held.parameters, layer))
    notes = dict.fromkeys((*known, *saying.notes))
    return replace(saying, notes=tuple(notes), code=written.prepend(lines, saying.code))


def weight_to_tconv(
    w: NDArray[Any],
    dialect: str,
    *,
    groups: int = 1,
    transpose_kernel: bool = False,
    dilation: Ints | None = None,
) -> NDArray[Any]:
    """A framework's weights in tconv's layout, (Cin, Cout/groups, *kernel); a view wherever the numbers lie so.

    `transpose_kernel` is JAX's. With `groups`, kernels of frameworks without groups must hold zeros between them; with
    `dilation`, the taps are picked out of a kernel that was written out with zeros. ValueError where it is not so,
    TypeError for wrong types.

    >>> import numpy as np
    >>> from tconv.conventions import weight_to_tconv
    >>> weight_to_tconv(np.zeros((3, 3, 8, 16)), "keras").shape
    (16, 8, 3, 3)
    """
    with checks.explained("weight_to_tconv", lambda: checks.echo(w=np.shape(w), dialect=dialect, groups=groups)):
        layout, groups, spread = _weight_arguments(w, dialect, groups, transpose_kernel, dilation)
        return weights.to_tconv(w, layout, groups, spread)


def weight_from_tconv(
    w: NDArray[Any],
    dialect: str,
    *,
    groups: int = 1,
    transpose_kernel: bool = False,
    dilation: Ints | None = None,
) -> NDArray[Any]:
    """Weights (Cin, Cout/groups, *kernel) in a framework's layout: what `weight_to_tconv` turns back.

    With `groups`, frameworks without groups get zeros between them; with `dilation`, the zeros between the taps are
    written out. ValueError, TypeError as there; MemoryError where the zeros would not fit into memory.

    >>> import numpy as np
    >>> from tconv.conventions import weight_from_tconv
    >>> weight_from_tconv(np.zeros((16, 8, 3, 3)), "tflite").shape
    (8, 3, 3, 16)
    """
    with checks.explained("weight_from_tconv", lambda: checks.echo(w=np.shape(w), dialect=dialect, groups=groups)):
        layout, groups, spread = _weight_arguments(w, dialect, groups, transpose_kernel, dilation)
        checks.divides("groups", groups, "the input channels of w", w.shape[0])
        return weights.from_tconv(w, layout, groups, spread)


def _weight_arguments(
    w: NDArray[Any], dialect: str, groups: int, transpose_kernel: bool, dilation: Ints | None
) -> tuple[weights.WeightLayout, int, tuple[int, ...] | None]:
    if not isinstance(w, np.ndarray) or w.ndim < 3:
        got = f"{w.ndim} axes" if isinstance(w, np.ndarray) else checks.shorten(w)
        checks.wrong_type(f"w must be a NumPy array of at least 3 axes, two of channels and one an axis; got {got}")
    spread = None if dilation is None else checks.per_axis("dilation", dilation, w.ndim - 2, 1)
    groups = checks.integer("groups", groups, 1)
    if not isinstance(transpose_kernel, bool):
        checks.wrong_type(f"transpose_kernel must be True or False; got {checks.shorten(transpose_kernel)}")
    spoken = named("dialect", dialect)
    if transpose_kernel and not spoken.may_transpose_kernel:
        checks.wrong(f"transpose_kernel must be left out for any dialect but {transposing()}; got it for {dialect!r}")
    if transpose_kernel and groups > 1:
        checks.wrong(f"groups must be 1 with transpose_kernel=True, which has no groups; got {groups}")
    return spoken.layout({"transpose_kernel": transpose_kernel}), groups, spread
