"""What Hugging Face has of a source: sizes and hashes by its API, before a byte of the files is asked for.

Formats: huggingface.co/docs/hub/api, ``/api/models/{repository}/tree/{revision}``; ``lfs.oid`` is a file's SHA-256.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from isengard.domain.base_model import ModelFile, Source
from isengard.errors import BackendOutput, NotFound
from isengard.infra.download_plan import Item, hash_of
from isengard.infra.download_refusals import refusal

COMMIT = re.compile(r"[0-9a-f]{40}\Z")
CORRECT = "Compare the file's page on huggingface.co with its row in the registry, and correct the row."


@dataclass(frozen=True)
class Hub:
    """Hugging Face at an address; ``client`` sends the token where there is one."""

    client: httpx.AsyncClient
    endpoint: str

    async def items(self, source: Source, models: Path) -> list[Item]:
        """Return a source's files as the hub has them now; raise what stands in the way."""
        commit = source.revision if COMMIT.match(source.revision) else await self._commit(source)
        entries = {entry["path"]: entry for entry in await self._tree(source, commit) if entry["type"] == "file"}
        files = source.files or tuple(_matching(source, entries))
        return [self._item(source, file, _entry(source, file, entries), commit, models) for file in files]

    async def _commit(self, source: Source) -> str:
        """Return the commit that a branch is at, so that all files are of one state."""
        address = f"{self.endpoint}/api/models/{source.name}/revision/{quote(source.revision, safe='')}"
        answer = await self._get(address, source)
        return str(answer.json()["sha"])

    async def _tree(self, source: Source, commit: str) -> list[dict[str, Any]]:
        address = f"{self.endpoint}/api/models/{source.name}/tree/{commit}?recursive=true"
        found: list[dict[str, Any]] = []
        while address:
            answer = await self._get(address, source)
            found += answer.json()
            address = answer.links.get("next", {}).get("url", "")
        return found

    async def _get(self, address: str, source: Source) -> httpx.Response:
        answer = await self.client.get(address)
        if error := refusal(answer, "The list of files", source.name):
            raise error
        return answer

    def _item(self, source: Source, file: ModelFile, entry: dict[str, Any], commit: str, models: Path) -> Item:
        told = hash_of(file)
        reported = (entry.get("lfs") or {}).get("oid", "")  # gated repositories keep it to themselves
        _same(file.path, "SHA-256", told, reported)
        _same(file.path, "size", file.size, entry.get("size"))
        place = source.place(file)
        return Item(
            name=place,
            url=f"{self.endpoint}/{source.name}/resolve/{commit}/{quote(file.path)}",
            target=models / place,
            size=entry.get("size") or file.size,
            sha256=told or reported,
            git_oid="" if entry.get("lfs") else entry.get("oid", ""),
            checked_by="registry" if told else "hub",
            repository=source.name,
        )


def _matching(source: Source, entries: dict[str, Any]) -> Iterator[ModelFile]:
    for pattern in source.include:
        if not any(sign in pattern for sign in "*?[") and pattern not in entries:
            raise NotFound(f"{source.name} has no {pattern}.", CORRECT)
    wanted = [path for path in entries if source.wants(path)]
    if not wanted:
        raise NotFound(f"{source.name} has none of the files that the registry asks for.", CORRECT)
    yield from (ModelFile(path=path) for path in sorted(wanted))


def _entry(source: Source, file: ModelFile, entries: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = entries[file.path]
    except KeyError as error:
        raise NotFound(f"{source.name} has no {file.path}.", CORRECT) from error
    return found


def _same(path: str, what: str, told: object, reported: object) -> None:
    if told and reported and told != reported:
        raise BackendOutput(
            f"Hugging Face reports another {what} for {path} than the registry: {reported}, not {told}.", CORRECT
        )
