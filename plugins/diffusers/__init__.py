"""Training and images with diffusers and PEFT on any device, in child processes of our own."""

from __future__ import annotations

from isengard.plugins.protocols import PluginContext
from plugins.diffusers.images import DiffusersImages
from plugins.diffusers.parent import Engines
from plugins.diffusers.training import DiffusersTraining


def backends(context: PluginContext) -> list[DiffusersTraining | DiffusersImages]:
    """Entry point. Both share their children, so that one that has trained can draw without a start."""
    engines = Engines(context)
    return [DiffusersTraining(context, engines), DiffusersImages(context, engines)]
