"""YuNet finds faces, SFace embeds them: small, permissively licensed, run by OpenCV alone on any CPU."""

from __future__ import annotations

import math
import threading
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isengard.errors import BackendUnavailable, InvalidInput, IsengardError
from isengard.plugins.protocols import BackendStatus, Face, PluginContext
from plugins.faces import weights

MIN_DETECTION = 0.8  # real faces score 0.86 to 0.95; OpenCV's own 0.9 loses some of them
MIN_RELATIVE_EDGE = 0.35  # a face with a smaller edge than this share of the largest one's is a passer-by
SMALL_EDGE, LARGE_EDGE = 512, 640  # pictures are brought between these before detection
SAME_PERSON_COSINE = 0.43
SLOPE = 20.0
OFFSET = math.log(0.7 / 0.3) / SLOPE  # 0.0424: puts score 0.7 on SAME_PERSON_COSINE


class YunetSface:
    """One detector and one embedder, made when first needed and used by one thread at a time."""

    name = "yunet-sface"

    def __init__(self, context: PluginContext) -> None:
        self._log = context.log
        self._lock = threading.Lock()  # OpenCV's nets hold state between calls
        self._nets: tuple[Any, Any, Any] | None = None

    def status(self) -> BackendStatus:
        """Tell whether OpenCV and the model files are here; the digests are checked at the first use."""
        try:
            if find_spec("cv2") is None:
                raise BackendUnavailable("OpenCV is not installed.", "Install opencv-python-headless.")
            weights.find(weights.YUNET)
            weights.find(weights.SFACE)
        except IsengardError as error:
            return BackendStatus(self.name, "face", available=False, reason=error.message, hint=error.hint)
        return BackendStatus(
            self.name, "face", available=True, version=_opencv_version(), license="MIT (YuNet), Apache-2.0 (SFace)"
        )

    def faces(self, image: Path) -> list[Face]:
        """Return the faces of a picture file, largest first, without those far smaller than the largest.

        Boxes are in pixels of the upright file, whatever size was analysed. Embeddings have 128 numbers and unit
        length. Raises InvalidInput for a file that is no picture, BackendUnavailable when the models cannot be had.
        """
        with self._lock:
            detector, aligner, embedder = self._nets or self._load()
            pixels, scale = _read(image)
            detector.setInputSize((pixels.shape[1], pixels.shape[0]))
            _, rows = detector.detect(pixels)
            kept = _near_the_largest([] if rows is None else list(rows))
            return [_face(row, scale, _embed(aligner, embedder, pixels, row)) for row in kept]

    def score(self, cosine: float) -> float:
        """Map a cosine of two embeddings to 0..1, where 0.7 means the same person.

        score = 1 / (1 + exp(-20 (cos - (T - 0.0424)))) with T = 0.43. Slope and form are those of Frigate's
        face recognition (frigate/data_processing/common/face/model.py); T lies between the hardest strangers
        (0.41, people in one group photograph) and the least alike pair of one person (0.56) that were measured
        for SFace on 19 photographs of 10 people. OpenCV's own threshold, from LFW, is 0.363.
        """
        return 1.0 / (1.0 + math.exp(-SLOPE * (cosine - (SAME_PERSON_COSINE - OFFSET))))

    def _load(self) -> tuple[Any, Any, Any]:
        import cv2

        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns of targets at each load
        yunet, sface = str(weights.verified(weights.YUNET)), str(weights.verified(weights.SFACE))
        detector = cv2.FaceDetectorYN.create(yunet, "", (SMALL_EDGE, SMALL_EDGE), MIN_DETECTION)
        aligner = cv2.FaceRecognizerSF.create(sface, "")
        # FaceRecognizerSF.feature() raises on OpenCV 5.0 for this file; the same net runs when it is read by cv2.dnn.
        self._nets = (detector, aligner, cv2.dnn.readNetFromONNX(sface))
        self._log("faces.loaded", backend=self.name, opencv=cv2.__version__)
        return self._nets


def _opencv_version() -> str:
    try:
        return version("opencv-python-headless")
    except PackageNotFoundError:  # OpenCV came by another package
        return ""


def _read(image: Path) -> tuple[Any, float]:
    """Return (height, width, 3) BGR bytes with the longer edge between 512 and 640, and its scale to the file."""
    import cv2
    import numpy as np

    raw = np.frombuffer(image.read_bytes(), dtype=np.uint8)
    pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if pixels is None:
        raise InvalidInput(f"{image.name} is not a picture that can be read.", "Use a JPEG, PNG or WebP file.")
    edge = max(pixels.shape[:2])
    scale = min(max(edge, SMALL_EDGE), LARGE_EDGE) / edge
    if scale != 1.0:
        how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)
    return pixels, scale


def _near_the_largest(rows: list[Any]) -> list[Any]:
    rows = sorted(rows, key=lambda row: float(row[2] * row[3]), reverse=True)
    if not rows:
        return []
    least = MIN_RELATIVE_EDGE**2 * float(rows[0][2] * rows[0][3])
    return [row for row in rows if float(row[2] * row[3]) >= least]


def _embed(aligner: Any, embedder: Any, pixels: Any, row: Any) -> tuple[float, ...]:
    """Embed one face. SFace wants RGB (swapRB), as OpenCV's own feature() feeds it; BGR costs much accuracy."""
    import cv2
    import numpy as np

    blob = cv2.dnn.blobFromImage(aligner.alignCrop(pixels, row), 1.0, (112, 112), (0, 0, 0), swapRB=True)
    embedder.setInput(blob, "data")
    vector = embedder.forward().astype(np.float64).ravel()
    return tuple((vector / max(float(np.linalg.norm(vector)), 1e-12)).tolist())


def _face(row: Any, scale: float, embedding: tuple[float, ...]) -> Face:
    x, y, width, height = (float(value) / scale for value in row[:4])
    return Face((x, y, width, height), float(row[14]), embedding)
