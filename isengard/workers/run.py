"""One attempt of one job: how it reports, and how it is asked to end."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from isengard.domain.event import Checkpoint, JobEvent, Metric, Progress, Waiting
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.errors import QueueUnavailable
from isengard.infra.queue import Queue

MIN_SECONDS_BETWEEN_RECORDS = 0.05  # a person sees no more than 20 changes a second
TRY_AGAIN_SECONDS = 1.0
_COUNT = re.compile(r"\d+")
T = TypeVar("T")
log = structlog.get_logger("workers.run")


@dataclass
class Run:
    """The running attempt. Figures are thinned out, and lost while Redis is away; every other event waits for it."""

    queue: Queue
    job: Job
    entry: str
    consumer: str
    stop: Stop = field(default_factory=Stop)
    handed_back: bool = False
    _passed_on: dict[str, int] = field(default_factory=dict)  # of each wish that may come again
    silenced: bool = False
    _stepping: bool = False
    _waiting: bool = False
    _heard: float = field(default_factory=time.monotonic)
    _last: float = 0.0
    _phase: str = ""
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Leave alone what an earlier attempt was asked for."""
        self._passed_on = {name: getattr(self.job, name) for name in ("saves_asked", "samples_asked")}

    def emit(self, event: JobEvent) -> None:
        """Record what happened; raise Fenced when another attempt owns the job."""
        self._heard = time.monotonic()
        self._waiting = isinstance(event, Waiting)
        self._stepping = self._stepping or isinstance(event, Metric)
        if isinstance(event, Metric | Progress):
            now = time.monotonic()
            phase = _COUNT.sub("", event.message) if isinstance(event, Progress) else self._phase
            last_step = event.step == event.total_steps
            if now - self._last < MIN_SECONDS_BETWEEN_RECORDS and phase == self._phase and not last_step:
                return
            self._last, self._phase = now, phase
            try:
                self.advance(event)
            except QueueUnavailable as error:  # the next one tells the same; hours of training must not end for it
                log.warning("progress.untold", error=str(error.__cause__))
            return
        self._insist(lambda: self.advance(event))
        if self.handed_back and isinstance(event, Checkpoint):
            self.stop.cancel.set()

    def _insist(self, record: Callable[[], T]) -> T:
        """Do it, waiting for Redis if need be: hours of work must not end for a server that starts anew."""
        while True:
            try:
                return record()
            except QueueUnavailable as error:
                log.warning("event.untold", job_id=self.job.id, error=error.message)
                if self.handed_back:
                    raise
                time.sleep(TRY_AGAIN_SECONDS)

    def advance(self, event: JobEvent) -> Job:
        """Record an event of this attempt."""
        with self._guard:
            self.job = self.queue.advance(self.job, event)
            return self.job

    def conclude(self, event: JobEvent, *, take_next: bool) -> tuple[str, Job] | None:
        """Record the last event and acknowledge the queue entry; return the next one, if one was taken with it."""
        return self._insist(lambda: self._conclude(event, take_next=take_next))

    def _conclude(self, event: JobEvent, *, take_next: bool) -> tuple[str, Job] | None:
        with self._guard:
            if not take_next:
                self.job = self.queue.advance(self.job, event, ack=self.entry)
                return None
            self.job, found = self.queue.conclude(self.job, event, self.entry, self.consumer)
            return found

    def hand_back(self) -> None:
        """Isengard stops: have a training save its last steps first; the job goes back to the queue."""
        self.handed_back = True
        (self.stop.save if self._stepping else self.stop.cancel).set()

    def silent(self, seconds: float) -> bool:
        """Tell whether the backend has told nothing for so long, though it has what it needs."""
        return not self._waiting and time.monotonic() - self._heard > seconds

    def give_up(self) -> None:
        """End a backend that shows no life any more; the job is tried again."""
        self.silenced = True
        self.stop.cancel.set()

    def heed(self, job: Job) -> None:
        """Pass a person's wish on to the backend."""
        if job.status == "cancelling":
            self.stop.cancel.set()
        if job.stop_asked:
            self.stop.keep.set()
        for name, wish in (("saves_asked", self.stop.save), ("samples_asked", self.stop.sample)):
            if getattr(job, name) > self._passed_on[name]:
                self._passed_on[name] = getattr(job, name)
                wish.set()
