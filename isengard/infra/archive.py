"""Reads a zip of pictures without unpacking it: no path in it is used, no size in it is believed."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from isengard.errors import InvalidInput

MAX_ENTRIES = 2000
MAX_TOTAL_BYTES = 4 * 2**30  # of all entries as they come out: a bomb goes off long before
MAX_DIRECTORY_BYTES = 4 * 2**20  # of the list of entries, which is read as a whole
JUNK_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}
UNPACK = "Unpack it on your computer and add the pictures themselves."


@dataclass(frozen=True)
class Entry:
    """A file of an archive: its content, or why it was not read."""

    name: str
    content: bytes = b""
    trouble: InvalidInput | None = None


def is_junk(name: str) -> bool:
    """Tell whether a file is what systems leave beside pictures: hidden files, macOS resource forks, thumbnails."""
    return any(part.startswith(".") or part.lower() in JUNK_NAMES for part in _parts(name))


def entries(file: BinaryIO, max_entry_bytes: int) -> Iterator[Entry]:
    """Yield the files of a zip, junk left out; raise InvalidInput when it cannot be opened at all."""
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            listed = [entry for entry in archive.infolist() if not entry.is_dir() and not is_junk(entry.filename)]
            if len(listed) > MAX_ENTRIES:
                raise InvalidInput(f"The zip holds {len(listed)} files; {MAX_ENTRIES} are read.", UNPACK)
            yield from _read_all(archive, listed, max_entry_bytes)
    except (zipfile.BadZipFile, struct.error, OSError, ValueError) as error:
        raise InvalidInput(
            "The zip is damaged or cut off.", "Make it again, or add the pictures themselves."
        ) from error


def _parts(name: str) -> list[str]:
    return [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in {"/", ".", ".."}]


def _check_directory(file: BinaryIO) -> None:
    """Look at the end record (APPNOTE 4.3.16) before the list that it points at is read."""
    file.seek(0, 2)
    length = min(file.tell(), 2**16 + 22)
    file.seek(-length, 2)
    tail = file.read(length)
    at = tail.rfind(b"PK\5\6")
    if at < 0:
        raise zipfile.BadZipFile("no end record")
    (size,) = struct.unpack_from("<I", tail, at + 12)
    if size > MAX_DIRECTORY_BYTES:
        raise InvalidInput("The zip holds too many files.", UNPACK)
    file.seek(0)


def _read_all(archive: zipfile.ZipFile, listed: list[zipfile.ZipInfo], max_entry_bytes: int) -> Iterator[Entry]:
    total = 0
    for entry in listed:
        read = _read(archive, entry, max_entry_bytes)
        total += len(read.content)
        if total > MAX_TOTAL_BYTES:
            raise InvalidInput(f"The zip unpacks to more than {MAX_TOTAL_BYTES // 2**30} GB.", UNPACK)
        yield read


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> Entry:
    name = entry.filename
    try:
        _check_entry(entry)
        with archive.open(entry) as source:
            content = source.read(limit + 1)
        if len(content) > limit:
            raise InvalidInput(f"The file has more than {limit // 2**20} MB.", "Save it smaller, 2048 pixels.")
    except InvalidInput as error:
        return Entry(name, trouble=error)
    except NotImplementedError:
        return Entry(name, trouble=InvalidInput("It is packed in a way that cannot be read.", UNPACK))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        return Entry(name, trouble=InvalidInput("The file is damaged inside the zip.", "Make the zip again."))
    return Entry(name, content)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InvalidInput("This is a link, not a file.", "Put the picture itself into the zip.")
    if entry.flag_bits & 1:
        raise InvalidInput("The zip has a password.", "Make it again without one.")
    if entry.filename.lower().endswith(".zip"):
        raise InvalidInput("A zip inside a zip is not opened.", UNPACK)
