"""Train a LoRA: a private dataset copy, the backend, and a new version in the library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from isengard.domain.base import new_id, utc_now
from isengard.domain.character import Character
from isengard.domain.event import Checkpoint, Completed, JobEvent, Metric, Preview, SteppedDown, Waiting, Weights
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.lora import Lora
from isengard.domain.lora_metadata import metadata_of, tag_frequency
from isengard.domain.preflight import Forecast
from isengard.domain.request import TrainingRequest
from isengard.domain.speed import duration_of
from isengard.errors import BackendOutput, Conflict, OutOfVram
from isengard.infra.gpu import Arbiter
from isengard.infra.library import CharacterShelf, LoraShelf
from isengard.infra.machine import machine_name
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.plugins.protocols import DatasetItem, TrainingBackend, TrainingRun
from isengard.plugins.registry import Plugins
from isengard.plugins.tiers import in_words, next_tier_down
from isengard.workers.measure import Measure

log = structlog.get_logger("workers.train_lora")
CHECKPOINT_WEIGHTS = "weights.safetensors"  # in a checkpoint's folder: what was learnt so far, as a LoRA by itself


@dataclass
class Made:
    """What comes of a training on its way; ``draft`` is its lineage before it has ended."""

    draft: Lora
    measure: Measure
    weights: Weights | None = None
    samples: list[Preview] = field(default_factory=list)

    @property
    def last_samples(self) -> list[Path]:
        """The sample pictures of the last step that had some."""
        last = max((sample.step for sample in self.samples), default=0)
        return [Path(sample.path) for sample in self.samples if sample.step == last]


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
            told_step=last_told(work / "loss.jsonl"),
            start_from=self._start_file(request),
            stop=stop,
        )
        made = self._begun(backend, run, job, character, job.worked_seconds)
        try:
            weights = self._train(backend, run, job, emit, made)
        except OutOfVram as error:
            run = self._smaller(backend, run, job, emit, error)
            made = self._begun(backend, run, job, character, made.measure.before)
            weights = self._train(backend, run, job, emit, made)
        measure = made.measure
        told = {"forecast": measure.forecast, "measured": measure.ended(work)}
        ended = {"id": new_id("lora"), "steps": weights.step, "created_at": utc_now()}
        lora = made.draft.model_copy(update={**told, **ended})
        lora = self.loras.add(Path(weights.path), lora, metadata_of(lora, base), made.last_samples)
        self._tidy(work)
        return self._completed(lora)

    def _begun(self, backend: TrainingBackend, run: TrainingRun, job: Job, character: Character, before: float) -> Made:
        measure = Measure(machine_name(self.arbiter.gpu), self._forecast(backend, run), before)
        return Made(self._lineage(job, run, character, backend), measure)

    def _smaller(
        self,
        backend: TrainingBackend,
        run: TrainingRun,
        job: Job,
        emit: Callable[[JobEvent], None],
        error: OutOfVram,
    ) -> TrainingRun:
        """Return the run with settings that need less memory and say so, once in a job's life; else raise the error."""
        below = None if job.stepped_down else next_tier_down(backend, run.request, run.base_model, "cuda")
        if below is None:
            raise error
        changes = {
            name: value
            for name, value in below.config.model_dump().items()
            if value != getattr(run.request.config, name)
        }
        message = f"{error.message} It goes on by itself, this once, with less: {in_words(changes)}."
        log.warning("training.stepped_down", changes=changes)
        emit(SteppedDown(payload=below.model_dump(mode="json"), message=message))
        checkpoint = newest_checkpoint(run.work_dir, backend)
        told = last_told(run.work_dir / "loss.jsonl")
        return replace(run, request=below, resume_from=checkpoint, told_step=told)

    def _start_file(self, request: TrainingRequest) -> Path | None:
        return self.loras.path(self.loras.get(request.start_from)) if request.start_from else None

    def _forecast(self, backend: TrainingBackend, run: TrainingRun) -> Forecast:
        needs = backend.needs(run.request, run.base_model)
        time = duration_of(run.request.config, machine_name(self.arbiter.gpu), self.loras.all())
        return Forecast(
            vram_gb=needs.vram_gb if self.arbiter.gpu else 0,
            ram_gb=needs.ram_gb,
            disk_gb=needs.disk_gb,
            seconds=time.seconds if time else None,
        )

    def _train(
        self, backend: TrainingBackend, run: TrainingRun, job: Job, emit: Callable[[JobEvent], None], made: Made
    ) -> Weights:
        needs = backend.needs(run.request, run.base_model)
        with (
            self.arbiter.lease(job.id, job.title, needs, run.stop, waiter(emit)) as lease,
            (run.work_dir / "loss.jsonl").open("a", encoding="utf-8") as curve,
            made.measure.running(),
        ):
            for event in backend.train(run, lease):
                made.measure.hear(event)
                if isinstance(event, Metric):
                    curve.write(json.dumps([event.step, event.loss, event.learning_rate]) + "\n")
                    curve.flush()
                if isinstance(event, Weights):
                    made.weights = event
                if isinstance(event, Preview):
                    made.samples.append(event)
                if isinstance(event, Checkpoint):
                    self._keep(event, made.draft)
                emit(with_url(event, job.id) if isinstance(event, Preview) else event)
        if made.weights is None:
            raise BackendOutput(f"{backend.name} ended without weights.", "See the worker log; then retry the job.")
        return made.weights

    def _keep(self, event: Checkpoint, draft: Lora) -> None:
        """Keep what was learnt so far beside the versions, so that a person can compare it."""
        weights = Path(event.path) / CHECKPOINT_WEIGHTS
        if weights.is_file():
            self.loras.keep_checkpoint(weights, draft, event.step)

    def _dataset(self, character: Character, work: Path) -> tuple[list[DatasetItem], str]:
        """Copy pictures and captions, so that edits during the run change nothing; hash both."""
        folder = work / "dataset"
        self.storage.remove(folder)  # an earlier attempt's copy may hold what was held out since
        folder.mkdir(parents=True)
        digest = hashlib.sha256()
        items = []
        for image, target in self.characters.datasets.copy_for_training(character.id, folder):
            digest.update(f"{image.curated}\n{image.caption}\n".encode())
            items.append(DatasetItem(target, image.caption or f"a photo of {character.trigger_word}"))
        if not items:
            raise Conflict(f"{character.name} has no pictures any more.", "Add pictures, then start a new training.")
        return items, digest.hexdigest()

    def _lineage(self, job: Job, run: TrainingRun, character: Character, backend: TrainingBackend) -> Lora:
        config = run.request.config
        parent = self.loras.get(run.request.start_from) if run.request.start_from else None
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
            dataset_hash=run.dataset_hash,
            image_count=len(run.dataset),
            tag_frequency=tag_frequency(item.caption for item in run.dataset),
            parent_id=parent.id if parent else "",
            parent_label=parent.label if parent else "",
            steps_before=parent.total_steps if parent else 0,
            job_id=job.id,
            correlation_id=job.correlation_id,
            config=config.model_dump(mode="json"),
            tool_versions={"trainer": backend.name, **backend.versions()},
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


def last_told(curve: Path) -> int:
    """Return the last step of the loss curve, 0 where there is none."""
    if not curve.exists():
        return 0
    for line in reversed(curve.read_text(encoding="utf-8").splitlines()):
        try:
            return int(json.loads(line)[0])
        except ValueError:  # a kill left half a line
            continue
    return 0


def with_url(event: Preview, job_id: str) -> Preview:
    """Give a preview the address that browsers fetch it from."""
    return event.model_copy(update={"url": f"/api/jobs/{job_id}/files/{Path(event.path).name}"})


def waiter(emit: Callable[[JobEvent], None]) -> Callable[[str], None]:
    """Make the arbiter's callback that shows the wait."""
    return lambda message: emit(Waiting(message=message))
