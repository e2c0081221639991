"""The house itself: is it alive, is it ready, what can it do, how busy is it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from isengard.config import Settings
from isengard.domain.base import Value, utc_now
from isengard.errors import IsengardError, QueueUnavailable
from isengard.infra.gpu import Arbiter
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.plugins.registry import Plugins
from isengard.services.alerts import AlertSettings
from isengard.services.choice import BaseModelChoice
from isengard.services.cleanup import Policy
from isengard.services.storage_use import StorageReport
from isengard.services.watch import Watch

COSTED = 20  # jobs whose cost is listed


class Cost(Value):
    """What one job took: working time in seconds, and money at the machine's price."""

    id: str
    title: str
    type: str
    status: str
    seconds: float
    cost: float


class Overview(Value):
    """All that the System tab shows."""

    well: bool
    parts: dict[str, dict[str, Any]]
    storage: StorageReport
    clean_up: tuple[Policy, ...]
    alerts: AlertSettings
    backup: dict[str, Any] | None
    costs: tuple[Cost, ...]
    price_per_hour: float


@dataclass(frozen=True)
class Pulse:
    """How the threads are that the services do not know; asked each time."""

    workers_alive: Callable[[], int]
    cared_for: Callable[[], bool]
    paused: Callable[[], bool]
    redis_watched: Callable[[], bool]
    redis_restarts: Callable[[], int]


@dataclass(frozen=True)
class System:
    """Answers come from the parts themselves, each time."""

    settings: Settings
    version: str
    storage: Storage
    queue: Queue
    hub: Hub
    plugins: Plugins
    arbiter: Arbiter
    choice: BaseModelChoice
    watch: Watch
    pulse: Pulse

    def health(self) -> dict[str, str]:
        """Say that the process serves."""
        return {"status": "ok"}

    def ready(self) -> dict[str, Any]:
        """Check each part: ``ready`` is true when all are. A part that jobs wait for says so."""
        pulse = self.pulse
        parts = {
            "volume": _part(self.storage.check_writable),
            "room": _part(self.storage.require_space),
            "queue": _part(self.queue.ping),
            "redis": _state(pulse.redis_watched(), "The thread that starts the Redis server again has ended."),
            "events": _state(self.hub.connected.is_set(), "The event reader is not connected to Redis."),
            "workers": _state(pulse.workers_alive() > 0, "No worker thread lives here."),
            "care": _state(pulse.cared_for(), "The thread that cares for the workers has ended."),
            "watch": _state(self.watch.alive, "The thread that watches room and alerts has ended."),
            "backends": _state(*self._backends()),
        }
        # Without room jobs wait, but a person must get in: that is where room is made.
        return {"ready": all(part["ok"] for name, part in parts.items() if name != "room"), "parts": parts}

    def _backends(self) -> tuple[bool, str]:
        able = [status for status in self.plugins.statuses() if status.available and status.kind == "image"]
        return bool(able), "No backend can make pictures here; /info names what is missing."

    def overview(self, *, fresh: bool = False) -> Overview:
        """Return health, room, clean-up, alerts and what the last jobs cost."""
        told = self.ready()
        return Overview(
            well=all(part["ok"] for part in told["parts"].values()),
            parts=told["parts"],
            storage=self.watch.storage_use.report(fresh=fresh),
            clean_up=tuple(self.watch.clean_up.policies()),
            alerts=self.watch.alerts.settings(),
            backup=self.watch.last_backup(),
            costs=self._costs(),
            price_per_hour=self.settings.price_per_hour,
        )

    def _costs(self) -> tuple[Cost, ...]:
        try:
            jobs = self.queue.list(limit=COSTED).items
        except QueueUnavailable:
            return ()
        cost = self.watch.metrics.cost
        return tuple(
            Cost(
                id=job.id, title=job.title, type=job.type, status=job.status, seconds=job.worked_seconds, cost=cost(job)
            )
            for job in jobs
            if job.worked_seconds
        )

    def clean_up(self, name: str) -> Policy:
        """Follow a clean-up rule; return what went."""
        gone = self.watch.clean_up.apply(name)
        self.watch.storage_use.usage(fresh=True)
        return gone

    @property
    def mode(self) -> str:
        """``production`` with a GPU, ``fast-test`` without, unless the setting says otherwise."""
        return self.settings.mode or ("production" if self.arbiter.gpu else "fast-test")

    def info(self) -> dict[str, Any]:
        """Return version, mode, capabilities and the state of every backend."""
        rows = self.choice.registry.base_models()
        gpu = self.arbiter.gpu
        return {
            "name": "isengard",
            "version": self.version,
            "mode": self.mode,
            "volume_root": str(self.storage.root),
            "capabilities": {
                "training": [row.id for row in rows if self.choice.can_train(row)],
                "image": [row.id for row in rows if self.choice.can_generate(row)],
                "face": [b.name for b in self.plugins.face if b.status().available],
                "video": "scaffold_only",
            },
            "backends": [asdict(status) for status in self.plugins.statuses()],
            "gpu": {"name": gpu.name, "vram_gb": gpu.vram_gb} if gpu else None,
            "memory_budget_gb": round(self.arbiter.ram_gb, 1),
            "limits": {"upload_mb": self.settings.max_upload_mb},
        }

    def metrics(self) -> bytes:
        """Return Prometheus text."""
        backup = self.watch.last_backup()
        report = self.watch.storage_use.report()
        alerts = self.watch.alerts
        now: dict[str, float] = {
            "ready": self.ready()["ready"],
            "paused": self.pulse.paused(),
            "workers_alive": self.pulse.workers_alive(),
            "redis_restarts": self.pulse.redis_restarts(),
            "volume_free_bytes": report.free_bytes,
            "volume_limit_bytes": report.limit_bytes,
            "backup_age_seconds": _age(datetime.fromisoformat(backup["at"])) if backup and backup["ok"] else -1,
            "alerts_sent": alerts.sent,
            "alerts_failed": alerts.failed,
        }
        kinds = {taken.name: taken.bytes for taken in report.kinds}
        waiting, jobs = self._queue_figures()
        return self.watch.metrics.text(now | waiting, jobs, kinds)

    def _queue_figures(self) -> tuple[dict[str, float], dict[tuple[str, str], int]]:
        """Ask the queue; without it the other figures are told all the same."""
        try:
            oldest = self.queue.oldest_waiting()
            waiting = {"queue_oldest_seconds": _age(oldest.created_at) if oldest else 0.0}
            return {**waiting, "dead_letters": float(self.queue.dead())}, self.queue.counts()
        except QueueUnavailable:
            return {}, {}


def _age(moment: datetime) -> float:
    return (utc_now() - moment).total_seconds()


def _part(check: Callable[[], object]) -> dict[str, Any]:
    try:
        check()
    except IsengardError as error:
        return {"ok": False, "reason": error.message, "hint": error.hint}
    return {"ok": True, "reason": "", "hint": ""}


def _state(ok: bool, reason: str) -> dict[str, Any]:  # noqa: FBT001 - reads as the sentence it is
    return {"ok": ok, "reason": "" if ok else reason, "hint": "" if ok else "See the worker log."}
