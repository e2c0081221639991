"""Qwen-Image: two streams of blocks, kept under the names that diffusers' QwenImageTransformer2DModel gives them."""

from __future__ import annotations

from plugins.comfyui.families.layout import Blocks, Family, published

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
NORMS = ("norm_q", "norm_k", "norm_added_q", "norm_added_k")
LAYERS = (
    *(f"attn.{name}" for name in (*ATTENTION, *NORMS)),
    *(f"{stream}_{layer}" for stream in ("img", "txt") for layer in ("mod.1", "mlp.net.0.proj", "mlp.net.2")),
)
# Depth: transformer/config.json of Qwen/Qwen-Image.
BLOCKS = {"transformer_blocks": Blocks("transformer_blocks", 60, dict.fromkeys(LAYERS, ()))}
AROUND = (
    "img_in",
    "txt_in",
    "txt_norm",
    "norm_out.linear",
    "proj_out",
    "time_text_embed.timestep_embedder.linear_1",
    "time_text_embed.timestep_embedder.linear_2",
)

QWEN_IMAGE = Family(
    id="qwen-image",
    label="Qwen-Image",
    published=lambda: published(BLOCKS, AROUND),
    aliases=lambda module: ((module, None),),
    mark="transformer_blocks.0.img_mod.1.weight",
    prefixes=("", "transformer."),
    flat_prefixes=("lycoris_",),
)
