"""Networks drawn at random, of every operation that is computed in tiles, with skip connections."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tconv.torch import nn as ours

OURS = (ours.Conv1d, ours.Conv2d, ours.Conv3d)
OURS_TRANSPOSED = (ours.ConvTranspose1d, ours.ConvTranspose2d, ours.ConvTranspose3d)
CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
CONV_TRANSPOSE = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
MAX_POOL, AVG_POOL = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
LINEAR = ("linear", "bilinear", "trilinear")


class Lambda(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Drawn(nn.Module):
    """Operations one after the other; some read what an earlier one gave as well."""

    def __init__(self, steps):
        super().__init__()
        self.steps = nn.ModuleList([step for step, _ in steps])
        self.skips = [skip for _, skip in steps]

    def forward(self, x):
        values = [x]
        for step, skip in zip(self.steps, self.skips, strict=True):
            values.append(step(values[-1]) if skip is None else step([values[-1], values[skip]]))
        return values[-1]


def network(pick, ndim, channels, size):
    """A network for arrays of that size; `pick(a, b)` draws an integer from a to b."""
    steps, shapes = [], [(channels, *size)]
    for _ in range(pick(1, 6)):
        step, skip = _step(pick, ndim, shapes)
        x = torch.zeros(1, *shapes[-1], dtype=torch.float64)
        try:
            y = step.double().eval()(x if skip is None else [x, torch.zeros(1, *shapes[skip], dtype=torch.float64)])
        except (RuntimeError, ValueError):  # PyTorch has limits of its own, and nothing may be left
            continue
        if 0 < y[0].numel() <= 20_000 and y.isfinite().all():
            steps.append((step, skip))
            shapes.append(tuple(y.shape[1:]))
    return Drawn(steps).double().eval()


def _gated(x):
    if x.shape[1] % 2:
        return torch.cat([x, -x], dim=1)
    a, b = x.chunk(2, dim=1)
    return a * torch.sigmoid(b)


def _step(pick, ndim, shapes):
    channels, *size = shapes[-1]
    kind = pick(0, 12)

    def each(low, high):
        return tuple(pick(low, high) for _ in range(ndim))

    groups = 2 if channels % 2 == 0 and pick(0, 1) else 1
    if kind == 0 and pick(0, 1):
        pairs = tuple((pick(-2, 3), pick(-2, 3)) for _ in range(ndim))
        layer = (OURS_TRANSPOSED, OURS)[pick(0, 1)][ndim - 1]
        return layer(channels, 2, each(1, 4), each(1, 3), pairs, dilation=each(1, 2)), None
    if kind <= 1:
        mode = ("zeros", "zeros", "reflect", "replicate")[pick(0, 3)]
        stride = each(1, 3)
        kernel, padding = each(1, 4), each(0, 4)
        if mode == "zeros" and max(stride) == 1 and pick(0, 1):
            kernel, padding = tuple(2 * k - 1 for k in each(1, 2)), "same"
        window = (kernel, stride, padding, each(1, 2), groups)
        return CONV[ndim - 1](channels, 2 * pick(1, 2), *window, padding_mode=mode), None
    if kind <= 3:
        stride, dilation = each(1, 3), each(1, 2)
        left = tuple(pick(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True))
        window = (each(1, 4), stride, each(0, 3), left, groups)
        return CONV_TRANSPOSE[ndim - 1](channels, 2, *window, dilation=dilation), None
    if kind == 4:
        kernel = each(1, 3)
        padding = tuple(pick(0, k // 2) for k in kernel)
        if pick(0, 1):
            return MAX_POOL[ndim - 1](kernel, each(1, 3), padding, each(1, 2), ceil_mode=bool(pick(0, 1))), None
        return AVG_POOL[ndim - 1](kernel, each(1, 3), padding, bool(pick(0, 1)), bool(pick(0, 1))), None
    if kind == 5:
        mode = ("nearest", "nearest-exact", LINEAR[ndim - 1], LINEAR[ndim - 1])[pick(0, 3)]
        corners = bool(pick(0, 1)) if mode in LINEAR else None
        how = {"size": each(1, 9)} if pick(0, 1) else {"scale_factor": (0.5, 1.5, 2.0, 3.0, 1.7)[pick(0, 4)]}
        return nn.Upsample(mode=mode, align_corners=corners, **how), None
    if kind == 6:
        mode = ("constant", "reflect", "replicate")[pick(0, 2)]
        ends = [pick(-2 if mode == "constant" else 0, 3) for _ in range(2 * ndim)]
        return Lambda(lambda x: F.pad(x, ends, mode, 0.5 if mode == "constant" else None)), None
    if kind == 7:
        low, high = pick(0, 2), pick(0, 2)
        return Lambda(lambda x: x[..., low : x.shape[-1] - high]), None
    if kind == 8:
        norm = BATCH_NORM[ndim - 1](channels)
        norm.running_mean.uniform_(-1, 1)
        return nn.Sequential(norm, nn.ReLU(inplace=bool(pick(0, 1)))), None
    if kind == 9:
        return Lambda(_gated), None
    alike = [i for i, shape in enumerate(shapes[:-1]) if shape[1:] == tuple(size)]
    if kind == 10 and alike:
        return Lambda(lambda both: torch.cat(both, dim=1)), alike[pick(0, len(alike) - 1)]
    same = [i for i in alike if shapes[i] == shapes[-1]]
    if kind == 11 and same:
        return Lambda(lambda both: both[0] * 0.5 + both[1]), same[pick(0, len(same) - 1)]
    if kind == 12 and ndim == 2:
        return (nn.PixelShuffle(2) if channels % 4 == 0 else nn.PixelUnshuffle(2)), None
    return nn.LeakyReLU(0.1, inplace=bool(pick(0, 1))), None
