"""A real ComfyUI with small models behind our own backend, started once for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import Picture, PluginEvent
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest
from isengard.infra.sota import read_registry
from isengard.plugins.protocols import ImageRun, LoraFile, PluginContext
from plugins.comfyui.images import ComfyImages
from plugins.comfyui.session import Session
from tests.comfyui import checkout, lora_files, models

LEASE = GpuLease("test", Needs(), "cpu")
FLUX_FILES = {"TEXT_ENCODER_1": models.CLIP_L, "TEXT_ENCODER_2": models.T5, "VAE": models.FLUX_VAE}
FILES = {
    "sd15": {"CHECKPOINT": models.SD15},
    "sdxl": {"CHECKPOINT": models.SDXL},
    "flux-dev": {"DIFFUSION_MODEL": models.FLUX_DEV, **FLUX_FILES},
    "flux-schnell": {"DIFFUSION_MODEL": models.FLUX_SCHNELL, **FLUX_FILES},
}
Pixels = NDArray[np.int16]


@dataclass
class Real:
    """The backend, the small models as rows of the registry, and runs that are easy to make."""

    images: ComfyImages
    rows: dict[str, BaseModelRow]
    loras: Path
    work: Path
    said: list[str]
    _numbers: Iterator[int] = field(default_factory=count)
    _drawn: dict[str, Pixels] = field(default_factory=dict)

    def run(
        self, base: str, loras: Sequence[tuple[str, float]] = (), start: Path | None = None, **request: Any
    ) -> ImageRun:
        """A run of one small picture in two steps, if nothing else is asked for."""
        number = next(self._numbers)
        asked = {"prompt": "a photo of zuvra person", "seed": 7, "steps": 2, "sampler": "euler", **request}
        if start is not None:
            asked["init_image"] = start.stem
        row = self.rows[base]
        files = [
            LoraFile(
                Lora(id=name, character_id="char-test", version="v1", base_model=base, sha256=name), path, strength
            )
            for name, strength in loras
            for path in [self.loras / name]
        ]
        return ImageRun(
            job_id=f"gen-{number}",
            correlation_id=f"req-{number}",
            request=self.images.defaults(GenerationRequest.model_validate(asked), row),
            base_model=row,
            loras=files,
            work_dir=self.work / f"gen-{number}",
            stop=Stop(),
            init_image=start,
        )

    def events(self, run: ImageRun) -> list[PluginEvent]:
        """Draw; return all that was reported."""
        return list(self.images.generate(run, LEASE))

    def path(self, base: str, *arguments: Any, **request: Any) -> Path:
        """Draw one picture; return its file."""
        pictures = [event for event in self.events(self.run(base, *arguments, **request)) if isinstance(event, Picture)]
        assert len(pictures) == 1
        return Path(pictures[0].path)

    def draw(self, base: str, *arguments: Any, **request: Any) -> Pixels:
        """Draw one picture; return its pixels."""
        return pixels(self.path(base, *arguments, **request))

    def plain(self, base: str) -> Pixels:
        """The picture without any LoRA, drawn once."""
        if base not in self._drawn:
            self._drawn[base] = self.draw(base)
        return self._drawn[base]

    @property
    def session(self) -> Session:
        """The connection to the running server."""
        return self.images._sessions.get("cpu", Stop())

    def complaints(self) -> list[str]:
        """What the server said of LoRA parts that it left out."""
        return [line for line in self.said if "not loaded" in line.lower() or "ERROR lora" in line]


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int16)


def apart(one: Pixels, other: Pixels) -> float:
    """Mean difference of two pictures, in steps of 8 bits."""
    return float(np.abs(one - other).mean())


@pytest.fixture(scope="session")
def source(missing: Callable[[str], NoReturn]) -> Path:
    """The checkout to test."""
    try:
        found = checkout.find()
    except checkout.Unavailable as error:
        return missing(str(error))
    if not checkout.PYTHON.is_file():
        missing("ComfyUI's environment is not made; scripts/test --comfyui makes it")
    return found


@pytest.fixture(scope="session")
def real(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """The server's work is spread over no threads: on a busy machine those wait for each other most of the time."""
    os.environ["OMP_NUM_THREADS"] = "1"
    place = tmp_path_factory.mktemp("real")
    volume = place / "volume"
    models_dir, loras = volume / "comfyui" / "models", volume / "loras"
    models_dir.parent.mkdir(parents=True)
    models_dir.symlink_to(models.make(checkout.CACHE))
    loras.symlink_to(lora_files.make(checkout.CACHE))
    said: list[str] = []
    context = PluginContext(
        project_root=checkout.ROOT,
        cache_dir=volume / "cache",
        models_dir=models_dir,
        engine_idle_seconds=600,
        log=lambda _event, **fields: said.append(str(fields.get("text", ""))),
        loras_dir=loras,
        options={
            "comfyui_dir": str(checkout.copy(source, place / "comfyui")),
            "comfyui_python": str(checkout.PYTHON),
        },
    )
    images = ComfyImages(context)
    rows = {row.id: row for row in read_registry(checkout.ROOT / "sota" / "registry.yml")}
    small = {name: rows[name].model_copy(update={"comfyui": files, "resolution": 64}) for name, files in FILES.items()}
    yield Real(images, small, loras, place / "work", said)
    images.close()
    os.environ.pop("OMP_NUM_THREADS", None)
