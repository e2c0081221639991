"""Fifty generations while the ComfyUI server is killed ten times at random: no picture is lost, none is made twice.

Starts an Isengard of its own on a new volume. Its server is the protocol double of the tests, or with --real the
checkout that ISENGARD_COMFYUI_DIR and ISENGARD_COMFYUI_PYTHON name, with a small model that the tests make.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from own_app import ROOT, OwnApp, StartFailed
from PIL import Image
from rest import FINAL, Refused, Rest
from verdict import verdict

DOUBLE = ROOT / "tests" / "comfyui" / "double"
BASE = "kills-sd15"
CHECKPOINT = "checkpoints/kills-sd15.safetensors"
STUCK_SECONDS = 60.0
DRAWING = 0.7  # of the kills wait until the server draws
PAGE = 100


@dataclass
class Report:
    """What happened; times in seconds."""

    pictures: int = 0
    distinct: int = 0
    jobs: int = 0
    completed: int = 0
    kills: int = 0
    attempts: int = 0
    longest_silence: float = 0.0
    worked: threading.Event = field(default_factory=threading.Event)  # the server has made its first picture
    steps: int = 0  # how often any job told of another step
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def wrong(self, options: argparse.Namespace) -> list[str]:
        """Return what is not as promised, in words."""
        found = list(self.failures)
        if self.completed != options.pictures:
            found.append(f"{self.completed} of {options.pictures} jobs completed")
        if self.pictures != options.pictures:
            found.append(f"{self.pictures} pictures were kept, not {options.pictures}")
        if self.distinct != self.pictures:
            found.append(f"only {self.distinct} of {self.pictures} pictures differ")
        if self.kills < options.kills:
            found.append(f"the server was killed {self.kills} times, not {options.kills}")
        if self.longest_silence > STUCK_SECONDS:
            found.append(f"a job stood still for {self.longest_silence:.0f} s")
        return found


def main() -> int:
    """Do it; return 0 when all is as promised."""
    options = _arguments()
    try:
        with tempfile.TemporaryDirectory(prefix="isengard-kills-") as folder:
            report = run(Path(folder).resolve(), options)
    except (Refused, StartFailed, OSError, httpx.TransportError) as error:
        print(f"The run failed: {error}", file=sys.stderr)
        return 1
    print(
        f"{report.jobs} jobs, {report.completed} completed, {report.pictures} pictures ({report.distinct} distinct), "
        f"{report.kills} kills, {report.attempts} attempts, longest silence of a job {report.longest_silence:.1f} s, "
        f"{report.seconds:.0f} s in all"
    )
    return verdict(report.wrong(options))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=50, help="jobs of one picture each (default: 50)")
    parser.add_argument("--kills", type=int, default=10, help="times the server is killed (default: 10)")
    parser.add_argument("--steps", type=int, default=8, help="steps of a picture (default: 8)")
    parser.add_argument("--step-seconds", type=float, default=0.06, help="of the double (default: 0.06)")
    parser.add_argument("--size", type=int, default=64, help="edge in pixels (default: 64)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills (default: 1)")
    parser.add_argument("--real", action="store_true", help="a real ComfyUI in place of the double")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which it is given up (default: 900)")
    return parser.parse_args()


def run(folder: Path, options: argparse.Namespace) -> Report:
    """Start the app, submit the jobs, kill the server, wait, count. ``folder`` must be empty."""
    volume = folder / "volume"
    place_model(volume / "comfyui" / "models" / CHECKPOINT, real=options.real)
    report = Report()
    started = time.monotonic()
    with OwnApp(volume, **environment(folder, options)) as app:
        rest = Rest(app.url)
        jobs = [_submit(rest, number, options) for number in range(options.pictures)]
        report.jobs = len(jobs)
        with _killing(app.pid, options, report):
            found = _follow(rest, [job["id"] for job in jobs], options.limit, report)
    report.seconds = time.monotonic() - started
    _count(volume, found, report)
    return report


def environment(folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Return the app's environment; writes the registry and the double's plan that it names."""
    content = yaml.safe_load((ROOT / "sota" / "registry.yml").read_text(encoding="utf-8"))
    row = {"id": BASE, "name": "Small SD 1.5", "source": "made by the tests", "license": "MIT", "version": "1"}
    row |= {"purpose": "tests", "family": "sd15", "resolution": options.size, "comfyui": {"CHECKPOINT": CHECKPOINT}}
    registry = folder / "registry.yml"
    registry.write_text(yaml.safe_dump({**content, "models": [*content["models"], row]}), encoding="utf-8")
    chosen = {"ISENGARD_REGISTRY": str(registry), "ISENGARD_WORKER_THREADS": "3"}
    if options.real:
        names = ("ISENGARD_COMFYUI_DIR", "ISENGARD_COMFYUI_PYTHON", "ISENGARD_COMFYUI_ARGS")
        return chosen | {name: os.environ[name] for name in names if name in os.environ}
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"step_seconds": options.step_seconds, "rules": []}), encoding="utf-8")
    double = {"ISENGARD_COMFYUI_DIR": str(DOUBLE), "ISENGARD_COMFYUI_PYTHON": sys.executable}
    return chosen | double | {"COMFYUI_DOUBLE_PLAN": str(plan)}


def place_model(target: Path, *, real: bool) -> None:
    """Put the base model's file where the app looks for it; the double never looks into it."""
    target.parent.mkdir(parents=True)
    if real:
        sys.path.insert(0, str(ROOT))
        from tests.comfyui import models

        target.symlink_to(models.make(target.parent / "made") / models.SD15)
        return
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"nothing": np.zeros(1, np.float32)}, target)


def _submit(rest: Rest, number: int, options: argparse.Namespace) -> dict[str, Any]:
    asked = {"prompt": f"a house by the sea, number {number}", "base_model": BASE, "steps": options.steps}
    made: dict[str, Any] = rest.post("/api/generation", json={**asked, "seed": 1000 + number})
    return made


# --- the killer ------------------------------------------------------------------------------


@contextlib.contextmanager
def _killing(app_pid: int, options: argparse.Namespace, report: Report) -> Iterator[None]:
    done = threading.Event()
    killer = threading.Thread(target=_kill, args=(app_pid, options, report, done), daemon=True)
    killer.start()
    try:
        yield
    finally:
        done.set()
        killer.join()


def _kill(app_pid: int, options: argparse.Namespace, report: Report, done: threading.Event) -> None:
    """Kill the server at random moments: seven in ten when it draws again, the others at any time, its start included.

    A real one starts for ten seconds and more; killed five times in a row before it drew, it is given up, by design.
    """
    moments = random.Random(options.seed)
    killed: set[int] = set()
    while not (report.worked.wait(0.1) or done.is_set()):  # a server that never worked is not started again, by design
        pass
    drawn = 0
    while report.kills < options.kills and not done.is_set():
        server = next((one for one in servers(app_pid) if one.pid not in killed), None)
        if server is None:
            done.wait(0.05)
            continue
        drawing = moments.random() < DRAWING
        while drawing and report.steps == drawn and not done.wait(0.05):
            pass
        done.wait(moments.uniform(0.1, 30.0 if options.real else 3.0))
        if done.is_set():
            return
        with contextlib.suppress(psutil.Error):
            server.kill()
            killed.add(server.pid)
            report.kills += 1
            drawn = report.steps
            print(f"  killed the server ({report.kills} of {options.kills})", flush=True)


def servers(app_pid: int) -> list[psutil.Process]:
    """Return the ComfyUI processes that this app has started."""
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(app_pid).children(recursive=True)
        return [child for child in children if _is_server(child)]
    return []


def _is_server(child: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "--base-directory" in child.cmdline()
    return False


# --- watching and counting -------------------------------------------------------------------


def _follow(rest: Rest, ids: list[str], limit: float, report: Report) -> list[dict[str, Any]]:
    """Poll until all jobs have ended; note how long any of them stood still while it was its turn."""
    deadline = time.monotonic() + limit
    watch = Watch(report)
    while True:
        jobs = [rest.get(f"/api/jobs/{name}") for name in ids]
        watch.look(jobs)
        if all(job["status"] in FINAL for job in jobs):
            return jobs
        if time.monotonic() > deadline:
            left = [f"{job['id']}: {job['status']}, {job['message']}" for job in jobs if job["status"] not in FINAL]
            report.failures += [f"{len(left)} jobs did not end in {limit:.0f} s", *left[:5]]
            return jobs
        time.sleep(0.2)


class Watch:
    """Measures silence: a job that runs must tell something new from time to time; one in the queue waits its turn."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._told: dict[str, tuple[tuple[Any, ...], float]] = {}

    def look(self, jobs: list[dict[str, Any]]) -> None:
        """Compare with what the jobs told before."""
        now = time.monotonic()
        for job in jobs:
            state = (job["status"], job["attempt"], job["current_step"], job["message"])
            before, since = self._told.get(job["id"], (None, now))
            if state != before or job["status"] != "running":
                since = now
            self._told[job["id"]] = (state, since)
            if job["status"] == "completed":
                self._report.worked.set()
            if before and job["current_step"] not in {0, before[2]}:
                self._report.steps += 1
            self._report.longest_silence = max(self._report.longest_silence, now - since)


def _count(volume: Path, jobs: list[dict[str, Any]], report: Report) -> None:
    report.completed = sum(job["status"] == "completed" for job in jobs)
    report.attempts = sum(job["attempt"] for job in jobs)
    files = [path for job in jobs for path in sorted((volume / "outputs" / job["id"]).glob("[0-9]*.png"))]
    report.pictures = len(files)
    looks = set()
    for path in files:
        with Image.open(path) as picture:
            looks.add(picture.convert("RGB").tobytes())
    report.distinct = len(looks)
    for job in jobs:
        if job["status"] == "failed":
            error = job["error"] or {}
            report.failures.append(f"{job['id']} failed: {error.get('message')}")
        elif len(job["outputs"]) != 1:
            report.failures.append(f"{job['id']} has {len(job['outputs'])} pictures")


if __name__ == "__main__":
    sys.exit(main())
