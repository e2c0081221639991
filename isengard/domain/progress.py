"""An event as stored in ``isengard:progress:{job_id}`` and sent over SSE: the plan's progress schema plus the event."""

from __future__ import annotations

from datetime import datetime

from isengard.domain.base import Value
from isengard.domain.event import JobEvent
from isengard.domain.job import Job, Status


class ProgressEntry(Value):
    """The job's state after an event. ``seq`` orders entries of one job; ``stream_id`` is the Redis entry id."""

    job_id: str
    correlation_id: str
    timestamp: datetime
    status: Status
    progress: float
    current_step: int
    total_steps: int
    message: str
    preview_url: str | None = None
    type: str
    character_id: str | None = None
    title: str = ""
    seq: int
    attempt: int = 0
    loss: float | None = None
    eta_seconds: float | None = None
    event: JobEvent
    stream_id: str = ""

    @classmethod
    def of(cls, job: Job, event: JobEvent) -> ProgressEntry:
        """Describe what ``event`` made of ``job`` (the job after it)."""
        same = (
            "correlation_id status progress current_step total_steps message preview_url "
            "type character_id title seq attempt loss eta_seconds"
        )
        return cls.model_construct(  # all of it was validated already
            job_id=job.id,
            timestamp=job.updated_at,
            event=event,
            **{name: getattr(job, name) for name in same.split()},
        )
