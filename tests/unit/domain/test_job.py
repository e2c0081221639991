"""The state table, held against a copy of it that was written by hand, and what events make of a job."""

from __future__ import annotations

from datetime import timedelta

import pytest

from isengard.domain import event as ev
from isengard.domain.base import new_id, utc_now
from isengard.domain.job import FINAL, TRANSITIONS, Job
from isengard.domain.progress import ProgressEntry
from isengard.domain.request import GenerationRequest, TrainingRequest
from isengard.errors import Conflict

ERROR = ev.JobError(message="It broke.", hint="Mend it.", retryable=True)
EVENTS: dict[str, ev.JobEvent] = {
    "progress": ev.Progress(step=5, total_steps=10, message="Working", eta_seconds=3),
    "metric": ev.Metric(step=5, total_steps=10, loss=0.25, learning_rate=1e-4, eta_seconds=3),
    "preview": ev.Preview(step=5, path="/volume/jobs/job/sample.png", url="/api/sample.png"),
    "checkpoint": ev.Checkpoint(step=5, path="/volume/jobs/job/step-5"),
    "weights": ev.Weights(step=10, path="/volume/jobs/job/weights.safetensors"),
    "picture": ev.Picture(index=1, path="/volume/jobs/job/1.png", seed=7, width=64, height=64),
    "claimed": ev.Claimed(worker="one"),
    "stepped_down": ev.SteppedDown(payload={"character_id": "char-1"}, message="Out of memory: smaller now"),
    "waiting": ev.Waiting(message="Waiting for the GPU"),
    "cancel_asked": ev.CancelAsked(),
    "stop_asked": ev.StopAsked(),
    "save_asked": ev.SaveAsked(),
    "sample_asked": ev.SampleAsked(),
    "completed": ev.Completed(output_path="loras/x/v1.safetensors"),
    "failed": ev.Failed(error=ERROR),
    "cancelled": ev.CancelDone(),
    "requeued": ev.Requeued(message="Again"),
}
WORK = ("progress", "metric", "preview", "checkpoint", "weights", "picture", "waiting", "stepped_down")
ALLOWED: dict[str, dict[str, str]] = {
    "queued": {"claimed": "running", "cancel_asked": "cancelled", "failed": "failed"},
    "running": {
        **dict.fromkeys(WORK, "running"),
        **dict.fromkeys(("stop_asked", "save_asked", "sample_asked"), "running"),
        "cancel_asked": "cancelling",
        "completed": "completed",
        "failed": "failed",
        "requeued": "queued",
    },
    "cancelling": {
        **dict.fromkeys(WORK, "cancelling"),
        "cancel_asked": "cancelling",
        "completed": "completed",
        "cancelled": "cancelled",
        "failed": "cancelled",
        "requeued": "cancelled",
    },
    "completed": {},
    "failed": {"requeued": "queued"},
    "cancelled": {"requeued": "queued"},
}
PAIRS = [(status, kind) for status in ALLOWED for kind in EVENTS]


def job(**changes: object) -> Job:
    request = TrainingRequest(character_id="char-1")
    return Job.of(request, "corr-1", "Zara: training").model_copy(update=changes)


@pytest.mark.parametrize(("status", "kind"), PAIRS)
def test_an_event_does_what_the_table_says_or_is_refused(status: str, kind: str) -> None:
    before = job(status=status, seq=4)
    target = ALLOWED[status].get(kind)
    if target is None:
        with pytest.raises(Conflict, match=f"A job that is {status} cannot be") as refused:
            before.apply(EVENTS[kind])
        assert refused.value.hint
    else:
        after = before.apply(EVENTS[kind])
        assert (after.status, after.seq) == (target, 5)
    assert (before.status, before.seq) == (status, 4)


def test_the_table_names_every_event_and_no_other() -> None:
    assert {kind for _, kind in TRANSITIONS} == set(EVENTS)
    assert {status for status, _ in TRANSITIONS} | FINAL == set(ALLOWED)


def test_a_claim_begins_a_new_attempt_and_forgets_the_old_error() -> None:
    after = job(attempt=1, error=ERROR, not_before=utc_now()).apply(EVENTS["claimed"])
    assert (after.attempt, after.worker, after.error, after.not_before) == (2, "one", None, None)
    assert after.started_at is not None


def test_progress_without_a_total_changes_the_words_only() -> None:
    before = job(status="running", current_step=3, total_steps=10, progress=30.0)
    after = before.apply(ev.Progress(message="Loading"))
    assert (after.message, after.current_step, after.progress) == ("Loading", 3, 30.0)


@pytest.mark.parametrize(("step", "total", "percent"), [(0, 10, 0.0), (1, 3, 33.3), (10, 10, 100.0), (11, 10, 100.0)])
def test_progress_is_a_percentage_of_at_most_100(step: int, total: int, percent: float) -> None:
    assert job(status="running").apply(ev.Progress(step=step, total_steps=total)).progress == percent


def test_a_metric_carries_loss_and_time_left() -> None:
    after = job(status="running").apply(EVENTS["metric"])
    assert (after.loss, after.learning_rate, after.eta_seconds, after.progress) == (0.25, 1e-4, 3, 50.0)
    assert after.message == "Training step 5/10"


def test_an_end_sets_its_time_and_frees_the_worker() -> None:
    after = job(status="running", worker="one", total_steps=10, eta_seconds=5.0).apply(EVENTS["completed"])
    assert after.finished_at
    assert (after.worker, after.eta_seconds, after.progress, after.current_step) == (None, None, 100.0, 10)


def test_a_job_that_failed_while_it_was_cancelled_shows_no_error() -> None:
    after = job(status="cancelling").apply(EVENTS["failed"])
    assert (after.status, after.message, after.error) == ("cancelled", "Cancelled", None)


def test_a_failure_is_told_in_the_words_of_its_error() -> None:
    after = job(status="running", failures=1).apply(EVENTS["failed"])
    assert (after.message, after.error, after.failures) == ("It broke.", ERROR, 2)


def test_a_requeue_counts_failures_only_with_an_error() -> None:
    due = utc_now() + timedelta(seconds=30)
    running = job(status="running", failures=1, worker="one", stop_asked=True)
    failed = running.apply(ev.Requeued(message="Again", error=ERROR, not_before=due))
    handed_back = running.apply(ev.Requeued(message="Stopped"))
    assert (failed.failures, failed.not_before, failed.worker, failed.stop_asked) == (2, due, None, False)
    assert handed_back.failures == 1


def test_a_retry_by_a_person_starts_the_count_anew() -> None:
    ended = job(status="failed", failures=3, finished_at=utc_now(), error=ERROR)
    after = ended.apply(ev.Requeued(message="Again", reset_attempts=True))
    assert (after.status, after.failures, after.finished_at, after.error) == ("queued", 0, None, None)


@pytest.mark.parametrize("status", ["queued", "running", "cancelling", "completed"])
def test_a_person_cannot_retry_what_has_not_failed(status: str) -> None:
    with pytest.raises(Conflict, match=f"A job that is {status} cannot be retried"):
        job(status=status).apply(ev.Requeued(message="Again", reset_attempts=True))


def test_the_request_comes_back_as_it_was() -> None:
    training = TrainingRequest(character_id="char-1")
    generation = GenerationRequest(prompt="ohwx person, smiling", seed=7)
    assert Job.of(training, "c").request == training
    assert Job.of(generation, "c").request == generation
    assert Job.of(training, "c").id.startswith("train-")
    assert Job.of(generation, "c").id.startswith("gen-")


def test_a_job_survives_json() -> None:
    after = job(status="running").apply(EVENTS["metric"])
    assert Job.model_validate_json(after.model_dump_json()) == after


@pytest.mark.parametrize("kind", list(EVENTS))
def test_an_entry_of_every_kind_of_event_survives_json(kind: str) -> None:
    entry = ProgressEntry.of(job(status="running"), EVENTS[kind])
    assert ProgressEntry.model_validate_json(entry.model_dump_json()) == entry


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_id("train") for _ in range(2000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 2000
