"""Worker threads: claim a job, run its handler, record how it ended."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from isengard.domain.event import Claimed, Completed, JobEvent, Requeued
from isengard.domain.job import Job
from isengard.domain.lease import Stop
from isengard.domain.progress import ProgressEntry
from isengard.errors import Cancelled, Conflict, Fenced, QueueUnavailable
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.observability import job_context
from isengard.workers.outcome import after_error, after_loss, is_alert
from isengard.workers.run import Run

Found = tuple[str, Job] | None  # a queue entry's stream id, and its job
Handler = Callable[[Job, Callable[[JobEvent], None], Stop], Completed]

WISHES = frozenset({"cancel_asked", "stop_asked"})
BLOCK_MS = 1000
LOST_AFTER_MS = 12_000
CARE_SECONDS = 1.0
TAKE_OVER_SECONDS = 3.0
log = structlog.get_logger("workers.worker")


class Workers:
    """All worker threads of this process, and the thread that keeps their claims alive."""

    def __init__(self, queue: Queue, hub: Hub, handlers: Mapping[str, Handler], threads: int) -> None:
        self._queue = queue
        self._hub = hub
        self._handlers = handlers
        self._stopping = threading.Event()
        self._runs: dict[str, Run] = {}
        host = f"{socket.gethostname()}-{os.getpid()}"
        self._threads = [
            threading.Thread(target=self._work, args=(f"{host}-{n}",), name=f"worker-{n}", daemon=True)
            for n in range(threads)
        ]
        self._carer = threading.Thread(target=self._care, name="worker-care", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._end_listening = self._hub.listen(self._heed, WISHES)
        for thread in [*self._threads, self._carer]:
            thread.start()

    @property
    def alive(self) -> int:
        """How many worker threads live."""
        return sum(thread.is_alive() for thread in self._threads)

    def stop(self, timeout: float = 8.0) -> None:
        """Hand the running jobs back to the queue and end."""
        self._stopping.set()
        for run in list(self._runs.values()):
            run.hand_back()
        deadline = time.monotonic() + timeout
        for thread in [*self._threads, self._carer]:
            thread.join(max(0.1, deadline - time.monotonic()))
        self._end_listening()

    # --- one thread -------------------------------------------------------------------------

    def _work(self, consumer: str) -> None:
        looked = 0.0
        prepared = False
        found: Found = None
        while found or not self._stopping.is_set():
            try:
                if not prepared:
                    self._queue.group.prepare()
                    prepared = True
                if not found and time.monotonic() - looked > TAKE_OVER_SECONDS:
                    looked = time.monotonic()
                    found = self._queue.group.take_over(consumer, LOST_AFTER_MS)
                found = found or self._queue.group.claim(consumer, BLOCK_MS)
                if found:
                    taken, found = found, None
                    found = self._process(consumer, *taken, next_until=looked + TAKE_OVER_SECONDS)
            except QueueUnavailable as error:
                log.warning("queue.unreachable", error=str(error.__cause__))
                self._stopping.wait(1)
            except Exception:
                log.exception("worker.broke", consumer=consumer)
                prepared = False  # a server that lost its files lost the consumer groups too
                self._stopping.wait(1)
        self._leave(consumer)

    def _leave(self, consumer: str) -> None:
        try:
            self._queue.group.drop_consumer(consumer)
        except QueueUnavailable as error:
            log.warning("worker.left_unnoticed", consumer=consumer, error=str(error))

    def _process(self, consumer: str, entry: str, job: Job, next_until: float = 0.0) -> Found:
        """Run a job; return the next one, taken in the same step as this one's end unless it ends too late for that."""
        with job_context(job.correlation_id, job.id):
            if job.status != "queued":
                self._bring_back(job, entry)
                return None
            try:
                claimed = self._queue.advance(job, Claimed(worker=consumer))
            except Conflict:
                self._queue.group.acknowledge(job, entry)
                return None
            run = Run(self._queue, claimed, entry, consumer)
            self._runs[job.id] = run
            if self._stopping.is_set():  # claimed while stop() went through the runs
                run.hand_back()
            try:
                return self._run(run, next_until)
            finally:
                del self._runs[job.id]

    def _bring_back(self, job: Job, entry: str) -> None:
        log.warning("job.orphan_found", lost_worker=job.worker, attempt=job.attempt)
        event = after_loss(job)
        try:
            after = self._queue.record(job.id, event, attempt=job.attempt, ack=entry)
        except (Fenced, Conflict):
            self._queue.group.acknowledge(job, entry)
            return
        self._alert(event, after)

    def _run(self, run: Run, next_until: float) -> Found:
        log.info("job.started", type=run.job.type, attempt=run.job.attempt)
        started = time.monotonic()
        try:
            ending = self._attempt(run)
            take_next = not self._stopping.is_set() and time.monotonic() < next_until
            found = run.conclude(ending, take_next=take_next)
        except (Fenced, Conflict) as error:
            log.warning("job.fenced", error=str(error))
            self._queue.group.acknowledge(run.job, run.entry)
            return None
        log.info("job.finished", status=run.job.status, seconds=round(time.monotonic() - started, 3))
        self._alert(ending, run.job)
        return found

    def _attempt(self, run: Run) -> JobEvent:
        handler = self._handlers[run.job.type]
        try:
            return handler(run.job, run.emit, run.stop)
        except Fenced:
            raise
        except Cancelled as error:
            if run.handed_back and self._queue.get(run.job.id).status == "running":
                return Requeued(message="Isengard was stopped; it goes on at the next start")
            return after_error(run.job, error)
        except Exception as error:  # noqa: BLE001 - the one place where a job's failure is caught and told
            return after_error(run.job, error)

    def _alert(self, event: JobEvent, job: Job) -> None:
        if is_alert(event) and job.status == "failed":  # not one that a person cancelled meanwhile
            self._queue.bury(job)
            log.error("job.dead_lettered", error=job.error.message if job.error else "", failures=job.failures)

    # --- wishes and signs of life -----------------------------------------------------------

    def _heed(self, entry: ProgressEntry) -> None:
        run = self._runs.get(entry.job_id)
        if run:
            (run.stop.cancel if entry.event.kind == "cancel_asked" else run.stop.keep).set()

    def _care(self) -> None:
        while not self._stopping.wait(CARE_SECONDS):
            try:
                self._queue.promote_due()
                for run in list(self._runs.values()):
                    self._queue.group.keep_alive(run.job, run.entry, run.consumer)
                    run.heed(self._queue.get(run.job.id))
            except QueueUnavailable as error:
                log.warning("queue.unreachable", error=str(error.__cause__))
            except Exception:
                log.exception("worker.care_failed")
