"""How much a picture looks like its character: cosine to the centroid of the character's own faces."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from isengard.errors import NotFound
from isengard.infra.library import CharacterShelf
from isengard.infra.storage import Storage
from isengard.plugins.protocols import FaceAnalyzer
from isengard.plugins.registry import Plugins

Vector = tuple[float, ...]
log = structlog.get_logger("workers.likeness")


@dataclass(frozen=True)
class Likeness:
    """Scores pictures; a missing face backend or face means no score, never a failed job."""

    storage: Storage
    characters: CharacterShelf
    plugins: Plugins

    def of(self, pictures: Sequence[Path], character_id: str) -> list[dict[str, Any]]:
        """Return ``similarity`` (0..1), ``cosine`` and ``face_backend`` of each picture, {} where it cannot be told."""
        try:
            analyzer = self.plugins.face_analyzer()
            centroid = self._centroid(character_id, analyzer)
            return [self._score(analyzer, centroid, picture) if centroid else {} for picture in pictures]
        except NotFound:
            return [{} for _ in pictures]
        except Exception:
            log.exception("likeness.failed", character_id=character_id)
            return [{} for _ in pictures]

    def _score(self, analyzer: FaceAnalyzer, centroid: Vector, picture: Path) -> dict[str, Any]:
        faces = analyzer.faces(picture)
        if not faces:
            return {}
        cosine = sum(a * b for a, b in zip(centroid, faces[0].embedding, strict=True))
        score = round(analyzer.score(cosine), 3)
        return {"similarity": score, "cosine": round(cosine, 4), "face_backend": analyzer.name}

    def _centroid(self, character_id: str, analyzer: FaceAnalyzer) -> Vector | None:
        """Mean of the unit vectors of all pictures with exactly one face, made a unit vector again."""
        vectors = []
        version = analyzer.status().version
        for image in self.characters.images(character_id):
            vector = self._embedding(self.characters.curated(character_id, image), image.sha256, analyzer, version)
            if vector:
                vectors.append(vector)
        if not vectors:
            return None
        mean = [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]
        length = math.sqrt(sum(v * v for v in mean)) or 1.0
        return tuple(v / length for v in mean)

    def _embedding(self, picture: Path, sha256: str, analyzer: FaceAnalyzer, version: str) -> Vector | None:
        key = hashlib.sha256(f"{analyzer.name}:{version}:{sha256}".encode()).hexdigest()
        cached = self.storage.cache / "embeddings" / f"{key}.json"
        if cached.exists():
            return _vector(json.loads(cached.read_text(encoding="utf-8")))
        faces = analyzer.faces(picture)
        vector = faces[0].embedding if len(faces) == 1 else None
        self.storage.write_json(cached, list(vector) if vector else None)
        return vector


def _vector(value: list[float] | None) -> Vector | None:
    return tuple(value) if value else None
