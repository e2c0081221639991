"""Workers that stop, vanish or come back late: each job is done once, by whoever owns it."""

from __future__ import annotations

import threading

import pytest

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.errors import Cancelled
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.workers import outcome, worker
from isengard.workers.outcome import after_loss
from isengard.workers.worker import Workers
from tests.unit.workers.conftest import Emit, Employ, Submit, Wait, patient, quick


def lost(queue: Queue, submit: Submit, *, started: bool) -> Job:
    """A job whose worker took it and was never heard of again."""
    job = submit()
    found = queue.group.claim("lost", 2000)
    assert found is not None
    return queue.advance(found[1], ev.Claimed(worker="lost")) if started else job


def pending(queue: Queue) -> int:
    return int(queue._redis.xpending(queue.key("jobs", "training"), "workers")["pending"])


@pytest.mark.parametrize("started", [False, True])
def test_a_job_of_a_lost_worker_is_taken_over(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    monkeypatch.setattr(worker, "LOST_AFTER_MS", 300)
    job = lost(queue, submit, started=started)
    employ(quick)
    eventually(lambda: queue.get(job.id).status == "completed")
    done = queue.get(job.id)
    assert (done.attempt, done.failures) == ((2, 0) if started else (1, 0))
    assert done.losses == started
    assert pending(queue) == 0


def test_a_cancelled_job_of_a_lost_worker_is_cancelled(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOST_AFTER_MS", 300)
    job = lost(queue, submit, started=True)
    queue.record(job.id, ev.CancelAsked())
    employ(quick)
    eventually(lambda: queue.get(job.id).status == "cancelled")


def test_a_job_that_keeps_killing_its_workers_becomes_a_dead_letter(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOST_AFTER_MS", 300)
    monkeypatch.setattr(outcome, "LOSS_DELAYS_SECONDS", (0, 0, 0))
    job = submit()
    for _ in outcome.LOSS_DELAYS_SECONDS:
        entry, found = queue.group.claim("lost", 2000) or pytest.fail("nothing to claim")
        running = queue.advance(found, ev.Claimed(worker="lost"))
        queue.record(job.id, after_loss(running), attempt=running.attempt, ack=entry)
    found = queue.group.claim("lost", 2000)
    assert found is not None
    queue.advance(found[1], ev.Claimed(worker="lost"))
    employ(quick)
    eventually(lambda: queue.get(job.id).status == "failed")
    eventually(lambda: queue.dead() == 1)
    assert queue.get(job.id).message == "The worker was lost while it ran this job."


def test_a_long_job_of_a_living_worker_is_left_to_it(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOST_AFTER_MS", 1000)
    ended = threading.Event()

    def slow(_job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        ended.wait(30)
        return ev.Completed()

    job = submit()
    employ(slow, threads=2)
    eventually(lambda: queue.get(job.id).status == "running")
    assert not ended.wait(2.2)  # twice the time after which it would be lost
    assert queue.get(job.id).attempt == 1
    ended.set()
    eventually(lambda: queue.get(job.id).status == "completed")
    assert queue.get(job.id).attempt == 1


def test_a_worker_that_comes_back_late_falls_silent(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    begun, taken_over, left = threading.Event(), threading.Event(), threading.Event()

    def handler(_job: Job, emit: Emit, _stop: Stop) -> ev.Completed:
        if begun.is_set():
            return ev.Completed(message="by the second")
        begun.set()
        taken_over.wait(20)
        try:
            emit(ev.Waiting(message="from the dead"))
        finally:
            left.set()
        return ev.Completed(message="by the first")

    job = submit()
    employ(handler, threads=2)
    assert begun.wait(20)
    running = queue.get(job.id)
    ((entry, _),) = queue._redis.xrange(queue.key("jobs", "training"))
    queue.record(job.id, after_loss(running), attempt=1, ack=entry)
    eventually(lambda: queue.get(job.id).status == "completed")
    before = queue.get(job.id)
    taken_over.set()
    assert left.wait(20)
    submit()
    eventually(lambda: queue.counts()["training", "completed"] == 2)
    assert queue.get(job.id) == before
    assert before.message == "by the second"


def test_a_stop_hands_the_job_back_and_the_next_start_does_it(
    queue: Queue, hub: Hub, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    job = submit()
    workers = employ(patient)
    eventually(lambda: queue.get(job.id).status == "running")
    workers.stop()
    handed_back = queue.get(job.id)
    assert (handed_back.status, handed_back.failures, handed_back.not_before) == ("queued", 0, None)
    assert "next start" in handed_back.message
    assert workers.alive == 0
    assert pending(queue) == 0
    assert queue._redis.xinfo_consumers(queue.key("jobs", "training"), "workers") == []
    employ(quick)
    eventually(lambda: queue.get(job.id).status == "completed")
    assert queue.get(job.id).attempt == 2


def test_a_job_that_a_person_cancelled_is_not_handed_back(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    inside = threading.Event()

    def slow_to_hear(_job: Job, _emit: Emit, stop: Stop) -> ev.Completed:
        inside.wait(20)
        stop.cancel.wait(20)
        raise Cancelled("Cancelled.")

    job = submit()
    workers = employ(slow_to_hear)
    eventually(lambda: queue.get(job.id).status == "running")
    queue.record(job.id, ev.CancelAsked())
    inside.set()
    workers.stop()
    assert queue.get(job.id).status == "cancelled"


def test_a_job_claimed_while_stopping_is_handed_back_too(
    queue: Queue, hub: Hub, submit: Submit, eventually: Wait
) -> None:
    workers = Workers(queue, hub, {"training": patient}, 1)
    job = submit()
    entry, found = queue.group.claim("late", 2000) or pytest.fail("nothing to claim")
    workers._stopping.set()
    workers._process("late", entry, found)
    assert queue.get(job.id).status == "queued"


def test_a_server_that_forgets_everything_does_not_end_the_workers(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    first = submit()
    workers = employ(quick)
    eventually(lambda: queue.get(first.id).final)
    for key in queue._redis.scan_iter(f"{queue.prefix}:*"):
        queue._redis.delete(key)
    second = submit()
    eventually(lambda: queue.get(second.id).status == "completed")
    assert workers.alive == 1
    for key in queue._redis.scan_iter(f"{queue.prefix}:*"):
        queue._redis.delete(key)
    workers._leave("worker-that-ends", queue.lanes["training"])  # its stream is gone; that must not break it


def test_losses_are_forgiven_once_an_attempt_gets_further(queue: Queue, submit: Submit) -> None:
    job = submit()
    for _ in range(2):
        entry, found = queue.group.claim("lost", 2000) or pytest.fail("nothing to claim")
        running = queue.advance(found, ev.Claimed(worker="lost"))
        if running.losses:
            running = queue.advance(running, ev.Checkpoint(step=10, path="/x"))
            assert (running.losses, running.furthest) == (0, 10)
            running = queue.advance(running, ev.Checkpoint(step=10, path="/x"))  # no further than before
        queue.record(job.id, after_loss(running), attempt=running.attempt, ack=entry)
    assert queue.get(job.id).losses == 1


def test_a_job_without_a_queue_entry_is_brought_back(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MEND_SECONDS", 0.1)
    ran, waited = lost(queue, submit, started=True), submit()
    queue._redis.delete(queue.key("jobs", "training"))
    assert {job.id for job in queue.strays()} == {ran.id, waited.id}
    employ(quick)
    eventually(lambda: all(queue.get(job.id).status == "completed" for job in (ran, waited)))
    assert (queue.get(ran.id).losses, queue.get(waited.id).losses) == (1, 0)
    assert queue.strays() == []


def test_jobs_at_work_and_in_waiting_are_no_strays(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    jobs = [submit(), submit()]
    workers = employ(patient)
    eventually(lambda: queue.get(jobs[0].id).status == "running")
    assert queue.strays() == []
    workers.stop()
