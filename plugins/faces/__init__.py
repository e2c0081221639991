"""Face analysis: finds faces and tells whether two of them are the same person."""

from __future__ import annotations

from isengard.plugins.protocols import FaceAnalyzer, PluginContext
from plugins.faces.yunet_sface import YunetSface


def backends(context: PluginContext) -> list[FaceAnalyzer]:
    """Return the face analysers of this plugin."""
    return [YunetSface(context)]
