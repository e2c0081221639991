"""No-op jobs through streaq: one worker process, ``concurrency`` at once on its event loop."""

from __future__ import annotations

import asyncio
import logging
import time

from coredis import ConnectionPool
from coredis.connection import UnixDomainSocketLocation
from empty_jobs import Task, Times, finished_at, nothing
from streaq import Worker


async def main() -> None:
    """Submit, drain, tell."""
    task = Task.given()
    logging.disable(logging.INFO)
    pool = ConnectionPool(location=UnixDomainSocketLocation(task.url.removeprefix("unix://")), decode_responses=True)
    worker = Worker(redis_pool=pool, concurrency=task.workers, handle_signals=False)

    @worker.task()
    async def empty(number: int) -> int:
        return nothing(number)

    async with worker:
        started = time.perf_counter()
        for number in range(task.jobs):
            await empty.enqueue(number)
        submit = time.perf_counter() - started
    worker.burst = True
    started = time.perf_counter()
    await worker.run_async()
    drain = time.perf_counter() - started
    if len(finished_at) != task.jobs:
        raise SystemExit(f"streaq finished {len(finished_at)} of {task.jobs}")
    Times(submit, drain).tell()


if __name__ == "__main__":
    asyncio.run(main())
