"""The retry policy and the words for people."""

from __future__ import annotations

import errno
from datetime import timedelta

import pytest

from isengard.domain.base import utc_now
from isengard.domain.event import CancelDone, Failed, JobError, Requeued
from isengard.domain.job import Job
from isengard.domain.request import TrainingRequest
from isengard.errors import BackendCrashed, BackendOutput, Cancelled, DiskFull, NotFound
from isengard.workers.outcome import LOSS_DELAYS_SECONDS, after_error, after_loss, describe, is_alert


def job(failures: int = 0) -> Job:
    return Job.of(TrainingRequest(character_id="char-1"), "corr-1").model_copy(update={"failures": failures})


@pytest.mark.parametrize(("failures", "seconds"), [(0, 30), (1, 120)])
def test_the_second_attempt_comes_after_30_s_and_the_third_after_2_minutes(failures: int, seconds: int) -> None:
    event = after_error(job(failures), BackendCrashed("It fell over."))
    assert isinstance(event, Requeued)
    assert event.not_before is not None
    assert abs(event.not_before - utc_now() - timedelta(seconds=seconds)) < timedelta(seconds=5)
    assert event.message == f"It fell over. Trying again in {seconds} s."
    assert event.error is not None


def test_the_third_failure_is_the_last_and_an_alert() -> None:
    event = after_error(job(2), BackendCrashed("It fell over."))
    assert isinstance(event, Failed)
    assert is_alert(event)


@pytest.mark.parametrize("error", [NotFound("Gone."), BackendOutput("A black picture.")])
def test_what_would_fail_again_is_not_tried_again_and_no_alert(error: Exception) -> None:
    event = after_error(job(), error)
    assert isinstance(event, Failed)
    assert not is_alert(event)
    assert event.error.type == type(error).__name__


def test_a_cancelled_run_is_no_error() -> None:
    assert after_error(job(), Cancelled("Cancelled.")) == CancelDone()


def test_a_full_disk_is_named_whoever_met_it() -> None:
    told = describe(OSError(errno.ENOSPC, "No space left on device"), "corr-1")
    assert (told.type, told.retryable) == ("DiskFull", False)
    assert "Delete" in told.hint


def test_the_unforeseen_is_named_by_its_correlation_id() -> None:
    told = describe(KeyError("secret inner thing"), "corr-1")
    assert told == JobError(
        message="Something went wrong inside Isengard.",
        hint="Look for corr-1 in the worker log, and report it; Retry may still work.",
        type="KeyError",
    )


def test_a_full_disk_pauses_a_job_and_counts_as_no_failure() -> None:
    event = after_error(job(2), DiskFull("The volume is full."))
    assert isinstance(event, Requeued)
    assert event.why == "pause"
    assert event.not_before is not None
    assert event.message == "Paused: The volume is full. It goes on by itself when there is room."


def test_a_lost_worker_s_job_goes_on_at_once_then_later_until_it_was_lost_too_often() -> None:
    for losses, delay in enumerate(LOSS_DELAYS_SECONDS):
        event = after_loss(job(2).model_copy(update={"losses": losses}))
        assert isinstance(event, Requeued)
        assert (event.not_before is None) is (delay == 0) is (losses < 3)
        assert (f"in {delay} s" in event.message) is (delay > 0)
    last = after_loss(job().model_copy(update={"losses": len(LOSS_DELAYS_SECONDS)}))
    assert isinstance(last, Failed)
    assert is_alert(last)
