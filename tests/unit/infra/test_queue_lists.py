"""Lists of jobs: filters, pages that miss nothing, and the same few commands however many jobs there are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from isengard.domain import event as ev
from isengard.domain.base import utc_now
from isengard.domain.job import Job
from isengard.domain.request import GenerationRequest, TrainingRequest
from isengard.errors import InvalidInput
from isengard.infra.queue import Queue
from isengard.infra.queue_codec import created_us
from isengard.infra.queue_lists import STATUSES, TYPES

MANY = 5000


def training(character_id: str = "char-1") -> Job:
    return Job.of(TrainingRequest(character_id=character_id), "corr-1")


def generation(character_id: str | None = None) -> Job:
    return Job.of(GenerationRequest(prompt="a face", character_id=character_id), "corr-2")


def walked(queue: Queue, limit: int, **filters: str) -> list[str]:
    page = queue.list(limit=limit, **filters)
    seen = [job.id for job in page.items]
    while page.next:
        page = queue.list(limit=limit, cursor=page.next, **filters)
        seen += [job.id for job in page.items]
    return seen


def commands(queue: Queue) -> int:
    stats: dict[str, Any] = queue._redis.info("commandstats")
    return sum(row["calls"] for name, row in stats.items() if name not in {"cmdstat_info", "cmdstat_ping"})


def test_an_empty_list_is_an_empty_page(queue: Queue) -> None:
    page = queue.list()
    assert (page.items, page.next, page.total) == ((), None, 0)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_pages_show_every_job_once_newest_first(queue: Queue, limit: int) -> None:
    jobs = [queue.submit(training()) for _ in range(7)]
    assert walked(queue, limit) == [job.id for job in jobs[::-1]]


@pytest.mark.parametrize("limit", [0, -5, 201])
def test_a_page_has_1_to_200_jobs(queue: Queue, limit: int) -> None:
    with pytest.raises(InvalidInput):
        queue.list(limit=limit)


def test_filters_alone_and_together(queue: Queue) -> None:
    one, two = queue.submit(training("char-1")), queue.submit(training("char-2"))
    picture, free = queue.submit(generation("char-1")), queue.submit(generation())
    queue.record(one.id, ev.CancelAsked())
    assert walked(queue, 1, kind="training") == [two.id, one.id]
    assert walked(queue, 1, kind="generation") == [free.id, picture.id]
    assert walked(queue, 1, status="queued") == [free.id, picture.id, two.id]
    assert walked(queue, 1, status="cancelled") == [one.id]
    assert walked(queue, 1, character_id="char-1") == [picture.id, one.id]
    assert walked(queue, 1, kind="training", status="queued") == [two.id]
    assert walked(queue, 1, kind="training", character_id="char-1") == [one.id]
    assert walked(queue, 1, character_id="char-1", status="queued") == [picture.id]
    assert walked(queue, 1, kind="training", status="queued", character_id="char-1") == []
    assert walked(queue, 1, kind="nonsense") == walked(queue, 1, status="nonsense") == []


def test_a_page_goes_on_where_it_was_when_the_last_job_seen_has_left_the_list(queue: Queue) -> None:
    jobs = [queue.submit(training()) for _ in range(6)][::-1]
    for filters in ({"status": "queued"}, {"status": "queued", "character_id": "char-1"}):
        page = queue.list(limit=2, **filters)
        assert page.next is not None
        queue.record(page.next, ev.CancelAsked())
        later = queue.list(limit=2, cursor=page.next, **filters)
        assert [job.id for job in later.items] == [job.id for job in jobs if job.id < page.next][:2]
        queue.record(page.next, ev.Requeued(message="Again", reset_attempts=True))


def test_counts_follow_the_jobs_through_their_states(queue: Queue) -> None:
    one = queue.submit(training())
    queue.submit(training())
    queue.submit(generation())
    found = queue.group.claim("worker", 1000)
    assert found is not None
    running = queue.advance(found[1], ev.Claimed(worker="worker"))
    assert running.id == one.id
    counts = {pair: n for pair, n in queue.counts().items() if n}
    assert counts == {("training", "queued"): 1, ("training", "running"): 1, ("generation", "queued"): 1}
    queue.advance(running, ev.Completed(), ack=found[0])
    assert queue.counts()["training", "completed"] == 1
    assert queue.counts()["training", "running"] == 0


def fill(queue: Queue, count: int) -> None:
    """Put jobs straight into the index: submitting them one by one would take as many round trips."""
    template = training("char-many")
    start = utc_now() - timedelta(days=1)
    pipe = queue._redis.pipeline(transaction=False)
    for n in range(count):
        job = template.model_copy(
            update={"id": f"train-{n:08d}", "created_at": start + timedelta(milliseconds=n // 3), "status": "completed"}
        )
        pipe.hset(queue.key("jobs", "index"), job.id, job.model_dump_json())
        for name in (("all",), ("type", "training"), ("status", "completed"), ("character", "char-many")):
            pipe.zadd(queue.key("jobs", *name), {job.id: created_us(job)})
    pipe.execute()


def test_a_page_of_many_jobs_takes_as_few_commands_as_one_of_few(queue: Queue) -> None:
    fill(queue, MANY)
    middle = queue.list(limit=50, cursor=f"train-{MANY // 2:08d}")
    assert middle.items[0].id == f"train-{MANY // 2 - 1:08d}"
    assert middle.total == MANY
    for filters in ({}, {"kind": "training"}, {"status": "completed"}, {"character_id": "char-many"}):
        before = commands(queue)
        page = queue.list(cursor=middle.next, limit=50, **filters)
        assert commands(queue) - before <= 6
        assert len(page.items) == 50
        assert page.items[0].id == f"train-{MANY // 2 - 51:08d}"
    before = commands(queue)
    queue.counts()
    assert commands(queue) - before <= len(TYPES) * len(STATUSES)
