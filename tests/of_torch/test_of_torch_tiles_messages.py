"""What `tconv.torch.tiles` refuses: operations that are not local, by name, and wrong arguments."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiled_networks import Lambda
from torch import nn
from torch.nn import functional as F

import tconv.torch

X = torch.arange(3 * 4 * 13 * 17).reshape(3, 4, 13, 17).sin()


def decoder(norm):
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1))
    model.decoder = nn.Sequential(nn.ReLU())
    model.decoder.norm = norm
    return model


SAID = {
    "group norm": (
        decoder(nn.GroupNorm(2, 4)),
        'decoder.norm: GroupNorm reads the whole array; norms="two passes" computes its statistics beforehand',
    ),
    "batch norm": (
        decoder(nn.BatchNorm2d(4)),
        "decoder.norm: BatchNorm2d in training mode reads the whole array; call module.eval()",
    ),
    "no statistics": (
        nn.BatchNorm2d(4, track_running_stats=False).eval(),
        "BatchNorm2d without running statistics reads the whole array",
    ),
    "dropout": (nn.Dropout(), "Dropout in training mode draws at random; call module.eval()"),
    "global pooling": (
        decoder(nn.AdaptiveAvgPool2d(1)),
        "decoder.norm: AdaptiveAvgPool2d is not known to be local; it may read the whole array",
    ),
    "attention": (
        nn.TransformerEncoderLayer(17, 1),
        "TransformerEncoderLayer is not known to be local; it may read the whole array",
    ),
    "reduction": (Lambda(lambda x: x.mean((2, 3), keepdim=True)), "mean goes along axis 2; it may along channels"),
    "sum": (Lambda(lambda x: x / x.sum()), "sum goes along all axes; it may along channels"),
    "samples": (Lambda(lambda x: x - x.mean((0, 1), keepdim=True)), "mean goes along axis 0; it may along channels"),
    "samples joined": (Lambda(lambda x: torch.cat([x, x])), "cat goes along axis 0; it may along channels"),
    "samples split": (Lambda(lambda x: x.chunk(1)[0]), "chunk goes along axis 0; it may along channels"),
    "a sample": (Lambda(lambda x: x + x[:1]), "getitem takes some of the samples, which are computed by themselves"),
    "more samples": (
        Lambda(lambda x: x * torch.ones(3, 1, 1, 1)),
        "module must give as many samples as it is given; it made 3 of 1",
    ),
    "softmax": (Lambda(lambda x: x.softmax(-1)), "softmax goes along axis -1; it may along channels"),
    "circular": (
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        'Conv2d with padding_mode "circular" reads the other end of the array',
    ),
    "circular pad": (nn.CircularPad2d(1), 'CircularPad2d with mode "circular" reads the other end of the array'),
    "border": (
        tconv.torch.nn.ConvTranspose2d(4, 4, 3, padding=1, padding_mode="reflect"),
        "ConvTranspose2d with padding_mode 'reflect' adds cells of the border elsewhere",
    ),
    "bicubic": (
        nn.Upsample(scale_factor=2, mode="bicubic"),
        'Upsample with mode \'bicubic\' is not computed in tiles; modes are "nearest", "nearest-exact", "linear", '
        '"bilinear", "trilinear"',
    ),
    "indices": (nn.MaxPool2d(2, return_indices=True), "MaxPool2d with return_indices gives places in the whole array"),
    "steps": (Lambda(lambda x: x[..., ::2]), "slices of step 1 are computed in tiles"),
    "axes": (Lambda(lambda x: x.permute(0, 1, 3, 2)), "permute is not known to be local; it may read the whole array"),
    "its own weights": (
        Lambda(lambda x: F.conv2d(x, x[:, :, :3, :3])),
        "conv2d must have weights that do not depend on x",
    ),
    "views written": (
        Lambda(lambda x: x.chunk(2, 1)[0].add_(1) + x[:, :2]),
        "add_ must not write into an array that is read under another name later",
    ),
    "two results": (Lambda(lambda x: (x, x)), "module must return one tensor; got tuple"),
    "no results of x": (Lambda(lambda x: torch.ones(3)), "module must return something that depends on x"),
    "a decision": (
        Lambda(lambda x: x if x[0, 0, 0, 0] > 0 else -x),
        "takes (0, 0, 0, 0); slices of step 1 are computed in tiles",
    ),
    "channels": (
        nn.Conv2d(3, 3, 3),
        "module must take x of shape (1, 4, 13, 17), and be one that torch.fx traces; "
        "it raised RuntimeError: Given groups=1",
    ),
    "spectral norm": (
        decoder(nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3))),
        "spectral norm in training mode refines itself at every call; call module.eval()",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_not_local_is_refused_by_name(case):
    module, said = SAID[case]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError) as error:
        tconv.torch.tiles(module, X, tile=4)
    assert said in str(error.value)
    assert str(error.value).endswith("\n  called with x=float32 (3, 4, 13, 17), tile=4, batch=1, norms='refuse'")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_plan_refuses_the_same():
    with pytest.raises(ValueError) as error:
        tconv.torch.tile_plan(decoder(nn.GroupNorm(2, 4)), (1, 4, 9, 9), tile=4)
    assert str(error.value).startswith("tile_plan: decoder.norm: GroupNorm reads the whole array; ")
    with pytest.raises(TypeError) as error:
        tconv.torch.tile_plan(nn.ReLU(), (1, 4, 9.5), tile=4)
    assert str(error.value).startswith("tile_plan: x[2] must be an integer of at least 0; got 9.5")
    with pytest.raises(ValueError, match=r"^tile_plan: x must have a shape that a tensor can have; got "):
        tconv.torch.tile_plan(nn.ReLU(), (1, 4, 10**12, 10**12), tile=4)


READ_ONLY = np.zeros((3, 2, 11, 15), "f4")
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"module": 3}, TypeError, "module must be a torch.nn.Module; got 3 of type int"),
        ({"x": [1]}, TypeError, "x must be a tensor, or an array such as NumPy's, a memmap or Zarr's; got list"),
        ({"x": np.zeros((1, 4, 9, 9), "U3")}, TypeError, "x must have a dtype that torch has; got <U3"),
        (
            {"x": X[0, 0]},
            ValueError,
            "x must have shape (N, C, *size) with 1 to 3 axes of size, none empty; got (13, 17)",
        ),
        ({"x": X[..., :0]}, ValueError, "none empty; got (3, 4, 13, 0)"),
        ({"tile": 0}, ValueError, "tile must be an integer of at least 1; got 0"),
        (
            {"tile": (1, 2, 3)},
            ValueError,
            "tile must be an integer or a sequence of 2 integers, one an axis; got (1, 2, 3)",
        ),
        ({"batch": 0}, ValueError, "batch must be an integer of at least 1; got 0"),
        ({"norms": "two"}, ValueError, 'norms must be one of "refuse", "two passes"; got \'two\''),
        ({"progress": 3}, TypeError, "progress must be True, None or a function of two integers; got 3"),
        (
            {"out": torch.empty(3)},
            ValueError,
            "out must be float32 (3, 2, 11, 15), as the module gives; got float32 (3,)",
        ),
        ({"out": np.zeros((3, 2, 11, 15))}, ValueError, "as the module gives; got float64 (3, 2, 11, 15)"),
        ({"out": READ_ONLY}, ValueError, "out must be writeable"),
        ({"out": torch.empty(3, 2, 11, 15, device="meta")}, ValueError, "out must be writeable"),
        ({"x": np.ma.zeros((1, 4, 9, 9))}, TypeError, "x must be an array without a mask; got a masked one"),
    ],
)
def test_wrong_arguments(arguments, kind, said):
    good = {"module": nn.Conv2d(4, 2, 3), "x": X, "tile": 4}
    with pytest.raises(kind) as error:
        tconv.torch.tiles(**{**good, **arguments})
    assert str(error.value).startswith("tiles: ")
    assert said in str(error.value)
