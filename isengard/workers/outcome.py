"""What becomes of a job whose attempt ended in an error: the retry policy and the words for people."""

from __future__ import annotations

import errno
from datetime import timedelta

import structlog

from isengard.domain.base import utc_now
from isengard.domain.event import CancelDone, Failed, JobError, JobEvent, Requeued
from isengard.domain.job import Job
from isengard.errors import Cancelled, DiskFull, IsengardError, QuotaExceeded

RETRY_DELAYS_SECONDS = (30, 120)  # before the second and the third attempt; after that the dead letters
# A machine may be killed at any time, so a lost worker's job goes on at once. One that gets nowhere may be what kills
# it: it waits longer each time, so that others have their turn and a rough time passes; then it is given up.
LOSS_DELAYS_SECONDS = (0, 0, 0, 15, 30, 60, 120)
NO_ROOM = {DiskFull.__name__, QuotaExceeded.__name__}
PAUSE_SECONDS = 20  # before it is looked whether there is room again
log = structlog.get_logger("workers.outcome")


def describe(error: BaseException, correlation_id: str) -> JobError:
    """Put an error into plain words; anything unforeseen is logged with its traceback and named by its id."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        error = DiskFull(
            "The volume is full.", "Delete pictures or LoRAs, clean up in the System tab, or use a larger volume."
        )
    if isinstance(error, IsengardError):
        return JobError(message=error.message, hint=error.hint, type=type(error).__name__, retryable=error.retryable)
    log.error("job.broke", exc_info=error)
    return JobError(
        message="Something went wrong inside Isengard.",
        hint=f"Look for {correlation_id} in the worker log, and report it; Retry may still work.",
        type=type(error).__name__,
    )


def after_error(job: Job, error: BaseException) -> JobEvent:
    """Choose the event: cancelled, back to the queue with a delay, paused until there is room, or failed."""
    if isinstance(error, Cancelled):
        return CancelDone()
    told = describe(error, job.correlation_id)
    if told.type in NO_ROOM:
        return _paused(told)
    if not told.retryable or job.failures >= len(RETRY_DELAYS_SECONDS):
        return Failed(error=told)
    delay = RETRY_DELAYS_SECONDS[job.failures]
    again = utc_now() + timedelta(seconds=delay)
    return Requeued(message=f"{told.message} Trying again in {delay} s.", not_before=again, error=told)


def _paused(told: JobError) -> Requeued:
    again = utc_now() + timedelta(seconds=PAUSE_SECONDS)
    message = f"Paused: {told.message} It goes on by itself when there is room."
    return Requeued(message=message, not_before=again, error=told, why="pause")


def after_loss(job: Job) -> JobEvent:
    """Choose the event for a job whose worker vanished: back to the queue, unless it keeps killing workers."""
    told = JobError(
        message="The worker was lost while it ran this job.",
        hint="Retry it. If it happens again, the machine may be short of memory: see the worker log.",
        type="BackendCrashed",
        retryable=True,
    )
    if job.losses >= len(LOSS_DELAYS_SECONDS):
        return Failed(error=told)
    delay = LOSS_DELAYS_SECONDS[job.losses]
    if not delay:
        return Requeued(message="Its worker was lost; going on from where it got to", error=told, why="loss")
    again = utc_now() + timedelta(seconds=delay)
    message = f"Its worker was lost {job.losses + 1} times in a row. Trying again in {delay} s."
    return Requeued(message=message, not_before=again, error=told, why="loss")


def is_alert(event: JobEvent) -> bool:
    """Tell whether the event is a failure for good that an owner should hear of."""
    return isinstance(event, Failed) and event.error.retryable
