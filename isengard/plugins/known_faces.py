"""The faces of pictures, analysed once by each model: what is known is kept on disk by the content of the picture."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from isengard.errors import IsengardError, NotFound
from isengard.infra.storage import Storage
from isengard.plugins.protocols import Face, FaceAnalyzer

FORMAT = 3  # of the records; raised when their content changes
AT_ONCE = 8  # pictures handed over together: few enough that a deadline is kept

Found = Sequence[Face] | IsengardError


class KnownFaces:
    """Safe between threads and processes: a record is written whole, and says the same whoever writes it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._digests: dict[tuple[str, int, int], str] = {}

    def of(self, analyzer: FaceAnalyzer, pictures: Sequence[Path], deadline: float | None = None) -> dict[Path, Found]:
        """Return the faces of each picture, or why it could not be read.

        After ``deadline`` (of ``time.monotonic``) nothing new is begun; pictures that nobody looked at are left out.
        """
        places = {path: self._place(analyzer, path) for path in dict.fromkeys(pictures)}
        found: dict[Path, Found] = {}
        for path, place in places.items():
            known = place if isinstance(place, IsengardError) else _read(place)
            if known is not None:
                found[path] = known
        missing = [path for path in places if path not in found]
        for path, faces in _looked_at(analyzer, missing, deadline):
            found[path] = faces
            place = places[path]
            if not isinstance(faces, IsengardError) and isinstance(place, Path):
                self._storage.write_json(place, {"faces": [asdict(face) for face in faces]})
        return found

    def _place(self, analyzer: FaceAnalyzer, picture: Path) -> Path | IsengardError:
        try:
            content = self._digest(picture)
        except OSError:
            return NotFound(f"{picture.name} is not there.", "It may have been removed; reload the page.")
        version = analyzer.status().version
        parts = (str(FORMAT), analyzer.name, analyzer.model_sha256, version, content)
        return self._storage.faces(hashlib.sha256(":".join(parts).encode()).hexdigest())

    def _digest(self, picture: Path) -> str:
        stat = picture.stat()
        key = (str(picture), stat.st_size, stat.st_mtime_ns)
        if key not in self._digests:
            with picture.open("rb") as file:
                self._digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._digests[key]


def _looked_at(
    analyzer: FaceAnalyzer, pictures: Sequence[Path], deadline: float | None
) -> Iterator[tuple[Path, Found]]:
    for start in range(0, len(pictures), AT_ONCE):
        if deadline is not None and time.monotonic() > deadline:
            return
        some = pictures[start : start + AT_ONCE]
        yield from zip(some, analyzer.faces_of(some), strict=True)


def _read(place: Path) -> list[Face] | None:
    """Return the faces of a record; None when there is none, or one that a broken disk left."""
    try:
        return [_face(row) for row in json.loads(place.read_text(encoding="utf-8"))["faces"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _face(row: dict[str, Any]) -> Face:
    x, y, width, height = row["box"]
    points = tuple((float(px), float(py)) for px, py in row["landmarks"])
    return Face((x, y, width, height), row["score"], tuple(row["embedding"]), points, row["sharpness"])
