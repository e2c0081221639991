"""Video: the socket is there, nothing fills it yet."""

from __future__ import annotations

from isengard.plugins.protocols import BackendStatus, PluginContext, VideoBackend


class InDevelopment:
    """Says so wherever backends are listed."""

    name = "video"

    def status(self) -> BackendStatus:
        """Never available."""
        return BackendStatus(
            self.name, "video", available=False, reason="In development.", hint="Images work today; use the Image tab."
        )


def backends(_context: PluginContext) -> list[VideoBackend]:
    """Entry point."""
    return [InDevelopment()]
