"""For tests: our own backend on a volume of its own, with the double as the server that it starts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from comfy_double.process import CHECKOUT, PlanFile
from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import Picture, PluginEvent
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest
from isengard.plugins.protocols import ImageRun, LoraFile, PluginContext
from plugins.comfyui.images import ComfyImages

TINY = BaseModelRow(
    id="tiny-sd15",
    name="Tiny SD 1.5",
    source="made by the tests",
    license="mit",
    version="1",
    purpose="tests",
    family="sd15",
    resolution=64,
    comfyui={"CHECKPOINT": "checkpoints/tiny.safetensors"},
)
FITTING = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


def lora_bytes(module: str = FITTING, width: int = 320) -> bytes:
    """A LoRA of one module: kohya's names for the UNet families."""
    down, up = np.ones((4, width), np.float32), np.ones((width, 4), np.float32)
    return save(
        {
            f"{module}.lora_down.weight": down,
            f"{module}.lora_up.weight": up,
            f"{module}.alpha": np.array(4.0, np.float32),
        }
    )


@dataclass
class Studio:
    """Our backend on a volume of its own. ``plan`` is that of whatever server it starts."""

    root: Path
    plan: PlanFile
    base: BaseModelRow = TINY
    options: dict[str, str] = field(default_factory=dict)
    ping_seconds: float = 0.5
    idle_seconds: float = 600.0
    said: list[dict[str, Any]] = field(default_factory=list)
    _jobs: int = 0
    _backend: ComfyImages | None = None

    @property
    def backend(self) -> ComfyImages:
        if self._backend is None:
            self._backend = ComfyImages(self.context, ping_seconds=self.ping_seconds)
        return self._backend

    @property
    def context(self) -> PluginContext:
        options = {"comfyui_dir": str(CHECKOUT), "comfyui_python": sys.executable, **self.options}
        return PluginContext(
            project_root=self.root,
            cache_dir=self.root / "cache",
            models_dir=self.root / "comfyui" / "models",
            engine_idle_seconds=self.idle_seconds,
            log=lambda event, **facts: self.said.append({"event": event, **facts}),
            loras_dir=self.root / "loras",
            options=options,
        )

    def lora(self, content: bytes, name: str = "one", strength: float = 1.0) -> LoraFile:
        path = self.root / "loras" / name / "v1.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lora = Lora(id=f"{name}.v1", character_id=name, version="v1", base_model=self.base.id, sha256=name)
        return LoraFile(lora, path, strength)

    def run(self, *loras: LoraFile, stop: Stop | None = None, **request: Any) -> ImageRun:
        self._jobs += 1
        asked = GenerationRequest(**{"prompt": "a cat", "steps": 2, "seed": 5, **request})
        folder = self.root / "work" / f"job-{self._jobs}"
        return ImageRun(
            job_id=f"job-{self._jobs}",
            correlation_id=f"cid-{self._jobs}",
            request=self.backend.defaults(asked, self.base),
            base_model=self.base,
            loras=loras,
            work_dir=folder,
            stop=stop or Stop(),
        )

    def events(self, run: ImageRun) -> Iterator[PluginEvent]:
        return self.backend.generate(run, GpuLease(run.job_id, Needs(), "cpu"))

    def draw(self, *loras: LoraFile, **request: Any) -> list[bytes]:
        """Draw to the end; return the files."""
        return self.finish(self.run(*loras, **request))

    def finish(self, run: ImageRun) -> list[bytes]:
        pictures = [event for event in self.events(run) if isinstance(event, Picture)]
        assert [picture.index for picture in pictures] == [shot.index for shot in run.shots]
        return [Path(picture.path).read_bytes() for picture in pictures]

    def at_once(self, runs: list[ImageRun]) -> list[list[bytes] | Exception]:
        """Draw several runs on a thread each; return their pictures or what they raised."""
        found: list[list[bytes] | Exception] = [[] for _ in runs]

        def one(place: int) -> None:
            try:
                found[place] = self.finish(runs[place])
            except Exception as error:  # noqa: BLE001 - the test looks at it
                found[place] = error

        threads = [threading.Thread(target=one, args=(place,)) for place in range(len(runs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
            assert not thread.is_alive(), "a run hangs"
        return found

    def submitted(self) -> int:
        """How many prompts were sent to the server, over all its lives."""
        return len(self.plan.journal("request", route="POST /prompt"))

    def started(self) -> int:
        return len(self.plan.journal("start"))

    def close(self) -> None:
        if self._backend is not None:
            self._backend.close()
