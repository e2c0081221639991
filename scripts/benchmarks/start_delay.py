"""From submit to start: how long a job waits when a worker is idle and warm."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

from figures import Figure, percentile
from scope import Scope

from isengard.domain.event import Completed, JobEvent
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.request import GenerationRequest
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from isengard.observability import configure
from isengard.workers.worker import Workers

WORKERS = 2
PAUSE_SECONDS = 0.02  # a person's clicks do not come back to back
WARM_UP = 10


def measure(scope: Scope) -> list[Figure]:
    """Return the 95th percentile and the median of the wait, in milliseconds."""
    configure(scope.folder / "logs", "WARNING")
    server = EmbeddedServer(scope.folder / "redis")
    server.start()
    try:
        waits = _waits(Queue(server.url), scope.pick(500, 100))
    finally:
        server.stop()
    how = f"{len(waits)} jobs, {WORKERS} idle worker threads; from submit to the claim recorded"
    return [
        Figure("start", "submit to start, p95", percentile(waits, 0.95), "ms", 5.0, detail=how, samples=waits),
        Figure("start", "submit to start, median", statistics.median(waits), "ms"),
    ]


def _waits(queue: Queue, jobs: int) -> list[float]:
    queue.group.prepare()
    begun: dict[str, float] = {}
    started = threading.Event()

    def handler(job: Job, _emit: Callable[[JobEvent], None], _stop: Stop) -> Completed:
        begun[job.id] = time.perf_counter()  # the claim is recorded just before
        started.set()
        return Completed()

    hub = Hub(queue)
    hub.start()
    workers = Workers(queue, hub, {"generation": handler}, WORKERS)
    workers.start()
    waits = []
    try:
        for number in range(WARM_UP + jobs):
            time.sleep(PAUSE_SECONDS)
            started.clear()
            job = Job.of(GenerationRequest(prompt="nothing"), f"bench-{number}")
            submitted = time.perf_counter()
            queue.submit(job)
            if not started.wait(10):
                raise TimeoutError(f"{job.id} was not started within 10 s")
            waits.append((begun[job.id] - submitted) * 1000)
    finally:
        workers.stop()
        hub.stop()
        queue.close()
    return waits[WARM_UP:]
