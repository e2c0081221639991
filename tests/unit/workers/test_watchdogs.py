"""Threads that die and backends that fall silent: each is noticed, replaced or ended, and the job is done."""

from __future__ import annotations

import threading

import pytest

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.infra.queue import Queue
from isengard.workers import worker
from isengard.workers.worker import Workers
from tests.unit.workers.conftest import Emit, Employ, Submit, Wait, patient, quick


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_replaced_and_its_job_done(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOST_AFTER_MS", 300)
    died: list[str] = []

    def deadly(job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        if not died:
            died.append(job.id)
            raise SystemExit  # ends the thread, in silence
        return ev.Completed()

    job = submit()
    workers = employ(deadly)
    eventually(lambda: queue.get(job.id).status == "completed")
    assert died == [job.id]
    assert workers.alive == 1
    assert workers.cared_for


def test_a_backend_without_a_sign_of_life_is_ended_and_tried_again(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SILENCE_SECONDS", 0.3)
    job = submit()
    employ(patient)
    eventually(lambda: queue.get(job.id).failures == 1)
    told = queue.get(job.id)
    assert told.status == "queued"
    assert told.error is not None
    assert "no sign of life" in told.error.message


def test_who_waits_for_memory_is_not_taken_for_dead(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SILENCE_SECONDS", 0.1)
    looked = threading.Event()

    def waits(_job: Job, emit: Emit, stop: Stop) -> ev.Completed:
        emit(ev.Waiting(message="Waiting for the GPU"))
        looked.set()
        stop.cancel.wait(1)
        return ev.Completed()

    job = submit()
    employ(waits)
    eventually(lambda: queue.get(job.id).final)
    assert queue.get(job.id).status == "completed"
    assert queue.get(job.id).attempt == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_caring_thread_is_replaced_too(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def deadly(_self: Workers) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise SystemExit

    monkeypatch.setattr(Workers, "_look_for_room", deadly)
    workers = employ(quick)
    eventually(lambda: len(looks) > 2)
    assert workers.cared_for
    job = submit()
    eventually(lambda: queue.get(job.id).status == "completed")
