"""Face analysis: finds faces and tells whether two of them are the same person."""

from __future__ import annotations

from isengard.plugins.protocols import FaceAnalyzer, PluginContext
from plugins.faces.analyzer import Analyzer
from plugins.faces.arcface import AuraFace, Buffalo
from plugins.faces.yunet_sface import YunetSface

KNOWN: tuple[type[Analyzer], ...] = (Buffalo, AuraFace, YunetSface)
OPTION = "face_backends"  # names in the order in which they are preferred; one that is left out is off


def backends(context: PluginContext) -> list[FaceAnalyzer]:
    """Return the face analysers of this plugin, the preferred one first; those switched off are listed as such."""
    named = [name for name in context.options.get(OPTION, "").replace(",", " ").split() if name]
    order = named or [kind.name for kind in KNOWN]
    on = [kind(context) for name in order for kind in KNOWN if kind.name == name]
    return [*on, *(kind(context, off=True) for kind in KNOWN if kind.name not in order)]
