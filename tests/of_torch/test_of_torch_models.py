"""Models as people have them, small: from the transformers package and MONAI, accelerated where all layers win."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)

from tconv.measuring.contest import difference  # noqa: E402
from tconv.torch import accelerate, restore  # noqa: E402

pytestmark = pytest.mark.usefixtures("all_win")


def check(model, inputs, layers):
    model.eval()
    with torch.no_grad():
        expected = model(*inputs)
        accelerate(model, inputs)
        for which in ("transposed", "all"):
            report = accelerate(model, inputs, layers=which)[1]
            result = model(*inputs)
            assert report.changed == len(report.layers), str(report)
            assert which == "all" or report.changed == layers
            assert difference([result.numpy()], [expected.numpy()]) <= 1e-4
        assert report.changed > layers
        assert torch.equal(restore(model)(*inputs), expected)


@pytest.mark.filterwarnings("ignore")  # their own
def test_a_vocoder_of_transformers():
    transformers = pytest.importorskip("transformers", exc_type=ModuleNotFoundError)
    config = transformers.SpeechT5HifiGanConfig(upsample_initial_channel=32)
    model = transformers.SpeechT5HifiGan(config)
    model.apply_weight_norm()
    check(model, (torch.randn(6, 80),), layers=4)


@pytest.mark.filterwarnings("ignore")
def test_calls_of_functions_in_a_vocoder_of_transformers():
    pytest.importorskip("transformers", exc_type=ModuleNotFoundError)
    name = "transformers.models.qwen2_5_omni.modeling_qwen2_5_omni"
    modeling = pytest.importorskip(name, exc_type=ImportError)
    config = modeling.Qwen2_5OmniBigVGANConfig(
        upsample_initial_channel=16,
        upsample_rates=[3, 2],
        upsample_kernel_sizes=[7, 4],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3, 5]],
    )
    model = modeling.Qwen2_5OmniToken2WavBigVGANModel(config)
    check(model, (torch.randn(1, 80, 6),), layers=2 + 2 * 6 + 1)  # layers, activations of residual blocks, the last


@pytest.mark.filterwarnings("ignore")
def test_a_unet_of_monai():
    nets = pytest.importorskip("monai.networks.nets", exc_type=ImportError)
    check(nets.UNet(3, 1, 2, (4, 8, 16), (2, 2), num_res_units=1), (torch.randn(1, 1, 8, 8, 8),), layers=2)
