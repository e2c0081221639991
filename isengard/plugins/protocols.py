"""The sockets that plugins fill: training, images, faces. Synthetic pictures have ``sources``, videos ``video``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.lora import Lora, LoraFacts
from isengard.domain.request import GenerationRequest, Task, TrainingRequest
from isengard.domain.shot import Shot, shots_of
from isengard.errors import IsengardError
from isengard.plugins.presets import PresetOrigin
from isengard.plugins.video import VideoBackend


@dataclass(frozen=True)
class BackendStatus:
    """Whether a backend can be used here and now, and if not, why and what to do."""

    name: str
    kind: str  # training | image | face | synthetic | video
    available: bool
    reason: str = ""
    hint: str = ""
    version: str = ""
    device: str = "cpu"
    license: str = ""
    notes: tuple[str, ...] = ()  # what a person should know though it works, such as a file that cannot be used


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
    told_step: int = 0  # the newest step of an earlier attempt whose loss has been told
    start_from: Path | None = None  # a LoRA whose training goes on here; a checkpoint to resume from comes first
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True)
class ImageRun:
    """Everything an image backend is given. ``request`` has every field filled, the seed included.

    ``shots`` are the pictures to make, each with a request of its own; an earlier attempt may have made the others.
    """

    job_id: str
    correlation_id: str
    request: GenerationRequest
    base_model: BaseModelRow
    loras: Sequence[LoraFile]
    work_dir: Path
    stop: Stop = field(default_factory=Stop)
    shots: Sequence[Shot] = ()
    init_image: Path | None = None
    references: Sequence[Path] = ()  # pictures of a person, for a workflow that draws by reference

    def __post_init__(self) -> None:
        """Take every picture of the request when none are named."""
        if not self.shots:
            object.__setattr__(self, "shots", shots_of(self.request))

    def loras_of(self, shot: Shot) -> list[LoraFile]:
        """Return the LoRAs of one picture, at its strengths."""
        if not shot.request.loras:
            return list(self.loras)
        known = {file.lora.id: file for file in self.loras}
        return [replace(known[use.id], strength=use.strength) for use in shot.request.loras]


@dataclass(frozen=True)
class WorkflowChoice:
    """A workflow that a person may choose."""

    id: str
    title: str
    task: Task = "txt2img"


@dataclass(frozen=True)
class Abilities:
    """What a backend can do with a base model. Of names, the default comes first."""

    samplers: Sequence[str]
    schedulers: Sequence[str] = ()
    tasks: Sequence[Task] = ("txt2img",)
    negative_prompt: bool = True
    workflows: Sequence[WorkflowChoice] = ()
    by_reference: Sequence[WorkflowChoice] = ()  # draw a person from pictures of them: tasks edit and face_adapter


@dataclass(frozen=True)
class TrainingAbilities:
    """How a training backend can be told to train a base model: the fields of TrainingConfig that have an effect."""

    settings: frozenset[str]
    presets: Mapping[str, PresetOrigin]


@dataclass(frozen=True)
class Face:
    """A detected face: box (x, y, width, height), detector score 0..1, unit-length embedding.

    Box and landmarks are in pixels of the upright file. ``landmarks`` are the right eye, the left eye, the nose, the
    right and the left corner of the mouth; right is the person's own, which stands left in a picture. ``sharpness``
    is the variance of the Laplacian of the face at 256 x 256 pixels.
    """

    box: tuple[float, float, float, float]
    score: float
    embedding: tuple[float, ...]
    landmarks: tuple[tuple[float, float], ...] = ()
    sharpness: float = 0.0


@dataclass(frozen=True)
class PluginContext:
    """What a plugin may know of the house: folders it may use, how to log, and settings that are its own.

    ``options`` has a backend's settings by name, such as ``comfyui_url``; empty when nothing was set.
    """

    project_root: Path
    cache_dir: Path
    models_dir: Path
    engine_idle_seconds: float
    log: Callable[..., Any]
    loras_dir: Path = Path("loras")
    options: Mapping[str, str] = field(default_factory=dict)


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

    def abilities(self, base_model: BaseModelRow, device: str) -> TrainingAbilities:
        """Return which settings have an effect on this device (cuda or cpu), and where its presets come from."""
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

    def check_start(self, path: Path, request: TrainingRequest, base_model: BaseModelRow) -> None:
        """Raise InvalidInput unless a training with this filled request can go on from a LoRA file."""
        ...

    def resumable(self, checkpoint: Path) -> bool:
        """Tell whether a checkpoint is whole and can be resumed from."""
        ...

    def versions(self) -> dict[str, str]:
        """Versions of the tools that decide the result, for the lineage."""
        ...

    def release(self) -> None:
        """Give back the memory of what is not at work: end or empty what is kept warm."""
        ...

    def close(self) -> None:
        """End everything: the app stops."""
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

    def abilities(self, base_model: BaseModelRow, workflow: str = "") -> Abilities:
        """Return what it can do with a row of the registry, any row; raise NotFound for a workflow it does not have."""
        ...

    def generate(self, run: ImageRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Generate; raise Cancelled soon after ``run.stop.cancel`` is set (within 2 s)."""
        ...

    def check_lora(self, path: Path, base_model: BaseModelRow) -> None:
        """Raise InvalidInput when the file's keys do not fit the base model."""
        ...

    def describe_lora(self, path: Path, base_models: Sequence[BaseModelRow]) -> LoraFacts:
        """Say what a LoRA file is, though the backend cannot run here; raise InvalidInput for another kind of file."""
        ...

    def resident(self) -> Needs:
        """Return what it keeps in memory while it idles."""
        ...

    def release(self) -> None:
        """Give back the memory of what is not at work."""
        ...

    def close(self) -> None:
        """End everything: the app stops."""
        ...


@runtime_checkable
class FaceAnalyzer(Protocol):
    """Finds and embeds faces. Thread-safe. Embeddings and cosines of two models are never compared."""

    name: str
    model_sha256: str  # of the file that makes the embeddings

    def status(self) -> BackendStatus:
        """Tell whether it can run here, without loading anything heavy."""
        ...

    def faces(self, image: Path) -> Sequence[Face]:
        """Return the faces, largest first."""
        ...

    def faces_of(self, images: Sequence[Path]) -> Iterator[Sequence[Face] | IsengardError]:
        """Yield the faces of each picture in order, or why there are none; uses all cores."""
        ...

    def score(self, cosine: float) -> float:
        """Map a raw cosine to the calibrated 0..1 score in which 0.7 means the same person."""
        ...

    def drawn_score(self, cosine: float) -> float | None:
        """Map the cosine of a drawing; None where nobody measured from where on a drawing shows the same person."""
        ...


Backend = TrainingBackend | ImageBackend | FaceAnalyzer | VideoBackend
