"""The child that decodes pictures for ``infra.decoder``: reads a question, answers it, ends when it has idled.

It gives up its rights first: no file to write, no core dump, two gigabytes of memory, half a minute of CPU a picture.
"""

from __future__ import annotations

import json
import os
import resource
import select
import sys
from typing import IO, Any

from isengard.domain.dataset import Crop
from isengard.errors import InvalidInput
from isengard.infra.decoder import HEAD
from isengard.infra.pictures import check, upright_png

MEMORY_BYTES = 2 * 2**30  # 64 million pixels as RGBA, twice, and what the decoder needs
CPU_SECONDS = 30
IDLE_SECONDS = 60
OPEN_FILES = 64


def main() -> int:
    """Serve until the other side has gone or asks for nothing any more."""
    source, sink = os.fdopen(0, "rb", buffering=0), sys.stdout.buffer
    _give_up_rights()
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        head = _exactly(source, HEAD.size)
        if not head:
            return 0
        size, payload = HEAD.unpack(head)
        message, data = json.loads(_exactly(source, size)), _exactly(source, payload)
        _allow_cpu()
        told, answer = _answer(message, data)
        text = json.dumps(told).encode()
        sink.write(HEAD.pack(len(text), len(answer)) + text + answer)
        sink.flush()
    return 0


def _answer(message: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        if message["do"] == "upright_png":
            return {}, upright_png(data)
        checked = check(data, Crop.model_validate(message["crop"]) if message["crop"] else None)
    except InvalidInput as error:
        return {"message": error.message, "hint": error.hint}, b""
    except MemoryError:
        return {"message": "The picture needs too much memory to open.", "hint": "Save it smaller, as JPEG."}, b""
    columns, rows = checked.image.size
    size = {"width": checked.width, "height": checked.height, "columns": columns, "rows": rows}
    return {**size, "suffix": checked.suffix, "orientation": checked.orientation}, checked.image.tobytes()


def _give_up_rights() -> None:
    for what, limit in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_AS, MEMORY_BYTES),
    ):
        resource.setrlimit(what, (limit, limit))


def _allow_cpu() -> None:
    """Give the next picture its own half minute: the system counts from the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    """Read so many bytes; nothing when the other side has gone."""
    content = bytearray()
    while len(content) < size:
        part = pipe.read(min(size - len(content), 2**20))
        if not part:
            return b""
        content += part
    return bytes(content)


if __name__ == "__main__":
    sys.exit(main())
