"""Faces found and embedded a second: Isengard's analyser over a plain detect-then-embed loop on the same pictures.

The loop is the one that OpenCV's own sample shows, with the same nets, sizes and thresholds: a picture is read, its
faces are detected, aligned and embedded, then comes the next. Both ways find the same faces to the last bit.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from direct import context
from figures import Figure
from PIL import Image, ImageOps
from scope import Scope

from isengard.errors import IsengardError
from isengard.infra.storage import Storage
from isengard.plugins.known_faces import KnownFaces
from plugins.faces import analyzer, pixels, weights
from plugins.faces.yunet_sface import YunetSface, _one

ROOT = Path(__file__).resolve().parents[2]
PICTURES = 48
EDGE = 1024
TARGET = 1.5
Vectors = list[list[tuple[float, ...]]]


def measure(scope: Scope) -> list[Figure]:
    """Time both ways in turn, each first in half of the rounds."""
    pictures = _pictures(scope.folder)
    faces = YunetSface(context(scope.folder))
    ways: list[Callable[[], Vectors]] = [lambda: _isengard(faces, pictures), _loop(pictures)]
    times: list[list[float]] = [[], []]
    found: list[Vectors] = [way() for way in ways]  # warm
    if found[0] != found[1]:
        raise AssertionError("the two ways found different faces")
    for turn in range(2 if scope.quick else 6):
        for n in (0, 1) if turn % 2 else (1, 0):
            begun = time.perf_counter()
            ways[n]()
            times[n].append(time.perf_counter() - begun)
    ours, theirs = (statistics.median(some) for some in times)
    known = _known(faces, pictures, scope.folder)
    how = f"{PICTURES} pictures of {EDGE} pixels; median of {len(times[0])} in turn; same faces to the last bit"
    return [
        Figure(
            "faces", "pictures a second over a plain loop", theirs / ours, "x", TARGET, more_is_better=True, detail=how
        ),
        Figure("faces", "through Isengard", PICTURES / ours, "a second", samples=times[0]),
        Figure("faces", "plain loop", PICTURES / theirs, "a second", samples=times[1]),
        Figure("faces", "known by content already", PICTURES / known, "a second"),
    ]


def _pictures(folder: Path) -> list[Path]:
    """Write photographs and drawings at the size of training pictures, mirrored and not."""
    sources = sorted([*(ROOT / "tests" / "photos").glob("*.jpg"), *(ROOT / "isengard" / "sample").glob("*.jpg")])
    made = []
    for n in range(PICTURES):
        image = Image.open(sources[n % len(sources)]).convert("RGB")
        image = ImageOps.mirror(image) if n // len(sources) % 2 else image
        image.thumbnail((EDGE, EDGE))
        larger = image.resize((EDGE * image.width // max(image.size), EDGE * image.height // max(image.size)))
        made.append(folder / f"{n:02d}.jpg")
        larger.save(made[-1], quality=90 - n // len(sources))
    return made


def _isengard(faces: YunetSface, pictures: Sequence[Path]) -> Vectors:
    found = []
    for some in faces.faces_of(pictures):
        if isinstance(some, IsengardError):
            raise some
        found.append([face.embedding for face in some])
    return found


def _loop(pictures: Sequence[Path]) -> Callable[[], Vectors]:
    import cv2

    edge = pixels.SMALL_EDGE
    detector = cv2.FaceDetectorYN.create(str(weights.find(weights.YUNET)), "", (edge, edge), analyzer.MIN_DETECTION)
    aligner = cv2.FaceRecognizerSF.create(str(weights.find(weights.SFACE)), "")
    net = cv2.dnn.readNetFromONNX(str(weights.find(weights.SFACE)))

    def one(path: Path) -> list[tuple[float, ...]]:
        whole = cv2.imread(str(path))
        small, scale, kept = analyzer._found(detector, whole)  # noqa: SLF001 - the same rule
        vectors = [_one(net, aligner.alignCrop(small, row)) for row in kept]
        return [analyzer._face(whole, *both, vector).embedding for *both, vector in _with(kept, scale, vectors)]  # noqa: SLF001

    return lambda: [one(path) for path in pictures]


def _with(rows: Sequence[Any], scale: float, vectors: Sequence[Any]) -> list[tuple[Any, float, Any]]:
    return [(row, scale, vector) for row, vector in zip(rows, vectors, strict=True)]


def _known(faces: YunetSface, pictures: Sequence[Path], folder: Path) -> float:
    """Return the seconds that it takes when the pictures were looked at before, by another process."""
    storage = Storage(folder / "volume")
    KnownFaces(storage).of(faces, pictures)
    begun = time.perf_counter()
    KnownFaces(storage).of(faces, pictures)
    return time.perf_counter() - begun
