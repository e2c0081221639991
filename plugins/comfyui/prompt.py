"""One picture under way in ComfyUI: submitted, followed by two sources of truth, submitted again once when lost."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from isengard.domain.lease import Stop
from isengard.domain.shot import Shot
from isengard.errors import BackendCrashed, Cancelled
from plugins.comfyui.client import Unreachable
from plugins.comfyui.failures import failed, unmatched
from plugins.comfyui.server import HANG_SECONDS
from plugins.comfyui.session import Session
from plugins.comfyui.wire import BROKEN, Told

SILENCE_SECONDS = 2.0  # after so long without a message, history and queue are asked
TICK_SECONDS = 0.1
MOST_TRIES = 6  # to submit, those included that nobody answered


class Lost(Exception):
    """The server does not know the prompt any more."""


@dataclass
class Prompt:
    """Its state between submission and picture. ``graph`` is what was sent, without the file name's changes."""

    shot: Shot
    graph: dict[str, Any]
    loras: Mapping[str, frozenset[str]]  # keys of each file
    chunks: dict[str, Any]
    id: str = ""
    session: Session | None = None
    images: list[dict[str, str]] = field(default_factory=list)
    _tries: int = 0
    _taken: int = 0
    _submitted: int = 0
    _succeeded: bool = False
    _heard: float = 0.0
    _answered: float = 0.0

    def submit(self, session: Session) -> None:
        """Queue it; raise what it was refused for, Lost when nobody answered, BackendCrashed when lost before."""
        self._tries += 1
        if self._taken > 1 or self._tries > MOST_TRIES:
            raise BackendCrashed("ComfyUI lost the picture twice.", "It is tried again by itself a little later.")
        self.forget()
        self.session, self.id, self.images, self._succeeded = session, str(uuid.uuid4()), [], False
        self._heard = self._answered = time.monotonic()
        self._submitted = session.expect(self.id, str(self.chunks.get("correlation_id", "")))
        try:
            session.client.submit(self.graph, self.id, session.wire.client_id, self.chunks)
        except Unreachable as error:
            raise Lost from error
        self._taken += 1

    def follow(self, stop: Stop) -> Iterator[Told]:
        """Yield what it tells until its picture is done; raise what it failed with, Lost, or Cancelled."""
        assert self.session is not None
        inbox = self.session.wire.inbox(self.id)
        while True:
            if stop.cancel.is_set():
                raise Cancelled("Cancelled.")
            try:
                told = inbox.get(timeout=TICK_SECONDS)
            except queue.Empty:
                told = None
            if told is None or told.kind == BROKEN:
                if self._look(at_once=told is not None or self._succeeded):
                    return
                continue
            self._heard = time.monotonic()
            if self._ended_by(told):
                return
            yield told

    def _ended_by(self, told: Told) -> bool:
        """Take a message in; tell whether it was the last one."""
        if told.kind == "executed":
            self._take_images(told.data.get("output") or {})
        elif told.kind == "execution_error":
            raise failed(told.data)
        elif told.kind == "execution_interrupted":
            raise Lost
        elif told.kind == "execution_success":
            self._succeeded = True
        return self._succeeded and bool(self.images)  # else a message was lost: the history has them a moment later

    def _take_images(self, output: dict[str, Any]) -> None:
        self.images += [image for image in output.get("images", ()) if image.get("filename")]

    # --- the second source of truth ---------------------------------------------------------

    def _look(self, *, at_once: bool) -> bool:
        """Ask the server itself when the socket is silent or broken; tell whether the picture is done."""
        assert self.session is not None
        if not self.session.current:
            raise Lost
        now = time.monotonic()
        if not at_once and now - max(self._heard, self._answered) < SILENCE_SECONDS:
            return False
        try:
            running, waiting = self.session.client.queued()  # before history: that is the way a prompt goes
            entry = self.session.client.history(self.id)
        except Unreachable:
            return self._unanswered()
        self._answered = time.monotonic()
        if entry:
            self._read_history(entry)
            return True
        if self.id not in running | waiting:
            raise Lost
        return False

    def _unanswered(self) -> bool:
        assert self.session is not None
        if not self.session.current:
            raise Lost
        if time.monotonic() - max(self._heard, self._answered) > HANG_SECONDS:
            self.session.server.give_up()
            raise Lost
        return False

    def _read_history(self, entry: dict[str, Any]) -> None:
        status = entry.get("status") or {}
        if status.get("status_str") == "error":
            for name, data in status.get("messages", ()):
                if name == "execution_error":
                    raise failed(data)
            raise Lost  # interrupted, by whomever
        self.images = []
        for output in (entry.get("outputs") or {}).values():
            self._take_images(output)

    # --- ending -----------------------------------------------------------------------------

    def check_loras(self) -> None:
        """Raise BackendOutput when the server said that it left parts of a LoRA out."""
        assert self.session is not None
        keys = self.session.unmatched(self.loras, self._submitted) if self.loras else []
        if keys:
            raise unmatched(keys)

    def forget(self) -> None:
        """Stop listening for it."""
        if self.session is not None:
            self.session.forget(self.id)

    def cancel(self) -> None:
        """End it on the server, on a thread of its own: a server that hangs must not hold up whoever cancels."""
        if self.session is not None and self.session.current:
            threading.Thread(target=_cancel, args=(self.session, self.id), daemon=True).start()
        self.forget()


def _cancel(session: Session, prompt_id: str) -> None:
    try:
        session.client.cancel(prompt_id)
    except Unreachable as error:
        session.server.said.hear(f"prompt {prompt_id} could not be cancelled: {error}")
