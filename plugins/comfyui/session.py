"""The connection to a server as it runs now: its HTTP routes, its socket, and what it has proved so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from isengard.domain.lease import Stop
from plugins.comfyui.client import Client, Unreachable
from plugins.comfyui.said import not_loaded
from plugins.comfyui.server import Server
from plugins.comfyui.wire import Wire

LOG_WAIT_SECONDS = 2.0
FREE_SECONDS, EMPTY_GB = 5.0, 0.5


class Session:
    """One start of the server. Of another start, nothing that was submitted is known any more."""

    def __init__(self, server: Server, url: str, ping_seconds: float) -> None:
        self.server = server
        self.instance = server.instance
        self.client = Client(url)
        self.wire = Wire(url, self._begun, ping_seconds)
        self._log_start = server.said.now
        self._log_last = "" if server.own else max((told for told, _ in self.client.log_lines()), default="")
        self._verdicts: dict[str, list[str]] = {}
        self._correlations: dict[str, str] = {}
        self._signatures: dict[str, Any] = {}

    @property
    def current(self) -> bool:
        """Tell whether the server it speaks to still runs."""
        return self.server.alive and self.server.instance == self.instance

    def expect(self, prompt_id: str, correlation_id: str) -> int:
        """Prepare to listen for a prompt; return where the server's log stands now."""
        self._correlations[prompt_id] = correlation_id
        if len(self._correlations) == 1:  # nothing else is under way: what it says from now on is about this prompt
            self.server.speaking_for = correlation_id
        self.wire.inbox(prompt_id)
        return self.server.said.now

    def forget(self, prompt_id: str) -> None:
        """Stop listening for a prompt."""
        self._correlations.pop(prompt_id, None)
        self.wire.forget(prompt_id)

    def _begun(self, prompt_id: str) -> None:
        """Log what the server says under the correlation id of the prompt that runs."""
        self.server.speaking_for = self._correlations.get(prompt_id, "")

    def signatures(self) -> dict[str, Any]:
        """Return what this server's nodes take and give; asked once."""
        if not self._signatures:
            self._signatures = self.client.node_signatures()
        return self._signatures

    def unmatched(self, loras: Mapping[str, frozenset[str]], submitted: int) -> list[str]:
        """Return keys of these LoRAs (by name) that the server did not load since it was started.

        It says so once: what it has applied, it keeps. So each LoRA's verdict is kept too.
        """
        fresh = [name for name in loras if name not in self._verdicts]
        lines = self._lines(submitted) if fresh else []
        for name in fresh:
            self._verdicts[name] = not_loaded(lines, loras[name])
        return [key for name in loras for key in self._verdicts[name]]

    def _lines(self, submitted: int) -> list[str]:
        if self.server.own:
            return self.server.said.since(self._log_start, submitted, LOG_WAIT_SECONDS)
        return [text for told, text in self.client.log_lines() if told > self._log_last]

    def close(self) -> None:
        """Hang up."""
        self.wire.close()
        self.client.close()


class Sessions:
    """Gives every run the same session while the server lives. Thread-safe."""

    def __init__(self, server: Server, ping_seconds: float) -> None:
        self._server = server
        self._ping_seconds = ping_seconds
        self._session: Session | None = None
        self._guard = threading.Lock()

    def get(self, device: str, stop: Stop) -> Session:
        """Return the session of a server that answers; start the server if need be."""
        url = self._server.ensure(device, stop)
        with self._guard:
            if self._session is None or not self._session.current:
                self.close()
                self._session = Session(self._server, url, self._ping_seconds)
            return self._session

    def freed(self) -> bool:
        """Have the server unload its models; tell whether its GPU memory came back."""
        session = self._session
        if session is None or not session.current:
            return False
        try:
            session.client.free()
            deadline = time.monotonic() + FREE_SECONDS
            while session.client.gpu_gb() > EMPTY_GB:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.1)
        except Unreachable:
            return False
        return True

    def close(self) -> None:
        """Hang up, if there is a session."""
        if self._session is not None:
            self._session.close()
            self._session = None
