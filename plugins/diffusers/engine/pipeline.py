"""Loads a pipeline in diffusers format and wraps what differs between families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor

SMALL = 32 * 32  # places of a latent picture up to which attention may be worked out whole


def load(folder: str, device: str, *, training: bool) -> Any:
    """Load a pipeline: float32 on a CPU and for training, bfloat16 for pictures on a GPU."""
    dtype = torch.bfloat16 if device == "cuda" and not training else torch.float32
    extra = {"safety_checker": None, "requires_safety_checker": False} if _is_plain_sd(folder) else {}
    loader: Any = DiffusionPipeline
    pipe = loader.from_pretrained(folder, dtype=dtype, local_files_only=True, **extra)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def _is_plain_sd(folder: str) -> bool:
    return '"StableDiffusionPipeline"' in (Path(folder) / "model_index.json").read_text(encoding="utf-8")


def hasten_training(pipe: Any, resolution: int) -> None:
    """Let a CPU work attention out whole: torch's own fused kernel takes twice as long backwards, but less memory."""
    if pipe.device.type == "cpu" and (resolution // 8) ** 2 <= SMALL:
        pipe.unet.set_attn_processor(AttnProcessor())


def has_two_encoders(pipe: Any) -> bool:
    """Tell whether it is SDXL or its kin."""
    return getattr(pipe, "text_encoder_2", None) is not None


@torch.no_grad()
def encode_text(pipe: Any, captions: list[str]) -> list[dict[str, torch.Tensor]]:
    """Return what the UNet is conditioned on, one entry per caption: ``hidden`` [tokens, width], maybe ``pooled``."""
    entries: list[dict[str, torch.Tensor]] = []
    for start in range(0, len(captions), 32):
        part = captions[start : start + 32]
        encoded = pipe.encode_prompt(
            prompt=part, device=pipe.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        pooled = encoded[2] if has_two_encoders(pipe) else None
        for n in range(len(part)):
            entry = {"hidden": encoded[0][n]}
            if pooled is not None:
                entry["pooled"] = pooled[n]
            entries.append(entry)
    return entries


@torch.no_grad()
def encode_pictures(pipe: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Return scaled latents [n, channels, height / 8, width / 8] of pixels [n, 3, height, width] in -1 to 1."""
    encoded = pipe.vae.encode(pixels.to(pipe.device, pipe.vae.dtype))
    latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
    shift = getattr(pipe.vae.config, "shift_factor", None) or 0.0
    scaled: torch.Tensor = (latents - shift) * pipe.vae.config.scaling_factor
    return scaled


@torch.no_grad()
def decode_latents(pipe: Any, latents: torch.Tensor) -> torch.Tensor:
    """Return pixels [n, height, width, 3] in 0 to 1 on the CPU, as float32."""
    shift = getattr(pipe.vae.config, "shift_factor", None) or 0.0
    pixels: torch.Tensor = pipe.vae.decode(latents / pipe.vae.config.scaling_factor + shift, return_dict=False)[0]
    return (pixels / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).float().cpu()
