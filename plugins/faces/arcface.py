"""ArcFace nets that are downloaded: InsightFace's, not for money, and AuraFace, which is for any use.

ONNX Runtime runs them where it is installed, on a GPU if it can; else OpenCV does, on the CPU, from the same file.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isengard.errors import BackendUnavailable
from isengard.plugins.protocols import PluginContext
from plugins.faces import weights
from plugins.faces.analyzer import Analyzer, Embed

SCALE, MEAN = 1 / 127.5, 127.5  # what InsightFace prints for both files: "recognition [None, 3, 112, 112] 127.5 127.5"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {"gpu_mem_limit": 2**30, "arena_extend_strategy": "kSameAsRequested"}  # leaves the rest to other work


class ArcFace(Analyzer):
    """One net for all threads: it is large, and ONNX Runtime's sessions may be shared."""

    title: str
    file: str  # below the models folder

    def __init__(self, context: PluginContext, *, off: bool = False) -> None:
        super().__init__(context, off=off)
        self.path = context.models_dir / self.file
        self._opening = threading.Lock()
        self._embed: Embed | None = None
        if both_runtimes():
            self.notes = (*self.notes, "onnxruntime and onnxruntime-gpu are both installed: remove both, keep one.")

    def require(self) -> None:
        """Raise BackendUnavailable when the file is not downloaded."""
        if not self.path.is_file():
            raise BackendUnavailable(
                f"{self.title} is not downloaded.",
                f"Fetch it in the Models tab, or with: scripts/download_models.py {self.name}",
            )

    def embedder(self) -> Embed:
        """Return the one net, opened when first asked for; raise BackendUnavailable for a damaged file."""
        with self._opening:
            if self._embed is None:
                weights.check(self.path, self.model_sha256, f"Delete {self.path} and download it again.")
                self._embed, self.device = opened(self.path)
            return self._embed


class Buffalo(ArcFace):
    """InsightFace's recognition net of the buffalo_l pack (ResNet-50, WebFace600K).

    0.45 is what DeepFace (config/threshold.py: distance 0.55) takes for the same person; Immich takes 0.5.
    """

    name = "insightface-buffalo"
    title = "InsightFace buffalo_l"
    file = "faces/insightface/w600k_r50.onnx"
    model_sha256 = "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"
    license = "MIT (YuNet), non-commercial research only (InsightFace buffalo_l)"
    same_person = 0.45
    notes = ("Not for commercial use. ISENGARD_FACE_BACKENDS=auraface,yunet-sface switches it off.",)


class AuraFace(ArcFace):
    """fal's AuraFace v1 (ResNet-100, trained on data that may be used commercially).

    0.5 is what the EU's age verification wallet (CoreConfig: matchingThreshold) takes for this very file.
    PhotoPrism (internal/ai/face/models.go), which calibrates both, also sets it 0.09 above buffalo_l's net.
    """

    name = "auraface"
    title = "AuraFace v1"
    file = "faces/auraface/glintr100.onnx"
    model_sha256 = "a7933ea5330113b01c9b60351d8f4c33003f145d8470ac5f0e52ee2effe25c60"
    license = "MIT (YuNet), Apache-2.0 (AuraFace)"
    same_person = 0.5


def both_runtimes() -> bool:
    """Tell whether two packages own the folder ``onnxruntime``: the later one's files win, and CUDA is often lost."""
    return all(map(_installed, ("onnxruntime", "onnxruntime-gpu")))


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def opened(path: Path) -> tuple[Embed, str]:
    """Return a function that embeds aligned faces, safe between threads, and the device that it runs on."""
    return _with_onnxruntime(path) if find_spec("onnxruntime") else (_with_opencv(path), "cpu")


def _with_onnxruntime(path: Path) -> tuple[Embed, str]:
    import onnxruntime

    usable = onnxruntime.get_available_providers()
    wanted = [(CUDA, CUDA_OPTIONS), (CPU, {})] if CUDA in usable else [(CPU, {})]
    if CUDA in usable:
        onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(str(path), providers=wanted)
    given = session.get_inputs()[0].name

    def embed(aligned: Sequence[Any]) -> Any:
        return [session.run(None, {given: _blob(face)})[0] for face in aligned]

    return embed, "cuda" if session.get_providers()[0] == CUDA else "cpu"


def _with_opencv(path: Path) -> Embed:
    import cv2

    net, lock = cv2.dnn.readNetFromONNX(str(path)), threading.Lock()

    def embed(aligned: Sequence[Any]) -> Any:
        with lock:
            return [_one(net, face) for face in aligned]

    return embed


def _one(net: Any, face: Any) -> Any:
    net.setInput(_blob(face))
    return net.forward().copy()


def _blob(face: Any) -> Any:
    """Return one face as (1, 3, 112, 112) RGB, -1 to 1. AuraFace's file declares one vector, whatever the batch."""
    import cv2

    return cv2.dnn.blobFromImage(face, SCALE, (112, 112), (MEAN, MEAN, MEAN), swapRB=True)
