"""How much room everything takes: by kind, and by character."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from isengard.infra.storage import Storage

KINDS = {  # what people call the folders of the volume
    "characters": "photos",
    "uploads": "photos",
    "datasets": "photos",
    "synthetic": "synthetic pictures",
    "loras": "LoRAs",
    "outputs": "pictures",
    "comfyui": "models",
    "work": "work of jobs",
    "trash": "trash",
    "cache": "cache",
    "redis": "queue and history",
}
OF_CHARACTERS = frozenset({"uploads", "datasets", "synthetic", "loras"})  # folders by character


@dataclass
class Usage:
    """Bytes on disk: ``kinds`` by the words above, ``characters`` by id."""

    kinds: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.kinds.values())


def usage_of(storage: Storage) -> Usage:
    """Walk the volume."""
    found, seen = Usage(), set[tuple[int, int]]()
    for folder in _entries(storage.root):
        kind = KINDS.get(folder.name, "other")
        if folder.name not in OF_CHARACTERS:
            found.kinds[kind] += room_of(Path(folder.path), seen)
            continue
        for one in _entries(Path(folder.path)):
            taken = room_of(Path(one.path), seen)
            found.kinds[kind] += taken
            found.characters[one.name] += taken
    return found


def room_of(path: Path, seen: set[tuple[int, int]] | None = None) -> int:
    """Return the bytes that a file, or all files of a folder, take on disk; 0 for what is not there.

    A file with several names counts once for all calls that share ``seen``.
    """
    seen = set() if seen is None else seen
    try:
        told = path.lstat()
    except FileNotFoundError:
        return 0
    if stat.S_ISDIR(told.st_mode):
        return sum(room_of(Path(entry.path), seen) for entry in _entries(path))
    if told.st_nlink > 1:
        if (told.st_dev, told.st_ino) in seen:
            return 0
        seen.add((told.st_dev, told.st_ino))
    # A file counts by its blocks: what is sparse takes less than its size says.
    return told.st_blocks * 512 if hasattr(told, "st_blocks") else told.st_size


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.is_symlink()), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
