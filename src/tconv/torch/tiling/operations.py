"""The operations that are computed tile by tile, by name: a module of torch.nn, a function or a method of a tensor.

What has no entry is refused by name: it may read the whole array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from tconv import checks
from tconv.torch import windows as spelled
from tconv.torch.tiling import rules
from tconv.torch.tiling.asked import Asked
from tconv.torch.tiling.gathering import COPIES, INTERPOLATIONS, Copied, Interpolated
from tconv.torch.tiling.maps import Down, Same, Shifted, Up
from tconv.torch.tiling.rules import Normed, Rule

Maker: TypeAlias = Callable[[Asked], Rule]

#: Results that depend on the cell at their place alone; of several arrays, on that of each.
_POINTWISE = """
    add sub mul div truediv true_divide neg positive pow abs sqrt rsqrt square reciprocal exp exp2 expm1 log log2
    log10 log1p sin cos tan sinh cosh atan asinh erf sign floor ceil round clamp clip clamp_min clamp_max maximum
    minimum where lerp addcmul addcdiv lt le gt ge eq ne nan_to_num zeros_like ones_like logical_and logical_or
    logical_not relu relu6 leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh sigmoid logsigmoid
    log_sigmoid tanh softplus softsign tanhshrink softshrink hardshrink threshold _threshold contiguous clone detach
    float half double bfloat16 to type type_as
"""
#: The same, but only their first tensor has the axes of the grid, and as modules of torch.nn.
_OF_FIRST = "prelu"
_MODULES = """
    Identity ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Hardswish Hardsigmoid Hardtanh Sigmoid LogSigmoid Tanh
    Softplus Softsign Tanhshrink Softshrink Hardshrink Threshold PReLU
"""
#: Among the dimensions that they go along must be none of size.
_ALONG = "cat concat concatenate softmax log_softmax chunk split glu tensor_split"
_REDUCING = "mean sum amax amin prod logsumexp"


def _pointwise(asked: Asked) -> Rule:
    return rules.same(asked.ndim, None)


def _of_first(asked: Asked) -> Rule:
    return rules.same(asked.ndim)


def _along(asked: Asked) -> Rule:
    default = {"glu": -1, "Softmax": None, "Softmax2d": 1}.get(asked.name, 0)
    asked.check_dims(asked.get("dim", _DIM_AT.get(asked.name, 1), default))
    return rules.same(asked.ndim, None)


_DIM_AT = {"chunk": 2, "split": 2, "tensor_split": 2}


def _reducing(asked: Asked) -> Rule:
    asked.check_dims(asked.get("dim", 1, None))
    if not asked.get("keepdim", 2, False):
        checks.wrong(f"{asked} drops an axis; keepdim=True keeps it")
    return rules.same(asked.ndim)


def _dropout(asked: Asked) -> Rule:
    training = asked.module.training if asked.module else asked.get("training", 2, True)
    if training:
        checks.wrong(f"{asked} in training mode draws at random; call module.eval()")
    return rules.same(asked.ndim)


def _batch_norm(asked: Asked) -> Rule:
    module = asked.module
    by_batch = module.training or module.running_mean is None if module else asked.get("training", 5, False)
    if by_batch:
        why = "in training mode" if module is None or module.training else "without running statistics"
        checks.wrong(f"{asked} {why} reads the whole array; call module.eval()")
    return rules.same(asked.ndim)


def _group_norm(asked: Asked) -> Rule:
    groups = asked.get("num_groups", 1, 1)
    return _normed(asked, groups, asked.get("weight", 2, None), asked.get("bias", 3, None), asked.get("eps", 4, 1e-5))


def _instance_norm(asked: Asked) -> Rule:
    module = asked.module
    if module is not None and module.running_mean is not None:
        if module.training:
            checks.wrong(f"{asked} in training mode changes its running statistics; call module.eval()")
        return rules.same(asked.ndim)
    if module is None and not asked.get("use_input_stats", 5, True):
        return rules.same(asked.ndim)
    weight, bias = asked.get("weight", 3, None), asked.get("bias", 4, None)
    return _normed(asked, asked.channels, weight, bias, asked.get("eps", 7, 1e-5))


def _normed(asked: Asked, groups: int, scale: Any, shift: Any, eps: float) -> Rule:
    if not asked.two_passes:
        checks.wrong(f'{asked} reads the whole array; norms="two passes" computes its statistics beforehand')
    return Normed((Same(),) * asked.ndim, groups=groups, eps=eps, scale=scale, shift=shift)


def _conv(asked: Asked) -> Rule:
    kernel = tuple(asked.weight.shape[2:])
    stride, dilation = asked.each("stride", 3, 1), asked.each("dilation", 5, 1)
    pads = spelled.paddings_of_conv(asked.get("padding", 4, 0), kernel, stride, dilation)
    mode = asked.get("padding_mode", 99, "zeros")
    if mode == "circular":
        checks.wrong(f'{asked} with padding_mode "circular" reads the other end of the array')
    mirrors = [max(pad) if mode != "zeros" else 0 for pad in pads]
    each = zip(asked.size, kernel, stride, pads, dilation, mirrors, strict=True)
    return rules.windows([Down(*entry) for entry in each], asked.terms(kernel))


def _conv_transpose(asked: Asked) -> Rule:
    kernel = tuple(asked.weight.shape[2:])
    if asked.get("padding_mode", 99, "zeros") != "zeros":
        checks.wrong(
            f"{asked} with padding_mode {asked.get('padding_mode', 99, '')!r} adds cells of the border elsewhere"
        )
    stride, padding, dilation = asked.get("stride", 3, 1), asked.get("padding", 4, 0), asked.get("dilation", 7, 1)
    # What the output padding adds is known from the size of the result, which may have been asked for instead.
    window = spelled.window(kernel, stride, padding, 0, 1, dilation)
    each = zip(asked.size, kernel, window.stride, window.low, asked.result, window.dilation, strict=True)
    ups = [Up(n, k, s, low, fine - n * s, d) for n, k, s, low, fine, d in each]
    sized = asked.said("output_size", 1 if asked.module else 99)
    return rules.windows(ups, math.ceil(asked.terms(kernel) / math.prod(window.stride)), sized=sized)


def _pool(asked: Asked) -> Rule:
    average = asked.name.lower().startswith("avg")
    if not average and asked.get("return_indices", 6, False):
        checks.wrong(f"{asked} with return_indices gives places in the whole array")
    kernel = asked.each("kernel_size", 1, 1)
    stride = asked.per_axis(asked.get("stride", 2, None) or kernel)
    padding = asked.each("padding", 3, 0)
    dilation = (1,) * asked.ndim if average else asked.each("dilation", 4, 1)
    each = zip(asked.size, kernel, stride, padding, dilation, strict=True)
    return rules.windows([Down(n, k, s, (p, p), d, least=k) for n, k, s, p, d in each], math.prod(kernel))


def _pixel_shuffle(asked: Asked) -> Rule:
    r = _factor(asked, "upscale_factor")
    return rules.windows([Up(n, r, r, 0, 0) for n in asked.size], 1)


def _pixel_unshuffle(asked: Asked) -> Rule:
    r = _factor(asked, "downscale_factor")
    return rules.windows([Down(n, r, r, (0, 0)) for n in asked.size], 1)


def _factor(asked: Asked, name: str) -> int:
    if asked.ndim != 2:
        checks.wrong(f"{asked} moves cells of 2 axes; x has {asked.ndim}")
    return asked.get(name, 1, 1)  # type: ignore[no-any-return]


def _interpolate(asked: Asked) -> Rule:
    mode, factor = asked.get("mode", 3, "nearest"), asked.get("scale_factor", 2, None)
    if mode not in INTERPOLATIONS or asked.get("antialias", 6, False):
        said = "antialias" if mode in INTERPOLATIONS else f"mode {mode!r}"
        checks.wrong(f"{asked} with {said} is not computed in tiles; modes are {checks.words(list(INTERPOLATIONS))}")
    decides = factor is not None and not asked.get("recompute_scale_factor", 5, None)
    factors = asked.per_axis(factor) if decides else (None,) * asked.ndim
    corners, double = bool(asked.get("align_corners", 4, False)), asked.dtype == torch.float64
    each = zip(asked.size, asked.result, factors, strict=True)
    maps = [Interpolated(n, m, mode, None if f is None else float(f), corners, double) for n, m, f in each]
    return rules.moved(
        [
            Same() if n == m and f in (None, 1) else along
            for along, n, m, f in zip(maps, asked.size, asked.result, factors, strict=True)
        ]
    )


def _pad(asked: Asked) -> Rule:
    mode, value = asked.get("mode", 2, "constant"), asked.get("value", 3, None)
    return _padded(asked, asked.get("pad", 1, ()), mode, value or 0.0)


def _padded(asked: Asked, flat: Sequence[int], mode: str, value: float) -> Rule:
    ends = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)][::-1]
    if any(pair != (0, 0) for pair in ends[: -asked.ndim]):
        checks.wrong(f"{asked} pads batch or channels")
    ends = [(0, 0)] * (asked.ndim - len(ends)) + ends[-asked.ndim :]
    if mode == "circular":
        checks.wrong(f'{asked} with mode "circular" reads the other end of the array')
    kind = (lambda n, low: Copied(n, low, mode)) if mode in COPIES else Shifted
    maps = [kind(n, low) if (low, high) != (0, 0) else Same() for n, (low, high) in zip(asked.size, ends, strict=True)]
    return rules.moved(maps, value)


def _pad_module(asked: Asked) -> Rule:
    mode = {"R": "replicate", "C": "constant", "Z": "constant"}[asked.name[0]]
    mode = {"ReflectionPad": "reflect", "CircularPad": "circular"}.get(asked.name[:-2], mode)
    value = asked.get("value", 99, 0.0) if mode == "constant" else 0.0
    return _padded(asked, asked.get("padding", 99, ()), mode, value)


def _getitem(asked: Asked) -> Rule:
    index: Any = asked.arguments[1]
    if asked.of_tuple:
        return rules.same(asked.ndim)
    entries: list[Any] = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in entries:
        at = entries.index(Ellipsis)
        entries[at : at + 1] = [slice(None)] * (asked.ndim + 3 - len(entries))
    entries += [slice(None)] * (asked.ndim + 2 - len(entries))
    kept = all(isinstance(entry, slice) for entry in entries) and len(entries) == asked.ndim + 2
    if not kept or any(entry.step not in (None, 1) for entry in entries[2:]):
        checks.wrong(f"{asked} takes {checks.shorten(index)}; slices of step 1 are computed in tiles")
    if entries[0] not in (slice(None), slice(0, None)):
        checks.wrong(f"{asked} takes some of the samples, which are computed by themselves")
    starts = [entry.indices(n)[0] for entry, n in zip(entries[2:], asked.size, strict=True)]
    stays = zip(starts, asked.size, asked.result, strict=True)
    maps = [Same() if n == m else Shifted(n, -start) for start, n, m in stays]
    return rules.moved(maps, channels=tuple(entries[:2]))


def _named() -> dict[str, Maker]:
    table: dict[str, Maker] = dict.fromkeys(_POINTWISE.split(), _pointwise)
    table |= dict.fromkeys([*_MODULES.split(), *_OF_FIRST.split()], _of_first)
    table |= dict.fromkeys([*_ALONG.split(), "Softmax", "LogSoftmax", "Softmax2d", "GLU"], _along)
    table |= dict.fromkeys(_REDUCING.split(), _reducing)
    table |= dict.fromkeys(("dropout", "alpha_dropout", "feature_alpha_dropout", "Dropout", "AlphaDropout"), _dropout)
    table |= {"batch_norm": _batch_norm, "GroupNorm": _group_norm, "group_norm": _group_norm}
    table |= {"instance_norm": _instance_norm, "interpolate": _interpolate, "Upsample": _interpolate, "pad": _pad}
    table |= dict.fromkeys(("UpsamplingNearest2d", "UpsamplingBilinear2d"), _interpolate)
    table |= dict.fromkeys(("pixel_shuffle", "PixelShuffle"), _pixel_shuffle)
    table |= dict.fromkeys(("pixel_unshuffle", "PixelUnshuffle"), _pixel_unshuffle)
    table |= {"getitem": _getitem}
    for d in ("1d", "2d", "3d"):
        table |= {f"conv{d}": _conv, f"Conv{d}": _conv}
        table |= {f"conv_transpose{d}": _conv_transpose, f"ConvTranspose{d}": _conv_transpose}
        table |= dict.fromkeys((f"max_pool{d}", f"avg_pool{d}", f"MaxPool{d}", f"AvgPool{d}"), _pool)
        table |= {f"BatchNorm{d}": _batch_norm, f"InstanceNorm{d}": _instance_norm, f"Dropout{d}": _dropout}
        table |= {f"dropout{d}": _dropout}
        pads = ("ConstantPad", "ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad")
        table |= dict.fromkeys((f"{pad}{d}" for pad in pads), _pad_module)
    return table


#: Who makes the rule of an operation, by its name.
MAKERS = _named()
