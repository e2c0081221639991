"""The hub: every listener hears every event in order, whatever happens to the server or to other listeners."""

from __future__ import annotations

import os
import queue as std_queue
import signal
from collections.abc import Callable
from pathlib import Path

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.progress import ProgressEntry
from isengard.domain.request import TrainingRequest
from isengard.errors import QueueUnavailable
from isengard.infra import hub as hub_module
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer


def running(queue: Queue) -> Job:
    job = queue.submit(Job.of(TrainingRequest(character_id="char-1"), "corr-1"))
    return queue.record(job.id, ev.Claimed(worker="one"))


def steps(queue: Queue, job: Job, count: int) -> None:
    for step in range(1, count + 1):
        queue.record(job.id, ev.Metric(step=step, total_steps=count, loss=1, learning_rate=1e-4))


def drained(box: std_queue.Queue[ProgressEntry], count: int) -> list[ProgressEntry]:
    return [box.get(timeout=10) for _ in range(count)]


def test_events_reach_every_listener_in_order(queue: Queue, hub: Hub) -> None:
    with hub.collecting() as one, hub.collecting() as two:
        job = running(queue)
        steps(queue, job, 50)
        for box in (one, two):
            submitted, *heard = drained(box, 52)
            assert (submitted.event.kind, submitted.status) == ("submitted", "queued")
            assert [entry.seq for entry in heard] == list(range(1, 52))
    assert heard == queue.events(job.id)


def test_a_listener_to_one_job_hears_of_no_other(queue: Queue, hub: Hub) -> None:
    mine, other = running(queue), running(queue)
    with hub.collecting(mine.id) as box:
        steps(queue, other, 3)
        steps(queue, mine, 2)
        assert {entry.job_id for entry in drained(box, 2)} == {mine.id}
        assert box.empty()


def test_a_listener_that_breaks_or_left_does_not_disturb_the_others(queue: Queue, hub: Hub) -> None:
    heard: list[ProgressEntry] = []

    def broken(_: ProgressEntry) -> None:
        raise RuntimeError("a listener's own fault")

    hub.listen(broken)
    hub.listen(heard.append)()  # listens and leaves
    with hub.collecting() as box:
        running(queue)
        drained(box, 2)
    assert heard == []


def test_a_listener_to_some_kinds_hears_of_no_other(queue: Queue, hub: Hub) -> None:
    heard: list[ProgressEntry] = []
    hub.listen(heard.append, frozenset({"cancel_asked"}))
    with hub.collecting() as box:
        job = running(queue)
        steps(queue, job, 2)
        queue.record(job.id, ev.CancelAsked())
        drained(box, 5)
    assert [entry.event.kind for entry in heard] == ["cancel_asked"]


def test_an_unreadable_message_does_not_silence_what_follows(queue: Queue, hub: Hub) -> None:
    with hub.collecting() as box:
        for message in ("", "nonsense", '1-1 unheard {"kind": "unheard of"}', "1-1 waiting null", "1-1"):
            queue._redis.publish(queue.channel, message)
        job = running(queue)
        assert drained(box, 1)[0].job_id == job.id


def test_a_listener_that_does_not_read_keeps_the_newest(queue: Queue, hub: Hub) -> None:
    entry = ProgressEntry.of(running(queue), ev.Waiting(message="w")).model_copy(update={"job_id": "train-2"})
    with hub.collecting("train-2") as box:
        for seq in range(hub_module.BACKLOG + 10):
            for listener in list(hub._listeners):
                listener(entry.model_copy(update={"seq": seq}))
        assert box.qsize() == hub_module.BACKLOG
        assert box.get().seq == 10


def test_events_arrive_again_after_the_server_was_killed(tmp_path: Path, eventually: Callable[..., None]) -> None:
    server = EmbeddedServer(tmp_path)
    server.start()
    queue = Queue(server.url)
    queue.group.prepare()
    hub = Hub(queue)
    hub.start()
    assert hub.connected.wait(10)
    with hub.collecting() as box:
        job = running(queue)
        drained(box, 2)
        assert server._pid is not None
        os.kill(server._pid, signal.SIGKILL)

        def heard() -> bool:
            try:
                queue.submit(job)
                queue.record(running(queue).id, ev.Waiting(message="w"))
            except QueueUnavailable:
                return False
            return not box.empty()

        eventually(heard)
    hub.stop()
    queue.close()
    server.stop()
