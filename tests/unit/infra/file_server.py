"""A real HTTP server for downloads: ranges, ETags, gates, cut connections, wrong bytes, slowness, and the hub's API."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

COMMIT = "c" * 40


@dataclass
class FileServer:
    """``files``: content by path. The other fields are faults; ``asked`` is what came in: path and headers."""

    files: dict[str, bytes]
    cut_after: list[int] = field(default_factory=list)  # bytes of the body, one for each of the next requests
    wrong: list[bytes] = field(default_factory=list)  # bodies in place of the right ones
    status: list[int] = field(default_factory=list)
    gated: bool = False
    tokens: tuple[str, ...] = ()
    known_tokens: tuple[str, ...] = ()
    seconds_a_block: float = 0
    etag: str = '"one"'
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, *_: Any) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ranges(self) -> list[str]:
        return [headers.get("Range", "") for path, headers in self.asked if not path.startswith("/api/")]

    def answer(self, call: BaseHTTPRequestHandler) -> None:
        self.asked.append((call.path, dict(call.headers)))
        if self.status:
            return self._say(call, self.status.pop(0), b"")
        if self.gated and (refused := self._refused(call.headers.get("Authorization", ""))):
            return self._say(call, refused, b"", {"X-Error-Code": "GatedRepo"})
        if "/revision/" in call.path:
            return self._say(call, 200, json.dumps({"sha": COMMIT}).encode())
        if "/tree/" in call.path:
            return self._say(call, 200, json.dumps(self._tree()).encode())
        path = call.path.split(f"/resolve/{COMMIT}", 1)[-1].lstrip("/")
        if path not in self.files:
            return self._say(call, 404, b"")
        return self._file(call, self.wrong.pop(0) if self.wrong else self.files[path])

    def _refused(self, sent: str) -> int:
        token = sent.removeprefix("Bearer ")
        if token in self.tokens:
            return 0
        return 403 if token in self.known_tokens else 401

    def _tree(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{"type": "directory", "path": "unet", "oid": "0" * 40, "size": 0}]
        for path, content in self.files.items():
            git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git}
            if not path.endswith(".json"):
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
            found.append(entry)
        return found

    def _file(self, call: BaseHTTPRequestHandler, content: bytes) -> None:
        asked, start, status = call.headers.get("Range"), 0, 200
        headers = {"ETag": self.etag}
        if asked and call.headers.get("If-Range") in {None, self.etag}:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return self._say(call, 416, b"", {"Content-Range": f"bytes */{len(content)}"})
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            status = 206
        body = content[start:]
        end = self.cut_after.pop(0) if self.cut_after else len(body)
        self._say(call, status, body, headers, end)
        return None

    def _say(
        self,
        call: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        end: int = -1,
    ) -> None:
        call.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}.items():
            call.send_header(name, value)
        call.end_headers()
        sent = body if end < 0 else body[:end]
        try:
            for place in range(0, len(sent), 1 << 14):
                call.wfile.write(sent[place : place + (1 << 14)])
                time.sleep(self.seconds_a_block)
        except OSError:
            call.close_connection = True
