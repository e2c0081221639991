"""The app is killed in the middle of an expansion; what was made stays, and the rest is made by the next one."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from own_app import OwnApp
from rest import Rest

WANTED, LIMIT = 24, 240


def made(volume: Path, character_id: str) -> dict[str, Any]:
    path = volume / "synthetic" / character_id / "manifest.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"pictures": []}
    return record


def test_an_expansion_goes_on_after_the_app_was_killed(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    with OwnApp(volume) as app:
        rest = Rest(app.url)
        zuri = rest.post("/api/characters/sample")["id"]
        job = rest.post(f"/api/characters/{zuri}/synthetic", json={"target_count": WANTED, "dry_run": True})
        deadline = time.monotonic() + LIMIT
        while len(made(volume, zuri)["pictures"]) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(app.pid, signal.SIGKILL)
    before = made(volume, zuri)
    assert len(before["pictures"]) < WANTED, "it was killed too late"
    with OwnApp(volume) as app:
        done = Rest(app.url).wait(job, lambda _: None, LIMIT)
    assert done["attempt"] >= 2
    after = made(volume, zuri)
    assert after["counts"]["passed"] == WANTED
    kept = {one["id"]: one["sha256"] for one in after["pictures"]}
    assert {one["id"]: one["sha256"] for one in before["pictures"]}.items() <= kept.items()
    images = {path.stem for path in (volume / "synthetic" / zuri / "images").glob("*.png")}
    assert images == {one["id"] for one in after["pictures"] if one["passed"]}
    assert not list((volume / "work").glob("syn-*"))
