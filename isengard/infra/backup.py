"""Backups: every file once by its content, and a list of files for each backup, taken while Isengard runs.

Layout of the target: ``objects/ab/{sha256}`` and ``snapshots/{time}.json``. A file that has not changed since the last
backup is not read again; what is there already is not written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from isengard.errors import BackendOutput, Conflict, NotFound
from isengard.infra.disk import disk_errors
from isengard.infra.parts import Part, parts_of
from isengard.infra.storage import Storage

BLOCK = 1 << 20
TRIES = 6
PAUSE_SECONDS = 0.5  # longer after each try: a job may be writing its pictures
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A file of the volume as it was: path relative to the volume, bytes, nanoseconds, permission bits."""

    path: str
    size: int
    mtime_ns: int
    mode: int
    sha256: str


@dataclass(frozen=True)
class Snapshot:
    """One backup: its name, which is its time, and its files."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries)


class Changed(Exception):
    """A file went while its part was copied."""


class BackupStore:
    """The target of backups: a folder, best on another disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- reading ------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of all backups, oldest first."""
        return sorted(path.stem for path in self.folder.glob("snapshots/*.json"))

    def get(self, name: str = "") -> Snapshot:
        """Return a backup, the newest for ''; raise NotFound."""
        names = self.names()
        if not names or (name and name not in names):
            raise NotFound(f"There is no backup {name} in {self.folder}.", "See the names with --list.")
        chosen = name or names[-1]
        rows = json.loads((self.folder / "snapshots" / f"{chosen}.json").read_text(encoding="utf-8"))["files"]
        return Snapshot(chosen, tuple(Entry(**row) for row in rows))

    def place(self, sha256: str) -> Path:
        """Return where a content lies."""
        return self.folder / "objects" / sha256[:2] / sha256

    def verify(self, entries: tuple[Entry, ...]) -> None:
        """Read contents again; raise BackendOutput naming the first that is missing or damaged."""
        for sha256, entry in {entry.sha256: entry for entry in entries}.items():
            try:
                found = _copied(self.place(sha256), None)
            except FileNotFoundError:
                found = ""
            if found != sha256:
                self.place(sha256).unlink(missing_ok=True)  # so that the next backup writes it again
                raise BackendOutput(
                    f"The backup of {entry.path} is {'damaged' if found else 'missing'}.",
                    "Make another backup: it writes that file again. Check the target's disk.",
                )

    # --- writing ------------------------------------------------------------------------------

    def take(self, storage: Storage, tell: Tell, *, with_models: bool = False) -> Snapshot:
        """Back the volume up and verify what was written; raise DiskFull, BackendOutput."""
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            known = {entry.path: entry for entry in self.get().entries} if self.names() else {}
            entries: list[Entry] = []
            fresh: list[Entry] = []
            for part in parts_of(storage, with_models=with_models):
                for entry in self._part(storage, part, known):
                    entries.append(entry)
                    if known.get(entry.path) != entry:
                        fresh.append(entry)
                tell(f"{part.name}: {len(entries)} files so far, {len(fresh)} new")
            self.verify(tuple(fresh))
            name = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
            self._write(self.folder / "snapshots" / f"{name}.json", json.dumps({"files": list(map(asdict, entries))}))
        return Snapshot(name, tuple(entries))

    def _part(self, storage: Storage, part: Part, known: dict[str, Entry]) -> list[Entry]:
        """Copy one part as it is at one moment; again when it changed meanwhile."""
        for turn in range(TRIES):
            time.sleep(turn * PAUSE_SECONDS)
            try:
                with storage.locked(part.lock):
                    before = part.files()
                    copied = [self._kept(storage, path, known) for path in before]
                    if part.same(before, part.files()):
                        return copied
            except Changed:
                continue
        raise Conflict(f"{part.name} changed all the time while it was backed up.", "Make the backup again.")

    def _kept(self, storage: Storage, path: Path, known: dict[str, Entry]) -> Entry:
        try:
            told = path.stat()
            relative = storage.relative(path)
            before = known.get(relative)
            same = before and (before.size, before.mtime_ns) == (told.st_size, told.st_mtime_ns)
            if before and same and self.place(before.sha256).is_file():
                return Entry(relative, before.size, before.mtime_ns, told.st_mode & 0o777, before.sha256)
            sha256, size = self._stored(path)
        except FileNotFoundError as error:
            raise Changed(str(path)) from error
        return Entry(relative, size, told.st_mtime_ns, told.st_mode & 0o777, sha256)

    def _stored(self, source: Path) -> tuple[str, int]:
        partial = self.folder / f".{os.getpid()}.partial"
        try:
            sha256 = _copied(source, partial)
            size = partial.stat().st_size
            target = self.place(sha256)
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return sha256, size

    def _write(self, target: Path, text: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)

    def prune(self, keep: int) -> int:
        """Delete all but the newest backups, and contents that none of those has; return how many contents went."""
        for name in self.names()[:-keep]:
            (self.folder / "snapshots" / f"{name}.json").unlink()
        wanted = {entry.sha256 for name in self.names() for entry in self.get(name).entries}
        spare = [path for path in self.folder.glob("objects/*/*") if path.name not in wanted]
        for path in spare:
            path.unlink()
        return len(spare)

    def restore(self, snapshot: Snapshot, target: Path, tell: Tell) -> None:
        """Write a backup into a folder that is not there or empty, each file checked; raise Conflict, BackendOutput."""
        if target.exists() and any(target.iterdir()):
            raise Conflict(f"{target} is not empty.", "Restore into a new folder, then set VOLUME_ROOT to it.")
        with disk_errors(target.parent):
            for number, entry in enumerate(snapshot.entries, 1):
                self._restored(entry, _inside(target, entry.path))
                if number % 500 == 0:
                    tell(f"{number} of {len(snapshot.entries)} files")

    def _restored(self, entry: Entry, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = _copied(self.place(entry.sha256), path)
        except FileNotFoundError:
            found = ""
        if found != entry.sha256:
            raise BackendOutput(f"The backup of {entry.path} is damaged.", "Restore an older backup: see --list.")
        path.chmod(entry.mode)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def _inside(root: Path, relative: str) -> Path:
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()):
        raise BackendOutput(f"The backup names a file outside the volume: {relative}.", "Use another backup.")
    return path


def _copied(source: Path, target: Path | None) -> str:
    """Copy a file, synced, and return the SHA-256 of what was read; without a target only read it."""
    digest = hashlib.sha256()
    sink = target.open("wb") if target else None
    try:
        with source.open("rb") as read:
            while block := read.read(BLOCK):
                digest.update(block)
                if sink:
                    sink.write(block)
        if sink:
            sink.flush()
            os.fsync(sink.fileno())
    finally:
        if sink:
            sink.close()
    return digest.hexdigest()
