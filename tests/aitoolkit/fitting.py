"""Base models as wide as the real ones and as shallow as ComfyUI's small ones: what is trained on them fits those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.aitoolkit.tiny import clip_text, clip_tokenizer, ddpm, vae_of, word_tokenizer
from tests.comfyui import flux, unet

VERSION = "1"  # of what is made here; another number makes the files anew
FAMILIES = ("sd15", "sdxl", "flux", "z-image")
Z_WIDTH, Z_TEXT, Z_HEADS = 3840, 2560, 30  # by which ComfyUI tells Z-Image


def make(family: str, cache: Path) -> Path:
    """Make a family's model unless it is there; return its folder."""
    folder = cache / f"fitting-{family}-{VERSION}"
    if not (folder / "model_index.json").exists():
        import torch

        torch.manual_seed(0)
        made = {"sd15": _sd15, "sdxl": _sdxl, "flux": _flux, "z-image": _z_image}[family](folder)
        made.to(torch.bfloat16).save_pretrained(str(folder))
    return folder


def _sd15(folder: Path) -> Any:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    inner = UNet2DConditionModel(
        sample_size=8, block_out_channels=(unet.WIDTH,) * 4, cross_attention_dim=unet.SD15.context
    )
    return StableDiffusionPipeline(
        vae=vae_of(4, 0.18215),
        text_encoder=clip_text(CLIPTextModel, unet.SD15.context, unet.SD15.context),
        tokenizer=clip_tokenizer(folder / "tokenizer"),
        unet=inner,
        scheduler=ddpm(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl(folder: Path) -> Any:
    from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    inner = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(unet.WIDTH,) * 3,
        cross_attention_dim=unet.SDXL.context,
        attention_head_dim=(5, 5, 5),
        transformer_layers_per_block=(1, *unet.SDXL.depths[1:]),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=unet.SDXL.label,
    )
    return StableDiffusionXLPipeline(
        vae=vae_of(4, 0.13025),
        text_encoder=clip_text(CLIPTextModel, 768, 768),
        text_encoder_2=clip_text(CLIPTextModelWithProjection, 1280, 1280),
        tokenizer=clip_tokenizer(folder / "tokenizer"),
        tokenizer_2=clip_tokenizer(folder / "tokenizer_2"),
        unet=inner,
        scheduler=ddpm(),
    )


def _flux(folder: Path) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel, T5Config, T5EncoderModel

    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=flux.LATENT,
        num_layers=1,
        num_single_layers=flux.SINGLES,
        attention_head_dim=flux.HEAD,
        num_attention_heads=flux.WIDTH // flux.HEAD,
        joint_attention_dim=flux.TEXT,
        pooled_projection_dim=flux.POOLED,
        guidance_embeds=True,
    )
    texts = T5Config(
        vocab_size=300, d_model=flux.TEXT, d_kv=8, d_ff=64, num_layers=1, num_heads=4, feed_forward_proj="gated-gelu"
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae_of(16, 0.3611, 0.1159, quant=False),
        text_encoder=clip_text(CLIPTextModel, flux.POOLED, flux.POOLED),
        tokenizer=clip_tokenizer(folder / "tokenizer"),
        text_encoder_2=T5EncoderModel(texts),
        tokenizer_2=word_tokenizer(folder / "tokenizer_2", "t5"),
        transformer=transformer,
    )


def _z_image(folder: Path) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=Z_WIDTH,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=Z_HEADS,
        n_kv_heads=Z_HEADS,
        cap_feat_dim=Z_TEXT,
    )
    texts = Qwen3Config(
        vocab_size=300,
        hidden_size=Z_TEXT,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
    )
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae_of(16, 0.3611, 0.1159, quant=False),
        text_encoder=Qwen3ForCausalLM(texts),
        tokenizer=word_tokenizer(folder / "tokenizer", "qwen"),
        transformer=transformer,
    )


def z_image_file(path: Path) -> Path:
    """Write the file of a Z-Image transformer of one layer in ComfyUI's own names; its weights are zero."""
    from tests.comfyui.weights import ones, write, zeros

    found = {"cap_pad_token": zeros(1, Z_WIDTH), "x_pad_token": zeros(1, Z_WIDTH)}
    found |= {"cap_embedder.0.weight": ones(Z_TEXT), "cap_embedder.1.weight": zeros(Z_WIDTH, Z_TEXT)}
    found["x_embedder.weight"] = zeros(Z_WIDTH, 64)
    for block in ("layers.0", *(f"{kind}_refiner.{n}" for kind in ("noise", "context") for n in (0, 1))):
        found |= {f"{block}.attention.qkv.weight": zeros(3 * Z_WIDTH, Z_WIDTH)}
        found |= {f"{block}.attention.out.weight": zeros(Z_WIDTH, Z_WIDTH)}
        found |= {f"{block}.attention.{norm}_norm.weight": ones(Z_WIDTH // Z_HEADS) for norm in "qk"}
    return write(path, found)
