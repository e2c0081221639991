"""The app's own engine without the app: it makes pictures and trains LoRAs exactly as a person's would be."""

from __future__ import annotations

import hashlib
import itertools
import time
from pathlib import Path

from isengard.domain.event import Picture, PluginEvent, Weights
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.lora import Lora
from isengard.domain.request import MAX_PICTURES, GenerationRequest, LoraUse, TrainingConfig, TrainingRequest
from isengard.infra.sota import read_registry
from isengard.plugins.protocols import DatasetItem, ImageRun, LoraFile, TrainingRun
from plugins.diffusers.images import DiffusersImages
from plugins.diffusers.parent import Engines
from plugins.diffusers.training import DiffusersTraining
from scripts.pocket.budget import device
from scripts.pocket.faces import ROOT, context


class Studio:
    """Training and images on one pocket model. ``work`` is theirs; close it when done."""

    def __init__(self, model: Path, work: Path) -> None:
        row = next(row for row in read_registry(ROOT / "sota" / "registry.yml") if row.id == "pocket")
        self._base = row.model_copy(update={"path": str(model.resolve())})
        self._work = work.resolve()
        engines = Engines(context())
        self._images, self._training = DiffusersImages(context(), engines), DiffusersTraining(context(), engines)
        self._lease = GpuLease("benchmark", Needs(), device().type)
        self._runs = itertools.count()

    def pictures(self, prompts: list[str], lora: Path | None = None) -> list[Path]:
        """Make one picture of each prompt, the first with seed 1 and each with the next; returns their files."""
        used: list[LoraFile] = []
        if lora:
            sha256 = hashlib.sha256(lora.read_bytes()).hexdigest()
            named = Lora(id="drawn-v1", character_id="drawn", version="v1", base_model=self._base.id, sha256=sha256)
            used = [LoraFile(named, lora, 1.0)]
        made: list[Path] = []
        for first in range(0, len(prompts), MAX_PICTURES):
            some = tuple(prompts[first : first + MAX_PICTURES])
            loras = tuple(LoraUse(id=one.lora.id) for one in used)
            request = GenerationRequest(prompt=some[0], prompts=some, count=len(some), seed=1 + first, loras=loras)
            run = ImageRun("benchmark", "benchmark", request, self._base, used, self._folder())
            events = self._images.generate(run, self._lease)
            made += [Path(event.path) for event in events if isinstance(event, Picture)]
        return made

    def train(self, dataset: list[tuple[Path, str]], trigger: str, preset: str) -> tuple[Path, float]:
        """Train a LoRA on captioned pictures; returns its file and the seconds it took."""
        config = TrainingConfig.model_validate({"preset": preset})
        run = TrainingRun(
            job_id="benchmark",
            correlation_id="benchmark",
            request=TrainingRequest(character_id="drawn", config=config),
            base_model=self._base,
            base_model_sha256="",
            trigger_word=trigger,
            dataset=[DatasetItem(path, caption) for path, caption in dataset],
            dataset_hash="",
            work_dir=self._folder(),
        )
        started = time.monotonic()
        events: list[PluginEvent] = list(self._training.train(run, self._lease))
        weights = [Path(event.path) for event in events if isinstance(event, Weights)]
        return weights[-1], time.monotonic() - started

    def close(self) -> None:
        """End the engine."""
        self._images.release()

    def _folder(self) -> Path:
        folder = self._work / f"run-{next(self._runs):05d}"
        folder.mkdir(parents=True)
        return folder
