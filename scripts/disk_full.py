"""The volume fills up at ten different moments: each is told in plain words, nothing is lost, and work goes on after.

Linux only: the volume is a small memory disk of this script's own, in a mount namespace that vanishes with it. Starts
an Isengard of its own on it, with its logs on the same disk, and fills that to the last byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from own_app import ROOT, OwnApp
from rest import FINAL, Rest
from small_disk import Disk

INSIDE = "ISENGARD_ON_A_SMALL_DISK"
MADE = ("characters", "uploads", "datasets", "loras", "outputs")
WORDS = ("full", "room", "left; this needs")
MANY = 16  # pictures of one job
PHOTO = ROOT / "tests" / "photos" / "hopper.jpg"


class Wrong(Exception):
    """Something is not as promised."""


class Trial:
    """One Isengard on the small disk, and what was made so far."""

    def __init__(self, disk: Disk, app: OwnApp) -> None:
        self.disk, self.app = disk, app
        self.rest = Rest(app.url)
        self.character = self.rest.post("/api/characters/sample")["id"]

    def made(self) -> dict[str, str]:
        """Return everything that a person made, by path, with its hash."""
        files = (path for name in MADE for path in (self.app.volume / name).rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def refused(self, answer: httpx.Response) -> str:
        """Return the words of a refusal; raise Wrong when it is none, or does not say what is the matter."""
        told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        said = " ".join(str(told.get(name, "")) for name in ("detail", "hint"))
        if answer.status_code not in {503, 507} or not any(word in said for word in WORDS) or not told.get("hint"):
            raise Wrong(f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:200]}")
        return said

    def until(self, job: dict[str, Any], wanted: Callable[[dict[str, Any]], bool], seconds: float = 240) -> Any:
        """Follow a job until it is as wanted."""
        try:
            return self.rest.until(job, wanted, seconds)
        except TimeoutError as error:
            raise Wrong(str(error)) from error

    def waits(self, job: dict[str, Any], seconds: float = 20) -> str:
        """Keep the disk full for a while; return what Isengard says of it. Raise Wrong when the job ends by it.

        The job says so itself unless its queue cannot be written to either.
        """
        deadline, said = time.monotonic() + seconds, ""
        while time.monotonic() < deadline and not said.startswith("Paused"):
            now = self.rest.get(f"/api/jobs/{job['id']}")
            if now["status"] in FINAL:
                raise Wrong(f"{now['status']} on a full disk: {now['error'] or now['message']}")
            room = self.rest.client.get("/health/ready").json()["parts"]["room"]
            said = now["message"] if now["message"].startswith("Paused") else str(room["reason"])
            time.sleep(0.5)
        if not any(word in said for word in WORDS):
            raise Wrong(f"nothing tells that the disk is full: {said}")
        return said

    def completed(self, job: dict[str, Any]) -> None:
        """Wait for the end; raise Wrong unless it is a good one."""
        done = self.until(job, lambda now: now["status"] in FINAL)
        if done["status"] != "completed":
            raise Wrong(f"{done['id']} ended {done['status']}: {done['error']}")
        if done["failures"]:
            raise Wrong(f"{done['id']} counted {done['failures']} failures")

    def train(self, steps: int = 20) -> Any:
        """Start a training that saves every four steps."""
        config = {"steps": steps, "batch_size": 1, "save_every": 4, "sample_every": 1000}
        return self.rest.post("/api/training", json={"character_id": self.character, "config": config})

    def draw(self, count: int = 1) -> Any:
        """Start a generation with the embedded model."""
        asked = {"prompt": "a man", "base_model": "pocket", "count": count, "steps": 20}
        return self.rest.post("/api/generation", json=asked)


# --- the moments -----------------------------------------------------------------------------


def creating_a_character(trial: Trial) -> str:
    """Write a record."""
    asked = {"name": "Late", "trigger_word": "l8te"}
    with trial.disk.full():
        said = trial.refused(trial.rest.client.post("/api/characters", json=asked))
    trial.rest.post("/api/characters", json=asked)
    return said


def uploading_a_photo(trial: Trial) -> str:
    """Send a picture."""
    address, files = f"/api/characters/{trial.character}/images", {"files": ("hopper.jpg", PHOTO.read_bytes())}
    with trial.disk.full():
        said = trial.refused(trial.rest.client.post(address, files=files))
    trial.rest.post(address, files=files)
    return said


def submitting_a_training(trial: Trial) -> str:
    """Ask for a job."""
    with trial.disk.full():
        asked = {"character_id": trial.character, "config": {"steps": 4}}
        return trial.refused(trial.rest.client.post("/api/training", json=asked))


def submitting_a_picture(trial: Trial) -> str:
    """Ask for a job that needs no room of its own, while the queue cannot write either."""
    with trial.disk.full():
        time.sleep(2)  # the queue's server notices when it next writes
        asked = {"prompt": "a man", "base_model": "pocket"}
        said = trial.refused(trial.rest.client.post("/api/generation", json=asked))
        trial.rest.get("/api/jobs")  # what is known can still be read
    trial.completed(trial.draw())
    return said


def jobs_wait(trial: Trial) -> str:
    """Have three jobs wait in the queue."""
    jobs = [trial.draw() for _ in range(3)]
    with trial.disk.full():
        time.sleep(5)
        told = trial.rest.client.get("/health/ready").json()["parts"]["room"]
        if told["ok"]:
            raise Wrong("/health/ready does not say that there is no room")
    for job in jobs:
        trial.completed(job)
    return str(told["reason"])


def _during(trial: Trial, job: dict[str, Any], moment: Callable[[dict[str, Any]], bool]) -> str:
    trial.until(job, moment)
    with trial.disk.full():
        said = trial.waits(job)
    trial.completed(job)
    return said


def a_training_begins(trial: Trial) -> str:
    """Meet the copy of the dataset, and the engine that loads."""
    return _during(trial, trial.train(), lambda now: now["status"] == "running")


def a_training_saves_a_checkpoint(trial: Trial) -> str:
    """Meet the next checkpoint; it goes on from the one before."""
    return _during(trial, trial.train(), lambda now: now["current_step"] >= 9)


def a_training_ends(trial: Trial) -> str:
    """Meet the weights that are written and moved to the library."""
    return _during(trial, trial.train(12), lambda now: now["current_step"] >= 11)


def pictures_are_kept(trial: Trial) -> str:
    """Meet the pictures that follow the first of many; what was kept stays."""
    job = trial.draw(MANY)
    folder = trial.app.volume / "outputs" / job["id"]

    def kept() -> int:
        return len(list(folder.glob("0*.png")))

    said = _during(trial, job, lambda _: kept() > 0)
    if kept() != MANY:
        raise Wrong(f"there are {kept()} pictures of {MANY}")
    return said


MOMENTS = (
    creating_a_character,
    uploading_a_photo,
    submitting_a_training,
    submitting_a_picture,
    jobs_wait,
    a_training_begins,
    a_training_saves_a_checkpoint,
    a_training_ends,
    pictures_are_kept,
)


def main() -> int:
    """Do it; return 0 when all is as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400, help="size of the disk (default: 400)")
    parser.add_argument("--only", default="", help="only the moments whose name has this in it")
    options = parser.parse_args()
    if os.environ.get(INSIDE) != "1":
        command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, *sys.argv]
        return subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="isengard-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={options.megabytes}m", "tmpfs", folder]
        subprocess.run(mount, check=True)
        try:
            failed = _all(Disk(Path(folder).resolve()), options.only)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=False)
    print("FAILED" if failed else "passed: told each time, nothing lost, work went on")
    return bool(failed)


def _all(disk: Disk, only: str) -> int:
    environment = {"ISENGARD_MIN_FREE_DISK_GB": "0.02", "TMPDIR": str(disk.root)}
    failed = 0
    with OwnApp(disk.root / "volume", **environment) as app:
        trial = Trial(disk, app)
        for moment in (one for one in MOMENTS if only in one.__name__):
            failed += _tried(moment, trial)
    if only in "starting":
        disk.fill()
        failed += _tried(lambda _: _starting(disk, environment), trial, "starting")
    return failed


def _starting(disk: Disk, environment: dict[str, str]) -> str:
    """Start on a full volume: it must start, for that is where room is made."""
    with OwnApp(disk.root / "volume", **environment) as app:
        told = httpx.get(f"{app.url}/health/ready", timeout=60, trust_env=False).json()["parts"]["room"]
        if told["ok"]:
            raise Wrong("/health/ready does not say that there is no room")
        disk.free()
        rest = Rest(app.url)
        job = rest.post("/api/generation", json={"prompt": "a man", "base_model": "pocket"})
        rest.wait(job, lambda _: None, 240)
    return str(told["reason"])


def _is_record(path: str, after: dict[str, str]) -> bool:
    """Tell whether it is a record that a later picture has changed, and that is still whole."""
    return path.endswith(".json") and path in after and bool(json.loads(Path(path).read_text(encoding="utf-8")))


def _tried(moment: Callable[[Trial], str], trial: Trial, name: str = "") -> int:
    named = (name or moment.__name__).replace("_", " ")
    before, started = trial.made(), time.monotonic()
    try:
        said = moment(trial)
        after = trial.made()
        lost = [
            path for path, digest in before.items() if after.get(path, "") != digest and not _is_record(path, after)
        ]
        if lost:
            raise Wrong(f"lost or changed: {lost[:3]}")
        half = [path for name in MADE for path in (trial.app.volume / name).rglob("*.partial")]
        if half:
            raise Wrong(f"left half-written: {half[:3]}")
    except Exception as error:  # noqa: BLE001 - one moment must not hide the others
        print(f"  {named}: WRONG: {error}", flush=True)
        if trial.disk.ballast.exists():  # the next moment begins with room
            trial.disk.free()
        return 1
    print(f"  {named}: {said} ({time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
