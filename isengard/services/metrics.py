"""Figures for Prometheus: is it healthy, how long is the queue, what did each job cost."""

from __future__ import annotations

from collections import deque

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from isengard.domain.event import Claimed, JobEvent, Requeued
from isengard.domain.job import Job

SECONDS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800)
REMEMBERED = 50  # jobs whose own figures are given, so that the number of series stays bounded


class Metrics:
    """Counts since the process began; what is so now is asked at each scrape, by ``text``."""

    def __init__(self, price_per_hour: float) -> None:
        self.price_per_hour = price_per_hour
        self._counts = CollectorRegistry()
        self._last: deque[Job] = deque(maxlen=REMEMBERED)
        kinds = ["type"]

        def counter(name: str, text: str, labels: list[str]) -> Counter:
            return Counter(f"isengard_{name}", text, labels, registry=self._counts)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(f"isengard_{name}", text, kinds, registry=self._counts, buckets=SECONDS)

        self._ended = counter("jobs_ended", "Jobs that ended, by how.", ["type", "status"])
        self._cost = counter("jobs_cost", "What all jobs cost together, in the currency of the hourly price.", kinds)
        self._again = counter("attempts_lost", "Attempts that did not end their job.", ["type", "why"])
        self._took = histogram("job_seconds", "Working time of jobs that ended, all attempts together.")
        self._waited = histogram("job_wait_seconds", "Time from the submission to the first attempt.")

    def cost(self, job: Job) -> float:
        """Return what a job cost so far: its working time at the machine's price."""
        return round(job.worked_seconds / 3600 * self.price_per_hour, 4)

    def heard(self, job: Job, event: JobEvent) -> None:
        """Count what happened to a job."""
        if isinstance(event, Claimed):
            if job.attempt == 1 and job.started_at:
                self._waited.labels(job.type).observe((job.started_at - job.created_at).total_seconds())
        elif isinstance(event, Requeued):
            self._again.labels(job.type, event.why if event.error else "stop").inc()
        elif job.final:
            self._ended.labels(job.type, job.status).inc()
            self._took.labels(job.type).observe(job.worked_seconds)
            self._cost.labels(job.type).inc(self.cost(job))
            self._last.append(job)

    def text(self, now: dict[str, float], jobs: dict[tuple[str, str], int], kinds: dict[str, int]) -> bytes:
        """Return everything as Prometheus text; ``now`` holds single figures, ``kinds`` bytes by kind of file."""
        registry = CollectorRegistry()

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"isengard_{name}", text, labels, registry=registry)

        by_state = gauge("jobs", "Jobs by type and status.", ("type", "status"))
        for (kind, status), count in jobs.items():
            by_state.labels(kind, status).set(count)
        room = gauge("volume_used_bytes", "Room taken on the volume, by kind.", ("kind",))
        for name, taken in kinds.items():
            room.labels(name).set(taken)
        for name, value in {**now, "process_memory_bytes": psutil.Process().memory_info().rss, "up": 1}.items():
            gauge(name, TEXTS[name]).set(value)
        seconds = gauge("last_job_seconds", "Working time of each of the last jobs.", ("id", "type", "status"))
        cost = gauge("last_job_cost", "Cost of each of the last jobs.", ("id", "type"))
        for job in list(self._last):
            seconds.labels(job.id, job.type, job.status).set(job.worked_seconds)
            cost.labels(job.id, job.type).set(self.cost(job))
        return generate_latest(registry) + generate_latest(self._counts)


TEXTS = {
    "up": "The process serves.",
    "ready": "Every part is ready (1), or some part is not (0).",
    "paused": "No new job is begun because the volume has no room (1).",
    "dead_letters": "Jobs that failed for good.",
    "queue_oldest_seconds": "How long the job at the head of the queue has waited.",
    "workers_alive": "Worker threads of this process.",
    "redis_restarts": "How often the embedded server was started again.",
    "volume_free_bytes": "Free room on the volume.",
    "volume_limit_bytes": "What Isengard may take: the quota, or what the disk gives.",
    "backup_age_seconds": "Time since the last backup that went well; -1 when there is none.",
    "alerts_sent": "Messages that the webhook took.",
    "alerts_failed": "Messages that the webhook did not take.",
    "process_memory_bytes": "Resident memory of the app's process.",
}
