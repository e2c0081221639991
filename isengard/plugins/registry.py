"""Finds the plugins by entry point; one that fails to load is listed with its reason, never fatal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from isengard.domain.base_model import BaseModelRow
from isengard.domain.lease import Needs
from isengard.domain.request import Task
from isengard.errors import BackendUnavailable, NotFound
from isengard.plugins.protocols import (
    Backend,
    BackendStatus,
    FaceAnalyzer,
    ImageBackend,
    PluginContext,
    TrainingBackend,
    WorkflowChoice,
)
from isengard.plugins.sources import SyntheticSource
from isengard.plugins.video import VideoBackend

GROUP = "isengard.plugins"
B = TypeVar("B", TrainingBackend, ImageBackend)


@dataclass
class Plugins:
    """What was found. Each entry point is a function ``(PluginContext) -> list of backends``."""

    training: list[TrainingBackend] = field(default_factory=list)
    image: list[ImageBackend] = field(default_factory=list)
    face: list[FaceAnalyzer] = field(default_factory=list)
    synthetic: list[SyntheticSource] = field(default_factory=list)
    video: list[VideoBackend] = field(default_factory=list)
    broken: list[BackendStatus] = field(default_factory=list)

    def statuses(self) -> list[BackendStatus]:
        """Status of every backend, the broken ones included."""
        found: list[Backend | SyntheticSource] = [*self.training, *self.image, *self.face, *self.synthetic, *self.video]
        return [b.status() for b in found] + self.broken

    def training_for(self, base: BaseModelRow) -> TrainingBackend:
        """Return the first available backend that trains this base model."""
        return _first(self.training, base, "train LoRAs on")

    def image_for(self, base: BaseModelRow) -> ImageBackend:
        """Return the first available backend that generates with this base model."""
        return _first(self.image, base, "generate with")

    def by_reference(
        self, rows: Iterable[BaseModelRow], task: Task
    ) -> Iterator[tuple[ImageBackend, BaseModelRow, WorkflowChoice]]:
        """Yield what can draw a person from pictures of them here, by this task, in the order of the rows."""
        able = [backend for backend in self.image if backend.status().available]
        for row in rows:
            for backend in able:
                for workflow in backend.abilities(row).by_reference:
                    if workflow.task == task:
                        yield backend, row, workflow

    def face_analyzer(self) -> FaceAnalyzer:
        """Return the first available face analyser; raise NotFound when there is none."""
        for backend in self.face:
            if backend.status().available:
                return backend
        raise NotFound("No face backend is available.", "See the backends in /info for what is missing.")

    def resident(self) -> list[Needs]:
        """Return what idle backends keep in memory."""
        return [backend.resident() for backend in self.image]

    def release_all(self) -> None:
        """Let every backend give its memory back."""
        for backend in self._with_children():
            backend.release()

    def close_all(self) -> None:
        """Let every backend end what it started."""
        for backend in self._with_children():
            backend.close()

    def _with_children(self) -> list[TrainingBackend | ImageBackend]:
        return [*self.training, *self.image]


def _first(backends: Iterable[B], base: BaseModelRow, verb: str) -> B:
    reasons = []
    for backend in backends:
        status = backend.status()
        if status.available and backend.supports(base):
            return backend
        reasons.append(f"{status.name}: {status.reason or 'its weights are not here'}")
    raise BackendUnavailable(
        f"Nothing here can {verb} {base.name}.",
        "Choose another base model, or install what is missing. " + "; ".join(reasons),
    )


def load_plugins(context: PluginContext) -> Plugins:
    """Load every entry point of the group ``isengard.plugins``."""
    plugins = Plugins()
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        _load(point, context, plugins)
    return plugins


def _load(point: EntryPoint, context: PluginContext, plugins: Plugins) -> None:
    try:
        for backend in point.load()(context):
            _sort_in(backend, plugins)
    except Exception as error:  # noqa: BLE001 - a third party's plugin may fail in any way; the app must start
        context.log("plugin.failed", plugin=point.name, error=repr(error))
        plugins.broken.append(
            BackendStatus(point.name, "plugin", available=False, reason=f"It failed to load: {error}")
        )


def _sort_in(backend: Backend | SyntheticSource, plugins: Plugins) -> None:
    kind = backend.status().kind
    getattr(plugins, kind).append(backend)
