"""The sockets that plugins fill: training, images, faces, video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, TrainingRequest


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend can be used here and now, and if not, why and what to do."""

    name: str
    kind: str  # training | image | face | video
    available: bool
    reason: str = ""
    hint: str = ""
    version: str = ""
    device: str = "cpu"
    license: str = ""


@dataclass(frozen=True)
class DatasetItem:
    """One picture of the run's private dataset copy."""

    image: Path
    caption: str


@dataclass(frozen=True)
class LoraFile:
    """A LoRA to apply, with its strength."""

    lora: Lora
    path: Path
    strength: float


@dataclass(frozen=True)
class TrainingRun:
    """Everything a training backend is given. Defaults of the preset are already filled into ``request.config``."""

    job_id: str
    correlation_id: str
    request: TrainingRequest
    base_model: BaseModelRow
    base_model_sha256: str
    trigger_word: str
    dataset: Sequence[DatasetItem]
    dataset_hash: str
    work_dir: Path
    resume_from: Path | None = None
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True)
class ImageRun:
    """Everything an image backend is given. ``request`` has every field filled, the seed included."""

    job_id: str
    correlation_id: str
    request: GenerationRequest
    base_model: BaseModelRow
    loras: Sequence[LoraFile]
    work_dir: Path
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True)
class Face:
    """A detected face: box in pixels (x, y, width, height), detector score 0..1, unit-length embedding."""

    box: tuple[float, float, float, float]
    score: float
    embedding: tuple[float, ...]


@dataclass(frozen=True)
class PluginContext:
    """What a plugin may know of the house: folders it may use and how to log."""

    project_root: Path
    cache_dir: Path
    models_dir: Path
    engine_idle_seconds: float
    log: Callable[..., Any]


@runtime_checkable
class TrainingBackend(Protocol):
    """Trains a LoRA. ``train`` is a generator and ends with one Weights event, or raises."""

    name: str

    def status(self) -> BackendStatus:
        """Tell whether it can run here, without loading anything heavy."""
        ...

    def supports(self, base_model: BaseModelRow) -> bool:
        """Tell whether it can train on this base model and the weights are here."""
        ...

    def defaults(self, request: TrainingRequest, base_model: BaseModelRow) -> TrainingRequest:
        """Return the request with every field left out filled from the preset."""
        ...

    def needs(self, request: TrainingRequest, base_model: BaseModelRow) -> Needs:
        """Estimate what the run takes."""
        ...

    def train(self, run: TrainingRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Train; raise Cancelled soon after ``run.stop.cancel`` is set (within 2 s)."""
        ...

    def resumable(self, checkpoint: Path) -> bool:
        """Tell whether a checkpoint is whole and can be resumed from."""
        ...

    def versions(self) -> dict[str, str]:
        """Versions of the tools that decide the result, for the lineage."""
        ...

    def release(self) -> None:
        """Give memory back: end or empty what is kept warm. Never called while a lease is held."""
        ...


@runtime_checkable
class ImageBackend(Protocol):
    """Generates pictures. ``generate`` yields a Picture for each, in order."""

    name: str

    def status(self) -> BackendStatus:
        """Tell whether it can run here, without loading anything heavy."""
        ...

    def supports(self, base_model: BaseModelRow) -> bool:
        """Tell whether it can use this base model and the weights are here."""
        ...

    def defaults(self, request: GenerationRequest, base_model: BaseModelRow) -> GenerationRequest:
        """Return the request with every field left out filled."""
        ...

    def needs(self, request: GenerationRequest, base_model: BaseModelRow) -> Needs:
        """Estimate what the run takes."""
        ...

    def samplers(self, base_model: BaseModelRow) -> Sequence[str]:
        """Return the names of its samplers, the default first."""
        ...

    def generate(self, run: ImageRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Generate; raise Cancelled soon after ``run.stop.cancel`` is set (within 2 s)."""
        ...

    def check_lora(self, path: Path, base_model: BaseModelRow) -> None:
        """Raise InvalidInput when the file's keys do not fit the base model."""
        ...

    def release(self) -> None:
        """Give memory back. Never called while a lease is held."""
        ...


@runtime_checkable
class FaceAnalyzer(Protocol):
    """Finds and embeds faces. Thread-safe."""

    name: str

    def status(self) -> BackendStatus:
        """Tell whether it can run here, without loading anything heavy."""
        ...

    def faces(self, image: Path) -> Sequence[Face]:
        """Return the faces, largest first."""
        ...

    def score(self, cosine: float) -> float:
        """Map a raw cosine to the calibrated 0..1 score in which 0.7 means the same person."""
        ...


@runtime_checkable
class VideoBackend(Protocol):
    """Scaffold: the shape that video generation will have. No implementation ships."""

    name: str

    def status(self) -> BackendStatus:
        """Tell whether it can run here, without loading anything heavy."""
        ...


Backend = TrainingBackend | ImageBackend | FaceAnalyzer | VideoBackend
