"""Blanks the metadata inside HEIC and AVIF files in place, so that no offset in them changes.

Boxes and items as in ISO/IEC 14496-12 (sections 4.2, 8.11) and ISO/IEC 23008-12 (annex A: Exif and XMP are items).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

METADATA_ITEMS = {b"Exif", b"mime", b"uri "}
METADATA_BOXES = {b"uuid", b"udta"}


@dataclass
class Reader:
    """Reads big-endian numbers one after another."""

    content: bytes | bytearray
    at: int

    def number(self, size: int) -> int:
        """Read ``size`` bytes; zero bytes are the number 0."""
        value = int.from_bytes(self.content[self.at : self.at + size], "big")
        self.at += size
        return value


@dataclass(frozen=True)
class Box:
    """A box's kind, where its header starts, where its body starts and where it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def scrub_heif(content: bytes) -> bytes:
    """Return the file, as long as before, with its metadata zeroed; raise ValueError for a broken structure."""
    out = bytearray(content)
    for box in _boxes(content, 0, len(content)):
        if box.kind in METADATA_BOXES:
            _blank_box(out, box)
        if box.kind == b"meta":
            _blank_items(content, out, box)
    return bytes(out)


def _boxes(content: bytes, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        reader = Reader(content, at)
        size, kind = reader.number(4), bytes(content[at + 4 : at + 8])
        reader.at = at + 8
        if size == 1:
            size = reader.number(8)
        stop = end if size == 0 else at + size
        if size != 0 and (stop < reader.at or stop > end):
            raise ValueError("a box ends behind its parent")
        yield Box(kind, at, reader.at, stop)
        at = stop


def _blank_box(out: bytearray, box: Box) -> None:
    out[box.start + 4 : box.start + 8] = b"free"
    out[box.body : box.end] = bytes(box.end - box.body)


def _blank_items(content: bytes, out: bytearray, meta: Box) -> None:
    inside = {box.kind: box for box in _boxes(content, meta.body + 4, meta.end)}  # 4: version and flags
    if b"iinf" not in inside or b"iloc" not in inside:
        return
    doomed = set()
    for item, kind_at in _item_kinds(content, inside[b"iinf"]):
        if content[kind_at : kind_at + 4] in METADATA_ITEMS:
            doomed.add(item)
            out[kind_at : kind_at + 4] = b"free"  # readers pass over items of a kind they do not know
    idat = inside.get(b"idat")
    for item, method, offset, length in _extents(content, inside[b"iloc"]):
        if item in doomed:
            start = offset + (idat.body if method == 1 and idat else 0)
            if start + length > len(out):
                raise ValueError("an item lies behind the file")
            out[start : start + length] = bytes(length)


def _item_kinds(content: bytes, iinf: Box) -> Iterator[tuple[int, int]]:
    """Yield (item id, where its kind is written)."""
    start = iinf.body + 4 + (2 if content[iinf.body] == 0 else 4)
    for box in _boxes(content, start, iinf.end):
        version = content[box.body]
        if box.kind != b"infe" or version < 2:
            continue
        reader = Reader(content, box.body + 4)
        item = reader.number(2 if version == 2 else 4)
        yield item, reader.at + 2


def _extents(content: bytes, iloc: Box) -> Iterator[tuple[int, int, int, int]]:
    """Yield (item id, construction method, offset, length) of each piece."""
    reader = Reader(content, iloc.body)
    version = reader.number(4) >> 24
    sizes, more = reader.number(1), reader.number(1)
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if version else 0
    for _ in range(reader.number(2 if version < 2 else 4)):
        item = reader.number(2 if version < 2 else 4)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)  # which file: always this one
        base = reader.number(base_size)
        for _ in range(reader.number(2)):
            reader.number(index_size)
            offset, length = base + reader.number(offset_size), reader.number(length_size)
            yield item, method, offset, length
