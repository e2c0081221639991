"""Training with AI-Toolkit: a checkout of its own, run in an environment of its own."""

from __future__ import annotations

from isengard.plugins.protocols import PluginContext
from plugins.aitoolkit.training import AiToolkitTraining


def backends(context: PluginContext) -> list[AiToolkitTraining]:
    """Entry point."""
    return [AiToolkitTraining(context)]
