"""Generate pictures: resolve the LoRAs, run the backend, keep each picture with its settings and its identity score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from isengard.domain.event import Completed, JobEvent, Picture, Preview
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.lora import Lora
from isengard.domain.output import Output
from isengard.domain.request import GenerationRequest, Grid, GridAxis
from isengard.domain.shot import Shot, shots_of
from isengard.errors import BackendOutput
from isengard.infra.contact_sheet import Sheet, draw_sheet
from isengard.infra.gpu import Arbiter
from isengard.infra.library import InputShelf, LoraShelf, OutputShelf
from isengard.infra.png import embed, parameters_text
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.plugins.protocols import ImageRun, LoraFile
from isengard.plugins.registry import Plugins
from isengard.workers.likeness import Likeness
from isengard.workers.train_lora import waiter, with_url

log = structlog.get_logger("workers.generate_images")


@dataclass(frozen=True)
class GenerateImages:
    """The handler of generation jobs. Each picture is kept as it comes; an attempt that repeats makes the others."""

    storage: Storage
    loras: LoraShelf
    outputs: OutputShelf
    inputs: InputShelf
    registry: Registry
    plugins: Plugins
    arbiter: Arbiter
    likeness: Likeness

    def __call__(self, job: Job, emit: Callable[[JobEvent], None], stop: Stop) -> Completed:
        """Generate and keep the pictures; return the ending."""
        request = GenerationRequest.model_validate(job.payload)
        shots = shots_of(request)
        loras = {use.id: self.loras.get(use.id) for shot in shots for use in shot.request.loras}
        made = {output.id: output for output in self.outputs.of_job(job.id)}
        missing = [shot for shot in shots if _output_id(job, shot) not in made]
        if missing:
            run = self._run(job, request, missing, loras, stop)
            self._generate(run, job, made, emit)
        outputs = [made[_output_id(job, shot)] for shot in shots if _output_id(job, shot) in made]
        if len(outputs) != len(shots):
            raise BackendOutput(
                f"{len(outputs)} of {len(shots)} pictures came back.", "See the worker log; then retry."
            )
        drawn = self.registry.get(request.base_model).drawings
        scored = self._scored(outputs, drawn=drawn) if loras else outputs
        self.outputs.save(job.id, scored, request.grid)
        if request.grid:
            self._draw_grid(job, request.grid, scored)
        self.storage.remove(self.storage.work(job.id))
        folder = self.storage.relative(self.storage.outputs(job.id))
        count = len(scored)
        return Completed(output_path=folder, outputs=tuple(scored), message=f"{count} picture{'s'[: count > 1]} ready")

    def _run(
        self, job: Job, request: GenerationRequest, shots: Sequence[Shot], loras: dict[str, Lora], stop: Stop
    ) -> ImageRun:
        work = self.storage.work(job.id)
        work.mkdir(parents=True, exist_ok=True)
        return ImageRun(
            job_id=job.id,
            correlation_id=job.correlation_id,
            request=request,
            base_model=self.registry.get(request.base_model),
            loras=[LoraFile(lora, self.loras.path(lora), 1.0) for lora in loras.values()],
            work_dir=work,
            stop=stop,
            shots=shots,
            init_image=self.inputs.path(request.init_image) if request.init_image else None,
        )

    def _generate(self, run: ImageRun, job: Job, made: dict[str, Output], emit: Callable[[JobEvent], None]) -> None:
        backend = self.plugins.image_for(run.base_model)
        needs = backend.needs(run.request, run.base_model)
        wanted = {shot.index: shot for shot in run.shots}
        self.storage.require_space()
        with self.arbiter.lease(job.id, job.title, needs, run.stop, waiter(emit)) as lease:
            for event in backend.generate(run, lease):
                if isinstance(event, Picture):
                    shot = wanted[event.index]
                    output = self._keep(job, shot, event, [file.lora for file in run.loras_of(shot)])
                    made[output.id] = output
                    self.outputs.save(job.id, list(made.values()), run.request.grid)
                emit(with_url(event, job.id) if isinstance(event, Preview) else event)

    def _keep(self, job: Job, shot: Shot, event: Picture, loras: list[Lora]) -> Output:
        target = self.storage.outputs(job.id) / f"{event.index:03d}.png"
        request = shot.request
        settings = request.model_dump(mode="json") | {"seed": event.seed}
        record = {
            "settings": settings,
            "job_id": job.id,
            "correlation_id": job.correlation_id,
            "loras": [{"id": lora.id, "version": lora.version, "sha256": lora.sha256} for lora in loras],
        }
        size = (event.width, event.height)
        with self.storage.writing(target) as partial:
            embed(Path(event.path), partial, parameters_text(request, event.seed, size, loras), record)
        identifier = _output_id(job, shot)
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
            cell=shot.cell,
            settings=settings,
            correlation_id=job.correlation_id,
        )

    def _scored(self, made: list[Output], *, drawn: bool) -> list[Output]:
        character = made[0].character_id
        if not character:
            return made
        found = self.likeness.of([self.storage.resolve(output.path) for output in made], character, drawn=drawn)
        return [output.model_copy(update=scores) for output, scores in zip(made, found, strict=True)]

    def _draw_grid(self, job: Job, grid: Grid, outputs: list[Output]) -> None:
        cells = {output.cell: self.storage.resolve(output.path) for output in outputs if output.cell}
        rows = self._labels(grid.y) if grid.y else ("",)
        with self.storage.writing(self.storage.grid(job.id)) as partial:
            draw_sheet(Sheet(self._labels(grid.x), rows, cells), partial)

    def _labels(self, axis: GridAxis) -> tuple[str, ...]:
        if axis.field == "lora":
            return tuple(self.loras.get(str(value)).label for value in axis.values)
        name = axis.field.replace("_", " ")
        return tuple(str(value) if axis.field == "prompt" else f"{name} {value}" for value in axis.values)


def _output_id(job: Job, shot: Shot) -> str:
    return f"{job.id}.{shot.index}"
