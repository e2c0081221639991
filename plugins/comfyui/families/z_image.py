"""Z-Image: one stream of blocks, whose query, key and value lie in one weight.

Names: Alpha-VLLM/Lumina-Image-2.0 (models/model.py), in which the model is kept, against diffusers'
ZImageTransformer2DModel.
"""

from __future__ import annotations

from collections.abc import Iterator

from plugins.comfyui.families.layout import Alias, Blocks, Family, block_aliases, fused, published

KEPT = (
    "attention_norm1",
    "attention_norm2",
    "feed_forward.w1",
    "feed_forward.w2",
    "feed_forward.w3",
    "ffn_norm1",
    "ffn_norm2",
)
PLAIN: dict[str, tuple[Alias, ...]] = {
    "attention.qkv": fused("attention.to_q", "attention.to_k", "attention.to_v"),
    "attention.out": (("attention.to_out.0", None),),
    "attention.q_norm": (("attention.norm_q", None),),
    "attention.k_norm": (("attention.norm_k", None),),
    **{name: ((name, None),) for name in KEPT},
}
MODULATED: dict[str, tuple[Alias, ...]] = PLAIN | {"adaLN_modulation.0": (("adaLN_modulation.0", None),)}
# Depths: transformer/config.json of Tongyi-MAI/Z-Image-Turbo.
BLOCKS = {
    "layers": Blocks("layers", 30, MODULATED),
    "noise_refiner": Blocks("noise_refiner", 2, MODULATED),
    "context_refiner": Blocks("context_refiner", 2, PLAIN),
}
AROUND: dict[str, tuple[Alias, ...]] = {
    "x_embedder": (("all_x_embedder.2-1", None),),
    "final_layer.linear": (("all_final_layer.2-1.linear", None),),
    "final_layer.adaLN_modulation.1": (("all_final_layer.2-1.adaLN_modulation.1", None),),
    **{name: ((name, None),) for name in ("cap_embedder.0", "cap_embedder.1", "t_embedder.mlp.0", "t_embedder.mlp.2")},
}


def _aliases(module: str) -> Iterator[Alias]:
    return block_aliases(module, BLOCKS, AROUND)


Z_IMAGE = Family(
    id="z-image",
    label="Z-Image",
    published=lambda: published(BLOCKS, AROUND),
    aliases=_aliases,
    mark="noise_refiner.0.attention.qkv.weight",
    width_of="x_embedder.weight",
    prefixes=("", "diffusion_model.", "transformer."),
    flat_prefixes=("lycoris_",),
)
