"""Worker threads with real handlers on a real queue: how jobs end, are tried again, handed back and taken over."""

from __future__ import annotations

import threading

import pytest

from isengard.domain import event as ev
from isengard.domain.job import FINAL, Job
from isengard.domain.lease import Stop
from isengard.errors import BackendCrashed, Cancelled, Conflict, InvalidInput
from isengard.infra.queue import Queue
from isengard.workers import outcome
from isengard.workers.worker import Workers
from tests.unit.workers.conftest import Emit, Employ, Submit, Wait

HEARD_SECONDS = 15  # on the slowest machine; without the wish, these handlers go on for longer


def obedient(job: Job, emit: Emit, stop: Stop) -> ev.Completed:
    """Work until asked to end."""
    for step in range(1, 3000):
        emit(ev.Metric(step=step, total_steps=3000, loss=1 / step, learning_rate=1e-4))
        if stop.cancel.wait(0.01):
            raise Cancelled("Cancelled.")
        if stop.keep.is_set():
            return ev.Completed(message=f"Kept {job.id}")
    return ev.Completed()


def status(queue: Queue, job: Job) -> str:
    return queue.get(job.id).status


def pending(queue: Queue) -> int:
    return int(queue._redis.xpending(queue.key("jobs", "training"), "workers")["pending"])


def kinds(queue: Queue, job: Job) -> list[str]:
    return [entry.event.kind for entry in queue.events(job.id)]


def test_a_job_is_done_and_acknowledged(queue: Queue, employ: Employ, submit: Submit, eventually: Wait) -> None:
    def handler(_job: Job, emit: Emit, _stop: Stop) -> ev.Completed:
        emit(ev.Progress(step=1, total_steps=2, message="Half"))
        emit(ev.Checkpoint(step=1, path="/x"))
        return ev.Completed(output_path="loras/char-1/v1.safetensors", message="Ready")

    job = submit()
    employ(handler)
    eventually(lambda: queue.get(job.id).final)
    done = queue.get(job.id)
    assert (done.status, done.progress, done.message, done.attempt) == ("completed", 100.0, "Ready", 1)
    assert done.output_path == "loras/char-1/v1.safetensors"
    assert kinds(queue, job) == ["claimed", "progress", "checkpoint", "completed"]
    assert pending(queue) == 0


def test_jobs_run_side_by_side_on_several_threads(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    both = threading.Barrier(2, timeout=20)

    def handler(_job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        both.wait()  # only passes when two are inside
        return ev.Completed()

    jobs = [submit(), submit()]
    assert employ(handler, threads=2).alive == 2
    eventually(lambda: all(status(queue, job) == "completed" for job in jobs))


def test_a_fault_that_may_pass_is_tried_three_times_then_a_dead_letter(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "RETRY_DELAYS_SECONDS", (0, 0))
    attempts: list[int] = []

    def handler(job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        attempts.append(job.attempt)
        raise BackendCrashed("The engine fell over.", "Try again.")

    job = submit()
    employ(handler)
    eventually(lambda: queue.get(job.id).final)
    failed = queue.get(job.id)
    assert attempts == [1, 2, 3]
    assert (failed.status, failed.failures, failed.message) == ("failed", 3, "The engine fell over.")
    eventually(lambda: queue.dead() == 1)
    assert pending(queue) == 0
    assert kinds(queue, job) == ["claimed", "requeued", "claimed", "requeued", "claimed", "failed"]


def test_a_fault_that_passes_ends_well(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "RETRY_DELAYS_SECONDS", (0, 0))

    def handler(job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        if job.attempt == 1:
            raise BackendCrashed("The engine fell over.")
        return ev.Completed()

    job = submit()
    employ(handler)
    eventually(lambda: queue.get(job.id).final)
    done = queue.get(job.id)
    assert (done.status, done.attempt, done.error) == ("completed", 2, None)
    assert queue.dead() == 0


def test_the_next_attempt_waits_its_delay(queue: Queue, employ: Employ, submit: Submit, eventually: Wait) -> None:
    def handler(_job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        raise BackendCrashed("The engine fell over.")

    job = submit()
    employ(handler)
    eventually(lambda: queue.get(job.id).not_before)
    waiting = queue.get(job.id)
    assert waiting.not_before is not None
    assert 20 < (waiting.not_before - waiting.updated_at).total_seconds() <= 30
    assert (waiting.status, waiting.attempt) == ("queued", 1)
    assert waiting.message == "The engine fell over. Trying again in 30 s."


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (InvalidInput("No pictures.", "Add some."), "No pictures."),
        (Conflict("Not now.", "Later."), "Not now."),
        (ZeroDivisionError("oops"), "Something went wrong inside Isengard."),
    ],
)
def test_a_fault_that_stays_is_told_at_once(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, fault: Exception, message: str
) -> None:
    def handler(_job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        raise fault

    job = submit()
    employ(handler)
    eventually(lambda: queue.get(job.id).final)
    failed = queue.get(job.id)
    assert (failed.status, failed.attempt, failed.message) == ("failed", 1, message)
    assert failed.error is not None
    assert failed.error.hint
    assert "oops" not in failed.error.model_dump_json()
    assert queue.dead() == 0


# --- wishes ----------------------------------------------------------------------------------


def test_a_running_job_is_cancelled(queue: Queue, employ: Employ, submit: Submit, eventually: Wait) -> None:
    job = submit()
    employ(obedient)
    eventually(lambda: queue.get(job.id).current_step > 2)
    assert queue.record(job.id, ev.CancelAsked()).status == "cancelling"
    eventually(lambda: queue.get(job.id).final, HEARD_SECONDS)
    assert status(queue, job) == "cancelled"
    assert pending(queue) == 0


def test_a_wish_is_heard_even_when_its_event_was_lost(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workers, "_heed", lambda _self, _entry: None)
    job = submit()
    employ(obedient)
    eventually(lambda: status(queue, job) == "running")
    queue.record(job.id, ev.CancelAsked())
    eventually(lambda: status(queue, job) == "cancelled", HEARD_SECONDS)


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    ran: list[str] = []

    def handler(job: Job, emit: Emit, stop: Stop) -> ev.Completed:
        ran.append(job.id)
        return obedient(job, emit, stop)

    first, second = submit(), submit()
    employ(handler)
    eventually(lambda: status(queue, first) == "running")
    assert queue.record(second.id, ev.CancelAsked()).status == "cancelled"
    queue.record(first.id, ev.CancelAsked())
    third = submit()
    eventually(lambda: status(queue, third) == "running")
    assert ran == [first.id, third.id]


def test_a_job_that_waits_for_its_next_attempt_is_cancelled_at_once(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    def handler(_job: Job, _emit: Emit, _stop: Stop) -> ev.Completed:
        raise BackendCrashed("The engine fell over.")

    job = submit()
    employ(handler)
    eventually(lambda: queue.get(job.id).not_before)
    assert queue.record(job.id, ev.CancelAsked()).status == "cancelled"


def test_a_job_that_fails_while_it_is_cancelled_is_cancelled_and_no_dead_letter(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "RETRY_DELAYS_SECONDS", ())

    def handler(_job: Job, _emit: Emit, stop: Stop) -> ev.Completed:
        stop.cancel.wait(20)
        raise BackendCrashed("The engine fell over.")

    job = submit()
    employ(handler)
    eventually(lambda: status(queue, job) == "running")
    queue.record(job.id, ev.CancelAsked())
    eventually(lambda: queue.get(job.id).final, HEARD_SECONDS)
    assert (status(queue, job), queue.dead()) == ("cancelled", 0)


def test_a_job_that_was_done_before_the_wish_arrived_is_completed(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    def handler(_job: Job, _emit: Emit, stop: Stop) -> ev.Completed:
        stop.cancel.wait(20)
        return ev.Completed()

    job = submit()
    employ(handler)
    eventually(lambda: status(queue, job) == "running")
    queue.record(job.id, ev.CancelAsked())
    eventually(lambda: status(queue, job) == "completed", HEARD_SECONDS)


def test_stop_keeps_what_is_there(queue: Queue, employ: Employ, submit: Submit, eventually: Wait) -> None:
    job = submit()
    employ(obedient)
    eventually(lambda: queue.get(job.id).current_step > 2)
    assert queue.record(job.id, ev.StopAsked()).stop_asked
    eventually(lambda: status(queue, job) in FINAL)
    assert queue.get(job.id).message == f"Kept {job.id}"


def test_progress_is_thinned_out_but_the_last_step_is_told(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    def handler(_job: Job, emit: Emit, _stop: Stop) -> ev.Completed:
        for step in range(1, 1001):
            emit(ev.Metric(step=step, total_steps=1000, loss=1, learning_rate=1e-4))
        return ev.Completed()

    job = submit()
    employ(handler)
    eventually(lambda: status(queue, job) == "completed")
    told = [entry.current_step for entry in queue.events(job.id) if entry.event.kind == "metric"]
    assert len(told) < 200
    assert told[-1] == 1000


def test_every_phase_is_told_however_short_it_was(
    queue: Queue, employ: Employ, submit: Submit, eventually: Wait
) -> None:
    phases = ["Starting the engine", "Loading the model", "Encoding pictures 1/2", "Encoding pictures 2/2", "Saving"]

    def handler(_job: Job, emit: Emit, _stop: Stop) -> ev.Completed:
        for phase in phases:
            emit(ev.Progress(total_steps=9, message=phase))
        return ev.Completed()

    job = submit()
    employ(handler)
    eventually(lambda: status(queue, job) == "completed")
    told = [entry.message for entry in queue.events(job.id) if entry.event.kind == "progress"]
    count = "Encoding pictures 2/2"  # may be left out, or not on a slow machine
    assert [phase for phase in told if phase != count] == [phase for phase in phases if phase != count]
