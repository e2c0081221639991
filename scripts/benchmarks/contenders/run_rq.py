"""No-op jobs through rq: ``SimpleWorker`` (no fork a job, rq's fastest), one process for each worker."""

from __future__ import annotations

import logging
import multiprocessing as mp
import os
import time
from multiprocessing.synchronize import Barrier
from typing import Any

import redis
from empty_jobs import Task, Times, nothing
from rq import Queue, SimpleWorker


def main() -> None:
    """Submit, drain, tell."""
    task = Task.given()
    name = f"bench-{os.getpid()}"  # of this run alone: others may have left jobs on the server
    queue = Queue(name, connection=redis.Redis.from_url(task.url))
    started = time.perf_counter()
    for number in range(task.jobs):
        queue.enqueue(nothing, number)
    submit = time.perf_counter() - started
    context = mp.get_context("spawn")
    barrier = context.Barrier(task.workers)
    box: Any = context.Queue()
    workers = [context.Process(target=drain, args=(task.url, name, barrier, box)) for _ in range(task.workers)]
    for worker in workers:
        worker.start()
    spans = [box.get() for _ in workers]
    for worker in workers:
        worker.join()
    done = queue.finished_job_registry.count
    if done != task.jobs:
        raise SystemExit(f"rq finished {done} of {task.jobs}")
    Times(submit, max(end for _, end in spans) - min(start for start, _ in spans)).tell()


def drain(url: str, name: str, barrier: Barrier, box: Any) -> None:
    """Work until the queue is empty, from the moment that every worker is ready; put (start, end)."""
    logging.disable(logging.INFO)
    worker = SimpleWorker([name], connection=redis.Redis.from_url(url))
    barrier.wait()
    started = time.monotonic()
    worker.work(burst=True, logging_level="WARNING")
    box.put((started, time.monotonic()))


if __name__ == "__main__":
    main()
