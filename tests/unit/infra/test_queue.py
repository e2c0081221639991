"""The queue on a real Valkey: submitting once, recording in order, and being fenced."""

from __future__ import annotations

import threading

import pytest

from isengard.domain import event as ev
from isengard.errors import Conflict, Fenced, InvalidInput, NotFound
from isengard.infra.queue import Queue
from tests.unit.infra.some_jobs import claimed, generation, stream_length, training

ERROR = ev.JobError(message="It broke.", retryable=True)


# --- submitting ------------------------------------------------------------------------------


def test_a_submitted_job_is_stored_and_queued(queue: Queue) -> None:
    job = queue.submit(training())
    assert queue.get(job.id) == job
    ((_, fields),) = queue._redis.xrange(queue.key("jobs", "training"))
    assert set(fields) == {"id", "type", "correlation_id", "created_at", "payload"}
    assert fields["id"] == job.id


def test_an_unknown_job_is_not_found(queue: Queue) -> None:
    assert queue.find("train-none") is None
    with pytest.raises(NotFound):
        queue.get("train-none")
    with pytest.raises(NotFound):
        queue.record("train-none", ev.CancelAsked())


def test_a_key_seen_before_gives_the_earlier_job(queue: Queue) -> None:
    first = queue.submit(training(), "key")
    assert queue.submit(training(), "key") == first
    assert queue.submit(generation(), "key").id != first.id
    assert queue.submit(training(), "other").id != first.id
    assert (stream_length(queue), stream_length(queue, "generation")) == (2, 1)


def test_twenty_threads_with_one_key_make_one_job(queue: Queue) -> None:
    made: list[str] = []
    start = threading.Barrier(20)

    def submit() -> None:
        start.wait()
        made.append(queue.submit(training(), "key").id)

    threads = [threading.Thread(target=submit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 20
    assert len(set(made)) == 1
    assert stream_length(queue) == 1
    assert queue.list().total == 1


def test_a_submission_that_the_client_sends_again_does_not_undo_the_claim(queue: Queue) -> None:
    job = queue.submit(training())
    _, running = claimed(queue)
    queue.submit(job)  # the answer to the first was lost on the way
    assert queue.get(job.id) == running
    assert queue.group.claim("two", 1) is None


def test_a_value_is_remembered_under_its_key_until_it_is_forgotten(queue: Queue) -> None:
    assert queue.remember("char", "key", "char-1") is None
    assert queue.remember("char", "key", "char-2") == "char-1"
    assert queue.remember("char", "key", "char-1") is None  # the client sends it again
    assert queue.remember("lora", "key", "lora-1") is None
    queue.forget("char", "key")
    assert queue.remember("char", "key", "char-3") is None


# --- recording -------------------------------------------------------------------------------


def test_events_are_stored_in_order_and_read_from_any_point(queue: Queue) -> None:
    job = queue.submit(training())
    _, running = claimed(queue)
    for step in range(1, 4):
        running = queue.advance(running, ev.Metric(step=step, total_steps=3, loss=1 / step, learning_rate=1e-4))
    entries = queue.events(job.id)
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert [entry.event.kind for entry in entries] == ["claimed", "metric", "metric", "metric"]
    assert [entry.seq for entry in queue.events(job.id, after=entries[1].stream_id)] == [3, 4]
    assert queue.events(job.id, after=entries[-1].stream_id) == []
    assert queue.events("train-none") == []
    ((_, fields), *_) = queue._redis.xrange(queue.key("progress", job.id))
    assert {"job_id", "correlation_id", "timestamp", "status", "progress", "current_step"} < set(fields)


@pytest.mark.parametrize("after", ["", "x", "0-0-0", "-", "1 2", "9" * 40])
def test_what_is_no_event_id_is_refused_in_words(queue: Queue, after: str) -> None:
    with pytest.raises(InvalidInput):
        queue.events("train-1", after)


def test_a_writer_with_an_old_state_loses_nothing_of_what_came_between(queue: Queue) -> None:
    job = queue.submit(training())
    _, running = claimed(queue)
    queue.record(job.id, ev.CancelAsked())
    after = queue.advance(running, ev.Metric(step=1, total_steps=2, loss=1, learning_rate=1e-4))
    assert (after.status, after.loss, after.seq) == ("cancelling", 1, 3)
    assert queue.get(job.id) == after


def test_an_event_that_only_the_newest_state_allows_is_recorded(queue: Queue) -> None:
    job = queue.submit(training())
    entry, running = claimed(queue)
    queue.record(job.id, ev.CancelAsked())
    assert queue.advance(running, ev.CancelDone(), ack=entry).status == "cancelled"
    assert stream_length(queue) == 0


def test_records_by_many_threads_all_count(queue: Queue) -> None:
    job = queue.submit(training())
    claimed(queue)
    threads = [
        threading.Thread(target=lambda: [queue.record(job.id, ev.Waiting(message="w")) for _ in range(10)])
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.get(job.id).seq == 51
    assert [entry.seq for entry in queue.events(job.id)] == list(range(1, 52))


def test_a_forbidden_event_changes_nothing(queue: Queue) -> None:
    job = queue.submit(training())
    with pytest.raises(Conflict):
        queue.record(job.id, ev.StopAsked())
    assert queue.get(job.id) == job
    assert queue.events(job.id) == []


def test_the_last_event_acknowledges_in_the_same_step(queue: Queue) -> None:
    job = queue.submit(training())
    entry, running = claimed(queue)
    assert queue._redis.xpending(queue.key("jobs", "training"), "workers")["pending"] == 1
    queue.advance(running, ev.Completed(), ack=entry)
    assert queue._redis.xpending(queue.key("jobs", "training"), "workers")["pending"] == 0
    assert stream_length(queue) == 0
    assert queue._redis.ttl(queue.key("progress", job.id)) > 0


def test_an_old_attempt_is_fenced(queue: Queue) -> None:
    job = queue.submit(training())
    entry, first = claimed(queue, "one")
    queue.record(job.id, ev.Requeued(message="lost", error=ERROR), attempt=1, ack=entry)
    _, second = claimed(queue, "two")
    assert second.attempt == 2
    for late in (ev.Metric(step=1, total_steps=2, loss=1, learning_rate=1e-4), ev.Completed()):
        with pytest.raises(Fenced):
            queue.advance(first, late)
    with pytest.raises(Fenced):
        queue.record(job.id, ev.Completed(), attempt=1)
    assert queue.get(job.id) == second


def test_an_attempt_whose_job_has_ended_is_fenced(queue: Queue) -> None:
    queue.submit(training())
    entry, running = claimed(queue)
    queue.advance(running, ev.Completed(), ack=entry)
    with pytest.raises(Fenced):
        queue.advance(running, ev.Failed(error=ERROR))
