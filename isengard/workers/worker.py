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
from isengard.errors import BackendCrashed, Cancelled, Conflict, Fenced, QueueUnavailable
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.queue_group import ConsumerGroup
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
MEND_SECONDS = 30.0  # between looks for jobs that nobody holds
SILENCE_SECONDS = 1800.0  # the longest phase without a word, loading a large model from a slow disk, takes minutes
IDLE_GRACE_SECONDS = 0.5  # beyond the longest wait for a job
SAVE_SECONDS = 3.0  # for the last checkpoint at a stop; Docker kills after 10 s in all
DOWNLOADS_AT_ONCE = 2  # threads of their own, beside those that compute
log = structlog.get_logger("workers.worker")


class Workers:
    """All worker threads of this process, and the thread that keeps their claims alive."""

    def __init__(
        self,
        queue: Queue,
        hub: Hub,
        handlers: Mapping[str, Handler],
        threads: int,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._queue = queue
        self._hub = hub
        self._handlers = handlers
        self._has_room = has_room
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self.paused = False  # no new job is begun: the volume has no room
        self._mended = 0.0
        self._strays: dict[str, int] = {}
        self._runs: dict[str, Run] = {}
        host = f"{socket.gethostname()}-{os.getpid()}"
        crew = [(str(n), queue.lanes["training"]) for n in range(threads)]
        if "download" in handlers:
            crew += [(f"download-{n}", queue.lanes["download"]) for n in range(DOWNLOADS_AT_ONCE)]
        self._crew = {name: (f"{host}-{name}", lane) for name, lane in crew}
        self._threads = {name: self._thread(name) for name in self._crew}
        self._carer = threading.Thread(target=self._care, name="worker-care", daemon=True)

    def _thread(self, name: str) -> threading.Thread:
        return threading.Thread(target=self._work, args=self._crew[name], name=f"worker-{name}", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._end_listening = self._hub.listen(self._heed, WISHES)
        for thread in [self._carer, *self._threads.values()]:
            thread.start()

    @property
    def alive(self) -> int:
        """How many of the threads that compute live."""
        return sum(thread.is_alive() for name, thread in self._threads.items() if "download" not in name)

    @property
    def cared_for(self) -> bool:
        """Tell whether the thread lives that keeps claims alive and replaces dead workers."""
        return self._carer.is_alive()

    def stop(self, timeout: float = 8.0) -> None:
        """Hand the running jobs back to the queue and end."""
        self._stopping.set()
        started = time.monotonic()
        if self._runs:
            self._let_the_idle_leave()
        for run in list(self._runs.values()):
            run.hand_back()
        self._join(time.monotonic() + min(SAVE_SECONDS, timeout / 2))
        for run in list(self._runs.values()):
            run.stop.cancel.set()
        self._join(started + timeout)
        self._end_listening()

    def _let_the_idle_leave(self) -> None:
        """Wait for those that wait for a job: one of them would take what another hands back."""
        busy = {run.consumer for run in list(self._runs.values())}
        deadline = time.monotonic() + BLOCK_MS / 1000 + IDLE_GRACE_SECONDS
        for name, thread in self._threads.items():
            if self._crew[name][0] not in busy:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _join(self, deadline: float) -> None:
        for thread in [*self._threads.values(), self._carer]:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- one thread -------------------------------------------------------------------------

    def _work(self, consumer: str, lane: ConsumerGroup) -> None:
        looked = 0.0
        prepared = False
        found: Found = None
        while found or not self._stopping.is_set():
            self._revive_care()
            if self.paused and not found:
                self._stopping.wait(CARE_SECONDS)
                continue
            try:
                if not prepared:
                    lane.prepare()
                    prepared = True
                if not found and time.monotonic() - looked > TAKE_OVER_SECONDS:
                    looked = time.monotonic()
                    found = lane.take_over(consumer, LOST_AFTER_MS)
                found = found or lane.claim(consumer, BLOCK_MS)
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
        self._leave(consumer, lane)

    def _leave(self, consumer: str, lane: ConsumerGroup) -> None:
        try:
            lane.drop_consumer(consumer)
        except QueueUnavailable as error:
            log.warning("worker.left_unnoticed", consumer=consumer, error=str(error))

    def _process(self, consumer: str, entry: str, job: Job, next_until: float = 0.0) -> Found:
        """Run a job; return the next one, taken in the same step as this one's end unless it ends too late for that."""
        with job_context(job.correlation_id, job.id):
            if self._is_at_work(job):  # Redis was away for so long that it seemed lost
                return None
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
                if self._runs.get(job.id) is run:
                    del self._runs[job.id]

    def _is_at_work(self, job: Job) -> bool:
        run = self._runs.get(job.id)
        return run is not None and run.job.attempt == job.attempt and job.status != "queued"

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
            take_next = not (self._stopping.is_set() or self.paused) and time.monotonic() < next_until
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
            if run.silenced:
                return after_error(run.job, _silent())
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
                self._look_for_room()
                self._replace_dead()
                for run in list(self._runs.values()):
                    self._queue.group.keep_alive(run.job, run.entry, run.consumer)
                    run.heed(self._queue.get(run.job.id))
                    if run.job.type != "download" and run.silent(SILENCE_SECONDS):
                        log.error("job.silent", job_id=run.job.id)
                        run.give_up()
                if not self.paused:
                    self._queue.promote_due()
                self._reconcile()
            except QueueUnavailable as error:
                log.warning("queue.unreachable", error=str(error.__cause__))
            except Exception:
                log.exception("worker.care_failed")

    def _revive_care(self) -> None:
        """Replace the caring thread should it have died: it replaces the workers, and they replace it."""
        with self._guard:
            if not self._carer.is_alive() and not self._stopping.is_set():
                log.error("worker.care_replaced")
                self._carer = threading.Thread(target=self._care, name="worker-care", daemon=True)
                self._carer.start()

    def _look_for_room(self) -> None:
        paused = not self._has_room()
        if paused != self.paused:
            log.warning("queue.paused" if paused else "queue.resumed")
        self.paused = paused

    def _replace_dead(self) -> None:
        for name, thread in self._threads.items():
            if not thread.is_alive() and not self._stopping.is_set():
                log.error("worker.replaced", worker=name)
                self._threads[name] = self._thread(name)
                self._threads[name].start()

    def _reconcile(self) -> None:
        """Bring back jobs that no queue entry speaks for, once they are seen twice in the same state."""
        if time.monotonic() - self._mended < MEND_SECONDS:
            return
        self._mended = time.monotonic()
        found = {job.id: job for job in self._queue.strays()}
        for job in found.values():
            if self._strays.get(job.id) == job.seq and not self._is_at_work(job):
                log.warning("job.stray_found", job_id=job.id, status=job.status)
                self._adopt(job)
        self._strays = {job.id: job.seq for job in found.values()}

    def _adopt(self, job: Job) -> None:
        try:
            self._queue.adopt(job, after_loss(job))
        except Conflict as error:  # another process was quicker
            log.info("job.adopted_elsewhere", job_id=job.id, reason=error.message)


def _silent() -> BackendCrashed:
    return BackendCrashed(
        f"The backend gave no sign of life for {SILENCE_SECONDS / 60:.0f} minutes and was ended.",
        "It is started anew; the worker log has the last it said.",
    )
