"""Image generation with diffusers, seen from the app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent, Progress
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.lora import LoraFacts
from isengard.domain.request import GenerationRequest
from isengard.domain.shot import Shot
from isengard.errors import NotFound
from isengard.plugins.presets import read_presets
from isengard.plugins.protocols import Abilities, BackendStatus, ImageRun, PluginContext
from plugins.diffusers.events import event_of
from plugins.diffusers.lora_files import check_lora, facts_of
from plugins.diffusers.models import has_unet, model_folder, model_gb
from plugins.diffusers.parent import NAME, Engines, status

LIBRARY_GB = 0.7
SAMPLERS = ("unipc", "dpmpp_2m", "euler", "heun")  # names as ComfyUI and A1111 spell them
FALLBACK = {"steps": 28, "guidance_scale": 6.0, "guidance_scale_with_lora": 6.0, "guided_share": 1.0}


class DiffusersImages:
    """Fills the ImageBackend socket for any pipeline in diffusers format."""

    name = NAME

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
            sample: dict[str, float] = read_presets(self._context.project_root, base)["balanced"]["sample"]
            return FALLBACK | sample
        return FALLBACK

    def needs(self, request: GenerationRequest, base_model: BaseModelRow) -> Needs:
        """Estimate the peak from weights, pixels and the libraries, in GB of 2**30 bytes."""
        weights = model_gb(model_folder(self._context, base_model))
        pixels = (request.width or 512) * (request.height or 512) * min(request.count, 4) / 2**20
        peak = LIBRARY_GB + weights * 2 + pixels * (0.3 + weights)
        return Needs(vram_gb=peak, ram_gb=peak, backend=NAME)

    def abilities(self, base_model: BaseModelRow, workflow: str = "") -> Abilities:
        """Return sampler names as ComfyUI and A1111 spell them; pictures are drawn from words alone."""
        if workflow:
            raise NotFound(f"There is no workflow '{workflow}' for {base_model.name}.", "Leave it out.")
        return Abilities(SAMPLERS)

    def check_lora(self, path: Path, base_model: BaseModelRow) -> None:
        """Raise InvalidInput unless every tensor of the file fits a layer of the base model."""
        check_lora(path, model_folder(self._context, base_model), base_model.name)

    def describe_lora(self, path: Path, base_models: Sequence[BaseModelRow]) -> LoraFacts:
        """Compare every tensor of the file with the weights of the UNets that are here."""
        folders = [(row, model_folder(self._context, row)) for row in base_models]
        return facts_of(path, [(row, folder) for row, folder in folders if has_unet(folder)])

    def generate(self, run: ImageRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Generate in the child process; yield what it reports."""
        for lora in run.loras:
            self.check_lora(lora.path, run.base_model)
        run.work_dir.mkdir(parents=True, exist_ok=True)
        yield Progress(message="Starting the engine")
        arguments = self._arguments(run, lease)
        for message in self._engines.run("generate", arguments, run.stop, run.correlation_id, lease.needs):
            yield event_of(message)

    def _arguments(self, run: ImageRun, lease: GpuLease) -> dict[str, Any]:
        return {
            "folder": str(model_folder(self._context, run.base_model)),
            "shots": [self._shot(run, shot) for shot in run.shots],
            "work_dir": str(run.work_dir),
            "device": lease.device,
            "correlation_id": run.correlation_id,
        }

    def _shot(self, run: ImageRun, shot: Shot) -> dict[str, Any]:
        request = self.defaults(shot.request, run.base_model)
        loras = [
            {"path": str(f.path), "strength": f.strength, "sha256": f.lora.sha256 or str(f.path)}
            for f in run.loras_of(shot)
        ]
        share = self._sample_defaults(run.base_model)["guided_share"]
        drawn = {"index": shot.index, "request": request.model_dump(mode="json"), "loras": loras}
        return drawn | {"guided_share": share}

    def resident(self) -> Needs:
        """Return what the warm children that idle took in their last run."""
        return self._engines.resident()

    def release(self) -> None:
        """End the children that are not at work."""
        self._engines.release()

    def close(self) -> None:
        """End the children that are not at work; the others end with the run that the app gives back."""
        self._engines.release()
