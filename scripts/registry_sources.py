"""Checks of the registry that look at where files come from, what they are called, and what else points to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from isengard.domain.base_model import UNVERIFIED, BaseModelRow, ModelFile, Source

SHA256 = re.compile(r"[0-9a-f]{64}\Z")
NAMES = {
    "huggingface": (re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+\Z"), "owner/repository"),
    "url": (re.compile(r"https://[^@?#\s]+\Z"), "an https address without user, query and fragment"),
    "pypi": (re.compile(r"[A-Za-z0-9][\w.-]*==[\w.]+\Z"), "package==version"),
}
UNSAFE = {".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"}  # pickles: they run programs when they are opened
FOLDERS = {
    "CHECKPOINT": {"checkpoints"},
    "DIFFUSION_MODEL": {"diffusion_models", "unet"},
    "TEXT_ENCODER_1": {"text_encoders", "clip"},
    "TEXT_ENCODER_2": {"text_encoders", "clip"},
    "VAE": {"vae"},
}
LICENCE_ID = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR) [A-Za-z0-9.+-]+)*\Z")
FREE = {"MIT", "Apache-2.0", "BSD-3-Clause", "MIT AND Apache-2.0"}
# Keys of AI-Toolkit at the pinned commit that Isengard's plugin has a recipe for. It takes an unknown one for SD 1.5.
ARCHS = {"sd1", "sdxl", "flux", "zimage", "qwen_image", "krea2", "flux2_klein_4b", "flux2_klein_9b"}
SIZE_TOLERANCE = 0.15


def checked_sources(row: BaseModelRow) -> Iterator[str]:
    """Yield what is wrong with one row's sources and files."""
    for name in sorted({s.id for s in row.sources if [o.id for o in row.sources].count(s.id) > 1}):
        yield f"source '{name}' is there twice"
    for source in row.sources:
        yield from (f"source {source.id}: {problem}" for problem in _source(source))
    if row.gated and not any(source.gated for source in row.sources):
        yield "it is gated, but none of its sources is: nobody could be told which page to accept the licence at"
    yield from _comfyui(row)
    yield from _size(row)


def _source(source: Source) -> Iterator[str]:
    pattern, form = NAMES[source.kind]
    if not pattern.match(source.name):
        yield f"name is '{source.name}'; give {form}"
    if not source.use:
        yield "use is empty; say what it is for"
    if source.include and source.kind != "huggingface":
        yield "patterns are for Hugging Face alone; name the files"
    if bool(source.files) == bool(source.include):
        yield "give either files or patterns to include"
    if source.folder and not _inside(source.folder):
        yield f"folder '{source.folder}' leaves the models folder"
    for file in source.files:
        yield from (f"{file.path}: {problem}" for problem in _file(source, file))


def _file(source: Source, file: ModelFile) -> Iterator[str]:
    if file.sha256 != UNVERIFIED and not SHA256.match(file.sha256):
        yield f"sha256 is '{file.sha256}'; give 64 small hex digits, or 'unverified'"
    if not _inside(file.path) or not _inside(source.place(file)):
        yield "its path leaves the folder that it belongs in"
    if PurePosixPath(source.place(file)).suffix in UNSAFE:
        yield "such a file can run programs when it is opened; use .safetensors or .onnx"


def _inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(path) and "\\" not in path and not pure.is_absolute() and ".." not in pure.parts


def _comfyui(row: BaseModelRow) -> Iterator[str]:
    places = {source.place(file) for source in row.sources for file in source.files}
    for point, path in row.comfyui.items():
        if point not in FOLDERS:
            yield f"comfyui names '{point}', which no workflow knows; known are {', '.join(FOLDERS)}"
        elif path.split("/")[0] not in FOLDERS[point]:
            yield f"comfyui puts {point} at {path}; ComfyUI looks in {' or '.join(sorted(FOLDERS[point]))}"
        if row.sources and path not in places:
            yield f"comfyui needs {path}, but no source brings it"


def _size(row: BaseModelRow) -> Iterator[str]:
    total = sum(source.bytes for source in row.sources if "images" in source.use and source.files) / 2**30
    if row.size_gb and total and abs(row.size_gb - total) > SIZE_TOLERANCE * total:
        yield f"size_gb is {row.size_gb:g}, but its files for images have {total:.1f} GB"


def checked_licence(row: BaseModelRow) -> Iterator[str]:
    """Yield what is wrong with the licence of a row."""
    if not LICENCE_ID.match(row.license_id):
        yield f"license_id is '{row.license_id}'; give an SPDX id, or LicenseRef-… for a licence that has none"
    elif row.license_id in FREE and not row.commercial_use:
        yield f"commercial_use is false, but {row.license_id} allows it"
    if row.license_url and not row.license_url.startswith("https://"):
        yield f"license_url is '{row.license_url}'; give an https address"


def checked_training(row: BaseModelRow, by_id: dict[str, BaseModelRow]) -> Iterator[str]:
    """Yield what is wrong with how a row is trained."""
    if row.trainer_arch and row.trainer_arch not in ARCHS:
        yield f"trainer_arch '{row.trainer_arch}' is unknown; AI-Toolkit would train the wrong thing and say nothing"
    if "lora" in row.compatibility.supported_training and not row.path and not row.trainer_arch:
        yield "it trains LoRAs, but has no trainer_arch"
    if row.trainer_adapter:
        adapter = by_id.get(row.trainer_adapter)
        if adapter is None or adapter.kind != "training_adapter" or adapter.family != row.family:
            yield f"trainer_adapter '{row.trainer_adapter}' is no training adapter of family '{row.family}'"
    if row.trainer_arch and "training" not in row.needs:
        yield "needs says nothing of training"
    if row.comfyui and "images" not in row.needs:
        yield "needs says nothing of images"


def checked_workflow(row: BaseModelRow, root: Path) -> Iterator[str]:
    """Yield what is wrong with the workflow that a row names."""
    if not row.workflow:
        return
    path = root / "plugins" / "comfyui" / "workflows" / f"{row.workflow}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        yield f"workflow '{row.workflow}' is not there, or no JSON"
        return
    fits = row.id in content["base_models"] if content.get("base_models") else row.family in content["families"]
    if not fits:
        yield f"workflow '{row.workflow}' is made for other models"
    text = json.dumps(content["nodes"])
    for point in FOLDERS:
        if f"{point}_INJECT" in text and point not in row.comfyui:
            yield f"workflow '{row.workflow}' needs {point}, which comfyui does not name"


def checked_together(rows: Sequence[BaseModelRow]) -> Iterator[str]:
    """Yield files that two sources bring to one place and that are not the same."""
    seen: dict[str, tuple[str, ModelFile]] = {}
    for row in rows:
        for source in row.sources:
            for file in source.files:
                place = source.place(file)
                owner, other = seen.setdefault(place, (row.id, file))
                if (other.sha256, other.size) != (file.sha256, file.size):
                    yield f"{row.id}: {place} is another file than the one of {owner}"
