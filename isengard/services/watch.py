"""The house's own round: counts what ends, looks at the room, follows the clean-up rules, and calls the owner."""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from isengard.domain.base import utc_now
from isengard.domain.job import FINAL
from isengard.domain.progress import ProgressEntry
from isengard.errors import IsengardError, QueueUnavailable
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.services.alerts import Alerts
from isengard.services.cleanup import CleanUp
from isengard.services.metrics import Metrics
from isengard.services.storage_use import StorageUse

KINDS = frozenset({"claimed", "requeued", "completed", "failed", "cancelled", "cancel_asked"})
ROUND_SECONDS = 60.0
TIDY_SECONDS = 3600.0
BACKLOG = 1000
log = structlog.get_logger("services.watch")


@dataclass
class Watch:
    """One thread. What it finds out is for people; no job waits for it."""

    hub: Hub
    jobs: Queue
    storage_use: StorageUse
    clean_up: CleanUp
    alerts: Alerts
    metrics: Metrics
    keep_jobs_days: float = 90
    backup_every_hours: float | None = None

    def __post_init__(self) -> None:
        """Start nothing yet."""
        self._box: queue.Queue[ProgressEntry] = queue.Queue(BACKLOG)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._looked = self._tidied = 0.0
        self._tidy_seconds = min(TIDY_SECONDS, self.keep_jobs_days * 86_400 / 10)
        self._unreachable_since: float | None = None

    @property
    def alive(self) -> bool:
        """Tell whether its thread lives."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin the round."""
        self._end_listening = self.hub.listen(self._hear, KINDS)
        self._thread.start()

    def stop(self) -> None:
        """End the round."""
        self._end_listening()
        self._stopping.set()
        self._thread.join(3)

    def _hear(self, entry: ProgressEntry) -> None:
        if not self._box.full():  # a flood costs figures, never memory
            self._box.put(entry)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                entry = self._next()
                if entry:
                    self._count(entry)
            except Exception:
                log.exception("watch.failed")
            self._go_round()

    def _next(self) -> ProgressEntry | None:
        try:
            return self._box.get(timeout=0.5)
        except queue.Empty:
            return None

    def _count(self, entry: ProgressEntry) -> None:
        job = self.jobs.find(entry.job_id)
        if job is None or (entry.status not in FINAL and entry.event.kind not in {"claimed", "requeued"}):
            return
        self.metrics.heard(job, entry.event)
        if job.seq == entry.seq:
            self.alerts.ended(job, entry.event)

    def _go_round(self) -> None:
        now = time.monotonic()
        if self._looked and now - self._looked < min(ROUND_SECONDS, self._tidy_seconds):
            return
        self._looked = now
        for look in (self._look_at_room, self._look_at_queue, self._look_at_backup, self._tidy):
            try:
                look()
            except IsengardError as error:
                log.warning("watch.look_failed", look=look.__name__.lstrip("_"), error=error.message)
            except Exception:
                log.exception("watch.look_broke", look=look.__name__.lstrip("_"))

    def _look_at_room(self) -> None:
        report = self.storage_use.report()
        for level, words in (("warn", "is filling up"), ("bad", "is nearly full")):
            if report.level == level:
                free = f"{report.free_bytes / 2**30:.1f} GB are free"
                text = f"{report.share:.0%} of what Isengard may take is used; {free}. Clean up in the System tab."
                self.alerts.trouble(f"room-{level}", f"The volume {words}", text)
            else:
                self.alerts.settled(f"room-{level}")

    def _look_at_queue(self) -> None:
        try:
            self.jobs.ping()
        except QueueUnavailable as error:
            since = self._unreachable_since or time.monotonic()
            self._unreachable_since = since
            if time.monotonic() - since >= ROUND_SECONDS:
                self.alerts.trouble("queue", "The job queue is away", f"{error.message} {error.hint}")
            return
        self._unreachable_since = None

    def _look_at_backup(self) -> None:
        told = self.last_backup()
        if self.backup_every_hours is None:
            return
        due = timedelta(hours=self.backup_every_hours)
        if told is None or not told["ok"] or utc_now() - datetime.fromisoformat(told["at"]) > due:
            when = f"The last one: {told['at'][:16]}, {told['text']}" if told else "There is none yet."
            self.alerts.trouble("backup", "A backup is due", f"{when} Run scripts/backup.py.")
        else:
            self.alerts.settled("backup")

    def _tidy(self) -> None:
        now = time.monotonic()
        if self._tidied and now - self._tidied < self._tidy_seconds:
            return
        self._tidied = now
        forgotten = self.jobs.forget_before(datetime.now(UTC) - timedelta(days=self.keep_jobs_days))
        self.storage_use.storage.sweep_locks()
        freed = self.clean_up.apply_automatic()
        log.info("watch.tidied", jobs_forgotten=forgotten, freed_bytes=freed)

    def last_backup(self) -> dict[str, Any] | None:
        """Return how the last backup went, or None when nobody knows of one."""
        try:
            told: dict[str, Any] = json.loads(self.storage_use.storage.last_backup.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return told
