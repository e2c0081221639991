"""No-op jobs through arq: one worker process, ``max_jobs`` at once on its event loop."""

from __future__ import annotations

import asyncio
import logging
import time

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker, func
from empty_jobs import Task, Times, nothing_async


async def main() -> None:
    """Submit, drain, tell."""
    task = Task.given()
    logging.disable(logging.INFO)
    settings = RedisSettings.from_dsn(task.url)
    pool = await create_pool(settings)
    started = time.perf_counter()
    for number in range(task.jobs):
        await pool.enqueue_job("nothing", number)
    submit = time.perf_counter() - started
    worker = Worker(
        [func(nothing_async, name="nothing")],
        redis_settings=settings,
        burst=True,
        max_jobs=task.workers,
        handle_signals=False,
        poll_delay=0.001,
    )
    started = time.perf_counter()
    await worker.main()
    drain = time.perf_counter() - started
    if worker.jobs_complete != task.jobs:
        raise SystemExit(f"arq finished {worker.jobs_complete} of {task.jobs}")
    await worker.close()
    await pool.aclose()
    Times(submit, drain).tell()


if __name__ == "__main__":
    asyncio.run(main())
