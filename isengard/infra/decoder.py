"""Has pictures from outside decoded in child processes that may do nothing but that.

Decoders of picture formats are large C libraries, and what they are given comes from strangers. The app itself reads
none of it: a child does, without a file to write, with limited memory and time, and hands back plain pixels. A file
that makes its decoder crash, hang or grow is refused like any other damaged file.
"""

from __future__ import annotations

import contextlib
import json
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

import structlog
from PIL import Image

from isengard.config import PROJECT_ROOT
from isengard.domain.dataset import Crop
from isengard.errors import InvalidInput
from isengard.infra.pictures import Checked

AT_ONCE = 2
LIMIT_SECONDS = 60
HEAD = struct.Struct(">II")  # bytes of JSON, bytes of payload
COMMAND = [sys.executable, "-m", "isengard.infra.decoder_child"]
log = structlog.get_logger("infra.decoder")


class _Gone(Exception):
    """The child ended before it answered."""


class _Child:
    """One process, spoken to in turns: a head with two lengths, JSON, payload; and the same back."""

    def __init__(self) -> None:
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}  # no secret of ours
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            COMMAND,
            cwd=PROJECT_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self._process.poll() is None

    def ask(self, message: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Send a question and return its answer; raise _Gone when there is none within a minute."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(LIMIT_SECONDS, self._process.kill)
        watch.start()
        try:
            head = json.dumps(message).encode()
            self._process.stdin.write(HEAD.pack(len(head), len(data)) + head)
            self._process.stdin.write(data)
            self._process.stdin.flush()
            size, payload = HEAD.unpack(_exactly(self._process.stdout, HEAD.size))
            told: dict[str, Any] = json.loads(_exactly(self._process.stdout, size))
            return told, _exactly(self._process.stdout, payload)
        except (BrokenPipeError, struct.error) as error:
            raise _Gone from error
        finally:
            watch.cancel()

    def end(self) -> int:
        """End it if it has not ended; return its exit status."""
        self._process.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not sent any more
                pipe.close()
        return self._process.wait()


class Decoder:
    """At most two children; each is started when needed and ends by itself when it has idled. Thread-safe."""

    def __init__(self) -> None:
        self._free: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(AT_ONCE):
            self._free.put(None)

    def check(self, data: bytes, crop: Crop | None = None) -> Checked:
        """Decode, check and crop an upload; raise InvalidInput with a hint a person can act on."""
        told, pixels = self._ask({"do": "check", "crop": crop.model_dump() if crop else None}, data)
        image = Image.frombytes("RGB", (told["columns"], told["rows"]), pixels)
        return Checked(image, told["suffix"], told["width"], told["height"], told["orientation"])

    def upright_png(self, data: bytes) -> bytes:
        """Write a picture that was checked as PNG: every pixel, no metadata."""
        return self._ask({"do": "upright_png"}, data)[1]

    def _ask(self, message: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        child = self._free.get()
        try:
            if child and not child.alive:
                child.end()  # closes its pipes
                child = None
            child = child or _Child()
            try:
                told, payload = child.ask(message, data)
            except _Gone:
                if child.end() != 0:
                    raise
                child = _Child()  # that one had idled away just now
                told, payload = child.ask(message, data)
        except _Gone as error:
            log.warning("decoder.died", status=child.end() if child else None, bytes=len(data))
            child = None
            raise InvalidInput(
                "The picture cannot be opened: its reader failed on it.",
                "Open it on your computer, save it again as JPEG or PNG, and upload the new file.",
            ) from error
        finally:
            self._free.put(child)
        if "message" in told:
            raise InvalidInput(told["message"], told["hint"])
        return told, payload

    def close(self) -> None:
        """End the children that idle."""
        for child in [self._free.get() for _ in range(AT_ONCE)]:
            if child:
                child.end()
            self._free.put(None)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise _Gone
    return content
