"""No-op jobs through Isengard: its real queue, hub, logs and worker threads, in one process as in the app."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from empty_jobs import Task, Times

from isengard.domain.event import Completed, JobEvent
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.request import GenerationRequest
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.observability.logs import configure
from isengard.workers.worker import Workers


def main() -> None:
    """Submit, drain, tell."""
    task = Task.given()
    with tempfile.TemporaryDirectory(prefix="isengard-bench-") as folder:
        configure(Path(folder))
        drained(task).tell()


def drained(task: Task) -> Times:
    """Push all jobs through the queue."""
    queue = Queue(task.url, prefix=f"bench-{os.getpid()}")  # of this run alone
    queue.group.prepare()
    request = GenerationRequest(prompt="nothing")
    started = time.perf_counter()
    for number in range(task.jobs):
        queue.submit(Job.of(request, f"bench-{number}"))
    submit = time.perf_counter() - started
    last = threading.Event()
    begun: list[float] = []

    def handler(_job: Job, _emit: Callable[[JobEvent], None], _stop: Stop) -> Completed:
        begun.append(time.perf_counter())
        if len(begun) == task.jobs:
            last.set()
        return Completed()

    hub = Hub(queue)
    hub.start()
    hub.connected.wait(5)
    workers = Workers(queue, hub, {"generation": handler}, task.workers)
    started = time.perf_counter()
    workers.start()
    if not last.wait(300):
        sys.exit(f"Isengard finished {len(begun)} of {task.jobs}")
    while queue.counts()["generation", "completed"] < task.jobs:
        time.sleep(0.001)
    drain = time.perf_counter() - started
    workers.stop()
    hub.stop()
    queue.close()
    return Times(submit, drain)


if __name__ == "__main__":
    main()
