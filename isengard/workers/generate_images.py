"""Generate pictures: resolve the LoRAs, run the backend, keep each picture with its settings and its identity score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from isengard.domain.event import Completed, JobEvent, Picture, Preview
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.lora import Lora
from isengard.domain.output import Output
from isengard.domain.request import GenerationRequest
from isengard.errors import BackendOutput
from isengard.infra.gpu import Arbiter
from isengard.infra.library import LoraShelf, OutputShelf
from isengard.infra.png import embed, parameters_text
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.plugins.protocols import ImageRun, LoraFile
from isengard.plugins.registry import Plugins
from isengard.workers.likeness import Likeness
from isengard.workers.train_lora import waiter, with_url


@dataclass(frozen=True)
class GenerateImages:
    """The handler of generation jobs."""

    storage: Storage
    loras: LoraShelf
    outputs: OutputShelf
    registry: Registry
    plugins: Plugins
    arbiter: Arbiter
    likeness: Likeness

    def __call__(self, job: Job, emit: Callable[[JobEvent], None], stop: Stop) -> Completed:
        """Generate and keep the pictures; return the ending."""
        request = GenerationRequest.model_validate(job.payload)
        base = self.registry.get(request.base_model)
        backend = self.plugins.image_for(base)
        loras = [self.loras.get(use.id) for use in request.loras]
        files = [LoraFile(a, self.loras.path(a), use.strength) for a, use in zip(loras, request.loras, strict=True)]
        work = self.storage.work(job.id)
        work.mkdir(parents=True, exist_ok=True)
        self.storage.require_space()
        run = ImageRun(job.id, job.correlation_id, request, base, files, work, stop)
        made: list[Output] = []
        needs = backend.needs(request, base)
        with self.arbiter.lease(job.id, job.title, needs, stop, waiter(emit)) as lease:
            for event in backend.generate(run, lease):
                if isinstance(event, Picture):
                    made.append(self._keep(job, request, event, loras))
                emit(with_url(event, job.id) if isinstance(event, Preview) else event)
        if len(made) != request.count:
            raise BackendOutput(
                f"{len(made)} of {request.count} pictures came back.", "See the worker log; then retry."
            )
        scored = self._scored(made, loras)
        self.outputs.save(job.id, scored)
        self.storage.remove(work)
        folder = self.storage.relative(self.storage.outputs(job.id))
        count = len(scored)
        return Completed(output_path=folder, outputs=tuple(scored), message=f"{count} picture{'s'[: count > 1]} ready")

    def _keep(self, job: Job, request: GenerationRequest, event: Picture, loras: list[Lora]) -> Output:
        target = self.storage.outputs(job.id) / f"{event.index:03d}.png"
        settings = request.model_dump(mode="json") | {"seed": event.seed, "count": 1}
        record = {
            "settings": settings,
            "job_id": job.id,
            "correlation_id": job.correlation_id,
            "loras": [{"id": lora.id, "version": lora.version, "sha256": lora.sha256} for lora in loras],
        }
        size = (event.width, event.height)
        with self.storage.writing(target) as partial:
            embed(Path(event.path), partial, parameters_text(request, event.seed, size, loras), record)
        identifier = f"{job.id}.{event.index}"
        return Output(
            id=identifier,
            job_id=job.id,
            path=self.storage.relative(target),
            url=f"/api/outputs/{identifier}/file",
            seed=event.seed,
            width=event.width,
            height=event.height,
            character_id=request.character_id or next((lora.character_id for lora in loras), None),
            prompt=request.prompt,
            settings=settings,
            correlation_id=job.correlation_id,
        )

    def _scored(self, made: list[Output], loras: list[Lora]) -> list[Output]:
        character = made[0].character_id
        if not loras or not character:
            return made
        found = self.likeness.of([self.storage.resolve(output.path) for output in made], character)
        return [output.model_copy(update=scores) for output, scores in zip(made, found, strict=True)]
