"""A ZIP archive as a stream: made while it is sent, so that it takes neither memory nor room on the disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

BLOCK = 1 << 20


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken; cannot be wound back, so that the archive is written straight on."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        block = bytes(content)  # type: ignore[call-overload]
        self._held += block
        return len(block)

    def take(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken


def zip_stream(members: Mapping[str, Path | bytes]) -> Iterator[bytes]:
    """Yield an archive of files and texts by name, not compressed: weights and pictures are dense already."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            if isinstance(content, bytes):
                archive.writestr(name, content)
                continue
            with content.open("rb") as reader, archive.open(name, "w", force_zip64=True) as member:
                while block := reader.read(BLOCK):
                    member.write(block)
                    yield sink.take()
    yield sink.take()
