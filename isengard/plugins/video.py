"""The socket for video, in the pattern of the one for pictures. Nothing fills it yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent
from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.domain.video import VideoRequest

if TYPE_CHECKING:
    from isengard.plugins.protocols import BackendStatus, LoraFile


@dataclass(frozen=True)
class VideoRun:
    """Everything a video backend is given. ``request`` has every field filled, the seed included."""

    job_id: str
    correlation_id: str
    request: VideoRequest
    base_model: BaseModelRow
    loras: Sequence[LoraFile]
    work_dir: Path
    stop: Stop = field(default_factory=Stop)
    init_image: Path | None = None


@runtime_checkable
class VideoBackend(Protocol):
    """Generates a video. The event that names the finished file is still to be added to ``domain/event.py``."""

    name: str

    def status(self) -> BackendStatus:
        """Tell whether it can run here, without loading anything heavy."""
        ...

    def supports(self, base_model: BaseModelRow) -> bool:
        """Tell whether it can use this base model and the weights are here."""
        ...

    def defaults(self, request: VideoRequest, base_model: BaseModelRow) -> VideoRequest:
        """Return the request with every field left out filled."""
        ...

    def needs(self, request: VideoRequest, base_model: BaseModelRow) -> Needs:
        """Estimate what the run takes."""
        ...

    def generate(self, run: VideoRun, lease: GpuLease) -> Iterator[PluginEvent]:
        """Generate; raise Cancelled soon after ``run.stop.cancel`` is set (within 2 s)."""
        ...

    def check_lora(self, path: Path, base_model: BaseModelRow) -> None:
        """Raise InvalidInput when the file's keys do not fit the base model."""
        ...

    def release(self) -> None:
        """Give back the memory of what is not at work."""
        ...

    def close(self) -> None:
        """End everything: the app stops."""
        ...
