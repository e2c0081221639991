"""Work that stops for a while: the volume is full, or Isengard is stopped."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.errors import Cancelled
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.workers import outcome
from isengard.workers.worker import Workers
from tests.unit.workers.conftest import Emit, Employ, Submit, Wait


def test_a_full_volume_pauses_jobs_and_they_go_on_when_there_is_room(
    queue: Queue, hub: Hub, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "PAUSE_SECONDS", 1)  # longer than until the next look for room
    room = threading.Event()
    tried: list[str] = []

    def handler(job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        tried.append(job.id)
        if len(tried) == 1:
            room.clear()
            raise OSError(errno.ENOSPC, "No space left on device")
        return ev.Completed()

    room.set()
    jobs = [submit(), submit()]
    workers = Workers(queue, hub, {"training": handler, "generation": handler}, 1, room.is_set)
    workers.start()
    eventually(lambda: workers.paused and queue.get(jobs[0].id).status == "queued")
    time.sleep(1.5)  # it is due again, and still not begun
    assert tried.count(jobs[0].id) == 1
    paused = queue.get(jobs[0].id)
    assert paused.message.startswith("Paused: The volume is full.")
    assert paused.failures == 0
    room.set()
    eventually(lambda: all(queue.get(job.id).status == "completed" for job in jobs))
    workers.stop()


def test_a_job_handed_back_at_a_stop_is_not_begun_again_by_another_worker(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    def handler(_job: Job, emit: Emit, stop: Stop) -> ev.Completed:
        emit(ev.Progress(step=1, total_steps=2))
        stop.cancel.wait(5)
        raise Cancelled("Cancelled.")

    job = submit()
    workers = employ(handler, threads=3)
    eventually(lambda: queue.get(job.id).current_step == 1)  # the handler has begun
    workers.stop()
    assert (queue.get(job.id).status, queue.get(job.id).attempt) == ("queued", 1)


def test_a_training_saves_its_last_steps_before_it_is_handed_back(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    def handler(_job: Job, emit: Emit, stop: Stop) -> ev.Completed:
        for step in range(1, 3000):
            emit(ev.Metric(step=step, total_steps=3000, loss=1 / step, learning_rate=1e-4))
            if stop.cancel.wait(0.01):
                raise Cancelled("Cancelled.")
            if stop.save.is_set():
                stop.save.clear()
                emit(ev.Checkpoint(step=step, path="/x"))
        return ev.Completed()

    job = submit()
    workers = employ(handler)
    eventually(lambda: queue.get(job.id).current_step > 0)
    workers.stop()
    told = [entry.event.kind for entry in queue.events(job.id) if entry.event.kind != "metric"]  # a step may follow
    assert told[-2:] == ["checkpoint", "requeued"]
    assert (queue.get(job.id).status, queue.get(job.id).failures) == ("queued", 0)
