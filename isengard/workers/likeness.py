"""How much a picture looks like its character: cosine to the centroid of the character's own faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from isengard.errors import IsengardError, NotFound
from isengard.infra.identity import Reference, reference
from isengard.infra.library import CharacterShelf
from isengard.infra.storage import Storage
from isengard.plugins.known_faces import Found, KnownFaces
from isengard.plugins.protocols import FaceAnalyzer
from isengard.plugins.registry import Plugins

log = structlog.get_logger("workers.likeness")


@dataclass(frozen=True)
class Likeness:
    """Scores pictures; a missing face backend or face means no score, never a failed job."""

    storage: Storage
    characters: CharacterShelf
    plugins: Plugins

    def of(self, pictures: Sequence[Path], character_id: str, *, drawn: bool) -> list[dict[str, Any]]:
        """Return ``similarity`` (0..1), ``drawn``, ``cosine``, ``face_backend`` and ``face_model`` of each picture.

        Drawings have a scale of their own. {} stands where it cannot be told.
        """
        try:
            analyzer = self.plugins.face_analyzer()
            own = self._reference(character_id, analyzer)
            if own is None:
                return [{} for _ in pictures]
            return [_score(analyzer, own, found, drawn=drawn) for found in analyzer.faces_of(pictures)]
        except NotFound:
            return [{} for _ in pictures]
        except Exception:
            log.exception("likeness.failed", character_id=character_id)
            return [{} for _ in pictures]

    def _reference(self, character_id: str, analyzer: FaceAnalyzer) -> Reference | None:
        """Return what the photos with exactly one face agree on; synthetic pictures have no say."""
        images = [one for one in self.characters.datasets.images(character_id) if one.source == "upload"]
        paths = {image.id: self.characters.datasets.curated(character_id, image) for image in images}
        found = KnownFaces(self.storage).of(analyzer, list(paths.values()))
        faces = {name: found[path] for name, path in paths.items()}
        single = {
            name: some[0].embedding
            for name, some in faces.items()
            if not isinstance(some, IsengardError) and len(some) == 1
        }
        return reference(single, analyzer.score, analyzer.name, analyzer.model_sha256)


def _score(analyzer: FaceAnalyzer, own: Reference, found: Found, *, drawn: bool) -> dict[str, Any]:
    if isinstance(found, IsengardError) or not found:
        return {}
    cosine = own.cosine(found[0].embedding)
    score = analyzer.drawn_score(cosine) if drawn else analyzer.score(cosine)
    return {
        "similarity": None if score is None else round(score, 3),
        "drawn": drawn,
        "cosine": round(cosine, 4),
        "face_backend": own.backend,
        "face_model": own.model_sha256,
    }
