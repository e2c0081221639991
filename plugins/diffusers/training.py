"""LoRA training with diffusers and PEFT, seen from the app."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent, Progress
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.request import TrainingRequest
from isengard.errors import InvalidInput
from isengard.plugins.presets import origins, read_presets
from isengard.plugins.protocols import BackendStatus, PluginContext, TrainingAbilities, TrainingRun
from plugins.diffusers.events import event_of
from plugins.diffusers.lora_files import check_lora, check_start
from plugins.diffusers.models import has_unet, model_folder, model_gb
from plugins.diffusers.parent import NAME, Engines, library_versions, status
from plugins.diffusers.presets import filled

SETTINGS = frozenset(
    {
        *("steps", "learning_rate", "lora_rank", "lora_alpha", "batch_size", "gradient_accumulation", "resolution"),
        *("flip", "save_every", "sample_every", "sample_prompts", "seed"),
    }
)
ALWAYS = {"method", "base_model", "preset", "image_count"}
CHECKPOINT_WEIGHTS = "weights.safetensors"
LIBRARY_GB = 0.7  # measured: torch, diffusers and transformers imported, nothing loaded
TRAINING_FACTOR = 4.0  # weights in float32, gradients and activations, over weights in float16


class DiffusersTraining:
    """Fills the TrainingBackend socket for UNet pipelines: pocket, SD 1.5, SDXL."""

    name = NAME

    def __init__(self, context: PluginContext, engines: Engines) -> None:
        self._context = context
        self._engines = engines

    def status(self) -> BackendStatus:
        """Tell whether the libraries are installed; loads none of them."""
        return status(self.name, "training")

    def supports(self, base_model: BaseModelRow) -> bool:
        """Tell whether the weights are here in a form this backend reads."""
        trains = "lora" in base_model.compatibility.supported_training
        return trains and has_unet(model_folder(self._context, base_model))

    def abilities(self, base_model: BaseModelRow, device: str) -> TrainingAbilities:
        """Return the same settings for every device."""
        return TrainingAbilities(SETTINGS, origins(read_presets(self._context.project_root, base_model)))

    def defaults(self, request: TrainingRequest, base_model: BaseModelRow) -> TrainingRequest:
        """Fill what was left out from the preset; raise InvalidInput for a setting that would have no effect here."""
        unused = sorted(request.config.model_dump(exclude_defaults=True).keys() - SETTINGS - ALWAYS)
        if unused:
            raise InvalidInput(
                f"Training {base_model.name} here knows no {', '.join(unused)}.", "Leave that out, and start again."
            )
        known = read_presets(self._context.project_root, base_model)
        return filled(request, base_model, known[request.config.preset])

    def needs(self, request: TrainingRequest, base_model: BaseModelRow) -> Needs:
        """Estimate the peak from weights, pixels and the libraries, in GB of 2**30 bytes."""
        config = self.defaults(request, base_model).config
        weights = model_gb(model_folder(self._context, base_model))
        pixels = (config.resolution or 512) ** 2 * (config.batch_size or 1) / 2**20
        peak = LIBRARY_GB + weights * TRAINING_FACTOR + pixels * (0.35 + weights)
        return Needs(vram_gb=peak, ram_gb=peak, backend=NAME, disk_gb=0.1 + weights * 0.5)

    def versions(self) -> dict[str, str]:
        """Return the versions of what decides the result."""
        return library_versions()

    def train(self, run: TrainingRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Train in the child process; yield what it reports."""
        run = replace(run, request=self.defaults(run.request, run.base_model))
        run.work_dir.mkdir(parents=True, exist_ok=True)
        yield Progress(message="Starting the engine")
        arguments = self._arguments(run, lease)
        for message in self._engines.run("train", arguments, run.stop, run.correlation_id, lease.needs):
            yield event_of(message)

    def _arguments(self, run: TrainingRun, lease: GpuLease) -> dict[str, Any]:
        config = run.request.config
        preset = read_presets(self._context.project_root, run.base_model)[config.preset]
        return {
            "folder": str(model_folder(self._context, run.base_model)),
            "config": config.model_dump(mode="json"),
            "prior_share": preset.get("prior_share", 0.0),
            "target_modules": preset["target_modules"],
            "sample": preset["sample"],
            "trigger_word": run.trigger_word,
            "base_model": run.base_model.id,
            "base_model_sha256": run.base_model_sha256,
            "dataset": [{"image": str(item.image), "caption": item.caption} for item in run.dataset],
            "dataset_hash": run.dataset_hash,
            "work_dir": str(run.work_dir),
            "resume_from": str(run.resume_from) if run.resume_from else None,
            "told_step": run.told_step,
            "start_from": str(run.start_from) if run.start_from else None,
            "device": lease.device,
            "correlation_id": run.correlation_id,
        }

    def check_start(self, path: Path, request: TrainingRequest, base_model: BaseModelRow) -> None:
        """Compare the file's layers with those that the preset trains."""
        targets = read_presets(self._context.project_root, base_model)[request.config.preset]["target_modules"]
        folder = model_folder(self._context, base_model)
        check_lora(path, folder, base_model.name)
        check_start(path, folder, targets, request.config.lora_rank)

    def resumable(self, checkpoint: Path) -> bool:
        """Tell whether every file of a checkpoint has the digest its manifest names."""
        try:
            manifest = json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))
            return CHECKPOINT_WEIGHTS in manifest and all(
                hashlib.sha256((checkpoint / name).read_bytes()).hexdigest() == digest
                for name, digest in manifest.items()
            )
        except (OSError, ValueError, AttributeError):
            return False

    def release(self) -> None:
        """End the children that are not at work."""
        self._engines.release()

    def close(self) -> None:
        """End the children that are not at work; the others end with the run that the app gives back."""
        self._engines.release()
