"""Starts and stops what runs behind the services: the volume, the embedded Redis, the event reader, the workers."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from isengard.infra.hub import Hub
from isengard.infra.orphans import end_orphans, mark_children
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from isengard.infra.storage import Storage
from isengard.plugins.registry import Plugins
from isengard.services.watch import Watch
from isengard.workers.worker import Workers

log = structlog.get_logger("runtime")


@dataclass(frozen=True)
class Runtime:
    """Order matters: what is started last is stopped first."""

    storage: Storage
    server: EmbeddedServer | None
    queue: Queue
    hub: Hub
    workers: Workers
    plugins: Plugins
    watch: Watch

    def start(self) -> None:
        """Start everything; raise QueueUnavailable or ReadOnlyVolume when that cannot work."""
        end_orphans(self.storage.root)
        mark_children(self.storage.root)
        self.storage.prepare()
        if self.server:
            self.server.start()
        self.hub.start()
        self.workers.start()
        self.watch.start()
        log.info("runtime.started", volume=str(self.storage.root), own_redis=self.server is not None)

    def stop(self) -> None:
        """Hand running jobs back to the queue and end everything."""
        self.workers.stop()
        self.watch.stop()
        self.plugins.close_all()
        self.hub.stop()
        self.queue.close()
        if self.server:
            self.server.stop()
        log.info("runtime.stopped")
