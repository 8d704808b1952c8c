"""Training meets what reads x where it is: the gradient by the input of a layer is a conv."""

import pytest
import torch

import tconv
from tconv.jit.machine import isa
from tconv.torch.nn import ConvTranspose2d
from tests.jit.lowered import in_use


@pytest.mark.parametrize("name", isa.ISAS)
def test_the_gradient_of_a_layer_of_one_tap_whose_rows_a_stride_sets_apart(name):
    window = {"stride": (2, 1), "padding": ((-1, 1), (0, 0))}
    layer = ConvTranspose2d(4, 6, (1, 1), groups=2, **window)
    x = torch.randn(2, 4, 8, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with in_use(name):
        y = layer(x)
        dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        y.backward(dy)
    double = dy.double().numpy(), layer.weight.detach().double().numpy()
    exact = tconv.conv(*double, groups=2, **window, output_size=(8, 5), method="matrix")
    torch.testing.assert_close(x.grad, torch.from_numpy(exact).float(), rtol=1e-5, atol=1e-5)
