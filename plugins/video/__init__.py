"""Video: the socket is there, what fills it makes nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.domain.event import PluginEvent
from isengard.domain.lease import GpuLease, Needs
from isengard.domain.video import VideoRequest
from isengard.errors import NotImplementedYet
from isengard.plugins.protocols import BackendStatus, PluginContext
from isengard.plugins.video import VideoBackend, VideoRun

REASON, HINT = "Video is in development.", "Images work today; use the Image tab."


class InDevelopment:
    """Says so wherever backends are listed, and to whoever asks for a video."""

    name = "video"

    def status(self) -> BackendStatus:
        """Never available."""
        return BackendStatus(self.name, "video", available=False, reason=REASON, hint=HINT)

    def supports(self, _base_model: BaseModelRow) -> bool:
        """No model."""
        return False

    def defaults(self, request: VideoRequest, _base_model: BaseModelRow) -> VideoRequest:
        """Know none."""
        return request

    def needs(self, _request: VideoRequest, _base_model: BaseModelRow) -> Needs:
        """Cannot tell."""
        raise NotImplementedYet(REASON, HINT)

    def generate(self, _run: VideoRun, _lease: GpuLease) -> Iterator[PluginEvent]:
        """Make nothing."""
        raise NotImplementedYet(REASON, HINT)

    def check_lora(self, _path: Path, _base_model: BaseModelRow) -> None:
        """Cannot tell."""
        raise NotImplementedYet(REASON, HINT)

    def release(self) -> None:
        """Hold nothing."""

    def close(self) -> None:
        """Have started nothing."""


def backends(_context: PluginContext) -> list[VideoBackend]:
    """Entry point."""
    return [InDevelopment()]
