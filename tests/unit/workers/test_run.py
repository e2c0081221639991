"""One attempt: what it reports while Redis is away, and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.request import TrainingRequest
from isengard.errors import QueueUnavailable
from isengard.infra.queue import Queue
from isengard.workers.run import Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose server is not there."""
    monkeypatch.setattr("redis.retry.sleep", lambda _: None)
    job = Job.of(TrainingRequest(character_id="char-1"), "corr-1").apply(ev.Claimed(worker="one"))
    return Run(Queue(f"unix://{tmp_path}/nobody.sock"), job, "1-1", "one")


def test_progress_is_lost_while_redis_is_and_the_work_goes_on(run: Run) -> None:
    run.emit(ev.Metric(step=2, total_steps=2, loss=1, learning_rate=1e-4))
    run.emit(ev.Progress(step=2, total_steps=2))


@pytest.mark.parametrize("event", [ev.Checkpoint(step=1, path="/x"), ev.Completed()])
def test_what_must_be_known_is_never_lost_in_silence(run: Run, event: ev.JobEvent) -> None:
    run.hand_back()  # else it would wait for the server
    with pytest.raises(QueueUnavailable):
        run.emit(event)


@pytest.mark.parametrize(
    ("changes", "cancel", "keep"),
    [
        ({}, False, False),
        ({"status": "cancelling"}, True, False),
        ({"stop_asked": True}, False, True),
        ({"status": "cancelling", "stop_asked": True}, True, True),
    ],
)
def test_a_person_s_wish_reaches_the_backend(run: Run, changes: dict[str, object], cancel: bool, keep: bool) -> None:
    run.heed(run.job.model_copy(update=changes))
    assert (run.stop.cancel.is_set(), run.stop.keep.is_set()) == (cancel, keep)
    assert not run.handed_back


def test_a_checkpoint_and_samples_are_asked_for_once_each_time(run: Run) -> None:
    saving = run.job.apply(ev.SaveAsked())
    for job in (saving, saving, saving.apply(ev.SampleAsked())):
        run.heed(job)
    assert run.stop.save.is_set()
    assert run.stop.sample.is_set()
    run.stop.save.clear()
    run.heed(saving)
    assert not run.stop.save.is_set()
    run.heed(saving.apply(ev.SaveAsked()))
    assert run.stop.save.is_set()


def test_what_an_earlier_attempt_was_asked_for_is_not_asked_again(run: Run) -> None:
    asked = run.job.apply(ev.SaveAsked()).apply(ev.SampleAsked())
    later = Run(run.queue, asked, "2-1", "two")
    later.heed(asked)
    assert not later.stop.save.is_set()
    assert not later.stop.sample.is_set()
