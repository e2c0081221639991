"""The lists of jobs: by type, status and character, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis

from isengard.domain.job import Job
from isengard.domain.page import Page
from isengard.domain.request import JobType
from isengard.errors import InvalidInput
from isengard.infra.queue_client import reachable

TYPES: tuple[JobType, ...] = ("training", "generation", "download", "synthetic")
STATUSES = ("queued", "running", "cancelling", "completed", "failed", "cancelled")
MAX_LIMIT = 200


@dataclass(frozen=True)
class JobLists:
    """Sorted sets of job ids by the time a job was made; the scripts keep them in step with the jobs."""

    client: redis.Redis[str]
    key: Callable[..., str]

    def page(
        self, kind: str | None, status: str | None, character_id: str | None, cursor: str | None, limit: int
    ) -> Page[Job]:
        """Return a page; ``cursor`` is the id of the last job seen. Work is bounded by the page's size."""
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput(f"limit is {limit}.", f"Use 1 to {MAX_LIMIT}.")
        if character_id and (kind or status):
            return self._filtered(kind, status, character_id, cursor, limit)
        name = self._set_for(kind, status, character_id)
        with reachable():
            first = self._after(name, cursor) if cursor else 0
            ids = self.client.zrevrange(name, first, first + limit - 1)
            total = self.client.zcard(name)
        more = first + len(ids) < total
        return Page(items=tuple(self.many(ids)), next=ids[-1] if more and ids else None, total=total)

    def _after(self, name: str, cursor: str) -> int:
        """Return how many jobs of a list come up to the cursor, which may have left the list meanwhile."""
        rank = self.client.zrevrank(name, cursor)
        if rank is not None:
            return rank + 1
        created = self.client.zscore(self.key("jobs", "all"), cursor)
        if created is None:
            return 0
        as_old = self.client.zrangebyscore(name, created, created)
        return self.client.zcount(name, f"({created}", "+inf") + sum(other > cursor for other in as_old)

    def _filtered(
        self, kind: str | None, status: str | None, character_id: str, cursor: str | None, limit: int
    ) -> Page[Job]:
        """Look through one character's jobs: the only list that is read whole."""
        with reachable():
            ids = self.client.zrevrange(self.key("jobs", "character", character_id), 0, -1)
        jobs = self.many(ids)
        wanted = [job for job in jobs if (not kind or job.type == kind) and (not status or job.status == status)]
        seen = self.many([cursor]) if cursor else []
        position = sum((job.created_at, job.id) >= (last.created_at, last.id) for last in seen for job in wanted)
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

    def many(self, ids: Sequence[str]) -> list[Job]:
        """Return jobs as they stand, in this order, in one round trip."""
        if not ids:
            return []
        with reachable():
            rows = self.client.hmget(self.key("jobs", "index"), list(ids))
        return [Job.model_validate_json(row) for row in rows if row]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many jobs there are by type and status, in one round trip."""
        pairs = [(kind, status) for kind in TYPES for status in STATUSES]
        with reachable():
            pipe = self.client.pipeline(transaction=False)
            for kind, status in pairs:
                pipe.zcard(self.key("jobs", "type-status", kind, status))
            return dict(zip(pairs, pipe.execute(), strict=True))
