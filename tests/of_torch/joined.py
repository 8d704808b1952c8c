"""For tests of what is computed in one call: models, which are accelerated beside a copy that is not, and compared."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tconv.torch import accelerate

#: What `decoder` and models like it are given.
X = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))


def drawn(model):
    """The model for evaluation, whose normalizations and slopes begin as no zeros, ones, or one number for all."""
    for module in model.eval().modules():
        if isinstance(module, _NormBase) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, (_NormBase, nn.GroupNorm, nn.PReLU)):
            for parameter in module.parameters():
                nn.init.normal_(parameter)
    return model


def accelerated(model, x, **options):
    """A model, drawn, with all of its layers and runs on the engine; its copy as it was; and the report."""
    twin = copy.deepcopy(drawn(model))
    with torch.no_grad():
        _, report = accelerate(model, copy.deepcopy(x), **{"layers": "all", **options})
    return model, twin, report


def check(model, twin, x, times=3, *, rtol=1e-4, atol=1e-5, **given):
    """The same results of the first call, of that which packs, and of one that finds all packed.

    Their strides are the same, too. Each call is given a copy of `x` with its strides, and leaves the same in it.
    """
    wanted_x = copy.deepcopy(x)
    with torch.no_grad():
        wanted = twin(wanted_x, **given)
        for _ in range(times):
            found_x = copy.deepcopy(x)
            found = model(found_x, **given)
            torch.testing.assert_close(found, wanted, rtol=rtol, atol=atol)
            torch.testing.assert_close(found_x, wanted_x)
            assert found.stride() == wanted.stride()


def check_gradients(model, twin, x, *, of_x=True):
    """The same derivatives of x, unless it has none, and of every parameter that has one."""
    found = []
    for each in (model, twin):
        given = x.clone().requires_grad_(of_x)
        each(given * 1).square().sum().backward()  # models may compute in place, which no leaf allows
        found.append([t.grad for t in (given, *each.parameters()) if t.grad is not None])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def decoder():
    """Two runs, and a convolution with nothing behind it."""
    return drawn(nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.PReLU(5),
        nn.ConvTranspose2d(5, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.LeakyReLU(0.1),
        nn.Conv2d(4, 2, 1),
    ))  # fmt: skip


#: Convolutions of every number of axes, of 4 channels into so many.
CONVOLUTIONS = {
    1: lambda channels: nn.Conv1d(4, channels, 3, 2, padding=1),
    2: lambda channels: nn.ConvTranspose2d(4, channels, 3, 2, groups=2),
    3: lambda channels: nn.Conv3d(4, channels, 2, bias=False),
}
#: Normalizations that take statistics, of so many axes and channels.
NORMS = {
    "instance": lambda ndim, channels: getattr(nn, f"InstanceNorm{ndim}d")(channels),
    "instance, affine": lambda ndim, channels: getattr(nn, f"InstanceNorm{ndim}d")(channels, eps=0.1, affine=True),
    "group": lambda ndim, channels: nn.GroupNorm(2, channels),
    "all channels": lambda ndim, channels: nn.GroupNorm(1, channels, affine=False),
    "one channel": lambda ndim, channels: nn.GroupNorm(channels, channels),
}


def activation_of(kind, channels):
    """An activation of a class of those that runs may end with."""
    return kind(*{nn.PReLU: (channels,), nn.GELU: ("tanh",)}.get(kind, ()))


class BasicParts(nn.Module):
    """The modules of a ResNet's block, which forward methods of tests call."""

    def __init__(self, channels=4, conv=nn.Conv2d, norm=nn.BatchNorm2d):
        super().__init__()
        self.conv1, self.bn1 = conv(channels, 4, 3, padding=1, bias=False), norm(4)
        self.conv2, self.bn2 = conv(4, 4, 3, padding=1, bias=False), norm(4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None if channels == 4 else nn.Sequential(conv(channels, 4, 1), norm(4))


class Snake1d(nn.Module):
    """As DAC has it."""

    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, hidden_states):
        shape = hidden_states.shape
        hidden_states = hidden_states.reshape(shape[0], shape[1], -1)
        hidden_states = hidden_states + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * hidden_states).pow(2)
        return hidden_states.reshape(shape)


class Functions(TorchFunctionMode):
    """A listener that keeps which functions it has heard."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.heard.append(func)
        return func(*args, **(kwargs or {}))


class Operators(TorchDispatchMode):
    """The same of operators."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.heard.append(func)
        return func(*args, **(kwargs or {}))
