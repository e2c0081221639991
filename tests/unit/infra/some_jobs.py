"""Jobs to put into a queue, and what a worker does first with them."""

from __future__ import annotations

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.request import GenerationRequest, TrainingRequest
from isengard.infra.queue import Queue


def training(character_id: str = "char-1") -> Job:
    return Job.of(TrainingRequest(character_id=character_id), "corr-1", "Zara: training")


def generation() -> Job:
    return Job.of(GenerationRequest(prompt="a face", seed=4_000_000_001), "corr-2", "1 picture")


def stream_length(queue: Queue, kind: str = "training") -> int:
    return queue._redis.xlen(queue.key("jobs", kind))


def claimed(queue: Queue, consumer: str = "one") -> tuple[str, Job]:
    """Claim the next job and record it, as a worker does."""
    found = queue.group.claim(consumer, 2000)
    assert found is not None
    entry, job = found
    return entry, queue.advance(job, ev.Claimed(worker=consumer))
