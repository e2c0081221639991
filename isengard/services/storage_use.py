"""The volume's room: who takes it, how much is left, and a quota that holds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from isengard.domain.base import Value
from isengard.infra.library import CharacterShelf
from isengard.infra.storage import GB, Storage
from isengard.infra.usage import Usage, usage_of

WARN_SHARE, BAD_SHARE = 0.80, 0.95
FRESH_SECONDS = 60.0


class Taken(Value):
    """Room that something takes, in bytes."""

    name: str
    bytes: int


class StorageReport(Value):
    """Room in bytes; ``share`` is of the quota, or of what the disk gives Isengard when no quota is set."""

    used_bytes: int
    free_bytes: int
    limit_bytes: int
    quota_bytes: int | None
    share: float
    level: str
    kinds: tuple[Taken, ...]
    characters: tuple[Taken, ...]


@dataclass
class StorageUse:
    """Walks the volume at most once a minute."""

    storage: Storage
    people: CharacterShelf
    quota_gb: float | None = None

    def __post_init__(self) -> None:
        """Nothing is known before the first look."""
        self._guard = threading.Lock()
        self._seen: Usage | None = None
        self._at = 0.0

    def usage(self, *, fresh: bool = False) -> Usage:
        """Return what is taken, not older than a minute, or looked up now."""
        with self._guard:
            if fresh or self._seen is None or time.monotonic() - self._at > FRESH_SECONDS:
                self._seen = usage_of(self.storage)
                self._at = time.monotonic()
                self.storage.over_quota = self.quota_gb is not None and self._seen.total >= self.quota_gb * GB
            return self._seen

    def report(self, *, fresh: bool = False) -> StorageReport:
        """Return who takes what, largest first, and how near the limit is."""
        usage, free = self.usage(fresh=fresh), round(self.storage.free_gb() * GB)
        disk = usage.total + free
        quota = round(self.quota_gb * GB) if self.quota_gb else None
        limit = min(quota, disk) if quota else disk
        share = min(1.0, usage.total / max(1, limit)) if self.storage.has_room() else 1.0
        names = {one.id: one.name for one in self.people.list(None, 200).items}
        return StorageReport(
            used_bytes=usage.total,
            free_bytes=free,
            limit_bytes=limit,
            quota_bytes=quota,
            share=round(share, 4),
            level="bad" if share >= BAD_SHARE else "warn" if share >= WARN_SHARE else "good",
            kinds=_taken(usage.kinds),
            characters=_taken({names.get(name, name): taken for name, taken in usage.characters.items()}),
        )


def _taken(rows: dict[str, int]) -> tuple[Taken, ...]:
    return tuple(
        Taken(name=name, bytes=taken) for name, taken in sorted(rows.items(), key=lambda row: -row[1]) if taken
    )
