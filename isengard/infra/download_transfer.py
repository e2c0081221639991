"""Fetches one file: goes on where an earlier attempt stopped, checks it, and puts it in its place."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import httpx

from isengard.errors import BackendOutput, BackendUnavailable
from isengard.infra.download_plan import Item
from isengard.infra.download_progress import Tally
from isengard.infra.download_refusals import TRANSIENT, refusal
from isengard.infra.storage import Storage

BLOCK = 1 << 20
TRIES = 5  # in a row that bring nothing new
PAUSE_SECONDS = 1.0  # doubles with each of them


class Interrupted(Exception):
    """The connection ended early, or the server asks for patience; what came is kept."""


@dataclass
class Transfer:
    """One file on its way. ``left`` ends a long reading of the disk when the download is given up."""

    client: httpx.AsyncClient
    storage: Storage
    item: Item
    tally: Tally
    left: threading.Event

    async def run(self) -> str:
        """Return the file's SHA-256, once it is in its place."""
        item = self.item
        item.target.parent.mkdir(parents=True, exist_ok=True)
        async with self._alone() as file:
            if item.here:  # another download brought it meanwhile
                return await self._hash(item.target)
            self._digest = await self._begun(file)
            for again in (True, False):
                await self._all(file)
                self.tally.doing(item.name, "checking")
                problem = await asyncio.to_thread(self._wrong, file)
                if not problem:
                    break
                self._start_anew(file)
                if not again:
                    raise BackendOutput(
                        problem, "Its source has a damaged or another file. Try later, or correct its row."
                    )
            await asyncio.to_thread(self.storage.publish, item.partial, item.target)
        _etag_file(item).unlink(missing_ok=True)
        self.tally.doing(item.name, "done")
        return str(self._digest.hexdigest())

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[FileIO]:
        """Open the partial file, and wait while another download has it."""
        with self.item.partial.open("a+b", buffering=0) as file:
            while not _locked(file):
                self.tally.doing(self.item.name, "waiting")
                await asyncio.sleep(0.3)
            yield file
        if self.item.here and self.item.partial.exists() and not self.item.partial.stat().st_size:
            self.item.partial.unlink(missing_ok=True)

    async def _begun(self, file: FileIO) -> Any:
        """Return the digest of what an earlier attempt left; forget it where nothing could tell that it still fits."""
        known = self.item.sha256 or self.item.git_oid or _etag_file(self.item).exists()
        if not known or self.item.begun > (self.item.size or self.item.begun):
            file.truncate(0)
        self.tally.doing(self.item.name, "checking")
        return await asyncio.to_thread(_digest, self.item.partial, self.left)

    async def _hash(self, path: Path) -> str:
        digest = await asyncio.to_thread(_digest, path, self.left)
        self.tally.doing(self.item.name, "done")
        return str(digest.hexdigest())

    def _start_anew(self, file: FileIO) -> None:
        file.truncate(0)
        self._digest = hashlib.sha256()
        self.tally.at(self.item.name, 0)

    async def _all(self, file: FileIO) -> None:
        """Ask until every byte is here."""
        failures = 0
        while self.item.size is None or self.item.begun < self.item.size:
            before = self.item.begun
            self.tally.doing(self.item.name, "fetching")
            try:
                await self._more(file)
            except (httpx.TransportError, Interrupted) as error:
                failures = 0 if self.item.begun > before else failures + 1
                if failures >= TRIES:
                    raise BackendUnavailable(
                        f"The connection to {httpx.URL(self.item.url).host} broke {TRIES} times in a row.",
                        "Check the network, then retry: what came is kept.",
                    ) from error
                await asyncio.sleep(PAUSE_SECONDS * 2 ** max(0, failures - 1))
            else:
                return

    async def _more(self, file: FileIO) -> None:
        have = self.item.begun
        async with self.client.stream("GET", self.item.url, headers=self._headers(have)) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                if _total(answer) != have:
                    self._start_anew(file)
                    raise Interrupted("What was kept does not fit what the server has.")
                return
            if answer.status_code in TRANSIENT:
                raise Interrupted(f"status {answer.status_code}")
            if error := refusal(answer, self.item.name, self.item.repository):
                raise error
            if have and answer.status_code != httpx.codes.PARTIAL_CONTENT:
                self._start_anew(file)
            self._agree(answer)
            await self._body(answer, file)
            total = _total(answer)
        if total is not None and self.item.begun < total:
            raise Interrupted("The server ended the connection early.")

    async def _body(self, answer: httpx.Response, file: FileIO) -> None:
        """Write what comes, in large blocks; of a connection that breaks, the last small one too."""
        came = bytearray()
        try:
            async for piece in answer.aiter_raw():
                came += piece
                if len(came) >= BLOCK:
                    block, came = bytes(came), bytearray()
                    await asyncio.to_thread(self._keep, file, block)
                    self.tally.at(self.item.name, self.item.begun)
        finally:
            self._keep(file, bytes(came))
            self.tally.at(self.item.name, self.item.begun)

    def _headers(self, have: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if not have:
            return headers
        etag = _etag_file(self.item)
        if not (self.item.sha256 or self.item.git_oid) and etag.exists():
            headers["If-Range"] = etag.read_text(encoding="ascii")
        return headers | {"Range": f"bytes={have}-"}

    def _agree(self, answer: httpx.Response) -> None:
        """Compare what the server says of the file with what is known; remember its mark for the next attempt."""
        total = _total(answer)
        if total is not None and self.item.size not in {None, total}:
            raise BackendOutput(
                f"The server has {total} bytes of {self.item.name}; {self.item.size} were expected.",
                "Its source has another file now: compare it with its row in the registry.",
            )
        if total is not None:
            self.tally.size(self.item.name, total)
        etag = answer.headers.get("ETag", "")
        if etag.startswith('"') and etag.isascii():
            _etag_file(self.item).write_text(etag, encoding="ascii")

    def _keep(self, file: FileIO, block: bytes) -> None:
        view = memoryview(block)
        while view:
            written = file.write(view) or 0
            self._digest.update(view[:written])
            view = view[written:]

    def _wrong(self, _file: FileIO) -> str:
        """Return what is wrong with the whole file, or ''."""
        item, digest = self.item, self._digest.hexdigest()
        if item.sha256 and digest != item.sha256:
            return f"{item.name} came with the SHA-256 {digest}; {item.sha256} was expected."
        if item.git_oid and _git_oid(item.partial) != item.git_oid:
            return f"{item.name} is not what the hub says it is."
        return ""


def _locked(file: FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _etag_file(item: Item) -> Path:
    return item.partial.with_name(item.partial.name + ".etag")


def _total(answer: httpx.Response) -> int | None:
    """Return the whole file's size as the answer tells it."""
    _, _, total = answer.headers.get("Content-Range", "").partition("/")
    if total.isdigit():
        return int(total)
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and answer.status_code == httpx.codes.OK else None


def _digest(path: Path, left: threading.Event) -> Any:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while not left.is_set() and (block := file.read(8 * BLOCK)):
            digest.update(block)
    return digest


def _git_oid(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
