"""Back a volume up while jobs run and people edit, restore it elsewhere, and hold both against each other.

Everything that had been finished when the backup began must be in the restored volume, byte for byte; its records must
name only files that are there; an Isengard that starts on it must know the same characters, LoRAs and pictures and
must finish the jobs that were under way. A second backup must read little, and damage to the backup must be found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from own_app import ROOT, OwnApp
from rest import Rest

KINDS = ("characters", "uploads", "datasets", "loras", "outputs")
PHOTOS = sorted((ROOT / "tests" / "photos").glob("*.jpg"))


def main() -> int:
    """Do it; return 0 when all is as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=16, help="pictures under way during the backup (default: 16)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isengard-backup-") as folder:
        wrong = _run(Path(folder).resolve(), options.jobs)
    for line in wrong:
        print(f"  wrong: {line}")
    print("FAILED" if wrong else "passed: restored as it was, and jobs went on")
    return bool(wrong)


def _run(folder: Path, count: int) -> list[str]:
    volume, target, restored = folder / "volume", folder / "backups", folder / "elsewhere" / "volume"
    restored.parent.mkdir()
    with OwnApp(volume) as app:
        rest = Rest(app.url)
        _make(rest)
        before, known = _files(volume), _known(rest)
        jobs = [
            rest.post("/api/generation", json={"prompt": f"a man {n}", "base_model": "pocket"}) for n in range(count)
        ]
        ending = threading.Event()
        editor = threading.Thread(target=_edit, args=(rest, ending))
        editor.start()
        took = _script("backup.py", str(target), volume)
        again = _script("backup.py", str(target), volume)
        ending.set()
        editor.join()
        print(f"  first:  {took}\n  second: {again}")
    print(f"  {_script('restore.py', str(target), volume, str(restored))}")
    after = _files(restored)
    wrong = [f"{name} is not as it was" for name, digest in before.items() if after.get(name) != digest]
    wrong += _unfit(restored)
    with OwnApp(restored) as app:
        wrong += _differences(Rest(app.url), known, jobs)
    wrong += _damaged(target, volume)
    print(
        f"  {len(before)} files were there before, {len(after)} are in the restored volume; {len(jobs)} jobs under way"
    )
    return wrong


def _make(rest: Rest) -> None:
    """Have a character with a LoRA and pictures that nobody changes any more."""
    character = rest.post("/api/characters/sample")["id"]
    config = {"steps": 6, "batch_size": 1, "save_every": 3, "sample_every": 1000}
    training = rest.post("/api/training", json={"character_id": character, "config": config})
    drawing = rest.post("/api/generation", json={"prompt": "a man", "base_model": "pocket", "count": 3})
    for job in (training, drawing):
        rest.wait(job, lambda _: None, 300)


def _edit(rest: Rest, ending: threading.Event) -> None:
    """Come, add photos, caption and delete, all the time, on characters of its own."""
    number = 0
    while not ending.is_set():
        number += 1
        made = rest.post("/api/characters", json={"name": f"Edited {number}", "trigger_word": f"edtd{number}"})
        photo = PHOTOS[number % len(PHOTOS)]
        files = {"files": (photo.name, photo.read_bytes())}
        image = rest.post(f"/api/characters/{made['id']}/images", files=files)["uploaded"][0]
        path = f"/api/characters/{made['id']}/images/{image['id']}"
        rest.client.patch(path, json={"caption": f"a caption {number}"}).raise_for_status()
        if number % 2:
            rest.client.delete(path).raise_for_status()
        if number % 3 == 0:
            rest.client.delete(f"/api/characters/{made['id']}").raise_for_status()


def _files(volume: Path) -> dict[str, str]:
    files = (path for kind in KINDS for path in (volume / kind).rglob("*") if path.is_file())
    return {
        path.relative_to(volume).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.endswith(".partial")
    }


def _known(rest: Rest) -> dict[str, list[Any]]:
    return {kind: rest.get(f"/api/{kind}", params={"limit": 200})["items"] for kind in ("loras", "outputs")}


def _script(name: str, store: str, volume: Path, *more: str) -> str:
    command = [sys.executable, str(ROOT / "scripts" / name), store, *more]
    done = subprocess.run(
        command, env={**os.environ, "VOLUME_ROOT": str(volume)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stdout}{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


def _unfit(volume: Path) -> list[str]:
    """Return what records name and is not there, or is not what they say."""
    named = [
        record.parent / "images" / image["curated"]
        for record in volume.glob("datasets/*/metadata.json")
        for image in json.loads(record.read_text(encoding="utf-8"))["images"]
    ]
    named += [
        volume / output["path"]
        for record in volume.glob("outputs/*/outputs.json")
        for output in json.loads(record.read_text(encoding="utf-8"))["outputs"]
    ]
    wrong = [f"{path} is named by a record and is not there" for path in named if not path.is_file()]
    for record in volume.glob("loras/*/v*.json"):
        weights = record.with_suffix(".safetensors")
        if hashlib.sha256(weights.read_bytes()).hexdigest() != json.loads(record.read_text(encoding="utf-8"))["sha256"]:
            wrong.append(f"{weights.name} has another hash than its record")
    return wrong


def _differences(rest: Rest, known: dict[str, list[Any]], jobs: list[dict[str, Any]]) -> list[str]:
    now = _known(rest)
    wrong = [
        f"{kind} is not the same: {row['id']}" for kind, rows in known.items() for row in rows if row not in now[kind]
    ]
    deadline = time.monotonic() + 400
    for job in jobs:
        try:
            rest.wait(rest.get(f"/api/jobs/{job['id']}"), lambda _: None, deadline - time.monotonic())
        except Exception as error:  # noqa: BLE001 - each job that did not end well is told
            wrong.append(f"{job['id']} did not go on: {error}")
    return wrong


def _damaged(target: Path, volume: Path) -> list[str]:
    """Spoil one content of the backup; restoring must refuse."""
    largest = max(target.glob("objects/*/*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1] + b"?")
    command = [sys.executable, str(ROOT / "scripts" / "restore.py"), str(target), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"  one byte was spoilt: {done.stderr.splitlines()[0] if done.stderr else 'nobody noticed'}")
    return [] if done.returncode else [f"a spoilt byte of {volume.name}'s backup was not noticed"]


if __name__ == "__main__":
    sys.exit(main())
