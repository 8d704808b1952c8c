"""Models with transposed convolutions of all kinds, for tests of what `accelerate` makes of them."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from tconv.torch import accelerated
from tconv.torch.classes import is_accelerated


def kept(model):
    return [name for name, module in model.named_modules() if is_accelerated(module)]


def classes(model):
    return [type(module) for module in model.modules()]


def becoming(model, names):
    """The classes that modules of these names have once their transposed convolutions are accelerated."""
    modules = dict(model.named_modules())
    return {modules[name]: accelerated.class_after(modules[name], ("conv_transpose",)) for name in names}


class Functional(nn.Module):
    """A forward method that calls a function, beside modules that have nothing to do with it."""

    def __init__(self):
        super().__init__()
        self.before = nn.Linear(9, 9)
        self.w = nn.Parameter(torch.randn(4, 3, 4))

    def forward(self, x, scale: float = 1.0):
        if scale < 0:
            raise ValueError("scale")
        return scale * F.conv_transpose1d(self.before(x), self.w, stride=2, padding=1)


class Cropped(nn.ConvTranspose1d):
    """A layer with a forward method of its own."""

    def forward(self, x):
        return super().forward(x)[..., :-1]


class Everything(nn.Module):
    """All kinds at once."""

    def __init__(self):
        super().__init__()
        self.first = nn.ConvTranspose1d(4, 4, 2, 2)
        self.normed = parametrizations.weight_norm(nn.ConvTranspose1d(4, 4, 3))
        self.functional = Functional()
        self.cropped = Cropped(3, 4, 3)
        self.again = nn.ConvTranspose1d(4, 4, 2, 2)
        self.again.weight = self.first.weight  # tied

    def forward(self, x):
        x = self.again(self.normed(self.first(x)))
        return self.cropped(self.functional(F.adaptive_avg_pool1d(x, 9)))


class Padded(nn.Conv1d):
    """A layer with a forward method of its own, and another border."""

    def forward(self, x):
        return super().forward(F.pad(x, (1, 0)))


class Down(nn.Module):
    """A forward method that calls functions of both operations, beside a layer."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 4, 3))
        self.up = nn.Parameter(torch.randn(3, 4, 2))

    def forward(self, x):
        return F.conv_transpose1d(F.conv1d(x, self.w, padding="same"), self.up, stride=2)


class Mixed(nn.Module):
    """Convolutions of all kinds, and one transposed."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(4, 4, 3, 2, 1)
        self.normed = parametrizations.weight_norm(nn.Conv1d(4, 4, 3, padding=2, padding_mode="circular"))
        self.up = nn.ConvTranspose1d(4, 4, 2, 2)
        self.down = Down()
        self.padded = Padded(4, 4, 3, groups=2)
        self.again = nn.Conv1d(4, 4, 3, 2, 1)
        self.again.weight = self.first.weight  # tied

    def forward(self, x):
        return self.again(self.padded(self.down(self.up(self.normed(self.first(x))))))


def mixed():
    return Mixed().eval(), torch.randn(2, 4, 20)


NAMES = ["first", "normed", "functional", "cropped", "again"]


def decoder():
    """Two layers, one after the other."""
    torch.manual_seed(0)
    return nn.Sequential(nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2, 2)).eval()


def everything():
    return Everything().eval(), torch.randn(2, 4, 5)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.functional, self.cropped = nn.ConvTranspose1d(4, 4, 2), Functional(), Cropped(3, 4, 3)

    def forward(self, x):
        return self.cropped(self.functional(self.up(x)))


class Doubled(nn.Module):
    def forward(self, w):
        return 2 * w
