"""Training and images with diffusers and PEFT on any device, in child processes of our own."""

from __future__ import annotations

from isengard.plugins.protocols import PluginContext
from plugins.diffusers.images import DiffusersImages
from plugins.diffusers.parent import Engine
from plugins.diffusers.training import DiffusersTraining


def backends(context: PluginContext) -> list[DiffusersTraining | DiffusersImages]:
    """Entry point. Training and images get a child each, so that a picture need not wait for a training to end."""
    return [
        DiffusersTraining(context, Engine("training", context)),
        DiffusersImages(context, Engine("images", context)),
    ]
