"""A third party's plugin, as a package of its own would bring it: it sketches at once, and can do all that the form
can ask for, so that the screen is tested with what the pocket model cannot do."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import Picture, PluginEvent, Preview
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.lora import LoraFacts
from isengard.domain.request import GenerationRequest, Task
from isengard.domain.shot import Shot
from isengard.errors import Cancelled, NotFound
from isengard.plugins.protocols import Abilities, BackendStatus, ImageRun, PluginContext, WorkflowChoice

TASKS: tuple[Task, ...] = ("txt2img", "img2img", "upscale")
SECONDS = 0.05  # a picture, so that pictures come one after another
FULL = Abilities(("euler", "heun"), ("normal", "karras"), TASKS, workflows=(WorkflowChoice("dreamy", "Dreamy"),))
BARE = Abilities(("euler",), negative_prompt=False)
KNOWN = {"sd15": FULL, "flux-schnell": BARE}


class Sketch:
    """Fills the ImageBackend socket."""

    name = "sketch"

    def status(self) -> BackendStatus:
        """Always there."""
        return BackendStatus(self.name, "image", available=True)

    def supports(self, base_model: BaseModelRow) -> bool:
        """Two of the registry's rows, in name only."""
        return base_model.id in KNOWN

    def defaults(self, request: GenerationRequest, base_model: BaseModelRow) -> GenerationRequest:
        """Fill what was left out."""
        able = KNOWN.get(base_model.id, Abilities(()))
        changes = {
            "base_model": base_model.id,
            "width": request.width or 128,
            "height": request.height or 128,
            "steps": request.steps or 9,
            "guidance_scale": 5.0 if request.guidance_scale is None else request.guidance_scale,
            "sampler": request.sampler or able.samplers[0],
            "scheduler": request.scheduler or (able.schedulers[0] if able.schedulers else None),
        }
        if request.init_image:
            changes["denoise"] = request.denoise or 0.6
        return request.model_copy(update=changes)

    def needs(self, _request: GenerationRequest, _base_model: BaseModelRow) -> Needs:
        """Nothing to speak of."""
        return Needs(ram_gb=0.1)

    def abilities(self, base_model: BaseModelRow, workflow: str = "") -> Abilities:
        """All there is, or the least there is."""
        able = KNOWN.get(base_model.id, Abilities(()))
        if workflow and workflow not in [one.id for one in able.workflows]:
            raise NotFound(f"There is no workflow '{workflow}'.", "Leave it out.")
        return able

    def check_lora(self, path: Path, base_model: BaseModelRow) -> None:
        """Take any."""

    def describe_lora(self, _path: Path, _base_models: Sequence[BaseModelRow]) -> LoraFacts:
        """Know none."""
        return LoraFacts()

    def generate(self, run: ImageRun, _lease: GpuLease) -> Iterator[PluginEvent]:
        """Sketch each picture; a preview comes before it."""
        for shot in run.shots:
            if run.stop.cancel.wait(SECONDS):
                raise Cancelled("Cancelled.")
            path = run.work_dir / f"{shot.index}.png"
            width, height = _draw(run, shot, path)
            yield Preview(step=1, path=str(path), index=shot.index)
            seed = shot.request.seed or 0
            yield Picture(index=shot.index, path=str(path), seed=seed, width=width, height=height)

    def resident(self) -> Needs:
        """Nothing."""
        return Needs()

    def release(self) -> None:
        """Nothing is kept."""


def _draw(run: ImageRun, shot: Shot, path: Path) -> tuple[int, int]:
    """A colour that follows from the settings; over the picture to start from, as far as it is drawn anew."""
    from PIL import Image

    said = repr((shot.request.model_dump(), [(f.lora.id, f.strength) for f in run.loras_of(shot)]))
    colour = colorsys.hsv_to_rgb(zlib.crc32(said.encode()) % 360 / 360, 0.5, 0.8)
    size = (shot.request.width or 128, shot.request.height or 128)
    picture = Image.new("RGB", size, tuple(round(255 * part) for part in colour))
    if run.init_image:
        with Image.open(run.init_image) as before:
            picture = Image.blend(before.convert("RGB").resize(size), picture, shot.request.denoise or 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return size


def backends(_context: PluginContext) -> Sequence[Sketch]:
    """Entry point."""
    return [Sketch()]
