"""The house itself: is it alive, is it ready, what can it do, how busy is it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import psutil
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from isengard.config import Settings
from isengard.errors import IsengardError
from isengard.infra.gpu import GB, Arbiter
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.plugins.registry import Plugins
from isengard.services.choice import BaseModelChoice


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
    workers_alive: Callable[[], int]

    def health(self) -> dict[str, str]:
        """Say that the process serves."""
        return {"status": "ok"}

    def ready(self) -> dict[str, Any]:
        """Check each part: ``ready`` is true when all are."""
        parts = {
            "volume": _part(self.storage.check_writable),
            "queue": _part(self.queue.ping),
            "events": _state(self.hub.connected.is_set(), "The event reader is not connected to Redis."),
            "workers": _state(self.workers_alive() > 0, "No worker thread lives here."),
        }
        return {"ready": all(part["ok"] for part in parts.values()), "parts": parts}

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
        registry = CollectorRegistry()

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"isengard_{name}", text, labels, registry=registry)

        jobs = gauge("jobs", "Jobs by type and status.", ("type", "status"))
        for (kind, status), count in self.queue.counts().items():
            jobs.labels(kind, status).set(count)
        gauge("dead_letters", "Jobs that failed for good.").set(self.queue.dead())
        gauge("workers_alive", "Worker threads of this process.").set(self.workers_alive())
        gauge("volume_free_bytes", "Free room on the volume.").set(self.storage.free_gb() * GB)
        gauge("process_memory_bytes", "Resident memory of the app's process.").set(psutil.Process().memory_info().rss)
        gauge("up", "The process serves.").set(1)
        return generate_latest(registry)


def _part(check: Callable[[], object]) -> dict[str, Any]:
    try:
        check()
    except IsengardError as error:
        return {"ok": False, "reason": error.message, "hint": error.hint}
    return {"ok": True, "reason": "", "hint": ""}


def _state(ok: bool, reason: str) -> dict[str, Any]:  # noqa: FBT001 - reads as the sentence it is
    return {"ok": ok, "reason": "" if ok else reason, "hint": "" if ok else "See the worker log."}
