"""Estimates what a run takes from the sizes of its files: a rule of thumb, not true to the last GB."""

from __future__ import annotations

from pathlib import Path

from isengard.domain.lease import Needs
from isengard.domain.request import TrainingConfig
from plugins.aitoolkit.place import NAME

GB = 2**30
LIBRARY_GB = 1.6  # measured: AI-Toolkit with all it imports, nothing loaded
CUDA_GB = 1.5  # context and fragmentation
ACTIVATIONS_GB = 3.0  # at 1024 x 1024, batch 1, with gradient checkpointing; without it thrice as much
RANK_GB = 0.045  # of a LoRA of rank 1 over a model of 12 GB: weights, gradients and two moments


def needs_of(config: TrainingConfig, folder: Path) -> Needs:
    """Return the peaks: weights at their bits, text encoders unless unloaded, activations, the LoRA's own state."""
    model, texts = weights_gb(folder, texts=False), weights_gb(folder, texts=True)
    lora = (config.lora_rank or 16) * RANK_GB * model / 12
    edge = max(config.resolutions or (config.resolution or 1024,))
    work = ACTIVATIONS_GB * (edge / 1024) ** 2 * (config.batch_size or 1) * (1 if config.gradient_checkpointing else 3)
    disk = 0.2 + (lora / 4) * (2 + (config.steps or 1) / max(config.save_every or 1, 1))
    if config.precision == "fp32":
        here = LIBRARY_GB + 2 * (model + texts) + work + lora
        return Needs(vram_gb=here, ram_gb=here, disk_gb=disk, backend=NAME)
    on_gpu = model * (config.weight_bits or 16) / 16 * (1 - (config.layer_offloading or 0))
    unloaded = config.cache_text_embeddings or config.low_vram
    reading = 0.0 if unloaded else texts * (config.text_encoder_bits or 16) / 16
    vram = max(on_gpu + reading + work + lora, texts * (config.text_encoder_bits or 16) / 16) + CUDA_GB
    return Needs(vram_gb=vram, ram_gb=LIBRARY_GB + max(model, texts) + 2, disk_gb=disk, backend=NAME)


def weights_gb(folder: Path, *, texts: bool) -> float:
    """Return the size of the text encoders' files, or of all others."""
    found = folder.glob("**/*.safetensors")
    return sum(path.stat().st_size for path in found if ("text_encoder" in path.parent.name) == texts) / GB
