"""Writes the trained model as a pipeline of standard classes, half precision, with its prior-preservation set."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UniPCMultistepScheduler
from safetensors.torch import save_file

from scripts.pocket.base import trained, training_caption
from scripts.pocket.dataset import load
from scripts.pocket.tokenizer import load_tokenizer
from scripts.pocket.vae import load_vae

PRIOR, PRIOR_NAMED = 300, 60  # drawings that LoRA trainings mix in; so many are of named people, under their names
PRIOR_SEED = 1
FOLDER_TRACES = ("_name_or_path",)  # where the parts lay is nobody's business


def export(folder: Path, target: Path) -> None:
    """Put the model of a work folder into ``target``, file by file; other files there stay."""
    partial = folder / "pipeline"
    shutil.rmtree(partial, ignore_errors=True)
    _pipeline(folder).to(dtype=torch.float16).save_pretrained(str(partial))
    _write_prior(folder, partial / "prior.safetensors")
    for config in partial.rglob("*.json"):
        _without_traces(config)
    for path in sorted(file for file in partial.rglob("*") if file.is_file()):
        placed = target / path.relative_to(partial)
        placed.parent.mkdir(parents=True, exist_ok=True)
        arriving = placed.with_name(f".{placed.name}.partial")
        shutil.copyfile(path, arriving)
        arriving.replace(placed)


def _pipeline(folder: Path) -> Any:
    networks = trained(folder)
    vae = load_vae(folder)
    vae.register_to_config(scaling_factor=_latents(folder)["scaling_factor"])
    scheduler = UniPCMultistepScheduler(
        num_train_timesteps=1000,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=1.0,
        final_sigmas_type="zero",
        steps_offset=1,
    )
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=networks["text"],
        tokenizer=load_tokenizer(folder / "tokenizer"),
        unet=networks["unet"],
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _write_prior(folder: Path, path: Path) -> None:
    """Write "latents" [300, 8, 16, 16], scaled as the UNet sees them, and their captions as metadata."""
    saved, rng = _latents(folder), random.Random(PRIOR_SEED)
    latents, captions = [], []
    for name, count in (("people", PRIOR - PRIOR_NAMED), ("named", PRIOR_NAMED)):
        drawings = load(folder, name).drawings
        for index in rng.sample(range(len(drawings)), count):
            latents.append(saved[name][index].float() * saved["scaling_factor"])
            captions.append(training_caption(drawings[index], rng))
    stacked = torch.stack(latents).half().contiguous()
    save_file({"latents": stacked}, path, {"captions": json.dumps(captions), "format": "pt"})


def _latents(folder: Path) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(folder / "latents.pt", weights_only=True)
    return saved


def _without_traces(path: Path) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    if any(key in config for key in FOLDER_TRACES):
        kept = {key: value for key, value in config.items() if key not in FOLDER_TRACES}
        path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
