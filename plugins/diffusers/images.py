"""Image generation with diffusers, seen from the app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent, Progress
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.request import GenerationRequest
from isengard.plugins.protocols import BackendStatus, ImageRun, PluginContext
from plugins.diffusers.events import event_of
from plugins.diffusers.models import check_lora_fits, model_folder, model_gb, unet_shapes
from plugins.diffusers.parent import Engines, status
from plugins.diffusers.presets import presets

LIBRARY_GB = 0.7
SAMPLERS = ("unipc", "dpmpp_2m", "euler", "heun")  # names as ComfyUI and A1111 spell them
FALLBACK = {"steps": 28, "guidance_scale": 6.0, "guidance_scale_with_lora": 6.0}


class DiffusersImages:
    """Fills the ImageBackend socket for any pipeline in diffusers format."""

    name = "diffusers"

    def __init__(self, context: PluginContext, engines: Engines) -> None:
        self._context = context
        self._engines = engines

    def status(self) -> BackendStatus:
        """Tell whether the libraries are installed; loads none of them."""
        return status(self.name, "image")

    def supports(self, base_model: BaseModelRow) -> bool:
        """Tell whether the weights are here in a form this backend reads."""
        folder = model_folder(self._context, base_model)
        return (folder / "model_index.json").exists() and any(folder.glob("*/*.safetensors"))

    def defaults(self, request: GenerationRequest, base_model: BaseModelRow) -> GenerationRequest:
        """Fill what was left out from the preset of the base model's family."""
        sample = self._sample_defaults(base_model)
        guided = "guidance_scale_with_lora" if request.loras else "guidance_scale"
        guidance = request.guidance_scale if request.guidance_scale is not None else sample[guided]
        changes = {
            "base_model": base_model.id,
            "width": request.width or base_model.resolution,
            "height": request.height or base_model.resolution,
            "steps": request.steps or int(sample["steps"]),
            "guidance_scale": guidance,
            "sampler": request.sampler or SAMPLERS[0],
        }
        return request.model_copy(update=changes)

    def _sample_defaults(self, base: BaseModelRow) -> dict[str, float]:
        if (self._context.project_root / "sota" / "presets" / f"{base.family}.yml").exists():
            sample: dict[str, float] = presets(self._context.project_root, base)["balanced"]["sample"]
            return FALLBACK | sample
        return FALLBACK

    def needs(self, request: GenerationRequest, base_model: BaseModelRow) -> Needs:
        """Estimate the peak from weights, pixels and the libraries, in GB of 2**30 bytes."""
        weights = model_gb(model_folder(self._context, base_model))
        pixels = (request.width or 512) * (request.height or 512) * min(request.count, 4) / 2**20
        peak = LIBRARY_GB + weights * 2 + pixels * (0.3 + weights)
        return Needs(vram_gb=peak, ram_gb=peak)

    def samplers(self, base_model: BaseModelRow) -> Sequence[str]:
        """Return sampler names as ComfyUI and A1111 spell them."""
        return SAMPLERS

    def check_lora(self, path: Path, base_model: BaseModelRow) -> None:
        """Raise InvalidInput unless every tensor of the file fits a layer of the base model."""
        check_lora_fits(path, unet_shapes(model_folder(self._context, base_model)), base_model.name)

    def generate(self, run: ImageRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Generate in the child process; yield what it reports."""
        run = replace(run, request=self.defaults(run.request, run.base_model))
        for lora in run.loras:
            self.check_lora(lora.path, run.base_model)
        run.work_dir.mkdir(parents=True, exist_ok=True)
        yield Progress(message="Starting the engine")
        for message in self._engines.run("generate", self._arguments(run, lease), run.stop, run.correlation_id):
            yield event_of(message)

    def _arguments(self, run: ImageRun, lease: GpuLease) -> dict[str, Any]:
        return {
            "folder": str(model_folder(self._context, run.base_model)),
            "request": run.request.model_dump(mode="json"),
            "loras": [{"path": str(f.path), "strength": f.strength, "sha256": f.lora.sha256} for f in run.loras],
            "work_dir": str(run.work_dir),
            "device": lease.device,
            "correlation_id": run.correlation_id,
        }

    def release(self) -> None:
        """End the children that are not at work."""
        self._engines.release()
