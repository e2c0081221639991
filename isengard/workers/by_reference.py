"""Synthetic pictures by a model that takes the person from photos and the rest from words, such as FLUX.2 klein."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.catalogue import Attempt, Catalogue
from isengard.domain.event import Picture, PluginEvent, Progress
from isengard.domain.request import GenerationRequest, Task
from isengard.domain.shot import Shot
from isengard.errors import BackendUnavailable
from isengard.infra.gpu import Arbiter
from isengard.infra.shots import Catalogues
from isengard.infra.sota import Registry
from isengard.plugins.protocols import BackendStatus, ImageBackend, ImageRun, WorkflowChoice
from isengard.plugins.registry import Plugins
from isengard.plugins.sources import ExpansionRun

MAX_REFERENCES = 3  # what the workflows take at once
HINTS: dict[str, str] = {
    "instruct_edit": "Set ComfyUI up (scripts/setup_backends comfyui), then download one of them in the Models tab: "
    "FLUX.2 klein 4B (free, 13 GB of GPU memory), Qwen-Image-Edit (free, 24 GB), FLUX.1 Kontext (not for money).",
    "face_adapter": "Install an adapter's nodes in ComfyUI, and put its workflow with 'task': 'face_adapter' into "
    "comfyui/workflows of the volume.",
}


@dataclass
class ByReference:
    """Fills the SyntheticSource socket with the workflows of one task that an image backend has."""

    name: str
    task: Task
    registry: Registry
    plugins: Plugins
    arbiter: Arbiter
    catalogues: Catalogues
    by_reference = True

    def status(self) -> BackendStatus:
        """Tell whether such a workflow and all its files are here, and if not, how to get them."""
        if next(self._found(), None):
            return BackendStatus(self.name, "synthetic", available=True)
        what = "model that edits pictures by words" if self.task == "edit" else "face adapter"
        return BackendStatus(
            self.name, "synthetic", available=False, reason=f"No {what} is here.", hint=HINTS.get(self.name, "")
        )

    def _found(self, base_model: str = "") -> Iterator[tuple[ImageBackend, BaseModelRow, WorkflowChoice]]:
        rows = [self.registry.get(base_model)] if base_model else self.registry.base_models()
        return self.plugins.by_reference(rows, self.task)

    def _tools(self, run: ExpansionRun) -> tuple[ImageBackend, BaseModelRow, WorkflowChoice]:
        found = next(self._found(run.config.base_model), None)
        if found is None:
            raise BackendUnavailable(f"The source {self.name} cannot be used now.", self.status().hint)
        return found

    def catalogue(self, run: ExpansionRun) -> Catalogue:
        """Return the shots in the words of the base model's family."""
        return self.catalogues.of_family(self._tools(run)[1].family)

    def basis(self, run: ExpansionRun) -> dict[str, Any]:
        """Return base model, workflow and drawing settings."""
        backend, base, workflow = self._tools(run)
        drawing = _request(backend, base, workflow, Attempt(index=0, slot=0, seed=0, shot={}, prompt="any", caption=""))
        kept = drawing.model_dump(exclude_none=True, exclude_defaults=True, exclude={"prompt", "seed"})
        return {"base_model": base.id, "drawing": kept}

    def draw(
        self, run: ExpansionRun, attempts: Sequence[Attempt], tell: Callable[[PluginEvent], None]
    ) -> Iterator[Picture]:
        """Draw each attempt from its reference first, and from two more where the workflow takes them."""
        tools = self._tools(run)
        for reference, group in groupby(sorted(attempts, key=lambda one: one.reference), key=lambda one: one.reference):
            yield from self._draw(run, list(group), _around(run, reference), tools, tell)

    def _draw(
        self,
        run: ExpansionRun,
        attempts: list[Attempt],
        references: list[Path],
        tools: tuple[ImageBackend, BaseModelRow, WorkflowChoice],
        tell: Callable[[PluginEvent], None],
    ) -> Iterator[Picture]:
        backend, base, workflow = tools
        shots = [Shot(index=one.index, request=_request(backend, base, workflow, one)) for one in attempts]
        drawing = ImageRun(
            job_id=run.job_id,
            correlation_id=run.correlation_id,
            request=shots[0].request,
            base_model=base,
            loras=[],
            work_dir=run.work_dir / "drawn",
            stop=run.stop,
            shots=shots,
            references=references,
        )
        needs = backend.needs(shots[0].request, base)

        def wait(message: str) -> None:
            tell(Progress(message=message))

        with self.arbiter.lease(run.job_id, "synthetic pictures", needs, run.stop, wait) as lease:
            for event in backend.generate(drawing, lease):
                if isinstance(event, Picture):
                    yield event
                elif isinstance(event, Progress):
                    tell(event)


def _request(backend: ImageBackend, base: BaseModelRow, workflow: WorkflowChoice, one: Attempt) -> GenerationRequest:
    said = one.instruction or one.prompt
    request = GenerationRequest(prompt=said, seed=one.seed, base_model=base.id, workflow=workflow.id)
    return backend.defaults(request, base)


def _around(run: ExpansionRun, first: int) -> list[Path]:
    """Return the pictures of some references, beginning with one."""
    pictures = [one.image for one in run.references]
    return [*pictures[first:], *pictures[:first]][:MAX_REFERENCES]
