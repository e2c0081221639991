"""Small models in the real formats, made once and kept: what a real ComfyUI needs to draw on a CPU."""

from __future__ import annotations

from pathlib import Path

from tests.comfyui import encoders, flux, unet
from tests.comfyui.weights import Tensor, write

VERSION = "3"  # of what is made here; another number makes the files anew

SD15 = "checkpoints/tiny-sd15.safetensors"
SDXL = "checkpoints/tiny-sdxl.safetensors"
FLUX_DEV = "diffusion_models/tiny-flux-dev.safetensors"
FLUX_SCHNELL = "diffusion_models/tiny-flux-schnell.safetensors"
FLUX_VAE = "vae/tiny-flux-vae.safetensors"
CLIP_L = "text_encoders/tiny-clip-l.safetensors"
T5 = "text_encoders/tiny-t5xxl.safetensors"


def make(cache: Path) -> Path:
    """Make what is missing; return the folder to use as ComfyUI's ``models``."""
    folder = cache / f"models-{VERSION}"
    write(folder / SD15, _checkpoint(unet.SD15, encoders.clip_l("cond_stage_model.transformer.")))
    texts = encoders.clip_l("conditioner.embedders.0.transformer.") | encoders.clip_g("conditioner.embedders.1.model.")
    write(folder / SDXL, _checkpoint(unet.SDXL, texts))
    write(folder / FLUX_DEV, flux.transformer(guidance=True))
    write(folder / FLUX_SCHNELL, flux.transformer(guidance=False))
    write(folder / FLUX_VAE, encoders.autoencoder(16, scale=0.36))
    write(folder / CLIP_L, encoders.clip_l(""))
    write(folder / T5, encoders.t5())
    return folder


def _checkpoint(layout: unet.Layout, texts: dict[str, Tensor]) -> dict[str, Tensor]:
    found = dict(texts)
    for module in unet.modules(layout):
        found |= {f"model.diffusion_model.{name}": tensor for name, tensor in module.tensors.items()}
    return found | encoders.autoencoder(4, scale=0.013, prefix="first_stage_model.")
