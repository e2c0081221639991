"""The volume in parts that belong together: a character with its pictures and LoRAs, a job with what it made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isengard.infra.leftovers import SUFFIX
from isengard.infra.storage import SAFE_ID, Storage

Seen = dict[Path, tuple[int, int]]  # size and time of change of each file


@dataclass(frozen=True)
class Part:
    """Files and folders that change together; ``growing`` ones may be caught at any time: they are only added to."""

    name: str
    roots: tuple[Path, ...]
    growing: bool = False

    @property
    def lock(self) -> str:
        """Name of the lock under which records of this part are changed."""
        return self.name if SAFE_ID.match(self.name) else "part"

    def files(self) -> Seen:
        """Return its finished files, records first."""
        found = sorted({file for root in self.roots for file in _files(root)}, key=lambda p: (p.suffix != ".json", p))
        return {path: (told.st_size, told.st_mtime_ns) for path in found if (told := _stat(path))}

    def same(self, before: Seen, after: Seen) -> bool:
        """Tell whether nothing changed between two looks."""
        return before.keys() == after.keys() if self.growing else before == after


def parts_of(storage: Storage, *, with_models: bool = False) -> list[Part]:
    """Return all parts worth keeping; the queue first, so that what it says is done is on disk by then."""
    left_out = {storage.cache, storage.redis_dir.parent, storage.models.parent}
    work = storage.work("any").parent  # a job's folder grows while it runs: its loss curve, line by line
    grouped: dict[str, list[Path]] = {}
    for folder in sorted(path for path in storage.root.iterdir() if path not in left_out):
        children = sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else [folder]
        for child in children:
            name = f"work-{child.name}" if folder == work else child.name.removesuffix(".json")
            grouped.setdefault(name, []).append(child)
    parts = [Part("queue", (storage.redis_dir.joinpath("appendonlydir"),), growing=True)]
    parts += [Part(name, tuple(roots), growing=name.startswith("work-")) for name, roots in grouped.items()]
    engine = [p for p in sorted(_children(storage.models.parent)) if with_models or p != storage.models]
    return [*parts, *(Part(f"comfyui-{path.name}", (path,)) for path in engine)]


def _children(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def _files(root: Path) -> Iterator[Path]:
    for path in [root, *(root.rglob("*") if root.is_dir() and not root.is_symlink() else ())]:
        half_written = any(name.startswith(".") and name.endswith(SUFFIX) for name in path.parts)
        if path.is_file() and not path.is_symlink() and not half_written:
            yield path


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
