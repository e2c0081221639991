"""Workers with small real handlers and short pauses, on a queue of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.request import TrainingRequest
from isengard.errors import Cancelled
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.workers import worker
from isengard.workers.worker import Handler, Workers

Emit = Callable[[ev.JobEvent], None]
Employ = Callable[..., Workers]
Submit = Callable[[], Job]
Wait = Callable[..., None]


def quick(_job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
    return ev.Completed()


def patient(_job: Job, _emit: Emit, stop: Stop) -> ev.Completed:
    """Wait until asked to end."""
    stop.cancel.wait(30)
    raise Cancelled("Cancelled.")


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
