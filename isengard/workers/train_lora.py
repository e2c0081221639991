"""Train a LoRA: a private dataset copy, the backend, and a new version in the library."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from isengard.domain.base import new_id
from isengard.domain.character import Character
from isengard.domain.event import Completed, JobEvent, Metric, Preview, Waiting, Weights
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.lora import Lora
from isengard.domain.request import TrainingRequest
from isengard.errors import BackendOutput, Conflict
from isengard.infra.gpu import Arbiter
from isengard.infra.library import CharacterShelf, LoraShelf
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.plugins.protocols import DatasetItem, TrainingBackend, TrainingRun
from isengard.plugins.registry import Plugins

log = structlog.get_logger("workers.train_lora")


@dataclass(frozen=True)
class TrainLora:
    """The handler of training jobs."""

    storage: Storage
    characters: CharacterShelf
    loras: LoraShelf
    registry: Registry
    plugins: Plugins
    arbiter: Arbiter

    def __call__(self, job: Job, emit: Callable[[JobEvent], None], stop: Stop) -> Completed:
        """Train and add the new version to the library; return the ending."""
        request = TrainingRequest.model_validate(job.payload)
        done = self.loras.of_job(job.id)
        if done:  # an earlier attempt got as far as the library
            return self._completed(done)
        character = self.characters.get(request.character_id)
        base = self.registry.get(request.config.base_model)
        backend = self.plugins.training_for(base)
        work = self.storage.work(job.id)
        self.storage.require_space(backend.needs(request, base).disk_gb)
        items, digest = self._dataset(character, work)
        run = TrainingRun(
            job_id=job.id,
            correlation_id=job.correlation_id,
            request=request,
            base_model=base,
            base_model_sha256=self.registry.weights_sha256(base),
            trigger_word=character.trigger_word,
            dataset=items,
            dataset_hash=digest,
            work_dir=work,
            resume_from=newest_checkpoint(work, backend),
            stop=stop,
        )
        weights = self._train(backend, run, job, emit)
        lora = self.loras.add(Path(weights.path), self._lineage(job, run, character, weights))
        self._tidy(work)
        return self._completed(lora)

    def _train(self, backend: TrainingBackend, run: TrainingRun, job: Job, emit: Callable[[JobEvent], None]) -> Weights:
        needs = backend.needs(run.request, run.base_model)
        weights: Weights | None = None
        with (
            self.arbiter.lease(job.id, job.title, needs, run.stop, waiter(emit)) as lease,
            (run.work_dir / "loss.jsonl").open("a", encoding="utf-8") as curve,
        ):
            for event in backend.train(run, lease):
                if isinstance(event, Metric):
                    curve.write(json.dumps([event.step, event.loss, event.learning_rate]) + "\n")
                    curve.flush()
                if isinstance(event, Weights):
                    weights = event
                emit(with_url(event, job.id) if isinstance(event, Preview) else event)
        if weights is None:
            raise BackendOutput(f"{backend.name} ended without weights.", "See the worker log; then retry the job.")
        return weights

    def _dataset(self, character: Character, work: Path) -> tuple[list[DatasetItem], str]:
        """Copy pictures and captions, so that edits during the run change nothing; hash both."""
        folder = work / "dataset"
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        items = []
        for image in self.characters.images(character.id):
            target = folder / f"{image.id}.png"
            shutil.copyfile(self.characters.curated(character.id, image), target)
            target.with_suffix(".txt").write_text(image.caption, encoding="utf-8")
            digest.update(f"{image.sha256}\n{image.caption}\n".encode())
            items.append(DatasetItem(target, image.caption or f"a photo of {character.trigger_word}"))
        if not items:
            raise Conflict(f"{character.name} has no pictures any more.", "Add pictures, then start a new training.")
        return items, digest.hexdigest()

    def _lineage(self, job: Job, run: TrainingRun, character: Character, weights: Weights) -> Lora:
        config = run.request.config
        return Lora(
            id=new_id("lora"),
            character_id=character.id,
            character_name=character.name,
            version="",
            trigger_word=run.trigger_word,
            base_model=run.base_model.id,
            base_model_sha256=run.base_model_sha256,
            rank=config.lora_rank or 0,
            alpha=config.lora_alpha or 0,
            steps=weights.step,
            dataset_hash=run.dataset_hash,
            image_count=len(run.dataset),
            job_id=job.id,
            correlation_id=job.correlation_id,
            config=config.model_dump(mode="json"),
            tool_versions=self.plugins.training_for(run.base_model).versions(),
        )

    def _completed(self, lora: Lora) -> Completed:
        path = self.storage.relative(self.loras.path(lora))
        return Completed(output_path=path, message=f"{lora.label} is ready")

    def _tidy(self, work: Path) -> None:
        """Checkpoints and the dataset copy go; samples and the loss curve stay."""
        for name in ("dataset", "checkpoints", "weights"):
            self.storage.remove(work / name)


def newest_checkpoint(work: Path, backend: TrainingBackend) -> Path | None:
    """Return the newest checkpoint that proves whole."""
    for path in sorted((work / "checkpoints").glob("step-*"), reverse=True):
        if backend.resumable(path):
            log.info("training.resumed", checkpoint=path.name)
            return path
        log.warning("checkpoint.damaged", checkpoint=path.name)
    return None


def with_url(event: Preview, job_id: str) -> Preview:
    """Give a preview the address that browsers fetch it from."""
    return event.model_copy(update={"url": f"/api/jobs/{job_id}/files/{Path(event.path).name}"})


def waiter(emit: Callable[[JobEvent], None]) -> Callable[[str], None]:
    """Make the arbiter's callback that shows the wait."""
    return lambda message: emit(Waiting(message=message))
