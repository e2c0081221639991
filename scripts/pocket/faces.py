"""The app's own face detector and embedder, for pictures on disk or in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from isengard.plugins.protocols import Face, FaceAnalyzer, PluginContext
from plugins.faces import backends

ROOT = Path(__file__).resolve().parents[2]


def context() -> PluginContext:
    """Return what plugins are given when there is no app around them."""
    folder = Path(tempfile.gettempdir())
    return PluginContext(ROOT, folder, folder, 600.0, _be_quiet)


def analyzer() -> FaceAnalyzer:
    """Return the embedded face analyser: YuNet at 0.8, SFace."""
    return next(one for one in backends(context()) if one.name == "yunet-sface")


def the_one_face(analyser: FaceAnalyzer, picture: Path) -> Face | None:
    """Return the face of a picture, None unless exactly one is found."""
    found = analyser.faces(picture)
    return found[0] if len(found) == 1 else None


def _be_quiet(*_args: Any, **_fields: Any) -> None:
    """Log nothing."""
