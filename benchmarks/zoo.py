"""Published models with transposed convolutions, with random weights: from the transformers package, and MONAI's UNet.

Built from the configurations that the packages come with, so that nothing is downloaded. Where a model is large its
parts are those of its small version, or the part that holds the transposed convolutions runs on its own; `size` says
what a model is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import Module


@dataclass(frozen=True)
class Entry:
    """A model that can be built."""

    name: str
    size: str  #: of its inputs
    convolutional: bool  #: it is mostly convolutions: a vocoder, a codec, a U-Net, a detector
    build: Callable[[], tuple[Module, Any]]  #: the model, and the inputs that it is called with


ENTRIES: dict[str, Entry] = {}


def entry(name: str, size: str, *, convolutional: bool = False) -> Callable[[Any], Any]:
    """Name a function that builds a model."""

    def named(build: Callable[[], tuple[Module, Any]]) -> Any:
        ENTRIES[name] = Entry(name, size, convolutional, build)
        return build

    return named


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


# Vocoders


@entry("SpeechT5 HiFi-GAN", "60 frames", convolutional=True)
def speecht5() -> tuple[Module, Any]:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    return SpeechT5HifiGan(SpeechT5HifiGanConfig()), noise(60, 80)


@entry("FastSpeech2Conformer HiFi-GAN", "40 frames", convolutional=True)
def fastspeech2() -> tuple[Module, Any]:
    from transformers import FastSpeech2ConformerHifiGan, FastSpeech2ConformerHifiGanConfig

    return FastSpeech2ConformerHifiGan(FastSpeech2ConformerHifiGanConfig()), noise(40, 80)


@entry("SeamlessM4T v2 HiFi-GAN", "50 units", convolutional=True)
def seamless() -> tuple[Module, Any]:
    from transformers import SeamlessM4Tv2Config
    from transformers.models.seamless_m4t_v2.modeling_seamless_m4t_v2 import SeamlessM4Tv2HifiGan

    config = SeamlessM4Tv2Config()
    channels = config.unit_embed_dim + config.lang_embed_dim + config.spkr_embed_dim
    return SeamlessM4Tv2HifiGan(config), noise(1, channels, 50)


@entry("UnivNet", "60 frames", convolutional=True)
def univnet() -> tuple[Module, Any]:
    from transformers import UnivNetConfig, UnivNetModel

    return UnivNetModel(UnivNetConfig()), {"input_features": noise(1, 60, 100), "noise_sequence": noise(1, 60, 64)}


@entry("Qwen2.5-Omni BigVGAN", "20 frames", convolutional=True)
def bigvgan() -> tuple[Module, Any]:
    from transformers.models.qwen2_5_omni import configuration_qwen2_5_omni, modeling_qwen2_5_omni

    config = configuration_qwen2_5_omni.Qwen2_5OmniBigVGANConfig(upsample_initial_channel=512)
    return modeling_qwen2_5_omni.Qwen2_5OmniToken2WavBigVGANModel(config), noise(1, 80, 20)


@entry("VITS", "24 letters", convolutional=True)
def vits() -> tuple[Module, Any]:
    from transformers import VitsConfig, VitsModel

    model = VitsModel(VitsConfig())
    return model, {"input_ids": torch.arange(1, 25)[None]}


# Codecs of audio


@entry("EnCodec 24 kHz", "1 s", convolutional=True)
def encodec() -> tuple[Module, Any]:
    from transformers import EncodecConfig, EncodecModel

    return EncodecModel(EncodecConfig()), noise(1, 1, 24000)


@entry("DAC 16 kHz", "0.4 s", convolutional=True)
def dac() -> tuple[Module, Any]:
    from transformers import DacConfig, DacModel

    return DacModel(DacConfig()), noise(1, 1, 6400)


@entry("Mimi", "1 s", convolutional=True)
def mimi() -> tuple[Module, Any]:
    from transformers import MimiConfig, MimiModel

    return MimiModel(MimiConfig()), noise(1, 1, 24000)


@entry("Pocket TTS tokenizer", "1 s", convolutional=True)
def pocket_tts() -> tuple[Module, Any]:
    from transformers.models.pocket_tts_audio_tokenizer import configuration_pocket_tts_audio_tokenizer as configuration
    from transformers.models.pocket_tts_audio_tokenizer import modeling_pocket_tts_audio_tokenizer as modeling

    config = configuration.PocketTTSAudioTokenizerConfig()
    return modeling.PocketTTSAudioTokenizerModel(config), noise(1, 1, 24000)


@entry("X-Codec decoder", "25 frames", convolutional=True)
def xcodec() -> tuple[Module, Any]:
    from transformers import XcodecConfig, XcodecModel

    config = XcodecConfig()
    return XcodecModel(config).acoustic_decoder, noise(1, config.acoustic_model_config.hidden_size, 25)


@entry("VibeVoice tokenizer decoder", "3 frames", convolutional=True)
def vibevoice() -> tuple[Module, Any]:
    from transformers.models.vibevoice_acoustic_tokenizer import modeling_vibevoice_acoustic_tokenizer as modeling
    from transformers.models.vibevoice_acoustic_tokenizer.configuration_vibevoice_acoustic_tokenizer import (
        VibeVoiceAcousticTokenizerConfig,
    )

    config = VibeVoiceAcousticTokenizerConfig()
    model = modeling.VibeVoiceAcousticTokenizerModel(config)
    return model.decoder, noise(1, config.hidden_size, 3)


# Masks


def mask_decoder(decoder: Module, **more: Any) -> tuple[Module, Any]:
    """One prompt on the embedding of an image of 1024x1024."""
    return decoder, {
        "image_embeddings": noise(1, 256, 64, 64),
        "image_positional_embeddings": noise(1, 256, 64, 64),
        "sparse_prompt_embeddings": noise(1, 1, 2, 256),
        "dense_prompt_embeddings": noise(1, 256, 64, 64),
        "multimask_output": True,
        **more,
    }


FINE = [(1, 32, 256, 256), (1, 64, 128, 128)]


@entry("SAM mask decoder", "1024x1024, 1 prompt")
def sam() -> tuple[Module, Any]:
    from transformers import SamMaskDecoderConfig
    from transformers.models.sam.modeling_sam import SamMaskDecoder

    return mask_decoder(SamMaskDecoder(SamMaskDecoderConfig(attn_implementation="eager")))


@entry("SAM 2 mask decoder", "1024x1024, 1 prompt")
def sam2() -> tuple[Module, Any]:
    from transformers.models.sam2.configuration_sam2 import Sam2MaskDecoderConfig
    from transformers.models.sam2.modeling_sam2 import Sam2MaskDecoder

    decoder = Sam2MaskDecoder(Sam2MaskDecoderConfig(attn_implementation="eager"))
    return mask_decoder(decoder, high_resolution_features=[noise(*shape) for shape in FINE])


@entry("SAM-HQ mask decoder", "1024x1024, 1 prompt")
def sam_hq() -> tuple[Module, Any]:
    from transformers.models.sam_hq.configuration_sam_hq import SamHQMaskDecoderConfig
    from transformers.models.sam_hq.modeling_sam_hq import SamHQMaskDecoder

    decoder = SamHQMaskDecoder(SamHQMaskDecoderConfig(attn_implementation="eager"))
    embeddings = [noise(1, 64, 64, 768) for _ in range(4)]
    return mask_decoder(decoder, hq_token_only=False, intermediate_embeddings=embeddings)


# Images


@entry("DPT, small", "224x224")
def dpt() -> tuple[Module, Any]:
    from transformers import DPTConfig, DPTForDepthEstimation

    config = DPTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536, image_size=224)
    return DPTForDepthEstimation(config), noise(1, 3, 224, 224)


@entry("Depth Anything, small", "224x224")
def depth_anything() -> tuple[Module, Any]:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        image_size=224,
        patch_size=14,
        out_indices=[3, 6, 9, 12],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    return DepthAnythingForDepthEstimation(DepthAnythingConfig(backbone_config=backbone)), noise(1, 3, 224, 224)


@entry("ZoeDepth, small", "192x192")
def zoedepth() -> tuple[Module, Any]:
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation

    backbone = BeitConfig(
        hidden_size=384,
        num_attention_heads=6,
        intermediate_size=1536,
        image_size=192,
        use_relative_position_bias=True,
        out_indices=[3, 6, 9, 12],
        reshape_hidden_states=False,
    )
    bins = [{"name": "nyu", "n_bins": 64, "min_depth": 1e-3, "max_depth": 10.0}]
    config = ZoeDepthConfig(backbone_config=backbone, bin_configurations=bins)
    return ZoeDepthForDepthEstimation(config), noise(1, 3, 192, 192)


@entry("ViTPose, small", "256x192")
def vitpose() -> tuple[Module, Any]:
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    backbone = VitPoseBackboneConfig(hidden_size=384, num_attention_heads=12, out_indices=[12])
    config = VitPoseConfig(backbone_config=backbone, use_simple_decoder=False, num_labels=17)
    return VitPoseForPoseEstimation(config), noise(1, 3, 256, 192)


@entry("BEiT segmentation, small", "224x224")
def beit() -> tuple[Module, Any]:
    from transformers import BeitConfig, BeitForSemanticSegmentation

    config = BeitConfig(
        hidden_size=384,
        num_attention_heads=6,
        intermediate_size=1536,
        image_size=224,
        out_indices=[3, 5, 7, 11],
        use_relative_position_bias=True,
        num_labels=150,
    )
    return BeitForSemanticSegmentation(config), noise(1, 3, 224, 224)


@entry("EoMT, small", "256x256")
def eomt() -> tuple[Module, Any]:
    from transformers import EomtConfig, EomtForUniversalSegmentation

    config = EomtConfig(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=256, num_labels=150)
    return EomtForUniversalSegmentation(config), noise(1, 3, 256, 256)


@entry("CLIPSeg", "224x224, 1 phrase")
def clipseg() -> tuple[Module, Any]:
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    config = CLIPSegConfig(use_complex_transposed_convolution=True)
    words = torch.tensor([[49406, 320, 2368, 49407]])
    inputs = {"input_ids": words, "pixel_values": noise(1, 3, 224, 224)}
    return CLIPSegForImageSegmentation(config), inputs


@entry("PP-OCRv5 mobile detector", "640x640", convolutional=True)
def pp_ocr() -> tuple[Module, Any]:
    from transformers.models.pp_ocrv5_mobile_det import configuration_pp_ocrv5_mobile_det as configuration
    from transformers.models.pp_ocrv5_mobile_det import modeling_pp_ocrv5_mobile_det as modeling

    config = configuration.PPOCRV5MobileDetConfig()
    return modeling.PPOCRV5MobileDetForObjectDetection(config), noise(1, 3, 640, 640)


# Medicine


@entry("MONAI UNet", "96x96x96", convolutional=True)
def monai_unet() -> tuple[Module, Any]:
    from monai.networks.nets import UNet

    channels, strides = (16, 32, 64, 128, 256), (2, 2, 2, 2)
    return UNet(3, 1, 2, channels, strides, num_res_units=2), noise(1, 1, 96, 96, 96)


@entry("MONAI UNet, 2-D", "256x256", convolutional=True)
def monai_unet_2d() -> tuple[Module, Any]:
    from monai.networks.nets import UNet

    channels, strides = (32, 64, 128, 256, 512), (2, 2, 2, 2)
    return UNet(2, 1, 2, channels, strides, num_res_units=2), noise(1, 1, 256, 256)
