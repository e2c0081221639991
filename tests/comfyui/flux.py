"""A FLUX transformer of one double and one single block, and the names that AI-Toolkit trains in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.comfyui.weights import Tensor, noise, ones, zeros

WIDTH, HEAD = 3072, 128  # older versions of ComfyUI take no other width; most rows are zero and take no room
SINGLES = 1
TEXT, POOLED, LATENT = 4096, 768, 64


def transformer(guidance: bool) -> dict[str, Tensor]:
    """Tensors of FLUX.1-dev, or without the guidance embedding, which is all that tells schnell apart."""
    found = {**_linear("img_in", WIDTH, LATENT), **_linear("txt_in", WIDTH, TEXT)}
    embedders = {"time_in": 256, "vector_in": POOLED, **({"guidance_in": 256} if guidance else {})}
    for name, inputs in embedders.items():
        found |= _linear(f"{name}.in_layer", WIDTH, inputs) | _linear(f"{name}.out_layer", WIDTH, WIDTH)
    for side in ("img", "txt"):
        found |= _modulation(f"double_blocks.0.{side}_mod.lin", 6)
        found |= _linear(f"double_blocks.0.{side}_attn.qkv", 3 * WIDTH, WIDTH)
        found |= _linear(f"double_blocks.0.{side}_attn.proj", WIDTH, WIDTH)
        found |= _linear(f"double_blocks.0.{side}_mlp.0", 4 * WIDTH, WIDTH)
        found |= _linear(f"double_blocks.0.{side}_mlp.2", WIDTH, 4 * WIDTH)
        found |= _norms(f"double_blocks.0.{side}_attn.norm")
    for index in range(SINGLES):
        found |= _linear(f"single_blocks.{index}.linear1", 7 * WIDTH, WIDTH)
        found |= _linear(f"single_blocks.{index}.linear2", WIDTH, 5 * WIDTH)
        found |= _modulation(f"single_blocks.{index}.modulation.lin", 3)
        found |= _norms(f"single_blocks.{index}.norm")
    found |= _linear("final_layer.adaLN_modulation.1", 2 * WIDTH, WIDTH)
    return found | _linear("final_layer.linear", LATENT, WIDTH)


def trained() -> Iterator[tuple[str, int, int]]:
    """Yield name, outputs and inputs of the modules that AI-Toolkit trains, in diffusers' names."""
    double = "transformer_blocks.0"
    for name in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out"):
        yield f"{double}.attn.{name}", WIDTH, WIDTH
    for side in ("ff", "ff_context"):
        yield f"{double}.{side}.net.0.proj", 4 * WIDTH, WIDTH
        yield f"{double}.{side}.net.2", WIDTH, 4 * WIDTH
    for side in ("norm1", "norm1_context"):
        yield f"{double}.{side}.linear", 6 * WIDTH, WIDTH
    for index in range(SINGLES):
        single = f"single_transformer_blocks.{index}"
        yield from ((f"{single}.attn.{name}", WIDTH, WIDTH) for name in ("to_q", "to_k", "to_v"))
        yield f"{single}.proj_mlp", 4 * WIDTH, WIDTH
        yield f"{single}.proj_out", WIDTH, 5 * WIDTH
        yield f"{single}.norm.linear", 3 * WIDTH, WIDTH


def _linear(name: str, outputs: int, inputs: int) -> dict[str, Tensor]:
    striped = outputs >= WIDTH and inputs >= WIDTH
    weight = replace(noise(outputs, inputs, gain=4.0 if striped else 1.0), striped=striped)
    return {f"{name}.weight": weight, f"{name}.bias": zeros(outputs)}


def _modulation(name: str, parts: int) -> dict[str, Tensor]:
    """Shift, scale and gate of 1, and so open, where the weights are zero."""
    return _linear(name, parts * WIDTH, WIDTH) | {f"{name}.bias": ones(parts * WIDTH)}


def _norms(name: str) -> dict[str, Tensor]:
    return {f"{name}.query_norm.scale": ones(HEAD), f"{name}.key_norm.scale": ones(HEAD)}
