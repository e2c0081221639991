"""The embedded server is killed while a worker runs a job: the job still ends completed, and once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.request import TrainingRequest
from isengard.errors import QueueUnavailable
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from isengard.workers import worker
from isengard.workers.worker import Workers

STEPS = 60


@dataclass(frozen=True)
class Machine:
    """A server, its queue and an event reader: what stands between a job and its worker."""

    server: EmbeddedServer
    queue: Queue
    hub: Hub

    def kill(self) -> None:
        assert self.server._pid is not None
        os.kill(self.server._pid, signal.SIGKILL)

    def status(self, job: Job) -> str:
        try:
            return self.queue.get(job.id).status
        except QueueUnavailable:
            return "unknown"

    def wait_for(self, job: Job, status: str, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while (now := self.status(job)) != status:
            assert time.monotonic() < deadline, f"{now} after {seconds} s"
            time.sleep(0.05)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    server = EmbeddedServer(tmp_path)
    server.start()
    queue = Queue(server.url)
    queue.group.prepare()
    hub = Hub(queue)
    hub.start()
    yield Machine(server, queue, hub)
    hub.stop()
    queue.close()
    server.stop()


def submitted(machine: Machine) -> Job:
    job = machine.queue.submit(Job.of(TrainingRequest(character_id="char-1"), "corr-1"))
    machine.queue._redis.execute_command("WAITAOF", 1, 0, 5000)  # the append-only file is synced once a second
    return job


def working(machine: Machine, handler: Callable[..., ev.Completed]) -> Workers:
    workers = Workers(machine.queue, machine.hub, {"training": handler}, 2)
    workers.start()
    return workers


def test_a_job_that_talks_all_the_time_ends_completed(machine: Machine) -> None:
    attempts: list[int] = []
    half = threading.Event()

    def handler(job: Job, emit: Callable[[ev.JobEvent], None], stop: Stop) -> ev.Completed:
        attempts.append(job.attempt)
        for step in range(1, STEPS + 1):
            emit(ev.Metric(step=step, total_steps=STEPS, loss=1 / step, learning_rate=1e-4))
            if step == STEPS // 2:
                half.set()
            stop.cancel.wait(0.05)
        return ev.Completed(message="Ready")

    job = submitted(machine)
    workers = working(machine, handler)
    assert half.wait(20)
    machine.kill()
    machine.wait_for(job, "completed")
    done = machine.queue.get(job.id)
    entries = machine.queue.events(job.id)
    assert attempts == [1]
    assert (done.message, done.progress, done.failures) == ("Ready", 100.0, 0)
    assert [entry.seq for entry in entries] == sorted({entry.seq for entry in entries})
    assert [entry.event.kind for entry in entries].count("completed") == 1
    workers.stop()


def test_a_job_that_was_silent_meanwhile_ends_completed(machine: Machine) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def handler(_job: Job, _emit: object, _stop: Stop) -> ev.Completed:
        inside.set()
        go_on.wait(30)
        return ev.Completed()

    job = submitted(machine)
    workers = working(machine, handler)
    assert inside.wait(20)
    machine.queue._redis.execute_command("WAITAOF", 1, 0, 5000)
    machine.kill()
    time.sleep(0.2)
    machine.wait_for(job, "running")
    go_on.set()
    machine.wait_for(job, "completed")
    assert machine.queue.get(job.id).attempt == 1
    workers.stop()


def test_a_job_that_waited_in_the_queue_is_done_after_the_restart(machine: Machine) -> None:
    job = submitted(machine)
    machine.kill()
    workers = working(machine, lambda *_: ev.Completed())
    machine.wait_for(job, "completed")
    workers.stop()


def test_a_cancel_is_heard_after_the_restart(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "CARE_SECONDS", 0.1)

    def handler(_job: Job, _emit: object, stop: Stop) -> ev.Completed:
        assert stop.cancel.wait(30)
        return ev.Completed(message="It was done anyway")

    job = submitted(machine)
    workers = working(machine, handler)
    machine.wait_for(job, "running")
    machine.kill()
    time.sleep(0.2)
    machine.wait_for(job, "running")
    machine.queue.record(job.id, ev.CancelAsked())
    machine.wait_for(job, "completed")
    workers.stop()
