"""Clean-up: what may go, by rule, and how much room that gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from isengard.domain.base import Value
from isengard.errors import NotFound
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.infra.usage import room_of

DAY = 86_400.0
TRASH_DAYS = 7
LEFT_DAYS = 7
log = structlog.get_logger("services.cleanup")


class Policy(Value):
    """A rule and what it would free now. ``automatic`` ones are followed by themselves, once a day."""

    id: str
    title: str
    text: str
    automatic: bool
    bytes: int
    count: int


@dataclass(frozen=True)
class Rule:
    """What a rule finds; each path goes whole."""

    title: str
    text: str
    find: Callable[[], Iterable[Path]]
    automatic: bool = False


@dataclass(frozen=True)
class CleanUp:
    """Never touches photos, LoRA versions or finished pictures."""

    storage: Storage
    queue: Queue

    @property
    def rules(self) -> dict[str, Rule]:
        """Return all rules by id."""
        return {
            "cache": Rule("Cache", "Thumbnails and the like; made again when needed.", self._cache),
            "rejected": Rule("Rejected synthetic pictures", "Pictures that failed the quality gates.", self._rejected),
            "checkpoints": Rule(
                "Checkpoints you have looked at",
                "Of trainings that have ended. Those nobody has looked at stay.",
                self._checkpoints,
            ),
            "left": Rule(
                "Work of cancelled jobs",
                "Kept for a week, in case you try again; then it goes by itself.",
                self._left_by_cancelled,
                automatic=True,
            ),
            "trash": Rule(
                "Trash older than a week", "Deleted LoRAs; they go by themselves.", self._old_trash, automatic=True
            ),
            "trash-all": Rule("All of the trash", "What you deleted in the last week as well.", self._trash),
        }

    def policies(self) -> list[Policy]:
        """Return every rule with what it would free."""
        return [self._measured(name, rule) for name, rule in self.rules.items()]

    def _measured(self, name: str, rule: Rule) -> Policy:
        found = list(rule.find())
        room = sum(map(room_of, found))
        return Policy(id=name, title=rule.title, text=rule.text, automatic=rule.automatic, bytes=room, count=len(found))

    def apply(self, name: str) -> Policy:
        """Follow a rule; return what went. Raise NotFound for a rule that there is not."""
        if name not in self.rules:
            raise NotFound(f"There is no clean-up called '{name}'.", f"Choose one of: {', '.join(self.rules)}.")
        rule = self.rules[name]
        gone = self._measured(name, rule)
        for path in rule.find():
            self.storage.remove(path)
        log.info("storage.cleaned", rule=name, freed_bytes=gone.bytes, count=gone.count)
        return gone

    def apply_automatic(self) -> int:
        """Follow the automatic rules; return the bytes freed."""
        return sum(self.apply(name).bytes for name, rule in self.rules.items() if rule.automatic)

    # --- what the rules find ------------------------------------------------------------------

    def _cache(self) -> Iterable[Path]:
        kept = {"locks", "incoming", "comfyui-server", "writable", self.storage.last_backup.name}
        return (path for path in _children(self.storage.cache) if path.name not in kept)

    def _rejected(self) -> Iterable[Path]:
        return (folder for folder in self.storage.synthetic().glob("*/rejected") if any(folder.iterdir()))

    def _checkpoints(self) -> Iterable[Path]:
        for folder in self.storage.loras().glob("*/checkpoints/*"):
            if (folder / self.storage.LOOKED_AT).exists() and self._ended(folder.name):
                yield folder

    def _left_by_cancelled(self) -> Iterable[Path]:
        for folder in _children(self.storage.work("any").parent):
            job = self.queue.find(folder.name)
            if job and job.status == "cancelled" and _days_old(folder) > LEFT_DAYS:
                yield folder

    def _old_trash(self) -> Iterable[Path]:
        return (path for path in self._trash() if _days_old(path) > TRASH_DAYS)

    def _trash(self) -> Iterable[Path]:
        return (path for kind in _children(self.storage.trash) for path in _children(kind))

    def _ended(self, job_id: str) -> bool:
        job = self.queue.find(job_id)
        return job is None or job.final


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _days_old(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / DAY
