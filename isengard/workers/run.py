"""One attempt of one job: how it reports, and how it is asked to end."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import structlog

from isengard.domain.event import JobEvent, Metric, Progress
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.errors import QueueUnavailable
from isengard.infra.queue import Queue

MIN_SECONDS_BETWEEN_RECORDS = 0.05  # a person sees no more than 20 changes a second
log = structlog.get_logger("workers.run")


@dataclass
class Run:
    """The running attempt. Progress is thinned out, and lost while Redis is; every other event must be recorded."""

    queue: Queue
    job: Job
    entry: str
    consumer: str
    stop: Stop = field(default_factory=Stop)
    handed_back: bool = False
    _last: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: JobEvent) -> None:
        """Record what happened; raise Fenced when another attempt owns the job."""
        if isinstance(event, Metric | Progress):
            now = time.monotonic()
            last_step = event.step == event.total_steps
            if now - self._last < MIN_SECONDS_BETWEEN_RECORDS and not last_step:
                return
            self._last = now
            try:
                self.advance(event)
            except QueueUnavailable as error:  # the next one tells the same; hours of training must not end for it
                log.warning("progress.untold", error=str(error.__cause__))
            return
        self.advance(event)

    def advance(self, event: JobEvent) -> Job:
        """Record an event of this attempt."""
        with self._guard:
            self.job = self.queue.advance(self.job, event)
            return self.job

    def conclude(self, event: JobEvent, *, take_next: bool) -> tuple[str, Job] | None:
        """Record the last event and acknowledge the queue entry; return the next one, if one was taken with it."""
        with self._guard:
            if not take_next:
                self.job = self.queue.advance(self.job, event, ack=self.entry)
                return None
            self.job, found = self.queue.conclude(self.job, event, self.entry, self.consumer)
            return found

    def hand_back(self) -> None:
        """Ask the backend to end because Isengard stops; the job goes back to the queue."""
        self.handed_back = True
        self.stop.cancel.set()

    def heed(self, job: Job) -> None:
        """Pass a person's wish on to the backend."""
        if job.status == "cancelling":
            self.stop.cancel.set()
        if job.stop_asked:
            self.stop.keep.set()
