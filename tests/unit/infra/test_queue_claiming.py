"""Claiming jobs on a real Valkey: each by one consumer, late ones at their time, lost ones by another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from isengard.domain import event as ev
from isengard.domain.base import utc_now
from isengard.domain.job import Job
from isengard.domain.request import GenerationRequest
from isengard.errors import QueueUnavailable
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer
from tests.unit.infra.some_jobs import claimed, generation, stream_length, training

ERROR = ev.JobError(message="It broke.", retryable=True)


def test_jobs_are_claimed_in_order_each_by_one_consumer(queue: Queue) -> None:
    first, second = queue.submit(training()), queue.submit(training())
    taken = [queue.group.claim(name, 100) for name in ("one", "two", "three")]
    assert [found[1].id if found else None for found in taken] == [first.id, second.id, None]


def test_a_job_that_was_cancelled_in_the_queue_is_never_claimed(queue: Queue) -> None:
    job = queue.submit(training())
    queue.record(job.id, ev.CancelAsked())
    assert queue.group.claim("one", 1) is None
    assert stream_length(queue) == 0


def test_a_job_retried_while_its_first_entry_lies_there_is_claimed_once(queue: Queue) -> None:
    job = queue.submit(training())
    queue.record(job.id, ev.CancelAsked())
    queue.record(job.id, ev.Requeued(message="Again", reset_attempts=True))
    _, running = claimed(queue)
    assert queue.group.claim("two", 1) is None
    assert queue.get(job.id) == running
    assert stream_length(queue) == 1


def test_a_job_with_a_delay_waits_for_it(queue: Queue) -> None:
    job = queue.submit(generation())
    entry, running = claimed(queue)
    due = utc_now() + timedelta(seconds=30)
    waiting = queue.advance(running, ev.Requeued(message="Later", error=ERROR, not_before=due), ack=entry)
    assert queue.promote_due() == 0
    assert queue.group.claim("one", 1) is None
    queue._redis.zadd(queue.key("jobs", "delayed"), {job.id: 0})  # half a minute later
    assert queue.promote_due() == 1
    assert queue.promote_due() == 0
    ((_, fields),) = queue._redis.xrange(queue.key("jobs", "generation"))
    assert GenerationRequest.model_validate_json(fields["payload"]) == job.request
    assert queue.group.claim("one", 1000) == (queue._redis.xrange(queue.key("jobs", "generation"))[0][0], waiting)


def test_a_delayed_job_that_is_cancelled_and_retried_is_queued_once(queue: Queue) -> None:
    job = queue.submit(training())
    entry, running = claimed(queue)
    queue.advance(running, ev.Requeued(message="Later", error=ERROR, not_before=utc_now()), ack=entry)
    queue.record(job.id, ev.CancelAsked())
    queue.record(job.id, ev.Requeued(message="Again", reset_attempts=True))
    assert queue.promote_due() == 0
    assert stream_length(queue) == 1


def test_a_job_cancelled_while_it_failed_is_not_due_again(queue: Queue) -> None:
    job = queue.submit(training())
    entry, running = claimed(queue)
    queue.record(job.id, ev.CancelAsked())
    after = queue.advance(running, ev.Requeued(message="Later", error=ERROR, not_before=utc_now()), ack=entry)
    assert after.status == "cancelled"
    assert queue.promote_due() == 0


def test_what_a_lost_consumer_left_is_taken_over_but_not_from_a_living_one(queue: Queue) -> None:
    job = queue.submit(training())
    entry, running = claimed(queue, "lost")
    assert queue.group.take_over("one", 60_000) is None
    queue.group.keep_alive(running, entry, "lost")
    found = queue.group.take_over("one", 0)
    assert found is not None
    assert found[0] == entry
    assert found[1] == queue.get(job.id)
    assert queue.group.take_over("two", 60_000) is None


def test_a_consumer_leaves_only_when_it_owes_nothing(queue: Queue) -> None:
    queue.submit(training())
    entry, running = claimed(queue, "one")
    queue.group.drop_consumer("one")
    assert len(queue._redis.xinfo_consumers(queue.key("jobs", "training"), "workers")) == 1
    queue.advance(running, ev.Completed(), ack=entry)
    queue.group.drop_consumer("one")
    assert queue._redis.xinfo_consumers(queue.key("jobs", "training"), "workers") == []


def test_a_job_that_failed_for_good_is_a_dead_letter(queue: Queue) -> None:
    job = queue.submit(training())
    entry, running = claimed(queue)
    queue.bury(queue.advance(running, ev.Failed(error=ERROR), ack=entry))
    ((_, fields),) = queue._redis.xrange(queue.key("jobs", "dead"))
    assert (fields["id"], fields["error"]) == (job.id, "It broke.")
    assert Job.model_validate_json(fields["job"]) == queue.get(job.id)
    assert queue.dead() == 1


def test_a_server_that_lost_everything_is_used_as_a_new_one(queue: Queue) -> None:
    for key in queue._redis.scan_iter(f"{queue.prefix}:*"):
        queue._redis.delete(key)
    assert queue.group.take_over("one", 0) is None
    assert queue.group.claim("one", 1) is None
    job = queue.submit(training())
    assert claimed(queue)[1].id == job.id


def test_a_server_that_is_not_there_is_told_with_a_hint(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr("redis.retry.sleep", lambda _: None)
    with pytest.raises(QueueUnavailable) as told:
        queue.ping()
    assert "REDIS_URL" in told.value.hint
    with pytest.raises(QueueUnavailable):
        queue.group.claim("one", 1)


def test_two_prefixes_do_not_see_each_other(queue: Queue, server: EmbeddedServer) -> None:
    queue.submit(training())
    other = Queue(server.url, f"{queue.prefix}-other")
    other.group.prepare()
    assert other.list().total == 0
    assert other.group.claim("one", 1) is None


def test_the_end_of_a_job_takes_the_next_one(queue: Queue) -> None:
    first, second = queue.submit(training()), queue.submit(training())
    entry, job = queue.group.claim("w", 1000) or pytest.fail("nothing to claim")
    claimed = queue.advance(job, ev.Claimed(worker="w"))
    after, found = queue.conclude(claimed, ev.Completed(), entry, "w")
    assert (after.id, after.status) == (first.id, "completed")
    assert found is not None
    assert (found[1].id, found[1].status) == (second.id, "queued")
    assert queue.group.claim("other", 10) is None


def test_the_end_of_a_job_that_somebody_cancelled_meanwhile_is_told_all_the_same(queue: Queue) -> None:
    queue.submit(training())
    entry, job = queue.group.claim("w", 1000) or pytest.fail("nothing to claim")
    claimed = queue.advance(job, ev.Claimed(worker="w"))
    queue.record(job.id, ev.CancelAsked())
    after, found = queue.conclude(claimed, ev.CancelDone(), entry, "w")
    assert (after.status, found) == ("cancelled", None)


def test_the_next_entry_is_dropped_when_its_job_was_cancelled(queue: Queue) -> None:
    queue.submit(training())
    second = queue.submit(training())
    entry, job = queue.group.claim("w", 1000) or pytest.fail("nothing to claim")
    claimed = queue.advance(job, ev.Claimed(worker="w"))
    queue.record(second.id, ev.CancelAsked())
    assert queue.conclude(claimed, ev.Completed(), entry, "w")[1] is None
    assert queue.group.claim("w", 10) is None


def test_entries_that_come_together_from_two_streams_are_each_claimed(queue: Queue) -> None:
    submitted = {queue.submit(training()).id, queue.submit(generation()).id}
    late = queue.group._wait("w", 100) or pytest.fail("nothing came")  # as when both arrive while it waits
    next_one = queue.group.claim("w", 10) or pytest.fail("the second was forgotten")
    assert {late[1].id, next_one[1].id} == submitted
