"""The one Redis reader of the process: it fans every job event out to browsers and workers."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

import redis
import structlog

from isengard.domain.progress import ProgressEntry
from isengard.infra.queue import Queue
from isengard.infra.queue_client import connect
from isengard.infra.queue_codec import entry_of

BACKLOG = 2000
WAIT_SECONDS = 0.5  # how soon the reader sees that it is to end, and tries again
log = structlog.get_logger("infra.hub")

Listener = Callable[[ProgressEntry], None]


class Hub:
    """Subscribers are called on the reader's thread and must not block."""

    def __init__(self, jobs: Queue) -> None:
        self._channel = jobs.channel
        self._client = connect(jobs.url)
        self._listeners: dict[Listener, frozenset[str]] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event-hub", daemon=True)
        self.connected = threading.Event()

    def start(self) -> None:
        """Begin to read, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the reader."""
        self._stopping.set()
        self._thread.join(3)
        self._client.close()

    def listen(self, listener: Listener, kinds: frozenset[str] = frozenset()) -> Callable[[], None]:
        """Call ``listener`` with every event from now on, or those of some kinds; return the function that ends it."""
        with self._guard:
            self._listeners[listener] = kinds

        def end() -> None:
            with self._guard:
                self._listeners.pop(listener, None)

        return end

    @contextlib.contextmanager
    def collecting(self, job_id: str | None = None) -> Iterator[queue.Queue[ProgressEntry]]:
        """Yield a queue that fills with events, of one job or of all; the oldest are dropped past 2,000."""
        box: queue.Queue[ProgressEntry] = queue.Queue(BACKLOG)

        def put(entry: ProgressEntry) -> None:
            if job_id is None or entry.job_id == job_id:
                if box.full():
                    with contextlib.suppress(queue.Empty):
                        box.get_nowait()
                box.put_nowait(entry)

        end = self.listen(put)
        try:
            yield box
        finally:
            end()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except redis.RedisError as error:
                self.connected.clear()
                log.warning("hub.disconnected", error=str(error))
                self._stopping.wait(WAIT_SECONDS)
            except Exception:
                self.connected.clear()
                log.exception("hub.broke")
                self._stopping.wait(WAIT_SECONDS)

    def _read(self) -> None:
        with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(self._channel)
            self.connected.set()
            while not self._stopping.is_set():
                message = pubsub.get_message(timeout=WAIT_SECONDS)
                if message:
                    self._deliver(message["data"])

    def _deliver(self, message: str) -> None:
        stream_id, kind, text = (*message.split(" ", 2), "", "")[:3]
        with self._guard:
            listeners = [heard for heard, kinds in self._listeners.items() if not kinds or kind in kinds]
        if not listeners:
            return
        try:
            entry = entry_of(stream_id, text)
        except (ValueError, TypeError) as error:  # another version's, or not ours: it must not silence all that follow
            log.warning("hub.event_unreadable", error=str(error))
            return
        for listener in listeners:
            try:
                listener(entry)
            except Exception:
                log.exception("hub.listener_failed", job_id=entry.job_id)
