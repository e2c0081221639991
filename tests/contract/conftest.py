"""The diffusers engine with the embedded model, as the app drives it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import Picture, PluginEvent, Weights
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, TrainingConfig, TrainingRequest
from isengard.infra.sota import read_registry
from isengard.plugins.protocols import DatasetItem, ImageRun, LoraFile, PluginContext, TrainingRun
from plugins.diffusers import backends
from plugins.diffusers.images import DiffusersImages
from plugins.diffusers.training import DiffusersTraining

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "isengard" / "sample"
LEASE = GpuLease("test", Needs(), "cpu")


@dataclass
class Bench:
    """Both backends, and runs that are easy to make."""

    training: DiffusersTraining
    images: DiffusersImages
    base: BaseModelRow
    said: list[str]

    def run(
        self,
        work: Path,
        stop: Stop | None = None,
        resume_from: Path | None = None,
        start_from: Path | None = None,
        **config: object,
    ) -> TrainingRun:
        """A short training of the sample character."""
        pictures = sorted(SAMPLE.glob("*.jpg"))
        items = [DatasetItem(path, path.with_suffix(".txt").read_text()) for path in pictures]
        wanted = {"base_model": "pocket", "steps": 12, "save_every": 6, "sample_every": 100, "batch_size": 2, **config}
        return TrainingRun(
            job_id="train-test",
            correlation_id="req-test",
            request=TrainingRequest(character_id="char-test", config=TrainingConfig.model_validate(wanted)),
            base_model=self.base,
            base_model_sha256="ab" * 32,
            trigger_word="zuvra person",
            dataset=items,
            dataset_hash="cd" * 32,
            work_dir=work,
            resume_from=resume_from,
            start_from=start_from,
            stop=stop or Stop(),
        )

    def train(self, run: TrainingRun) -> tuple[list[PluginEvent], Path]:
        """Train to the end; return all events and the weights."""
        events = list(self.training.train(run, LEASE))
        assert isinstance(events[-1], Weights)
        return events, Path(events[-1].path)

    def generate(
        self, work: Path, weights: Path | None = None, strength: float = 1.0, **request: object
    ) -> list[Picture]:
        """Generate with a LoRA file, or without."""
        digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights else ""
        lora = Lora(id="lora-test", character_id="char-test", version="v1", base_model="pocket", sha256=digest)
        asked = {"prompt": "a photo of zuvra person in a park", "seed": 7, "steps": 4, **request}
        run = ImageRun(
            job_id="gen-test",
            correlation_id="req-test",
            request=GenerationRequest.model_validate(asked),
            base_model=self.base,
            loras=[LoraFile(lora, weights, strength)] if weights else [],
            work_dir=work,
        )
        return [event for event in self.images.generate(run, LEASE) if isinstance(event, Picture)]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("models")
    said: list[str] = []
    context = PluginContext(
        ROOT, folder, folder, 600, lambda _event, **fields: said.append(str(fields.get("text", "")))
    )
    training, images = backends(context)
    assert isinstance(training, DiffusersTraining)
    assert isinstance(images, DiffusersImages)
    base = next(row for row in read_registry(ROOT / "sota" / "registry.yml") if row.id == "pocket")
    yield Bench(training, images, base, said)
    images.release()


@pytest.fixture(scope="session")
def trained(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[PluginEvent], Path, Path]:
    """One training, shared: its events, its weights, its work folder."""
    work = tmp_path_factory.mktemp("trained")
    events, weights = bench.train(bench.run(work, sample_every=6))
    return events, weights, work
