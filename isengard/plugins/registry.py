"""Finds the plugins by entry point; one that fails to load is listed with its reason, never fatal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from isengard.domain.base_model import BaseModelRow
from isengard.errors import BackendUnavailable, NotFound
from isengard.plugins.protocols import (
    Backend,
    BackendStatus,
    FaceAnalyzer,
    ImageBackend,
    PluginContext,
    TrainingBackend,
    VideoBackend,
)

GROUP = "isengard.plugins"
B = TypeVar("B", TrainingBackend, ImageBackend)


@dataclass
class Plugins:
    """What was found. Each entry point is a function ``(PluginContext) -> list of backends``."""

    training: list[TrainingBackend] = field(default_factory=list)
    image: list[ImageBackend] = field(default_factory=list)
    face: list[FaceAnalyzer] = field(default_factory=list)
    video: list[VideoBackend] = field(default_factory=list)
    broken: list[BackendStatus] = field(default_factory=list)

    def statuses(self) -> list[BackendStatus]:
        """Status of every backend, the broken ones included."""
        found: list[Backend] = [*self.training, *self.image, *self.face, *self.video]
        return [b.status() for b in found] + self.broken

    def training_for(self, base: BaseModelRow) -> TrainingBackend:
        """Return the first available backend that trains this base model."""
        return _first(self.training, base, "train LoRAs on")

    def image_for(self, base: BaseModelRow) -> ImageBackend:
        """Return the first available backend that generates with this base model."""
        return _first(self.image, base, "generate with")

    def face_analyzer(self) -> FaceAnalyzer:
        """Return the first available face analyser; raise NotFound when there is none."""
        for backend in self.face:
            if backend.status().available:
                return backend
        raise NotFound("No face backend is available.", "See the backends in /info for what is missing.")

    def release_all(self) -> None:
        """Let every backend give its memory back."""
        backends: list[TrainingBackend | ImageBackend] = [*self.training, *self.image]
        for backend in backends:
            backend.release()


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


def _sort_in(backend: Backend, plugins: Plugins) -> None:
    kind = backend.status().kind
    getattr(plugins, kind).append(backend)
