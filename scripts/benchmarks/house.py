"""One Isengard with the sample character, and how long its jobs take from submission to their last event."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from own_app import ROOT
from rest import Rest

from isengard.domain.base_model import BaseModelRow
from isengard.infra.sota import Registry
from isengard.plugins.protocols import DatasetItem

FINAL = {"completed", "failed", "cancelled"}


class House:
    """A running app, spoken to over REST."""

    def __init__(self, url: str, volume: Path) -> None:
        self.rest = Rest(url)
        self.volume = volume
        self.character = self.rest.post("/api/characters/sample")

    def timed(self, kind: str, request: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """Submit a job and follow its events to the last one; return the seconds and the job."""
        started = time.perf_counter()
        job = self.rest.post(f"/api/{kind}", json=request)
        status = self._last_status(f"/api/{kind}/{job['id']}/events")
        seconds = time.perf_counter() - started
        job = self.rest.get(f"/api/jobs/{job['id']}")
        if status != "completed":
            raise RuntimeError(f"{job['id']} {status}: {job['message']} {job['error']}")
        return seconds, job

    def _last_status(self, path: str) -> str:
        status = ""
        with self.rest.client.stream("GET", path, timeout=1800) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    status = json.loads(line.removeprefix("data:"))["status"]
                if status in FINAL:
                    break
        return status

    def dataset(self, folder: Path) -> list[DatasetItem]:
        """Copy the character's pictures as a training sees them."""
        base = f"/api/characters/{self.character['id']}/images"
        folder.mkdir(parents=True, exist_ok=True)
        items = []
        for image in self.rest.get(base, params={"limit": 200})["items"]:
            path = folder / f"{image['id']}.png"
            path.write_bytes(self.rest.fetch(f"{base}/{image['id']}/file?size=full"))
            items.append(DatasetItem(path, image["caption"]))
        return items

    def base_model(self, model_id: str) -> BaseModelRow:
        """Return a row of the registry."""
        return Registry(ROOT / "sota" / "registry.yml", ROOT, self.volume).get(model_id)
