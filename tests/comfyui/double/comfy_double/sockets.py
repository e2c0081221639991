"""The WebSocket side: one socket for each client id, messages sent in order by one task, and their misbehaviour."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from comfy_double.acts import Acts

JUNK = ("not json {", "[]", "17", "null", '{"data": {}}', '{"type": "crystools.monitor", "data": {"cpu": 3}}')
JUNK_BYTES = (b"", b"\x00", struct.pack(">I", 99) + b"?", struct.pack(">II", 3, 1) + b"1text", struct.pack(">I", 4))
Transports = dict[tuple[str, int], asyncio.Transport]


@dataclass
class Client:
    """A connected client; a silent one is never sent anything again though its connection stays."""

    socket: WebSocket
    flags: dict[str, Any] = field(default_factory=dict)
    silent: bool = False

    async def send(self, message: str | bytes) -> None:
        if self.silent:
            return
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await (self.socket.send_text if isinstance(message, str) else self.socket.send_bytes)(message)


class Sockets:
    """Who listens, and the queue of what is still to be sent: (event, data, client id or None for everybody)."""

    def __init__(self, acts: Acts, transports: Transports) -> None:
        self._acts = acts
        self._transports = transports
        self._waiting: asyncio.Queue[tuple[str | int, Any, str | None]] = asyncio.Queue()
        self.clients: dict[str, Client] = {}
        self._deaf: set[asyncio.Task[None]] = set()

    def send(self, event: str | int, data: Any, client_id: str | None = None) -> None:
        self._waiting.put_nowait((event, data, client_id))

    def wants_metadata(self, client_id: str | None) -> bool:
        client = self.clients.get(client_id or "")
        return bool(client and client.flags.get("supports_preview_metadata"))

    async def publish(self) -> None:
        """Send what is waiting, for ever."""
        while True:
            event, data, client_id = await self._waiting.get()
            for name, client in list(self.clients.items()):
                if client_id in (None, name):
                    await self._deliver(client, event, data)

    async def serve(self, socket: WebSocket, greet: list[tuple[str, Any]], features: dict[str, Any]) -> None:
        """Hold a connection; ``greet`` is what a fresh one is told after its own status."""
        name = socket.query_params.get("clientId") or uuid.uuid4().hex
        self._acts.plan.note("socket", sid=name)
        special = await self._acts.at("socket", sid=name)
        if "refuse" in special:
            await socket.close()
            return
        await socket.accept()
        client = self.clients[name] = Client(socket)
        for event, data in greet:
            await self._deliver(client, event, {**data, "sid": name} if event == "status" else data)
        self._break(client, special)
        try:
            await self._listen(client, features)
        finally:
            if self.clients.get(name) is client:
                del self.clients[name]

    async def _listen(self, client: Client, features: dict[str, Any]) -> None:
        first = True
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                said = json.loads(await client.socket.receive_text())
                if first and said.get("type") == "feature_flags":
                    client.flags = said.get("data", {})
                    await self._deliver(client, "feature_flags", features)
                first = False

    async def _deliver(self, client: Client, event: str | int, data: Any) -> None:
        special = await self._acts.at("message", type="preview" if isinstance(event, int) else event)
        message = _encode(event, data)
        if "junk" in special:
            for junk in (*JUNK, *JUNK_BYTES):
                await client.send(junk)
        if "foreign" in special or "misname" in special:
            await client.send(_encode(event, _renamed(data)))
        if not special.keys() & {"lose", "misname"}:
            await client.send(message)
        if "duplicate" in special:
            await client.send(message)
        self._break(client, special)

    def _break(self, client: Client, special: dict[str, Any]) -> None:
        address = client.socket.client
        transport = self._transports.get((address.host, address.port)) if address else None
        if "silent" in special or "zombie" in special:
            client.silent = True
        if transport and "zombie" in special:
            self._deaf.add(asyncio.create_task(_keep_deaf(transport)))  # not even pings are answered
        if transport and "drop" in special:
            transport.abort()


async def _keep_deaf(transport: asyncio.Transport) -> None:
    """Let it read nothing any more; the web server would read on after a message that it had already taken."""
    while not transport.is_closing():
        transport.pause_reading()
        await asyncio.sleep(0.02)


def _encode(event: str | int, data: Any) -> str | bytes:
    if isinstance(event, int):
        return struct.pack(">I", event) + bytes(data)
    return json.dumps({"type": event, "data": data})


def _renamed(data: Any) -> Any:
    return {**data, "prompt_id": str(uuid.uuid4())} if isinstance(data, dict) and "prompt_id" in data else data
