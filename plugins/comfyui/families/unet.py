"""Stable Diffusion 1.5 and SDXL: a UNet, named block by block in two ways.

Names: CompVis/latent-diffusion (openaimodel.py) against diffusers' UNet2DConditionModel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from plugins.comfyui.families.clip import clip_g, clip_l
from plugins.comfyui.families.layout import Alias, Family, Slot

RES_BLOCKS = 2  # of each level, on the way down; one more on the way up
RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
AROUND = {
    "input_blocks.0.0": ("conv_in",),
    "out.0": ("conv_norm_out",),
    "out.2": ("conv_out",),
    "time_embed.0": ("time_embedding.linear_1",),
    "time_embed.2": ("time_embedding.linear_2",),
    "label_emb.0.0": ("class_embedding.linear_1", "add_embedding.linear_1"),
    "label_emb.0.2": ("class_embedding.linear_2", "add_embedding.linear_2"),
}
ATTENTION = tuple(f"attn{n}.{name}" for n in (1, 2) for name in ("to_q", "to_k", "to_v", "to_out.0"))
TRANSFORMER = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3")
MIDDLE = {"0": "mid_block.resnets.0", "1": "mid_block.attentions.0", "2": "mid_block.resnets.1"}


@dataclass(frozen=True)
class Plan:
    """Each level from the picture inwards: transformers of its blocks (0: no attention) and how wide it is."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    middle: int
    labelled: bool  # has an embedding of sizes and crops


SD15_PLAN = Plan(depths=(1, 1, 1, 0), widths=(1, 2, 4, 4), middle=1, labelled=False)
SDXL_PLAN = Plan(depths=(0, 2, 10), widths=(1, 2, 4), middle=10, labelled=True)


def _aliases(module: str) -> Iterator[Alias]:
    """Names as diffusers saves them: 'processor' stands in attention, and its output has no index."""
    for theirs in _diffusers_names(module):
        yield theirs.replace("to_out.0", "to_out").replace(".to_", ".processor.to_"), None


def _flat_aliases(module: str) -> Iterator[Alias]:
    return ((name, None) for name in _diffusers_names(module))


def _diffusers_names(module: str) -> Iterator[str]:
    yield from AROUND.get(module, ())
    pieces = module.split(".", 3)
    if pieces[0] == "middle_block" and pieces[1] in MIDDLE:
        yield from _inside(MIDDLE[pieces[1]], module.split(".", 2)[2])
    elif len(pieces) == 4 and pieces[0] in {"input_blocks", "output_blocks"}:
        yield from _in_level(pieces[0] == "input_blocks", int(pieces[1]), pieces[2], pieces[3])


def _in_level(down: bool, number: int, part: str, rest: str) -> Iterator[str]:  # noqa: FBT001 - one of two ways
    level, index = divmod(number - 1, RES_BLOCKS + 1) if down else divmod(number, RES_BLOCKS + 1)
    head = f"{'down' if down else 'up'}_blocks.{level}"
    if rest == "op":
        yield f"{head}.downsamplers.0.conv"
    elif rest == "conv":
        yield f"{head}.upsamplers.0.conv"
    else:
        yield from _inside(f"{head}.{'resnets' if part == '0' else 'attentions'}.{index}", rest)


def _inside(head: str, rest: str) -> Iterator[str]:
    if ".resnets." not in head:
        yield f"{head}.{rest}"
    elif rest in RESNET:
        yield f"{head}.{RESNET[rest]}"


def _published(plan: Plan) -> Iterator[str]:
    for module in _modules(plan):
        yield f"{module}.weight"


def _modules(plan: Plan) -> Iterator[str]:
    yield from (module for module in AROUND if plan.labelled or not module.startswith("label_emb"))
    number = 1
    for level, depth in enumerate(plan.depths):
        for index in range(RES_BLOCKS):
            widened = index == 0 and level > 0 and plan.widths[level] != plan.widths[level - 1]
            yield from _block(f"input_blocks.{number}", depth, widened=widened)
            number += 1
        if level < len(plan.depths) - 1:
            yield f"input_blocks.{number}.0.op"
            number += 1
    yield from _resnet("middle_block.0", widened=False)
    yield from _attention("middle_block.1", plan.middle)
    yield from _resnet("middle_block.2", widened=False)
    for level, depth in enumerate(reversed(plan.depths)):
        for index in range(RES_BLOCKS + 1):
            block = f"output_blocks.{level * (RES_BLOCKS + 1) + index}"
            yield from _block(block, depth, widened=True)
            if index == RES_BLOCKS and level < len(plan.depths) - 1:
                yield f"{block}.{2 if depth else 1}.conv"


def _block(head: str, depth: int, *, widened: bool) -> Iterator[str]:
    yield from _resnet(f"{head}.0", widened=widened)
    if depth:
        yield from _attention(f"{head}.1", depth)


def _resnet(head: str, *, widened: bool) -> Iterator[str]:
    yield from (f"{head}.{layer}" for layer in RESNET if widened or layer != "skip_connection")


def _attention(head: str, depth: int) -> Iterator[str]:
    yield from (f"{head}.{layer}" for layer in ("norm", "proj_in", "proj_out"))
    for index in range(depth):
        yield from (f"{head}.transformer_blocks.{index}.{layer}" for layer in TRANSFORMER)


def _sdxl_text_encoders() -> Iterator[tuple[str, Slot]]:
    yield from clip_l()
    yield from clip_g()


def _reads(width: int) -> dict[str, Callable[[int, int], bool]]:
    """Tell a UNet by the width of the words that it reads: config.json, cross_attention_dim."""
    return {f".attn2.{name}.weight": lambda _out, into: into == width for name in ("to_k", "to_v")}


SD15 = Family(
    id="sd15",
    label="Stable Diffusion 1.5",
    published=lambda: _published(SD15_PLAN),
    aliases=_aliases,
    flat_aliases=_flat_aliases,
    mark="input_blocks.1.1.proj_in.weight",
    prefixes=("", "unet."),
    flat_prefixes=("lora_unet_", "lycoris_"),
    text_encoders=clip_l,
    told_by=_reads(768),
)
SDXL = Family(
    id="sdxl",
    label="SDXL",
    published=lambda: _published(SDXL_PLAN),
    aliases=_aliases,
    flat_aliases=_flat_aliases,
    mark="label_emb.0.0.weight",
    prefixes=("", "unet."),
    flat_prefixes=("lora_unet_", "lycoris_"),
    text_encoders=_sdxl_text_encoders,
    told_by=_reads(2048),
)
