"""Takes metadata out of picture files (places, times, cameras, names) without touching a pixel.

What is needed to show the same pixels stays: colour profiles, and the orientation. Formats: JPEG (ITU-T T.81 annex
B), PNG (W3C PNG third edition, section 5), WebP (RFC 9649). HEIC and AVIF are in ``scrub_heif.py``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from isengard.infra.pictures import ORIENTATION
from isengard.infra.scrub_heif import scrub_heif

SOI, EOI, SOS, COM = 0xD8, 0xD9, 0xDA, 0xFE
STANDALONE = {0x01, *range(0xD0, 0xD8)}
KEPT_APP = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_DROPPED = {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"}
WEBP_EXIF_FLAG, WEBP_XMP_FLAG = 0x08, 0x04


def scrub(content: bytes, suffix: str, orientation: int) -> bytes:
    """Return the file without metadata; raise ValueError when its structure is not understood.

    ``orientation`` is the Exif value (1 to 8) that was found; anything but 1 is written back, alone.
    """
    exif = _exif(orientation)
    if suffix == "jpg":
        return _jpeg(content, exif)
    if suffix == "png":
        return PNG_MAGIC + b"".join(_png(content, exif))
    if suffix == "webp":
        return _webp(content, exif)
    return scrub_heif(content)


def _exif(orientation: int) -> bytes:
    """Return a TIFF block that holds an orientation and nothing else; empty for an upright picture."""
    if orientation not in range(2, 9):
        return b""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _jpeg(content: bytes, exif: bytes) -> bytes:
    """Keep what decoders need, up to the first end of image: phones hang films and depth maps behind it."""
    kept = [b"\xff\xd8"]
    if exif:
        kept.append(b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif)
    for marker, part in _segments(content):
        is_app = marker in range(0xE0, 0xF0)
        wanted = KEPT_APP.get(marker)
        if marker != COM and (not is_app or (wanted is not None and part[4:].startswith(wanted))):
            kept.append(part)
    return b"".join(kept)


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, its bytes) from behind the start of image to the end of image; scans with their pixels."""
    at = 2
    while True:
        if content[at] != 0xFF:
            raise ValueError("a JPEG segment does not start with a marker")
        while content[at + 1] == 0xFF:  # padding
            at += 1
        marker = content[at + 1]
        end = at + 2 if marker in STANDALONE or marker == EOI else at + 2 + _length(content, at + 2)
        if marker == SOS:
            end = _scan_end(content, end)
        if end > len(content):
            raise ValueError("a JPEG segment ends behind the file")
        yield marker, content[at:end]
        if marker == EOI:
            return
        at = end


def _length(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 2], "big")


def _scan_end(content: bytes, at: int) -> int:
    """Return where the next marker stands: a 0xFF that is neither stuffed nor a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise ValueError("a JPEG scan has no end")
        if content[at + 1] != 0 and content[at + 1] not in STANDALONE:
            return at
        at += 2


def _png(content: bytes, exif: bytes) -> Iterator[bytes]:
    at, pending = len(PNG_MAGIC), exif
    while True:
        size = int.from_bytes(content[at : at + 4], "big")
        kind, end = content[at + 4 : at + 8], at + 12 + size
        if end > len(content):
            raise ValueError("a PNG chunk ends behind the file")
        if pending and kind == b"IDAT":  # eXIf belongs before the pixels
            yield _chunk(b"eXIf", pending)
            pending = b""
        if kind not in PNG_DROPPED:
            yield content[at:end]
        if kind == b"IEND":
            return
        at = end


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp(content: bytes, exif: bytes) -> bytes:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise ValueError("no WebP file")
    kept: list[bytes] = []
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        kind, end = content[at : at + 4], at + 8 + size + size % 2
        if at + 8 + size > len(content):
            raise ValueError("a WebP chunk ends behind the file")
        if kind == b"VP8X":
            flags = content[at + 8] & ~(WEBP_EXIF_FLAG | WEBP_XMP_FLAG) | (WEBP_EXIF_FLAG if exif else 0)
            kept.append(content[at : at + 8] + bytes([flags]) + content[at + 9 : end])
        elif kind not in {b"EXIF", b"XMP "}:
            kept.append(content[at:end])
        at = end
    if exif:  # an orientation can only have come from an EXIF chunk, so VP8X is there
        kept.append(b"EXIF" + struct.pack("<I", len(exif)) + exif + bytes(len(exif) % 2))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body
