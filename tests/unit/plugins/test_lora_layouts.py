"""A LoRA that the embedded trainer saves is loaded whole by diffusers and by ComfyUI, for both kinds of UNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins.comfyui.lora_keys import check, describe

RANK, ALPHA = 4, 2
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
ATTENTION_LAST = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
CONFIGS: dict[str, dict[str, Any]] = {  # the blocks of the published models, narrower
    "sd15": {"block_out_channels": (32, 64, 64, 64), "cross_attention_dim": 768, "down_block_types": ATTENTION_LAST},
    "sdxl": {
        "block_out_channels": (32, 64, 64),
        "cross_attention_dim": 2048,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 1328,
    },
}


def unet_of(family: str) -> Any:
    import torch
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    return UNet2DConditionModel(attention_head_dim=8, norm_num_groups=8, **CONFIGS[family]).eval()


def drawn(unet: Any, family: str) -> Any:
    import torch

    width = CONFIGS[family]["cross_attention_dim"]
    noise = torch.Generator().manual_seed(1)
    latents, words = torch.randn(1, 4, 16, 16, generator=noise), torch.randn(1, 7, width, generator=noise)
    more = {"text_embeds": torch.zeros(1, 1280), "time_ids": torch.zeros(1, 6)} if family == "sdxl" else None
    with torch.no_grad():
        return unet(latents, 500, words, added_cond_kwargs=more).sample


@pytest.mark.parametrize("family", CONFIGS)
def test_diffusers_and_comfyui_load_every_part(tmp_path: Path, family: str) -> None:
    import torch
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
    from peft import LoraConfig

    from plugins.diffusers.engine.weights import load_lora, prove, save_lora

    trained = unet_of(family)
    adapter = LoraConfig(r=RANK, lora_alpha=ALPHA, init_lora_weights=False, target_modules=TARGETS)
    trained.add_adapter(adapter)
    path = tmp_path / "a.safetensors"
    save_lora(trained, path, {"trigger_word": "zvka"})
    prove(path, trained, RANK)

    check(path, family, "The model")
    facts = describe(path)
    assert (facts.families, facts.key_format, facts.known) == ((family,), "kohya", facts.keys)

    pipeline = StableDiffusionXLPipeline if family == "sdxl" else StableDiffusionPipeline
    loaded = unet_of(family)
    state, alphas = pipeline.lora_state_dict(path, unet_config=loaded.config)[:2]
    assert not torch.equal(drawn(loaded, family), drawn(trained, family))
    pipeline.load_lora_into_unet(state, network_alphas=alphas, unet=loaded)
    assert torch.allclose(drawn(loaded, family), drawn(trained, family), atol=1e-5)

    again = unet_of(family)
    again.add_adapter(adapter)
    load_lora(path, again)
    assert torch.equal(drawn(again, family), drawn(trained, family))
