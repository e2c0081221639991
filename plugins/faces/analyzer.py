"""What all face backends share: YuNet finds the faces, a recognition net embeds them, threads work side by side."""

from __future__ import annotations

import math
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isengard.errors import BackendUnavailable, IsengardError
from isengard.plugins.protocols import BackendStatus, Face, PluginContext
from plugins.faces import pixels, weights

MIN_DETECTION = 0.8  # real faces score 0.86 to 0.95; OpenCV's own 0.9 loses some of them
MIN_RELATIVE_EDGE = 0.35  # a face with a smaller edge than this share of the largest one's is a passer-by
SLOPE = 20.0
OFFSET = math.log(0.7 / 0.3) / SLOPE  # 0.0424: puts score 0.7 on the cosine of the same person
AT_ONCE = max(1, min(4, os.cpu_count() or 1))

# Aligned faces, (112, 112, 3) BGR each, to an array of one vector each.
Embed = Callable[[Sequence[Any]], Any]
Kit = tuple[Any, Any, Embed]  # detector, aligner, embedder: OpenCV's nets hold state between calls


class Analyzer:
    """A detector, an aligner and an embedder for each thread at work, made when first needed and then kept.

    YuNet finds the faces for every recognition net, so that a change of backend changes no box.
    """

    name: str
    model_sha256: str
    license: str
    same_person: float  # the cosine from which on two faces are one person's
    same_drawn: float | None = None  # the same for drawings, in which strangers are far more alike
    notes: tuple[str, ...] = ()
    device = "cpu"

    def __init__(self, context: PluginContext, *, off: bool = False) -> None:
        self._context = context
        self._off = off
        self._free: queue.SimpleQueue[Kit] = queue.SimpleQueue()
        self._made = 0
        self._lock = threading.Lock()

    def require(self) -> None:
        """Raise BackendUnavailable when the recognition net is not here; loads nothing."""
        raise NotImplementedError

    def embedder(self) -> Embed:
        """Return a function that embeds aligned faces, for one thread at a time."""
        raise NotImplementedError

    def status(self) -> BackendStatus:
        """Tell whether OpenCV and the model files are here; the digests are checked at the first use."""
        try:
            self._require_all()
        except IsengardError as error:
            found = BackendStatus(self.name, "face", available=False, reason=error.message, hint=error.hint)
        else:
            found = BackendStatus(self.name, "face", available=True, version=_opencv_version(), device=self.device)
        return replace(found, license=self.license, notes=self.notes)

    def _require_all(self) -> None:
        if self._off:
            raise BackendUnavailable(f"{self.name} is switched off.", "ISENGARD_FACE_BACKENDS names those to use.")
        if find_spec("cv2") is None:
            raise BackendUnavailable("OpenCV is not installed.", "Install opencv-python-headless.")
        weights.find(weights.YUNET)
        self.require()

    def faces(self, image: Path) -> list[Face]:
        """Return the faces of a picture file, largest first, without those far smaller than the largest.

        Boxes are in pixels of the upright file, whatever size was analysed. Embeddings have unit length.
        Raises InvalidInput for a file that is no picture, BackendUnavailable when the models cannot be had.
        """
        whole = pixels.read(image)
        with self._kit() as (detector, aligner, embed):
            small, scale, kept = _found(detector, whole)
            vectors = embed([aligner.alignCrop(small, row) for row in kept]) if kept else []
        return [_face(whole, row, scale, vector) for row, vector in zip(kept, vectors, strict=True)]

    def faces_of(self, images: Sequence[Path]) -> Iterator[list[Face] | IsengardError]:
        """Yield the faces of each picture in order, or why there are none; as many at once as there are cores."""
        with ThreadPoolExecutor(AT_ONCE, "faces") as threads:
            yield from threads.map(self._faces_or_why_not, images)

    def _faces_or_why_not(self, image: Path) -> list[Face] | IsengardError:
        try:
            return self.faces(image)
        except IsengardError as error:
            return error
        except OSError as error:
            return BackendUnavailable(f"{image.name} could not be read: {error.strerror}.", "It may have been removed.")

    def score(self, cosine: float) -> float:
        """Map a cosine of two embeddings to 0..1, where 0.7 means the same person.

        score = 1 / (1 + exp(-20 (cos - (T - 0.0424)))), T being the cosine of the same person. Slope and form are
        those of Frigate's face recognition (frigate/data_processing/common/face/model.py).
        """
        return _scaled(cosine, self.same_person)

    def drawn_score(self, cosine: float) -> float | None:
        """Map the cosine of a drawing by the same formula with a threshold of its own; None where there is none."""
        return None if self.same_drawn is None else _scaled(cosine, self.same_drawn)

    @contextmanager
    def _kit(self) -> Iterator[Kit]:
        """Lend a kit to one thread; another thread gets another, up to as many as there are cores."""
        kit = self._take()
        try:
            yield kit
        finally:
            self._free.put(kit)

    def _take(self) -> Kit:
        with self._lock:
            make = self._free.empty() and self._made < AT_ONCE
            self._made += make
        if not make:
            return self._free.get()
        try:
            return self._make()
        except BaseException:
            with self._lock:
                self._made -= 1
            raise

    def _make(self) -> Kit:
        import cv2

        self._require_all()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns of targets at each load
        edge = pixels.SMALL_EDGE
        detector = cv2.FaceDetectorYN.create(str(weights.verified(weights.YUNET)), "", (edge, edge), MIN_DETECTION)
        aligner = cv2.FaceRecognizerSF.create(str(weights.verified(weights.SFACE)), "")  # aligns for any ArcFace net
        kit = detector, aligner, self.embedder()
        self._context.log("faces.loaded", backend=self.name, opencv=cv2.__version__, device=self.device)
        return kit


def _opencv_version() -> str:
    try:
        return version("opencv-python-headless")
    except PackageNotFoundError:  # OpenCV came by another package
        return ""


def _found(detector: Any, whole: Any) -> tuple[Any, float, list[Any]]:
    """Return the picture at the size at which faces were found, its scale, and the detector's rows.

    Where nobody is found, a larger copy is looked at too: somebody may be far away.
    """
    small, scale = pixels.fitted(whole)
    kept = _detected(detector, small)
    if not kept and max(whole.shape[:2]) > pixels.LARGE_EDGE:
        small, scale = pixels.fitted(whole, pixels.FAR_EDGE)
        kept = _detected(detector, small)
    return small, scale, kept


def _detected(detector: Any, small: Any) -> list[Any]:
    detector.setInputSize((small.shape[1], small.shape[0]))
    _, rows = detector.detect(small)
    return _near_the_largest([] if rows is None else list(rows))


def _near_the_largest(rows: list[Any]) -> list[Any]:
    rows = sorted(rows, key=lambda row: float(row[2] * row[3]), reverse=True)
    if not rows:
        return []
    least = MIN_RELATIVE_EDGE**2 * float(rows[0][2] * rows[0][3])
    return [row for row in rows if float(row[2] * row[3]) >= least]


def _scaled(cosine: float, same: float) -> float:
    return 1.0 / (1.0 + math.exp(-SLOPE * (cosine - (same - OFFSET))))


def _face(whole: Any, row: Any, scale: float, vector: Any) -> Face:
    import numpy as np

    x, y, width, height = (float(value) / scale for value in row[:4])
    box = (x, y, width, height)
    points = tuple((float(row[n]) / scale, float(row[n + 1]) / scale) for n in range(4, 14, 2))
    flat = np.asarray(vector, dtype=np.float64).ravel()
    unit = flat / max(float(np.linalg.norm(flat)), 1e-12)
    return Face(box, float(row[14]), tuple(unit.tolist()), points, pixels.sharpness(whole, box))
