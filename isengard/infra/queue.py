"""Jobs in Redis: submit, claim, record, list. With hub and redis_server the only code that speaks Redis."""

from __future__ import annotations

import builtins
import re
import time
from datetime import datetime
from typing import Any, cast

from isengard.domain.event import JobEvent, Requeued, Submitted
from isengard.domain.job import Job
from isengard.domain.page import Page
from isengard.domain.progress import ProgressEntry
from isengard.domain.request import JobType
from isengard.errors import Conflict, Fenced, InvalidInput, NotFound
from isengard.infra.queue_client import connect, reachable
from isengard.infra.queue_codec import created_us, due_ms, entry_of, progress_fields, stream_fields
from isengard.infra.queue_group import GROUP, ConsumerGroup, Taken
from isengard.infra.queue_history import JobHistory
from isengard.infra.queue_lists import TYPES, JobLists
from isengard.infra.queue_scripts import PROMOTE, RECORD, SUBMIT

PROGRESS_MAXLEN = 5000
PROGRESS_TTL_SECONDS = 7 * 24 * 3600
LIVE = ("queued", "running", "cancelling")
UNSTORED = "0-0"  # the stream id of an event that is told and not kept
PROMOTED = 50  # at once: a burst must not hold the server up
STREAM_ID = re.compile(r"\d{1,19}(-\d{1,19})?\Z")


class Queue:
    """One server, one key prefix. Thread-safe."""

    def __init__(self, url: str, prefix: str = "isengard") -> None:
        self.url = url
        self.prefix = prefix
        self._redis = connect(url, socket_timeout=10)
        self.group = ConsumerGroup(url, self._redis, self.key)
        runs = ConsumerGroup(url, self._redis, self.key, [kind for kind in TYPES if kind != "download"])
        downloads = ConsumerGroup(url, self._redis, self.key, ["download"])
        # A worker takes jobs of one lane: a download of hours must not keep a training waiting.
        self.lanes: dict[JobType, ConsumerGroup] = dict.fromkeys(TYPES, runs) | {"download": downloads}
        self._lists = JobLists(self._redis, self.key)
        self._history = JobHistory(self._redis, self.key)
        self._submit = self._redis.register_script(SUBMIT)
        self._record = self._redis.register_script(RECORD)
        self._promote = self._redis.register_script(PROMOTE)

    def key(self, *parts: str) -> str:
        """Return the Redis key of these parts, under the prefix."""
        return ":".join((self.prefix, *parts))

    @property
    def channel(self) -> str:
        """Name of the pub/sub channel that every event goes through."""
        return self.key("events")

    def ping(self) -> bool:
        """Tell whether the server answers; raise QueueUnavailable."""
        with reachable():
            return bool(self._redis.ping())

    def say_once(self, key: str, seconds: int) -> bool:
        """Tell whether nobody has said this within so many seconds; it counts as said now."""
        with reachable():
            return bool(self._redis.set(self.key("said", key), "1", nx=True, ex=seconds))

    def unsay(self, key: str) -> None:
        """Let it be said again at once."""
        with reachable():
            self._redis.delete(self.key("said", key))

    def oldest_waiting(self) -> Job | None:
        """Return the job at the head of the queue, if one waits."""
        with reachable():
            ids = self._redis.zrange(self.key("jobs", "status", "queued"), 0, 0)
        return next(iter(self._lists.many(ids)), None)

    # --- submitting and reading -------------------------------------------------------------

    def submit(self, job: Job, idempotency_key: str | None = None) -> Job:
        """Store and queue a job in one round trip; with a key seen before, return the earlier job instead."""
        keys = [self.key("jobs", "index"), self.key("jobs", "seq"), self.key("jobs", "idempotency")]
        keys += [self.key("jobs", job.type), self.key("jobs", "all"), self.key("jobs", "type", job.type)]
        keys += [*self._status_keys(job), self.key("jobs", "character", job.character_id or "-")]
        token = f"{job.type}:{idempotency_key}" if idempotency_key else ""
        news = ProgressEntry.of(job, Submitted())
        head = [job.id, job.model_dump_json(), created_us(job), token, job.character_id or "", self.channel]
        head += [f"{UNSTORED} {news.event.kind} {news.model_dump_json(exclude={'stream_id'})}"]
        with reachable():
            found_id, found = cast("list[Any]", self._submit(keys=keys, args=[*head, *stream_fields(job)]))
        return job if found_id == job.id else Job.model_validate_json(found)

    def remember(self, operation: str, key: str, value: str) -> str | None:
        """Bind an idempotency key to a value; return the value bound before, or None when this call bound it."""
        name, field = self.key("jobs", "idempotency"), f"{operation}:{key}"
        with reachable():
            if self._redis.hsetnx(name, field, value):
                return None
            known = self._redis.hget(name, field)
        return None if known == value else known  # equal: the answer to the first sending was lost

    def forget(self, operation: str, key: str) -> None:
        """Free a key whose operation failed."""
        with reachable():
            self._redis.hdel(self.key("jobs", "idempotency"), f"{operation}:{key}")

    def find(self, job_id: str) -> Job | None:
        """Return a job as it stands, or None."""
        with reachable():
            text = self._redis.hget(self.key("jobs", "index"), job_id)
        return Job.model_validate_json(text) if text else None

    def get(self, job_id: str) -> Job:
        """Return a job as it stands; raise NotFound."""
        job = self.find(job_id)
        if job is None:
            raise NotFound("There is no such job.", "Its history may have been lost with the queue; see the job list.")
        return job

    def list(
        self,
        kind: str | None = None,
        status: str | None = None,
        character_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Job]:
        """Return a page, newest first; ``cursor`` is the id of the last job seen. Work is bounded by the page."""
        return self._lists.page(kind, status, character_id, cursor, limit)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many jobs there are by type and status."""
        return self._lists.counts()

    def events(self, job_id: str, after: str = "0", count: int = 10_000) -> builtins.list[ProgressEntry]:
        """Return the stored events of a job that came after a stream id; raise InvalidInput when it is none."""
        if not STREAM_ID.match(after):
            raise InvalidInput(f"'{after[:40]}' is no event's id.", "Leave it out to read from the first event.")
        with reachable():
            rows = cast("list[Any]", self._redis.xrange(self.key("progress", job_id), f"({after}", "+", count))
        return [entry_of(stream_id, fields["entry"]) for stream_id, fields in rows]

    # --- recording --------------------------------------------------------------------------

    def record(self, job_id: str, event: JobEvent, attempt: int | None = None, ack: str = "") -> Job:
        """Apply an event, whoever else writes at the same time; return the job after it.

        With ``attempt``, raise Fenced when another attempt owns the job. With ``ack``, acknowledge that stream
        entry in the same step. Raise Conflict when the state forbids the event.
        """
        job = self.get(job_id)
        while True:
            if attempt is not None and (job.attempt != attempt or job.status not in {"running", "cancelling"}):
                raise Fenced(f"Attempt {attempt} of {job_id} no longer owns the job.")
            after = job.apply(event)
            if self._write(job, after, event, ack):
                return after
            job = self.get(job_id)

    def advance(self, job: Job, event: JobEvent, ack: str = "") -> Job:
        """Like record, but from a known state, which saves a round trip when nobody else wrote."""
        try:
            after = job.apply(event)
        except Conflict:  # for the state known here; a person's wish may have changed it
            after = None
        if after and self._write(job, after, event, ack):
            return after
        owned = job.status in {"running", "cancelling"}
        return self.record(job.id, event, attempt=job.attempt if owned else None, ack=ack)

    def conclude(self, job: Job, event: JobEvent, ack: str, consumer: str) -> tuple[Job, Taken]:
        """Like advance, and take the next queue entry of the same lane in the same round trip."""
        try:
            after = job.apply(event)
        except Conflict:
            after = None
        written = self._write(job, after, event, ack, consumer) if after else None
        if after is None or not written:
            return self.advance(job, event, ack), None
        return after, self.lanes[job.type].usable(written[1])

    def _write(self, before: Job, after: Job, event: JobEvent, ack: str, consumer: str = "") -> Any:
        """Return None when somebody else wrote meanwhile, else the event's id and the next entry, if one was taken."""
        entry = ProgressEntry.of(after, event)
        text = entry.model_dump_json(exclude={"stream_id"})
        old_status, old_pair = self._status_keys(before)
        new_status, new_pair = self._status_keys(after)
        keys = [self.key("jobs", "index"), self.key("jobs", "seq"), self.key("progress", after.id)]
        keys += [old_status, new_status, old_pair, new_pair, self.key("jobs", after.type), self.key("jobs", "delayed")]
        requeue = stream_fields(after) if isinstance(event, Requeued) and after.status == "queued" else []
        args = [after.id, before.seq, after.model_dump_json(), created_us(after), PROGRESS_MAXLEN]
        args += [
            PROGRESS_TTL_SECONDS if after.final else "",
            f"{event.kind} {text}",
            self.channel,
            GROUP,
            ack,
            due_ms(after),
        ]
        with reachable():
            keys += self.lanes[after.type].streams if consumer else []
            args += [len(requeue), consumer, *requeue, *progress_fields(entry, text)]
            return self._record(keys=keys, args=args)

    def _status_keys(self, job: Job) -> tuple[str, str]:
        return self.key("jobs", "status", job.status), self.key("jobs", "type-status", job.type, job.status)

    def promote_due(self) -> int:
        """Queue the jobs whose delay is over; return how many."""
        delayed = self.key("jobs", "delayed")
        with reachable():
            ids = self._redis.zrangebyscore(delayed, "-inf", int(time.time() * 1000), 0, PROMOTED)
            due = [(self.key("jobs", job.type), [job.id, *stream_fields(job)]) for job in self._lists.many(ids)]
            return sum(cast("int", self._promote(keys=[delayed, stream], args=args)) for stream, args in due)

    def strays(self) -> builtins.list[Job]:
        """Return live jobs that no queue entry speaks for. What changes meanwhile may be among them: look twice."""
        with reachable():
            live = [self._redis.zrange(self.key("jobs", "status", status), 0, -1) for status in LIVE]
            held = set(self._redis.zrange(self.key("jobs", "delayed"), 0, -1))
            for stream in self.group.streams:
                held |= {fields["id"] for _, fields in cast("list[Any]", self._redis.xrange(stream))}
        lost = [job_id for ids in live for job_id in ids if job_id not in held]
        return [job for job in self._lists.many(lost) if job.status in LIVE]

    def forget_before(self, moment: datetime) -> int:
        """Forget the jobs that had ended by a moment; return how many."""
        ids = self._history.oldest_before(moment)
        self._history.forget_keys_before(moment)
        return self._history.forget(
            [job for job in self._lists.many(ids) if job.finished_at and job.finished_at < moment]
        )

    def adopt(self, job: Job, loss: JobEvent) -> None:
        """Give a stray job a queue entry again; one that ran is recorded as lost first."""
        if job.status != "queued":
            self.record(job.id, loss)
            return
        with reachable():
            self._redis.zadd(self.key("jobs", "delayed"), {job.id: int(time.time() * 1000)})

    def bury(self, job: Job) -> None:
        """Put a job that failed for good into the dead-letter stream."""
        fields: Any = {"id": job.id, "type": job.type, "correlation_id": job.correlation_id}
        fields |= {"job": job.model_dump_json(), "error": job.error.message if job.error else ""}
        with reachable():
            self._redis.xadd(self.key("jobs", "dead"), fields, maxlen=10_000)

    def dead(self) -> int:
        """Return how many jobs failed for good."""
        with reachable():
            return self._redis.xlen(self.key("jobs", "dead"))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
        for group in {self.group, *self.lanes.values()}:
            group.close()
