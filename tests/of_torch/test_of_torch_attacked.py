"""What testers of the layers found: stale weights, other sizes, borders of the wrong rank, autocast, quantization."""

import pytest
import torch
from torch.ao import quantization

import tconv
import tconv.torch


def test_weights_of_another_half_are_packed_anew():
    layer = tconv.torch.nn.ConvTranspose2d(4, 4, 3, 2, groups=2, bias=False).half()
    x = torch.randn(1, 4, 16, 16)
    with torch.no_grad():
        for _ in range(4):
            layer(x.half())
        layer.weight = torch.nn.Parameter(layer.weight.data.view(torch.bfloat16))
        wanted = torch.nn.functional.conv_transpose2d(x.bfloat16(), layer.weight, None, 2, groups=2)
        torch.testing.assert_close(layer(x.bfloat16()), wanted, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("keywords", [{"padding": "same", "padding_mode": "circular"}, {"padding": 1}])
def test_compiled_layers_take_other_sizes(keywords):
    layer = tconv.torch.nn.ConvTranspose2d(4, 6, 3, 2, **keywords)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    for size in (5, 7, 9):
        x = torch.randn(2, 4, size, 6)
        given = {} if "padding_mode" in keywords else {"output_size": [2 * size, 12]}
        torch.testing.assert_close(compiled(x, **given), layer(x, **given))


def test_a_bordered_layer_names_a_wrong_rank():
    layer = tconv.torch.nn.ConvTranspose2d(8, 4, 3, padding=1, padding_mode="circular")
    with pytest.raises(RuntimeError, match=r"input must have shape \(N, C, \*size\)"):
        layer(torch.ones(9))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_casts_both_operands_and_the_bias(dtype):
    x, y, w = torch.ones(1, 2, 4), torch.ones(1, 3, 9), torch.ones(2, 3, 3)
    with torch.autocast("cpu", dtype):
        assert tconv.weight_gradient(x.to(dtype), y, 3, stride=2).dtype == dtype
        assert tconv.conv(y, w, torch.ones(2), stride=2).dtype == dtype


def test_a_layer_that_is_to_be_quantized_is_left_alone():
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(2, 3, 3)).eval()
    model[0].qconfig = quantization.default_qconfig
    with torch.no_grad():
        _, report = tconv.torch.accelerate(model, torch.ones(1, 2, 5, 5))
    assert "torch.ao.quantization is to replace it" in report.layers[0].reason
