"""For tests: a client that only writes down what it hears, and the shorthand in which a conversation is compared."""

from __future__ import annotations

import contextlib
import json
import struct
import threading
import time
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

STATES = {"running": "r", "finished": "f"}


class Listener:
    """Hears everything that is sent to a client id until it is closed."""

    def __init__(self, url: str, client_id: str, *first: dict[str, Any]) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed = threading.Event()
        address = url.replace("http", "ws") + f"/ws?clientId={client_id}"
        self._stack = contextlib.ExitStack()
        self._socket = self._stack.enter_context(connect(address, max_size=None, proxy=None, close_timeout=0.5))
        for message in first:
            self._socket.send(json.dumps(message))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            for message in self._socket:
                self.heard.append(json.loads(message) if isinstance(message, str) else _opened(message))
        except ConnectionClosed:
            self.closed.set()

    def shorthand(self) -> list[str]:
        return [shorthand(message) for message in list(self.heard)]

    def until(self, ending: str, seconds: float = 20, *, after: int = 0) -> list[str]:
        """Wait until ``ending`` was heard, past the first ``after`` messages; return all after those."""
        deadline = time.monotonic() + seconds
        while ending not in self.shorthand()[after:]:
            assert time.monotonic() < deadline, self.shorthand()
            time.sleep(0.01)
        return self.shorthand()[after:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def shorthand(message: dict[str, Any]) -> str:
    """Return a message without ids and times: ``status 1``, ``at 6``, ``6 1/2``, ``#2=5 0/1r``."""
    kind, said = message["type"], message["data"]
    short = {
        "status": lambda: f"status {said['status']['exec_info']['queue_remaining']}{' sid' if 'sid' in said else ''}",
        "progress_state": lambda: _state(said["nodes"]),
        "executing": lambda: f"at {said['node']}",
        "progress": lambda: f"{said['node']} {said['value']}/{said['max']}",
        "execution_cached": lambda: f"cached {','.join(said['nodes'])}",
        "executed": lambda: f"executed {said['node']}",
        "execution_error": lambda: f"execution_error {said['node_id']}",
        "execution_interrupted": lambda: f"execution_interrupted {said['node_id']}",
    }
    return short[kind]() if kind in short else str(kind)


def _state(nodes: dict[str, Any]) -> str:
    """Return how many nodes are told of and how the newest stands: ``#2=5 0/1r``; the older ones never change."""
    name, newest = list(nodes.items())[-1]
    assert all(node["state"] == "finished" for node in list(nodes.values())[:-1]), nodes
    return f"#{len(nodes)}={name} {newest['value']:g}/{newest['max']:g}{STATES[newest['state']]}"


def _opened(message: bytes) -> dict[str, Any]:
    event = struct.unpack(">I", message[:4])[0] if len(message) >= 4 else -1
    if event != 4 or len(message) < 8:
        return {"type": f"preview {event}", "data": {"image": message[8:], "head": message[4:8]}}
    length = struct.unpack(">I", message[4:8])[0]
    return {"type": "preview 4", "data": {"image": message[8 + length :], **json.loads(message[8 : 8 + length])}}
