"""Forgets jobs that ended long ago, so that the queue's memory stays bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import redis

from isengard.domain.job import Job
from isengard.infra.queue_client import reachable
from isengard.infra.queue_scripts import FORGET

AT_ONCE = 500
_ID = re.compile(r"-([0-9a-f]{12})7[0-9a-f]{19}")  # UUID version 7 begins with its time, in milliseconds since 1970


@dataclass(frozen=True)
class JobHistory:
    """What was made stays on disk; only the job's card and its events go."""

    client: redis.Redis[str]
    key: Callable[..., str]

    def forget(self, jobs: list[Job]) -> int:
        """Forget jobs that nobody has touched since they were read; return how many."""
        script = self.client.register_script(FORGET)
        with reachable():
            return sum(cast("int", script(keys=self._keys(job), args=[job.id, job.seq])) for job in jobs)

    def _keys(self, job: Job) -> list[str]:
        lists = [("all",), ("type", job.type), ("status", job.status), ("type-status", job.type, job.status)]
        lists += [("character", job.character_id or "-")]
        return [
            *(self.key("jobs", "index"), self.key("jobs", "seq"), self.key("progress", job.id)),
            *(self.key("jobs", *names) for names in lists),
        ]

    def oldest_before(self, moment: datetime) -> list[str]:
        """Return ids of the oldest jobs that were made before a moment, ended or not."""
        last = round(moment.timestamp() * 1_000_000)
        with reachable():
            return self.client.zrangebyscore(self.key("jobs", "all"), "-inf", last, 0, AT_ONCE)

    def forget_keys_before(self, moment: datetime) -> int:
        """Drop idempotency keys of what was made before a moment; return how many."""
        name, last = self.key("jobs", "idempotency"), moment.timestamp() * 1000
        with reachable():
            rows = cast("Any", self.client.hscan_iter(name, count=1000))
            old = [field for field, value in rows if (found := _ID.search(value)) and int(found[1], 16) < last]
            for start in range(0, len(old), AT_ONCE):
                self.client.hdel(name, *old[start : start + AT_ONCE])
        return len(old)
