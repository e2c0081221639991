"""Modules of the SD1.5 and SDXL UNets under both their names, in the checkpoint and in diffusers, narrow but whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.comfyui.weights import Tensor, noise, ones, zeros

WIDTH = 320  # ComfyUI tells SD1.5 and SDXL by this width of the first level; here every level has it
EMBEDDING = 4 * WIDTH


@dataclass(frozen=True)
class Layout:
    """What sets one UNet apart: transformer blocks at each level, width of the text, linear or 1x1 projections."""

    depths: tuple[int, ...]  # one for each level; a level with 0 has no attention
    middle: int
    context: int
    linear: bool
    label: int = 0  # width of the size and pooled text embedding


SD15 = Layout(depths=(1, 1, 1, 0), middle=1, context=768, linear=False)
SDXL = Layout(depths=(0, 2, 10), middle=10, context=2048, linear=True, label=2816)


@dataclass(frozen=True)
class Module:
    """One module with weights: its name in a checkpoint, in diffusers (empty: none trains it), weight and bias."""

    name: str
    diffusers: str
    weight: Tensor
    bias: bool = True

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        found = {f"{self.name}.weight": self.weight}
        if self.bias:
            found[f"{self.name}.bias"] = zeros(self.weight.shape[0])
        return found


def modules(layout: Layout) -> Iterator[Module]:
    """Yield every module of the UNet."""
    yield Module("time_embed.0", "time_embedding.linear_1", noise(EMBEDDING, WIDTH))
    yield Module("time_embed.2", "time_embedding.linear_2", noise(EMBEDDING, EMBEDDING))
    if layout.label:
        yield Module("label_emb.0.0", "add_embedding.linear_1", noise(EMBEDDING, layout.label))
        yield Module("label_emb.0.2", "add_embedding.linear_2", noise(EMBEDDING, EMBEDDING))
    yield Module("input_blocks.0.0", "conv_in", noise(WIDTH, 4, 3, 3))
    yield from _down(layout)
    yield from _resnet("middle_block.0", "mid_block.resnets.0", WIDTH)
    yield from _attention("middle_block.1", "mid_block.attentions.0", layout, layout.middle)
    yield from _resnet("middle_block.2", "mid_block.resnets.1", WIDTH)
    yield from _up(layout)
    yield Module("out.0", "", ones(WIDTH))
    yield Module("out.2", "conv_out", noise(4, WIDTH, 3, 3, gain=2.0))


def _down(layout: Layout) -> Iterator[Module]:
    number = 1
    for level, depth in enumerate(layout.depths):
        for index in range(2):
            yield from _resnet(f"input_blocks.{number}.0", f"down_blocks.{level}.resnets.{index}", WIDTH)
            yield from _attention(f"input_blocks.{number}.1", f"down_blocks.{level}.attentions.{index}", layout, depth)
            number += 1
        if level < len(layout.depths) - 1:
            path = f"down_blocks.{level}.downsamplers.0.conv"
            yield Module(f"input_blocks.{number}.0.op", path, noise(WIDTH, WIDTH, 3, 3))
            number += 1


def _up(layout: Layout) -> Iterator[Module]:
    number = 0
    for level, depth in enumerate(reversed(layout.depths)):
        for index in range(3):
            yield from _resnet(f"output_blocks.{number}.0", f"up_blocks.{level}.resnets.{index}", 2 * WIDTH)
            yield from _attention(f"output_blocks.{number}.1", f"up_blocks.{level}.attentions.{index}", layout, depth)
            number += 1
        if level < len(layout.depths) - 1:
            place = f"output_blocks.{number - 1}.{2 if depth else 1}.conv"
            yield Module(place, f"up_blocks.{level}.upsamplers.0.conv", noise(WIDTH, WIDTH, 3, 3))


def _resnet(name: str, path: str, inputs: int) -> Iterator[Module]:
    yield Module(f"{name}.in_layers.0", "", ones(inputs))
    yield Module(f"{name}.in_layers.2", f"{path}.conv1", noise(WIDTH, inputs, 3, 3))
    yield Module(f"{name}.emb_layers.1", f"{path}.time_emb_proj", noise(WIDTH, EMBEDDING))
    yield Module(f"{name}.out_layers.0", "", ones(WIDTH))
    yield Module(f"{name}.out_layers.3", f"{path}.conv2", noise(WIDTH, WIDTH, 3, 3))
    if inputs != WIDTH:
        yield Module(f"{name}.skip_connection", f"{path}.conv_shortcut", noise(WIDTH, inputs, 1, 1))


def _attention(name: str, path: str, layout: Layout, depth: int) -> Iterator[Module]:
    if not depth:
        return
    shape = (WIDTH, WIDTH) if layout.linear else (WIDTH, WIDTH, 1, 1)
    yield Module(f"{name}.norm", "", ones(WIDTH))
    yield Module(f"{name}.proj_in", f"{path}.proj_in", noise(*shape))
    for index in range(depth):
        yield from _transformer(f"transformer_blocks.{index}", name, path, layout.context)
    yield Module(f"{name}.proj_out", f"{path}.proj_out", noise(*shape))


def _transformer(block: str, name: str, path: str, context: int) -> Iterator[Module]:
    """Yield one block; those after the first are zero, which passes everything through and takes no room."""
    weight = noise if block.endswith(".0") else zeros
    for attention, width in (("attn1", WIDTH), ("attn2", context)):
        for part, inputs in (("to_q", WIDTH), ("to_k", width), ("to_v", width), ("to_out.0", WIDTH)):
            place = f"{block}.{attention}.{part}"
            yield Module(f"{name}.{place}", f"{path}.{place}", weight(WIDTH, inputs), bias=part == "to_out.0")
    for part, shape in (("ff.net.0.proj", (8 * WIDTH, WIDTH)), ("ff.net.2", (WIDTH, 4 * WIDTH))):
        yield Module(f"{name}.{block}.{part}", f"{path}.{block}.{part}", weight(*shape))
    for norm in ("norm1", "norm2", "norm3"):
        yield Module(f"{name}.{block}.{norm}", "", ones(WIDTH))
