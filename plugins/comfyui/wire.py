"""The WebSocket to a ComfyUI server: carries what it tells of each prompt to whoever waits for that prompt."""

from __future__ import annotations

import contextlib
import json
import queue
import struct
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
PREVIEW, PREVIEW_WITH_METADATA = 1, 4  # binary events of ComfyUI's protocol
BROKEN = "socket_broken"
LARGEST_MESSAGE = 64 * 2**20
RECONNECT_SECONDS = 0.3


@dataclass(frozen=True)
class Told:
    """One message about a prompt: its type and data, or the bytes of a preview."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)
    picture: bytes = b""


Inbox = queue.SimpleQueue[Told]


class Wire:
    """One socket for all prompts of this app. Told of the break, waiting prompts look for themselves.

    ``ping_seconds``: a socket that does not answer a ping for so long is given up, and made anew. ``begun`` is told of
    each prompt that begins.
    """

    def __init__(self, url: str, begun: Callable[[str], None], ping_seconds: float) -> None:
        self.client_id = uuid.uuid4().hex
        self._url = f"ws{url.removeprefix('http')}/ws?clientId={self.client_id}"
        self._ping_seconds = ping_seconds
        self._begun = begun
        self._inboxes: dict[str, Inbox] = {}
        self._executing = ""
        self._closed = threading.Event()
        self._socket: Any = None
        threading.Thread(target=self._listen, name="comfyui-wire", daemon=True).start()

    def inbox(self, prompt_id: str) -> Inbox:
        """Open a prompt's inbox; to be done before it is submitted."""
        return self._inboxes.setdefault(prompt_id, queue.SimpleQueue())

    def forget(self, prompt_id: str) -> None:
        """Close a prompt's inbox."""
        self._inboxes.pop(prompt_id, None)

    def close(self) -> None:
        """Hang up for good."""
        self._closed.set()
        socket = self._socket
        if socket is not None:
            threading.Thread(target=socket.close, daemon=True).start()  # waits for the other side's good-bye

    def _listen(self) -> None:
        from websockets.exceptions import WebSocketException

        while not self._closed.is_set():
            with contextlib.suppress(OSError, WebSocketException), self._connect() as self._socket:
                self._socket.send(HELLO)
                for message in self._socket:
                    self._take(message)
            for inbox in list(self._inboxes.values()):
                inbox.put(Told(BROKEN))
            self._closed.wait(RECONNECT_SECONDS)

    def _connect(self) -> Any:
        from websockets.sync.client import connect

        return connect(
            self._url,
            open_timeout=5,
            close_timeout=1,
            ping_interval=self._ping_seconds,
            ping_timeout=self._ping_seconds,
            max_size=LARGEST_MESSAGE,
            compression=None,
            proxy=None,
        )

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._take_text(message)
        else:
            self._take_bytes(message)

    def _take_text(self, message: str) -> None:
        try:
            told = json.loads(message)
            kind, data = str(told["type"]), told.get("data")
        except (ValueError, KeyError, TypeError):
            return  # not of the protocol
        if not isinstance(data, dict):
            return
        prompt_id = str(data.get("prompt_id", ""))
        if kind in {"execution_start", "executing"} and prompt_id:
            self._executing = prompt_id
        if kind == "execution_start":
            self._begun(prompt_id)
        self._hand_on(prompt_id, Told(kind, data))

    def _take_bytes(self, message: bytes) -> None:
        """Take a preview: a 4-byte event, then 4 bytes of image type, or a 4-byte length and that much JSON."""
        if len(message) < 8:
            return
        event, second = struct.unpack(">II", message[:8])
        if event == PREVIEW:
            self._hand_on(self._executing, Told("preview", picture=message[8:]))
        elif event == PREVIEW_WITH_METADATA:
            try:
                data = json.loads(message[8 : 8 + second])
            except ValueError:
                return
            self._hand_on(str(data.get("prompt_id", "")), Told("preview", data, message[8 + second :]))

    def _hand_on(self, prompt_id: str, told: Told) -> None:
        inbox = self._inboxes.get(prompt_id)
        if inbox is not None:
            inbox.put(told)
