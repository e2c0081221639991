"""Image generation with ComfyUI, seen from the app."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent, Progress
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.lora import LoraFacts
from isengard.domain.request import GenerationRequest, Task
from isengard.domain.shot import Shot
from isengard.errors import InvalidInput, NotFound
from isengard.plugins.protocols import (
    Abilities,
    BackendStatus,
    ImageRun,
    PluginContext,
    WorkflowChoice,
)
from isengard.plugins.weights import read_weights
from plugins.comfyui.artist import Artist
from plugins.comfyui.canvas import canvas
from plugins.comfyui.failures import WORKFLOW_HINT
from plugins.comfyui.graph import Values, build
from plugins.comfyui.lora_keys import check, describe
from plugins.comfyui.markers import FILES, places
from plugins.comfyui.place import NAME, Place
from plugins.comfyui.prompt import Prompt
from plugins.comfyui.server import Server
from plugins.comfyui.session import Session, Sessions
from plugins.comfyui.signatures import check as problems_of
from plugins.comfyui.signatures import inputs_of, offline
from plugins.comfyui.workflows import Workflow, Workflows

GB = 2**30
LIBRARY_GB = 2.5  # the server with torch and nothing loaded
TASKS: tuple[Task, ...] = ("txt2img", "img2img", "upscale")
BY_REFERENCE: tuple[Task, ...] = ("edit", "face_adapter")  # a person is taken from pictures, the rest from words
PREFIX = "isengard"  # of file names in ComfyUI's own output folder


class ComfyImages:
    """Fills the ImageBackend socket. ``ping_seconds`` is how long a silent socket is believed in."""

    name = NAME

    def __init__(self, context: PluginContext, ping_seconds: float = 8.0) -> None:
        self._context = context
        self._place = Place.of(context)
        self._server = Server(context, self._place)
        self._sessions = Sessions(self._server, ping_seconds)
        self._kept = Needs(backend=NAME, shared=True)
        self.workflows = Workflows(Path(__file__).parent / "workflows", self._place.user_workflows)

    def status(self) -> BackendStatus:
        """Tell whether ComfyUI and its environment are here; starts nothing."""
        notes = tuple(f"{one.reason} {one.hint}" for one in self.workflows.broken())
        return replace(self._place.status(), notes=notes)

    # --- what it can do ---------------------------------------------------------------------

    def supports(self, base_model: BaseModelRow) -> bool:
        """Tell whether a workflow serves the base model and its files are here."""
        return any(self._usable(workflow, base_model) for workflow in self._serving(base_model))

    def _serving(self, base: BaseModelRow) -> list[Workflow]:
        """Return the workflows for a base model: one of ours a task, then those that people added."""
        ours = [found for task in TASKS if (found := self.workflows.for_base(base, task)) and found.builtin]
        theirs = [one for one in self.workflows.all() if not one.builtin and one.task in TASKS and one.fits(base)]
        return ours + theirs

    def _usable(self, workflow: Workflow, base: BaseModelRow) -> bool:
        wanted = {place.marker for place in places(workflow.nodes)} & set(FILES)
        if not wanted <= base.comfyui.keys():
            return False
        # Another machine's files cannot be looked at from here: its server refuses what it lacks.
        return bool(self._place.url) or all(self._file(base, point).is_file() for point in wanted)

    def _file(self, base: BaseModelRow, point: str) -> Path:
        return self._context.models_dir / base.comfyui[point]

    def _files(self, base: BaseModelRow) -> list[Path]:
        """Return those of the base model's files that are here."""
        return [path for point in base.comfyui if (path := self._file(base, point)).is_file()]

    def _workflow(self, request: GenerationRequest, base: BaseModelRow) -> Workflow:
        if request.workflow:
            return self.workflows.get(request.workflow)
        found = self.workflows.for_base(base, request.task)
        if found is None:
            raise NotFound(f"No workflow lets {base.name} start from a picture.", "Leave the picture out.")
        return found

    def abilities(self, base_model: BaseModelRow, workflow: str = "") -> Abilities:
        """Return samplers, schedulers, tasks and the workflows that people added."""
        serving = [one for one in self._serving(base_model) if self._usable(one, base_model)]
        chosen = self.workflows.get(workflow) if workflow else next(iter(serving), None)
        defaults = chosen.defaults if chosen else {}
        tasks = {chosen.task} if workflow and chosen else {one.task for one in serving}
        return Abilities(
            samplers=_with_first(defaults.get("sampler"), choices_of("sampler_name")),
            schedulers=_with_first(defaults.get("scheduler"), choices_of("scheduler")),
            tasks=[task for task in TASKS if task in tasks],
            negative_prompt=chosen.negative_prompt if chosen else True,
            workflows=[WorkflowChoice(one.id, one.title) for one in serving if not one.builtin],
            by_reference=[
                WorkflowChoice(one.id, one.title, one.task)
                for one in self.workflows.all()
                if one.task in BY_REFERENCE and one.fits(base_model) and self._usable(one, base_model)
            ],
        )

    def defaults(self, request: GenerationRequest, base_model: BaseModelRow) -> GenerationRequest:
        """Fill what was left out from the workflow."""
        given = {
            "width": base_model.resolution,
            "height": base_model.resolution,
            **self._workflow(request, base_model).defaults,
            **base_model.draws_with,
        }
        if request.task != "upscale":
            given.pop("upscale_by", None)
        if request.task == "txt2img":
            given.pop("denoise", None)
        names = ("width", "height", "steps", "guidance_scale", "sampler", "scheduler", "denoise", "upscale_by")
        filled = {name: given[name] for name in names if getattr(request, name) is None and name in given}
        return request.model_copy(update={"base_model": base_model.id, **filled})

    def needs(self, request: GenerationRequest, base_model: BaseModelRow) -> Needs:
        """Estimate the peak, in GB of 2**30 bytes. ComfyUI moves what does not fit out of the GPU by itself."""
        sizes = [path.stat().st_size / GB for path in self._files(base_model)]
        pixels = (request.width or 1024) * (request.height or 1024) / 2**20
        largest = max(sizes, default=0.0)
        vram = min(largest + 1.5 + pixels, base_model.compatibility.min_vram_gb or largest + 1.5 + pixels)
        return Needs(vram_gb=vram, ram_gb=LIBRARY_GB + sum(sizes) * 1.2, backend=NAME, shared=True)

    def check_lora(self, path: Path, base_model: BaseModelRow) -> None:
        """Raise InvalidInput unless ComfyUI would load every part of the file for this base model."""
        check(path, base_model.family, base_model.name, self._files(base_model))

    def describe_lora(self, path: Path, base_models: Sequence[BaseModelRow]) -> LoraFacts:
        """Say what a LoRA file is by the names and shapes in it; compare it with the base models that are here."""
        facts = describe(path)
        rows = [row for row in base_models if row.family in facts.families and self._files(row)]
        return facts.model_copy(update={"fits": tuple(row.id for row in rows if self._takes(path, row))})

    def _takes(self, path: Path, base: BaseModelRow) -> bool:
        try:
            self.check_lora(path, base)
        except InvalidInput:
            return False
        return True

    # --- drawing ----------------------------------------------------------------------------

    def generate(self, run: ImageRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Generate on the server; yield what it reports."""
        for file in run.loras:
            self.check_lora(file.path, run.base_model)
        run.work_dir.mkdir(parents=True, exist_ok=True)
        with self._server.in_use():
            self._kept = lease.needs
            if not self._server.alive:
                yield Progress(message="Starting ComfyUI")

            def connect() -> Session:
                return self._sessions.get(lease.device, run.stop)

            yield from Artist(run, connect, lambda shot, session: self._prompt(run, shot, session)).draw()

    def _prompt(self, run: ImageRun, shot: Shot, session: Session) -> Prompt:
        request = self.defaults(shot.request, run.base_model)
        loras = [file for file in run.loras_of(shot) if file.strength != 0]
        names = tuple((self._lora_name(file.path), file.strength) for file in loras)
        values = Values(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            width=request.width or run.base_model.resolution,
            height=request.height or run.base_model.resolution,
            steps=request.steps or 1,
            guidance_scale=request.guidance_scale if request.guidance_scale is not None else 1.0,
            sampler=request.sampler or "euler",
            scheduler=request.scheduler or "simple",
            seed=request.seed or 0,
            denoise=request.denoise or 1.0,
            upscale_by=request.upscale_by or 1.0,
            loras=names,
            images=self._sent(run, session),
            filename_prefix=f"{PREFIX}/{run.job_id}-{shot.index:03d}-{uuid.uuid4().hex[:8]}",  # never in its cache
            files={point: file.partition("/")[2] for point, file in run.base_model.comfyui.items()},
        )
        workflow = self._workflow(request, run.base_model)
        graph = build(workflow, values)
        known = offline() if workflow.builtin else session.signatures()
        wrong = [] if workflow.builtin else problems_of(graph, known)
        if wrong:
            raise InvalidInput(f"The workflow '{workflow.title}' cannot run: {wrong[0]}", WORKFLOW_HINT)
        chunks = {"correlation_id": run.correlation_id, "workflow": canvas(graph, known)}
        keys = {f"{run.base_model.id}:{file.path}": frozenset(read_weights(file.path).tensors) for file in loras}
        return Prompt(shot.model_copy(update={"request": request}), graph, keys, chunks)

    def _lora_name(self, path: Path) -> str:
        """Return a LoRA's name as ComfyUI lists it: relative to the folder of LoRAs."""
        return path.resolve().relative_to(self._place.loras.resolve()).as_posix()

    def _sent(self, run: ImageRun, session: Session) -> tuple[str, ...]:
        pictures = run.references or ([run.init_image] if run.init_image else [])
        return tuple(
            session.client.upload(path, f"{PREFIX}-{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}.png")
            for path in pictures
        )

    # --- memory -----------------------------------------------------------------------------

    def resident(self) -> Needs:
        """Return what the idle server keeps: what its last run took."""
        return self._kept if self._server.idle else Needs(backend=NAME, shared=True)

    def release(self) -> None:
        """Have an idle server unload its models; end it when that does not give the memory back."""
        if self._server.idle and not self._sessions.freed():
            self.close()
        self._kept = Needs(backend=NAME, shared=True)

    def close(self) -> None:
        """End the server."""
        self._sessions.close()
        self._server.end()


def choices_of(name: str) -> list[str]:
    """Return what KSampler offers under this name."""
    return [str(option) for option in inputs_of(offline()["KSampler"])[name].options or ()]


def _with_first(first: Any, names: Sequence[str]) -> list[str]:
    return [str(first), *(name for name in names if name != first)] if first in names else list(names)
