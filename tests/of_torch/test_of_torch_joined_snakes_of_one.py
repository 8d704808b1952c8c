"""Snake with one parameter, as DAC has it: what is taken for it."""

from __future__ import annotations

import pytest
import torch
from joined import Operators, Snake1d, accelerated, check
from registry import needs_kernels
from torch import nn

from tconv.torch.fusing import snakes

pytestmark = [needs_kernels, pytest.mark.usefixtures("all_win")]


class OfTwo(Snake1d):
    def forward(self, x):
        return x + torch.sin(self.alpha * x).pow(2)


class Drawn(Snake1d):
    def forward(self, x):
        return super().forward(x) + 1e-3 * torch.randn_like(x)


class InPlaceSnake(Snake1d):
    def forward(self, x):
        return x.add_((self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * x).pow(2))


class SnakeOfSwitch(Snake1d):
    def __init__(self, channels):
        super().__init__(channels)
        self.logarithm = True

    def forward(self, x):
        alpha = self.alpha.exp() if self.logarithm else self.alpha
        return x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)


class FailingSnake(Snake1d):
    def forward(self, x):
        raise RuntimeError("no")


class Adder(Snake1d):
    """Of another name."""


@pytest.mark.parametrize("kind", [OfTwo, Drawn, InPlaceSnake, SnakeOfSwitch, FailingSnake, Adder])
def test_what_is_no_snake(kind):
    kind.__name__ = kind.__name__ if kind is Adder else f"Snake{kind.__name__}"
    assert not snakes.is_snake(kind(4).eval())


@pytest.mark.parametrize("how", ["training", "shape", "more", "buffer", "double"])
def test_modules_that_are_no_snake(how):
    module = Snake1d(4).eval()
    assert snakes.is_snake(module)
    if how == "training":
        module.train()
    elif how == "shape":
        module.alpha = nn.Parameter(torch.ones(4))
    elif how == "more":
        module.eps = 1e-9
    elif how == "buffer":
        module.register_buffer("beta", torch.ones(1))
    else:
        module.double()
    assert not snakes.is_snake(module)


def test_marks_of_a_library_are_allowed():
    module = Snake1d(4).eval()
    module._is_initialized = True
    assert snakes.is_snake(module)


def test_nobody_hears_of_the_first_look():
    class SnakeHeard(Snake1d):
        pass

    with Operators() as mode, torch.no_grad():
        assert not snakes.is_snake(SnakeHeard(4).eval())
    assert len(mode.heard) <= 2  # what makes the module
    assert snakes.is_snake(SnakeHeard(4).eval())


@pytest.mark.parametrize("alpha", [0.0, 1e-9, -3.0, 1e3])
def test_alphas(alpha):
    x = torch.randn(2, 4, 6, 5)
    model = nn.Sequential(Snake1d(4), nn.Conv2d(4, 3, 1))
    nn.init.constant_(model[0].alpha, alpha)
    model, twin, _ = accelerated(model, x)
    check(model, twin, x, atol=1e-4)
