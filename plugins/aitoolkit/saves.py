"""Checkpoints: copied out whole as they appear, kept with a digest of each file, and laid back for a resume.

AI-Toolkit does not write them at once, chooses the one to go on from by age, and loads one that is cut off until it
crashes; so what it resumes from is the only checkpoint that it finds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from plugins.aitoolkit.proof import read_whole, step_of
from plugins.aitoolkit.recipe import NAME

WEIGHTS, OPTIMIZER, MANIFEST = "weights.safetensors", "optimizer.pt", "manifest.json"
OPTIMIZERS_KEPT = 2  # of the newest checkpoints; each is larger than the weights
_STEP = re.compile(rf"{NAME}_(\d{{9}})\.safetensors")
CHUNK = 2**20


class Saves:
    """``out`` is AI-Toolkit's folder, ``kept`` ours. ``saving`` tells whether it is at work on a checkpoint now."""

    def __init__(self, out: Path, kept: Path, saving: Callable[[], bool]) -> None:
        self._out = out
        self._kept = kept
        self._saving = saving

    def look(self) -> list[tuple[int, Path]]:
        """Copy out what is new and whole; return each with its step, in order."""
        found = self._found()
        new = [(step, path) for step, path in found if not (self._folder(step) / MANIFEST).exists()]
        if not new or self._saving():
            return []
        return [(step, kept) for step, path in new if (kept := self._copy(step, path, newest=step == found[-1][0]))]

    def newest(self) -> tuple[int, Path] | None:
        """Return the newest kept checkpoint that proves whole."""
        for folder in newest_first(self._kept):
            if whole(folder):
                return int(folder.name.removeprefix("step-")), folder
        return None

    def lay_back(self, checkpoint: Path | None) -> int:
        """Leave AI-Toolkit this checkpoint alone to go on from; return its step, 0 for a start from nothing.

        Samples and caches stay.
        """
        for path in [*self._out.glob(f"{NAME}*"), self._out / OPTIMIZER, *self._out.glob("loss_log.db*")]:
            path.unlink(missing_ok=True)
        if checkpoint is None:
            return 0
        weights = read_whole(checkpoint / WEIGHTS)
        step = step_of(weights) if weights else None
        if step is None:
            return 0
        self._out.mkdir(parents=True, exist_ok=True)
        if (checkpoint / OPTIMIZER).exists():
            shutil.copyfile(checkpoint / OPTIMIZER, self._out / OPTIMIZER)
        shutil.copyfile(checkpoint / WEIGHTS, self._out / f"{NAME}_{step:09d}.safetensors")
        return step

    def _found(self) -> list[tuple[int, Path]]:
        try:
            here = list(self._out.iterdir())
        except FileNotFoundError:
            return []
        return sorted((int(m[1]), path) for path in here if (m := _STEP.fullmatch(path.name)))

    def _folder(self, step: int) -> Path:
        return self._kept / f"step-{step:06d}"

    def _copy(self, step: int, path: Path, *, newest: bool) -> Path | None:
        weights = read_whole(path)
        if weights is None or step_of(weights) != step:
            return None
        folder = self._folder(step)
        draft = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        digests = {WEIGHTS: copy_and_digest(path, draft / WEIGHTS)}
        optimizer = self._out / OPTIMIZER
        if newest and optimizer.exists():  # there is one of it, of the newest
            digest = copy_and_digest(optimizer, draft / OPTIMIZER)
            passed = any(other > step for other, _ in self._found())  # it may belong to the next weights
            if passed or self._saving() or not zipfile.is_zipfile(draft / OPTIMIZER):
                (draft / OPTIMIZER).unlink()
            else:
                digests[OPTIMIZER] = digest
        _write(draft / MANIFEST, json.dumps(digests))
        shutil.rmtree(folder, ignore_errors=True)  # one without a manifest: not whole
        draft.replace(folder)
        self._thin_out()
        return folder

    def _thin_out(self) -> None:
        """Delete the optimizer's state of older checkpoints, and their manifest's word of it first."""
        for folder in newest_first(self._kept)[OPTIMIZERS_KEPT:]:
            digests = _manifest(folder)
            if digests.pop(OPTIMIZER, None):
                _write(folder / MANIFEST, json.dumps(digests))
            (folder / OPTIMIZER).unlink(missing_ok=True)


def newest_first(kept: Path) -> list[Path]:
    """Return the folders of checkpoints."""
    return sorted(kept.glob("step-*"), reverse=True)


def whole(folder: Path) -> bool:
    """Tell whether every file of a checkpoint has the digest that its manifest names, and the weights can be read."""
    digests = _manifest(folder)
    try:
        proven = all(digest_of(folder / name) == digest for name, digest in digests.items())
    except OSError:
        return False
    return WEIGHTS in digests and proven and read_whole(folder / WEIGHTS) is not None


def _manifest(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.partial")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def copy_and_digest(source: Path, target: Path) -> str:
    """Copy a file, safe on the disk when this returns; return its sha256."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """Return a file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
