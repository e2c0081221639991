"""Jobs in Redis: submit, claim, record, list. With hub and redis_server the only code that speaks Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from isengard.domain.event import JobEvent, Requeued
from isengard.domain.job import Job
from isengard.domain.page import Page
from isengard.domain.progress import ProgressEntry
from isengard.domain.request import JobType
from isengard.errors import Fenced, InvalidInput, NotFound, QueueUnavailable
from isengard.infra.queue_scripts import PROMOTE, RECORD, SUBMIT

GROUP = "workers"
TYPES: tuple[JobType, ...] = ("training", "generation")
PROGRESS_MAXLEN = 5000
PROGRESS_TTL_SECONDS = 7 * 24 * 3600
MAX_LIMIT = 200


@contextmanager
def reachable() -> Iterator[None]:
    """Turn the client's connection errors into QueueUnavailable."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError) as error:
        raise QueueUnavailable(
            "The job queue (Redis) cannot be reached.",
            "Isengard keeps trying. With your own server, check REDIS_URL and that it runs.",
        ) from error


def connect(url: str, **options: Any) -> redis.Redis:
    """Make a client that reconnects by itself for about two seconds before it gives up."""
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.02), 8)
    return redis.Redis.from_url(url, decode_responses=True, retry=retry, socket_connect_timeout=5, **options)


class Queue:
    """One server, one key prefix. Thread-safe."""

    def __init__(self, url: str, prefix: str = "isengard") -> None:
        self.url = url
        self.prefix = prefix
        self._redis = connect(url, socket_timeout=10)
        self._blocking = connect(url)
        self._submit = self._redis.register_script(SUBMIT)
        self._record = self._redis.register_script(RECORD)
        self._promote = self._redis.register_script(PROMOTE)

    def key(self, *parts: str) -> str:
        return ":".join((self.prefix, *parts))

    @property
    def channel(self) -> str:
        return self.key("events")

    def prepare(self) -> None:
        """Make the consumer groups; harmless when they exist."""
        with reachable():
            for kind in TYPES:
                try:
                    self._redis.xgroup_create(self.key("jobs", kind), GROUP, id="0", mkstream=True)
                except redis.ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise

    def ping(self) -> bool:
        with reachable():
            return bool(self._redis.ping())

    # --- submitting and reading -------------------------------------------------------------

    def submit(self, job: Job, idempotency_key: str | None = None) -> Job:
        """Store and queue a job in one round trip; with a key seen before, return the earlier job instead."""
        keys = [self.key("jobs", "index"), self.key("jobs", "seq"), self.key("jobs", "idempotency")]
        keys += [self.key("jobs", job.type), self.key("jobs", "all"), self.key("jobs", "type", job.type)]
        keys += [*self._status_keys(job), self.key("jobs", "character", job.character_id or "-")]
        token = f"{job.type}:{idempotency_key}" if idempotency_key else ""
        head = [job.id, job.model_dump_json(), _ms(job), token, job.character_id or ""]
        with reachable():
            found_id, found = cast("list[Any]", self._submit(keys=keys, args=[*head, *_stream_fields(job)]))
        return job if found_id == job.id else Job.model_validate_json(found)

    def remember(self, operation: str, key: str, value: str) -> str | None:
        """Bind an idempotency key to a value; return the value bound before, or None when this call bound it."""
        name, field = self.key("jobs", "idempotency"), f"{operation}:{key}"
        with reachable():
            if self._redis.hsetnx(name, field, value):
                return None
            return cast("str", self._redis.hget(name, field))

    def forget(self, operation: str, key: str) -> None:
        """Free a key whose operation failed."""
        with reachable():
            self._redis.hdel(self.key("jobs", "idempotency"), f"{operation}:{key}")

    def find(self, job_id: str) -> Job | None:
        with reachable():
            text = self._redis.hget(self.key("jobs", "index"), job_id)
        return Job.model_validate_json(cast("str", text)) if text else None

    def get(self, job_id: str) -> Job:
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
        """A page, newest first; ``cursor`` is the id of the last job seen. Work is bounded by the page's size."""
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput(f"limit is {limit}.", f"Use 1 to {MAX_LIMIT}.")
        if character_id and (kind or status):
            return self._list_filtered(kind, status, character_id, cursor, limit)
        name = self._set_for(kind, status, character_id)
        with reachable():
            start = self._redis.zrevrank(name, cursor) if cursor else None
            first = 0 if start is None else cast("int", start) + 1
            ids = cast("list[str]", self._redis.zrevrange(name, first, first + limit - 1))
            total = cast("int", self._redis.zcard(name))
        more = first + len(ids) < total
        return Page(items=tuple(self._many(ids)), next=ids[-1] if more and ids else None, total=total)

    def _list_filtered(
        self, kind: str | None, status: str | None, character_id: str, cursor: str | None, limit: int
    ) -> Page[Job]:
        with reachable():
            ids = cast("list[str]", self._redis.zrevrange(self.key("jobs", "character", character_id), 0, -1))
        wanted = [j for j in self._many(ids) if (not kind or j.type == kind) and (not status or j.status == status)]
        position = next((n + 1 for n, job in enumerate(wanted) if job.id == cursor), 0)
        items = wanted[position : position + limit]
        more = position + limit < len(wanted)
        return Page(items=tuple(items), next=items[-1].id if more else None, total=len(wanted))

    def _set_for(self, kind: str | None, status: str | None, character_id: str | None) -> str:
        if character_id:
            return self.key("jobs", "character", character_id)
        if kind and status:
            return self.key("jobs", "type-status", kind, status)
        if status:
            return self.key("jobs", "status", status)
        return self.key("jobs", "type", kind) if kind else self.key("jobs", "all")

    def _many(self, ids: Sequence[str]) -> list[Job]:
        if not ids:
            return []
        with reachable():
            rows = cast("list[str | None]", self._redis.hmget(self.key("jobs", "index"), list(ids)))
        return [Job.model_validate_json(row) for row in rows if row]

    def counts(self) -> dict[tuple[str, str], int]:
        """Jobs by type and status."""
        pairs = [(t, s) for t in TYPES for s in ("queued", "running", "cancelling", "completed", "failed", "cancelled")]
        with reachable():
            pipe = self._redis.pipeline(transaction=False)
            for kind, status in pairs:
                pipe.zcard(self.key("jobs", "type-status", kind, status))
            return dict(zip(pairs, pipe.execute(), strict=True))

    def events(self, job_id: str, after: str = "0", count: int = 10_000) -> list[ProgressEntry]:
        """Stored events of a job that came after a stream id."""
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
        after = job.apply(event)
        if self._write(job, after, event, ack):
            return after
        owned = job.status in {"running", "cancelling"}
        return self.record(job.id, event, attempt=job.attempt if owned else None, ack=ack)

    def _write(self, before: Job, after: Job, event: JobEvent, ack: str) -> bool:
        entry = ProgressEntry.of(after, event)
        text = entry.model_dump_json(exclude={"stream_id"})
        old_status, old_pair = self._status_keys(before)
        new_status, new_pair = self._status_keys(after)
        keys = [self.key("jobs", "index"), self.key("jobs", "seq"), self.key("progress", after.id)]
        keys += [old_status, new_status, old_pair, new_pair, self.key("jobs", after.type), self.key("jobs", "delayed")]
        due = str(int(after.not_before.timestamp() * 1000)) if after.not_before else ""
        requeue = _stream_fields(after) if isinstance(event, Requeued) and after.status == "queued" else []
        args = [after.id, before.seq, after.model_dump_json(), _ms(after), PROGRESS_MAXLEN]
        args += [PROGRESS_TTL_SECONDS if after.final else "", text, self.channel, GROUP, ack, due]
        with reachable():
            return bool(self._record(keys=keys, args=[*args, len(requeue), *requeue, *_progress_fields(entry, text)]))

    def _status_keys(self, job: Job) -> tuple[str, str]:
        return self.key("jobs", "status", job.status), self.key("jobs", "type-status", job.type, job.status)

    # --- claiming ---------------------------------------------------------------------------

    def claim(self, consumer: str, block_ms: int) -> tuple[str, Job] | None:
        """Take the next queue entry; return its stream id and its job as it stands, or None after ``block_ms``."""
        streams: Any = {self.key("jobs", kind): ">" for kind in TYPES}
        with reachable():
            found = cast("Any", self._blocking.xreadgroup(GROUP, consumer, streams, count=1, block=block_ms))
        for stream, entries in found or []:
            for entry, fields in entries:
                return self._claimed(stream, entry, fields)
        return None

    def _claimed(self, stream: str, entry: str, fields: dict[str, str]) -> tuple[str, Job] | None:
        job = self.find(fields["id"])
        if job is None or job.final:
            self.drop(stream, entry)
            return None
        return entry, job

    def drop(self, stream: str, entry: str) -> None:
        """Acknowledge an entry that needs no work."""
        with reachable():
            self._redis.xack(stream, GROUP, entry)
            self._redis.xdel(stream, entry)

    def acknowledge(self, job: Job, entry: str) -> None:
        self.drop(self.key("jobs", job.type), entry)

    def take_over(self, consumer: str, min_idle_ms: int) -> tuple[str, Job] | None:
        """Take an entry whose consumer has shown no life for ``min_idle_ms``."""
        for kind in TYPES:
            stream = self.key("jobs", kind)
            with reachable():
                found = cast("Any", self._redis.xautoclaim(stream, GROUP, consumer, min_idle_ms, count=1))
            for entry, fields in found[1]:
                claimed = self._claimed(stream, entry, fields)
                if claimed:
                    return claimed
        return None

    def keep_alive(self, job: Job, entry: str, consumer: str) -> None:
        """Show that the consumer still works on an entry, so that nobody takes it over."""
        with reachable():
            self._redis.xclaim(self.key("jobs", job.type), GROUP, consumer, 0, [entry], justid=True)

    def promote_due(self) -> int:
        """Queue the jobs whose delay is over; return how many."""
        args = [int(time.time() * 1000), self.key("jobs") + ":"]
        with reachable():
            return cast("int", self._promote(keys=[self.key("jobs", "index"), self.key("jobs", "delayed")], args=args))

    def bury(self, job: Job) -> None:
        """Put a job that failed for good into the dead-letter stream."""
        fields: Any = {"id": job.id, "type": job.type, "correlation_id": job.correlation_id}
        fields |= {"job": job.model_dump_json(), "error": job.error.message if job.error else ""}
        with reachable():
            self._redis.xadd(self.key("jobs", "dead"), fields, maxlen=10_000)

    def dead(self) -> int:
        with reachable():
            return cast("int", self._redis.xlen(self.key("jobs", "dead")))

    # --- housekeeping of consumers ----------------------------------------------------------

    def drop_consumer(self, consumer: str) -> None:
        """Remove a consumer that has nothing pending, when its worker stops."""
        with reachable():
            for kind in TYPES:
                stream = self.key("jobs", kind)
                rows = cast("list[dict[str, Any]]", self._redis.xinfo_consumers(stream, GROUP))
                if any(row["name"] == consumer and row["pending"] == 0 for row in rows):
                    self._redis.xgroup_delconsumer(stream, GROUP, consumer)

    def close(self) -> None:
        self._redis.close()
        self._blocking.close()


def entry_of(stream_id: str, text: str) -> ProgressEntry:
    """Parse a stored event."""
    return ProgressEntry.model_validate({**json.loads(text), "stream_id": stream_id})


def _ms(job: Job) -> int:
    return int(job.created_at.timestamp() * 1000)


def _stream_fields(job: Job) -> list[str]:
    created = job.created_at.isoformat()
    return [
        *("id", job.id, "type", job.type, "correlation_id", job.correlation_id),
        *("created_at", created, "payload", json.dumps(job.payload)),
    ]


def _progress_fields(entry: ProgressEntry, text: str) -> list[str]:
    names = ("job_id", "correlation_id", "status", "progress", "current_step", "total_steps", "message")
    fields = [part for name in names for part in (name, str(getattr(entry, name)))]
    return [*fields, "timestamp", entry.timestamp.isoformat(), "preview_url", entry.preview_url or "", "entry", text]
