"""FLUX.1 and FLUX.2: double and single stream blocks, whose query, key and value lie in one weight.

Names: black-forest-labs/flux (model.py, layers.py) against diffusers' FluxTransformer2DModel and
Flux2Transformer2DModel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from plugins.comfyui.families.clip import clip_l, t5
from plugins.comfyui.families.layout import Alias, Blocks, Family, Slot, block_aliases, fused, published

QKV = ("to_q", "to_k", "to_v")


def _stream(stream: str, attn: tuple[str, ...], out: str, feed: str, norm: str) -> dict[str, tuple[Alias, ...]]:
    """One of the two streams of a double block. FLUX.2's feed-forward has names of its own."""
    return {
        f"{stream}_attn.qkv": fused(*(f"attn.{name}" for name in attn)),
        f"{stream}_attn.proj": ((f"attn.{out}", None),),
        f"{stream}_attn.norm.query_norm": ((f"attn.norm_{norm}q", None),),
        f"{stream}_attn.norm.key_norm": ((f"attn.norm_{norm}k", None),),
        f"{stream}_mlp.0": ((f"{feed}.net.0.proj", None), (f"{feed}.linear_in", None)),
        f"{stream}_mlp.2": ((f"{feed}.net.2", None), (f"{feed}.linear_out", None)),
    }


STREAMS = _stream("img", QKV, "to_out.0", "ff", "") | _stream(
    "txt", ("add_q_proj", "add_k_proj", "add_v_proj"), "to_add_out", "ff_context", "added_"
)
MODULATION: dict[str, tuple[Alias, ...]] = {
    "img_mod.lin": (("norm1.linear", None),),
    "txt_mod.lin": (("norm1_context.linear", None),),
}
SINGLE: dict[str, tuple[Alias, ...]] = {
    "linear1": (
        *fused(*(f"attn.{name}" for name in QKV)),
        ("proj_mlp", (3, 4)),
        ("attn.to_qkv_mlp_proj", None),
    ),
    "linear2": (("proj_out", None), ("attn.to_out", None)),
    "norm.query_norm": (("attn.norm_q", None),),
    "norm.key_norm": (("attn.norm_k", None),),
}
SINGLE_MODULATION: dict[str, tuple[Alias, ...]] = {"modulation.lin": (("norm.linear", None),)}


def _embedder(ours: str, theirs: str) -> dict[str, tuple[Alias, ...]]:
    return {
        f"{ours}.in_layer": ((f"time_text_embed.{theirs}.linear_1", None),),
        f"{ours}.out_layer": ((f"time_text_embed.{theirs}.linear_2", None),),
    }


AROUND: dict[str, tuple[Alias, ...]] = {
    "img_in": (("x_embedder", None),),
    "txt_in": (("context_embedder", None),),
    "final_layer.linear": (("proj_out", None),),
    "final_layer.adaLN_modulation.1": (("norm_out.linear", None),),
    **_embedder("time_in", "timestep_embedder"),
    **_embedder("guidance_in", "guidance_embedder"),
}
VECTOR = _embedder("vector_in", "text_embedder")
SHARED_MODULATION = (
    "double_stream_modulation_img.lin",
    "double_stream_modulation_txt.lin",
    "single_stream_modulation.lin",
)

FLUX_BLOCKS = {
    "double_blocks": Blocks("transformer_blocks", 19, STREAMS | MODULATION),
    "single_blocks": Blocks("single_transformer_blocks", 38, SINGLE | SINGLE_MODULATION),
}
# The deepest of them (dev); Klein 4B has 5 and 20, Klein 9B 8 and 24: config.json of their repositories.
FLUX2_BLOCKS = {
    "double_blocks": Blocks("transformer_blocks", 8, STREAMS),
    "single_blocks": Blocks("single_transformer_blocks", 48, SINGLE),
}


def _aliases(blocks: dict[str, Blocks], around: dict[str, tuple[Alias, ...]]) -> Callable[[str], Iterable[Alias]]:
    return lambda module: block_aliases(module, blocks, around)


def _text_encoders() -> Iterator[tuple[str, Slot]]:
    yield from clip_l()
    yield from t5(2, 3)


FLUX = Family(
    id="flux",
    label="FLUX",
    published=lambda: published(FLUX_BLOCKS, (*AROUND, *VECTOR)),
    aliases=_aliases(FLUX_BLOCKS, AROUND | VECTOR),
    mark="double_blocks.0.img_mod.lin.weight",
    width_of="img_in.weight",
    prefixes=("", "transformer."),
    flat_prefixes=("lycoris_", "lora_transformer_"),
    text_encoders=_text_encoders,
    told_by={
        ".linear1.weight": lambda out, into: out == 7 * into,
        "_mlp.0.weight": lambda out, into: out == 4 * into,
    },
)
FLUX2 = Family(
    id="flux2",
    label="FLUX.2",
    published=lambda: published(FLUX2_BLOCKS, (*AROUND, *SHARED_MODULATION)),
    aliases=_aliases(FLUX2_BLOCKS, AROUND),
    mark="double_stream_modulation_img.lin.weight",
    width_of="img_in.weight",
    prefixes=("", "transformer."),
    flat_prefixes=("lycoris_", "lora_transformer_"),
    told_by={
        ".linear1.weight": lambda out, into: out == 9 * into,
        "_mlp.0.weight": lambda out, into: out == 6 * into,
    },
)
