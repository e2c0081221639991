"""Jobs: look, cancel, stop and keep, save and sample now, retry, and follow their events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isengard.domain.event import CancelAsked, JobEvent, Metric, Preview, Requeued, SampleAsked, SaveAsked, StopAsked
from isengard.domain.job import Job
from isengard.domain.page import Page
from isengard.domain.progress import ProgressEntry
from isengard.errors import Conflict, NotFound
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.services.job_log import JobLog, log_of

MAX_POINTS = 2000


@dataclass(frozen=True)
class Jobs:
    """Wishes are recorded at once; the worker hears of an end within milliseconds, of the others within a second."""

    queue: Queue
    hub: Hub
    storage: Storage

    def get(self, job_id: str) -> Job:
        """Return one; raise NotFound."""
        return self.queue.get(job_id)

    def list(
        self,
        kind: str | None = None,
        status: str | None = None,
        character_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Job]:
        """Return a page, newest first."""
        return self.queue.list(kind, status, character_id, cursor, limit)

    def cancel(self, job_id: str) -> Job:
        """End it and throw its work away; raise Conflict when it has ended already."""
        return self.queue.record(job_id, CancelAsked())

    def stop(self, job_id: str) -> Job:
        """End a training and keep what is trained so far; raise Conflict unless it runs."""
        return self._wish(job_id, StopAsked(), "Only a training can be stopped with its work kept.")

    def save_now(self, job_id: str) -> Job:
        """Have a training save a checkpoint after the step at work; raise Conflict unless it runs."""
        return self._wish(job_id, SaveAsked(), "Only a training saves checkpoints.")

    def sample_now(self, job_id: str) -> Job:
        """Have a training draw its samples after the step at work; raise Conflict unless it runs."""
        return self._wish(job_id, SampleAsked(), "Only a training draws samples.")

    def _wish(self, job_id: str, wish: JobEvent, refusal: str) -> Job:
        if self.queue.get(job_id).type != "training":
            raise Conflict(refusal, "Cancel the job, or wait for its end.")
        return self.queue.record(job_id, wish)

    def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again; a training goes on from its newest checkpoint."""
        return self.queue.record(job_id, Requeued(message="Waiting in the queue again", reset_attempts=True))

    def events(self, job_id: str, after: str = "0") -> Sequence[ProgressEntry]:
        """Return stored events that came after a stream id; raise NotFound for an unknown job."""
        self.queue.get(job_id)
        return self.queue.events(job_id, after)

    def loss(self, job_id: str) -> Sequence[Metric]:
        """Return the loss curve, at most 2,000 points; a resumed attempt's steps replace the lost ones."""
        job = self.queue.get(job_id)
        path = self.storage.work(job.id) / "loss.jsonl"
        if not path.exists():
            return []
        rows: dict[int, Metric] = {}
        last = 0
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                step, loss, rate = json.loads(line)
            except ValueError:  # a kill left half a line
                continue
            if step <= last:
                rows = {known: point for known, point in rows.items() if known < step}
            rows[step] = Metric(step=step, total_steps=job.total_steps, loss=loss, learning_rate=rate)
            last = step
        return _thinned(list(rows.values()))

    def previews(self, job_id: str) -> Sequence[Preview]:
        """Return the sample pictures made so far, oldest first."""
        return [entry.event for entry in self.events(job_id) if isinstance(entry.event, Preview)]

    def log(self, job_id: str) -> JobLog:
        """Return what happened in words, and the end of what the trainer printed."""
        events = self.events(job_id)
        try:
            printed = self.storage.work_file(job_id, "trainer.log")
        except NotFound:  # not every backend prints anything
            printed = None
        return log_of(events, printed)

    def file(self, job_id: str, name: str) -> Path:
        """Return a picture of a job's work folder; raise NotFound."""
        return self.storage.work_file(self.queue.get(job_id).id, name)


def _thinned(points: list[Metric]) -> list[Metric]:
    """Keep every n-th point, and the last one."""
    if len(points) <= MAX_POINTS:
        return points
    gap = -(-len(points) // (MAX_POINTS - 1))
    return [*points[:-1:gap], points[-1]]
