"""Krea 2: one stream of gated blocks behind a text fusion.

Names: krea-ai's checkpoint against diffusers' transformer of the same model.
"""

from __future__ import annotations

from collections.abc import Iterator

from plugins.comfyui.families.layout import Alias, Blocks, Family, block_aliases, published

LAYERS: dict[str, tuple[Alias, ...]] = {
    **{f"attn.w{name}": ((f"attn.to_{name}", None),) for name in "qkv"},
    "attn.wo": (("attn.to_out.0", None), ("attn.to_out", None)),
    "attn.gate": (("attn.to_gate", None),),
    **{f"mlp.{name}": ((f"ff.{name}", None),) for name in ("gate", "up", "down")},
}
BLOCKS = {
    "blocks": Blocks("transformer_blocks", 28, LAYERS),
    "txtfusion.layerwise_blocks": Blocks("text_fusion.layerwise_blocks", 2, LAYERS),
    "txtfusion.refiner_blocks": Blocks("text_fusion.refiner_blocks", 2, LAYERS),
}
AROUND: dict[str, tuple[Alias, ...]] = {
    "first": (("img_in", None),),
    "tmlp.0": (("time_embed.linear_1", None),),
    "tmlp.2": (("time_embed.linear_2", None),),
    "tproj.1": (("time_mod_proj", None),),
    "txtmlp.1": (("txt_in.linear_1", None),),
    "txtmlp.3": (("txt_in.linear_2", None),),
    "txtfusion.projector": (("text_fusion.projector", None),),
    "last.linear": (("final_layer.linear", None),),
}


def _aliases(module: str) -> Iterator[Alias]:
    return block_aliases(module, BLOCKS, AROUND)


KREA2 = Family(
    id="krea2",
    label="Krea 2",
    published=lambda: published(BLOCKS, AROUND),
    aliases=_aliases,
    mark="txtfusion.projector.weight",
    prefixes=("", "diffusion_model.", "transformer."),
    flat_prefixes=("lycoris_",),
)
