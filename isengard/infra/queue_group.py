"""The consumer group that workers take queue entries through: claim, take over, keep alive, acknowledge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
import structlog

from isengard.domain.job import Job
from isengard.domain.request import JobType
from isengard.infra.queue_client import connect, reachable
from isengard.infra.queue_lists import TYPES
from isengard.infra.queue_scripts import CLAIM

GROUP = "workers"
log = structlog.get_logger("infra.queue")
Taken = tuple[str, Job] | None  # an entry's stream id, and its job as it stands


class ConsumerGroup:
    """One group over the streams of some job types. Thread-safe, with a consumer's name for each thread."""

    def __init__(
        self, url: str, client: redis.Redis[str], key: Callable[..., str], kinds: Sequence[JobType] = TYPES
    ) -> None:
        self._redis = client
        self._blocking = connect(url)
        self._key = key
        self._index = key("jobs", "index")
        self.streams = [key("jobs", kind) for kind in kinds]
        self._spare: dict[str, list[tuple[str, str, str]]] = {}  # by consumer: entries that came with another
        self._claim = client.register_script(CLAIM)

    def prepare(self) -> None:
        """Make the consumer groups; harmless when they exist."""
        with reachable():
            for stream in self.streams:
                try:
                    self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
                except redis.ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise

    def claim(self, consumer: str, block_ms: int) -> Taken:
        """Take the next queue entry; return its stream id and its job as it stands, or None after ``block_ms``."""
        if spare := self._spare.get(consumer):
            stream, entry, job_id = spare.pop(0)
            return self._fresh(stream, entry, self._job(job_id))
        found: Any = None
        with self._grouped():
            found = self._claim(keys=[self._index, *self.streams], args=[GROUP, consumer])
        return self.usable(found) if found else self._wait(consumer, block_ms)

    def _wait(self, consumer: str, block_ms: int) -> Taken:
        found: Any = None
        with self._grouped():
            streams: Any = dict.fromkeys(self.streams, ">")
            found = self._blocking.xreadgroup(GROUP, consumer, streams, count=1, block=block_ms)
        came = [(stream, entry, fields["id"]) for stream, entries in found or [] for entry, fields in entries]
        if not came:
            return None
        if came[1:]:  # several streams had one
            self._spare[consumer] = came[1:]
        stream, entry, job_id = came[0]
        return self._fresh(stream, entry, self._job(job_id))

    def usable(self, taken: Any) -> Taken:
        """Return what a script took: stream, entry and job JSON, or nothing."""
        if not taken:
            return None
        stream, entry, text = taken
        return self._fresh(stream, entry, Job.model_validate_json(text) if text else None)

    def _fresh(self, stream: str, entry: str, job: Job | None) -> Taken:
        """Drop an entry whose job is gone, or that is a second one, from a retry while the first lay there."""
        if job is None or job.status != "queued":
            self.drop(stream, entry)
            return None
        return entry, job

    @contextmanager
    def _grouped(self) -> Iterator[None]:
        """Make the groups again when the server has lost everything; nothing is claimed then."""
        try:
            with reachable():
                yield
        except redis.ResponseError as error:
            if not any(lost in str(error) for lost in ("NOGROUP", "no such key")):
                raise
            log.warning("queue.lost", error=str(error))
            self.prepare()

    def _job(self, job_id: str) -> Job | None:
        with reachable():
            text = self._redis.hget(self._index, job_id)
        return Job.model_validate_json(text) if text else None

    def drop(self, stream: str, entry: str) -> None:
        """Acknowledge an entry that needs no work."""
        with reachable():
            self._redis.xack(stream, GROUP, entry)  # type: ignore[no-untyped-call]
            self._redis.xdel(stream, entry)

    def acknowledge(self, job: Job, entry: str) -> None:
        """Acknowledge a job's entry without another word on the job."""
        self.drop(self._key("jobs", job.type), entry)

    def take_over(self, consumer: str, min_idle_ms: int) -> Taken:
        """Take an entry whose consumer has shown no life for ``min_idle_ms``."""
        for stream in self.streams:
            found: Any = None
            with self._grouped():
                found = self._redis.xautoclaim(stream, GROUP, consumer, min_idle_ms, count=1)
            for entry, fields in found[1] if found else []:
                job = self._job(fields["id"])
                if job and not job.final:
                    return entry, job
                self.drop(stream, entry)
        return None

    def keep_alive(self, job: Job, entry: str, consumer: str) -> None:
        """Show that the consumer still works on an entry, so that nobody takes it over."""
        with reachable():
            self._redis.xclaim(self._key("jobs", job.type), GROUP, consumer, 0, [entry], justid=True)  # type: ignore[no-untyped-call]

    def drop_consumer(self, consumer: str) -> None:
        """Remove a consumer that has nothing pending, when its worker stops."""
        with self._grouped():
            for stream in self.streams:
                rows = self._redis.xinfo_consumers(stream, GROUP)  # type: ignore[no-untyped-call]
                if any(row["name"] == consumer and row["pending"] == 0 for row in rows):
                    self._redis.xgroup_delconsumer(stream, GROUP, consumer)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close the connection that waits."""
        self._blocking.close()
