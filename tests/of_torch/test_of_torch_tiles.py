"""`tconv.torch.tiles` gives what the module gives: networks at random, and every operation that has a rule."""

from __future__ import annotations

import operator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiled_networks import Lambda, network
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import tconv.torch
from tconv.torch.tiling.operations import MAKERS


def check(module, x, tile, **options):
    """Tiles give what the whole gives, of which 1e-10 of the largest value is rounding in float64, and 1e-5 else."""
    with torch.no_grad():
        whole = module(x.clone())
    near = 1e-10 if x.dtype == torch.float64 else 1e-5
    largest = whole.double().nan_to_num(0, 0, 0).abs().max().item()
    tiled = tconv.torch.tiles(module, x, tile=tile, **options)
    assert_close(tiled, whole, rtol=0, atol=near * largest, equal_nan=True)


@given(st.data())
def test_random_networks(data):
    def pick(low, high):
        return data.draw(st.integers(low, high))

    ndim = pick(1, 3)
    channels, size = 2 * pick(1, 2), [pick(1, (30, 12, 7)[ndim - 1]) for _ in range(ndim)]
    torch.manual_seed(0)
    module = network(pick, ndim, channels, size)
    x = torch.randn(pick(1, 2), channels, *size, dtype=torch.float64)
    with torch.no_grad():
        result = module(x.clone()).shape[2:]
    ones = pick(0, 3) == 0 and result.numel() < 200
    tile = 1 if ones else [pick(1, n + 2) for n in result]
    check(module, x, tile, batch=pick(1, 2))


FAR = [
    (nn.Upsample(size=70_001, mode="linear"), (50_000,)),
    (nn.Upsample(scale_factor=1.7, mode="linear"), (50_000,)),
    (nn.Upsample(size=70_001, mode="linear", align_corners=True), (50_000,)),
    (nn.Upsample(scale_factor=3.3, mode="nearest"), (50_000,)),
    (nn.Upsample(size=123_457, mode="nearest-exact"), (50_000,)),
    (nn.Upsample(size=(1500, 377), mode="bilinear"), (700, 300)),
]


@pytest.mark.parametrize(("module", "size"), FAR, ids=lambda value: str(value))
def test_places_far_from_the_origin_are_rounded_as_pytorch_rounds_them(module, size):
    """In float32 a last place of them is 1/256 of the way to the next cell."""
    check(module, torch.randn(1, 2, *size), 20_000 if len(size) == 1 else 640)


X = torch.rand(2, 4, 9, 11, dtype=torch.float64) + 0.1
SIDES = (1, 2, 0, 3)
ROWS = torch.rand(4, 4, dtype=X.dtype)
AXES = {"1d": X[..., 0], "2d": X, "3d": X.unflatten(3, (11, 1)).repeat(1, 1, 1, 1, 5)}
#: Operations that are not told by one or several arrays alone.
EXAMPLES = {
    "where": lambda x: torch.where(x > 0.5, x, -x),
    "pow": lambda x: x**2,
    "lerp": lambda x: torch.lerp(x, x * 2, 0.3),
    "nan_to_num": lambda x: torch.nan_to_num(x),
    "clamp": lambda x: x.clamp(0.2, 0.7),
    "clip": lambda x: torch.clip(x, 0.2, 0.7),
    "_threshold": lambda x: F.threshold(x, 0.4, 0.0),
    "log_sigmoid": F.logsigmoid,
    "threshold": lambda x: F.threshold(x, 0.4, 0.0),
    "prelu": lambda x: F.prelu(x - 0.5, ROWS[0]),
    "to": lambda x: x.to(torch.float32),
    "type": lambda x: x.type(torch.float32),
    "type_as": lambda x: x.float().type_as(x),
    "Threshold": nn.Threshold(0.4, 0.0),
    "PReLU": nn.PReLU(4).double(),
    "cat": lambda x: torch.cat([x, x * 2], 1),
    "concat": lambda x: torch.concat([x, x * 2], -3),
    "concatenate": lambda x: torch.concatenate([x, x * 2], dim=1),
    "softmax": lambda x: torch.softmax(x, 1),
    "log_softmax": lambda x: F.log_softmax(x, dim=1),
    "chunk": lambda x: x.chunk(2, 1)[1],
    "split": lambda x: torch.split(x, 1, dim=1)[3],
    "tensor_split": lambda x: torch.tensor_split(x, 3, dim=1)[0],
    "glu": lambda x: F.glu(x, 1),
    "Softmax": nn.Softmax(1),
    "LogSoftmax": nn.LogSoftmax(1),
    "Softmax2d": nn.Softmax2d(),
    "GLU": nn.GLU(1),
    "dropout": lambda x: F.dropout(x, training=False),
    "alpha_dropout": lambda x: F.alpha_dropout(x, training=False),
    "feature_alpha_dropout": lambda x: F.feature_alpha_dropout(x, training=False),
    "batch_norm": lambda x: F.batch_norm(x, *ROWS),
    "group_norm": lambda x: F.group_norm(x, 2, *ROWS[:2]),
    "GroupNorm": nn.GroupNorm(2, 4).double(),
    "instance_norm": lambda x: F.instance_norm(x, None, None, *ROWS[:2]),
    "interpolate": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "Upsample": nn.Upsample(scale_factor=(2, 3)),
    "UpsamplingNearest2d": nn.UpsamplingNearest2d(size=(5, 30)),
    "UpsamplingBilinear2d": nn.UpsamplingBilinear2d(scale_factor=3),
    "pad": lambda x: F.pad(x, SIDES, "reflect"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "PixelShuffle": nn.PixelShuffle(2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x[..., :8, :10], 2),
    "PixelUnshuffle": nn.Sequential(nn.ZeroPad2d((1, 0, 0, 1)), nn.PixelUnshuffle(2)),
    "getitem": lambda x: x[:, 1:3, 2:, -7:-1],
}
for name in ("mean", "sum", "amax", "amin", "prod", "logsumexp"):
    EXAMPLES[name] = lambda x, name=name: getattr(torch, name)(x, 1, keepdim=True)


def layers(d, n):
    """Those that there are for each number of axes, by name."""
    module = {name: getattr(nn, f"{name}{d}") for name in LAYERS}
    function = {name: getattr(F, f"{name}{d}") for name in FUNCTIONS}
    w = torch.rand(4, 4, *[3] * n, dtype=X.dtype)
    made = {
        "conv": lambda x: function["conv"](x, w, stride=2, padding=1),
        "conv_transpose": lambda x: function["conv_transpose"](x, w, stride=2, padding=1),
        "max_pool": lambda x: function["max_pool"](x, 3, 2, 1),
        "avg_pool": lambda x: function["avg_pool"](x, 3, 2, 1),
        "dropout": lambda x: function["dropout"](x, training=False),
        "Conv": module["Conv"](4, 2, 3, padding="same", padding_mode="reflect"),
        "ConvTranspose": module["ConvTranspose"](4, 2, 3, 3, 1, 2),
        "MaxPool": module["MaxPool"](2, ceil_mode=True),
        "AvgPool": module["AvgPool"](3, 2, 1, True, False),
        "BatchNorm": module["BatchNorm"](4),
        "InstanceNorm": module["InstanceNorm"](4, affine=True),
        "Dropout": module["Dropout"](),
        "ConstantPad": module["ConstantPad"]((1, 2, -1, 0, 1, 0)[: 2 * n], 0.5),
        "ZeroPad": module["ZeroPad"](2),
        "ReflectionPad": module["ReflectionPad"](1),
        "ReplicationPad": module["ReplicationPad"](3),
    }
    return {f"{name}{d}": each.double() if isinstance(each, nn.Module) else each for name, each in made.items()}


FUNCTIONS = ("conv", "conv_transpose", "max_pool", "avg_pool", "dropout")
LAYERS = ("Conv", "ConvTranspose", "MaxPool", "AvgPool", "BatchNorm", "InstanceNorm", "Dropout")
LAYERS += ("ConstantPad", "ZeroPad", "ReflectionPad", "ReplicationPad")
EXAMPLES |= layers("1d", 1) | layers("2d", 2) | layers("3d", 3)


def example(name):
    """A module for the operation of that name, and whether PyTorch has it."""
    if name in EXAMPLES:
        given = EXAMPLES[name]
        return given if isinstance(given, nn.Module) else Lambda(given)
    if name[0].isupper():
        return getattr(nn, name)()
    found = [getattr(place, name) for place in (torch, F, operator) if callable(getattr(place, name, None))]
    function = found[0] if found else operator.methodcaller(name)

    def of(count):
        return lambda x: function(*[x > 0.5 if name.startswith("logical") else x * 0.9] * count)

    return Lambda(next(of(count) for count in (1, 2, 3) if works(of(count))))


def works(function):
    """Whether it takes so many arrays."""
    try:
        function(X)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"CircularPad1d", "CircularPad2d", "CircularPad3d"}))
def test_every_operation(name):
    x = AXES.get(name[-2:], X)
    check(example(name).eval(), x, 4, norms="two passes")
