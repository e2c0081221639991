"""What the owner is told by webhook: jobs that are done, and what needs a person."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

import structlog

from isengard.domain.base import Value
from isengard.domain.event import Failed, JobEvent, Requeued
from isengard.domain.job import Job
from isengard.errors import Conflict, QueueUnavailable
from isengard.infra.queue import Queue
from isengard.infra.webhook import Notice, Webhook

LONG_SECONDS = 60.0  # who starts a shorter job looks at the screen
LOOP_CRASHES, LOOP_SECONDS = 3, 600.0
QUIET_SECONDS = 6 * 3600  # before the same trouble is told again
TABS = {"training": "training", "generation": "image", "download": "models", "synthetic": "characters"}
log = structlog.get_logger("services.alerts")


class AlertSettings(Value):
    """How the owner is told; the address itself is a secret."""

    on: bool
    host: str
    kind: str
    notify: str
    sent: int
    failed: int
    last: str


@dataclass
class Alerts:
    """Each thing is told once, however many processes run on this queue."""

    webhook: Webhook
    queue: Queue
    notify: Literal["all", "alerts"] = "all"
    sent: int = 0
    failed: int = 0
    last: str = ""
    _crashes: deque[float] = field(default_factory=lambda: deque(maxlen=LOOP_CRASHES))

    def settings(self) -> AlertSettings:
        """Return what is set, and how it went so far."""
        return AlertSettings(
            on=bool(self.webhook.url),
            host=self.webhook.host,
            kind=self.webhook.speaks,
            notify=self.notify,
            sent=self.sent,
            failed=self.failed,
            last=self.last,
        )

    def test(self) -> AlertSettings:
        """Send a message that says that messages arrive; raise Conflict when none is set, or it was not taken."""
        if not self.webhook.url:
            raise Conflict("No webhook is set.", "Set ISENGARD_WEBHOOK_URL and start Isengard again.")
        if not self._send(Notice("Isengard", "Messages from Isengard arrive here.", link="/?tab=system")):
            raise Conflict(f"{self.webhook.host} did not take the message.", "Check the address; see the worker log.")
        return self.settings()

    def ended(self, job: Job, event: JobEvent) -> None:
        """Tell of a job's end, and of crashes that repeat."""
        link = f"/?tab={TABS[job.type]}"
        if isinstance(event, Failed):
            hint = event.error.hint
            notice = Notice(f"{_title(job)}: failed", f"{event.error.message} {hint}".strip(), urgent=True, link=link)
            self.tell(f"job:{job.id}:{job.seq}", notice)
        elif isinstance(event, Requeued) and event.error and event.why != "pause":
            self._crashed(job, event.error.message)
        elif job.status == "completed" and job.worked_seconds >= LONG_SECONDS and self.notify == "all":
            self.tell(f"job:{job.id}:{job.seq}", Notice(f"{_title(job)}: done", job.message, link=link))

    def _crashed(self, job: Job, reason: str) -> None:
        self._crashes.append(time.monotonic())
        if len(self._crashes) == LOOP_CRASHES and self._crashes[-1] - self._crashes[0] < LOOP_SECONDS:
            self._crashes.clear()
            text = f"{LOOP_CRASHES} attempts failed within {LOOP_SECONDS / 60:.0f} minutes. The last: {reason}"
            self.trouble("crash-loop", f"Something keeps crashing ({_title(job)})", text)

    def trouble(self, name: str, title: str, text: str) -> None:
        """Tell of something that needs a person; the same again only after hours."""
        log.error("alert.raised", alert=name, title=title, text=text)
        self.tell(f"trouble:{name}", Notice(title, text, urgent=True, link="/?tab=system"))

    def settled(self, name: str) -> None:
        """Note that a trouble is over: it is told at once when it comes again."""
        try:
            self.queue.unsay(f"trouble:{name}")
        except QueueUnavailable as error:
            log.warning("alert.not_settled", alert=name, error=error.message)

    def tell(self, key: str, notice: Notice) -> None:
        """Send a notice unless this was told already."""
        if not self.webhook.url:
            return
        try:
            first = self.queue.say_once(key, QUIET_SECONDS)
        except QueueUnavailable:  # better twice than never
            first = True
        if first:
            self._send(notice)

    def _send(self, notice: Notice) -> bool:
        taken = self.webhook.send(notice)
        self.sent += taken
        self.failed += not taken
        self.last = notice.title if taken else f"Not taken: {notice.title}"
        return taken


def _title(job: Job) -> str:
    return job.title or job.id
