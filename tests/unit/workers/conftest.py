"""Workers with small real handlers and short pauses, on a queue of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from isengard.domain.job import Job
from isengard.domain.request import TrainingRequest
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.workers import worker
from isengard.workers.worker import Handler, Workers


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BLOCK_MS", 50)
    monkeypatch.setattr(worker, "CARE_SECONDS", 0.05)
    monkeypatch.setattr(worker, "TAKE_OVER_SECONDS", 0.1)


@pytest.fixture
def employ(queue: Queue, hub: Hub) -> Iterator[Callable[..., Workers]]:
    """Start worker threads that do everything with one handler; they end with the test."""
    employed: list[Workers] = []

    def start(handler: Handler, threads: int = 1) -> Workers:
        workers = Workers(queue, hub, {"training": handler, "generation": handler}, threads)
        workers.start()
        employed.append(workers)
        return workers

    yield start
    for workers in employed:
        workers.stop()


@pytest.fixture
def submit(queue: Queue) -> Callable[[], Job]:
    return lambda: queue.submit(Job.of(TrainingRequest(character_id="char-1"), "corr-1", "Zara: training"))
