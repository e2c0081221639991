"""Images with ComfyUI: its server as a child process, or one that runs already."""

from __future__ import annotations

from isengard.plugins.protocols import PluginContext
from plugins.comfyui.images import ComfyImages


def backends(context: PluginContext) -> list[ComfyImages]:
    """Entry point."""
    return [ComfyImages(context)]
