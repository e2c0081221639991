"""Two hundred jobs while a hundred kills hit the app, Redis, ComfyUI, the trainer and a worker at random.

Starts an Isengard of its own on a new volume, with a second process that only works, and starts each again when it is
killed, as an orchestrator does. Jobs are pictures by a ComfyUI (the protocol double of the tests), pictures by the
embedded engine, and trainings. In the end none may be lost, done twice, or have stood still for over a minute.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import comfyui_kills as comfy
import httpx
import psutil
from kept_alive import KeptAlive
from rest import FINAL, Refused, Rest
from verdict import verdict

STUCK_SECONDS = 60.0
ANSWERING = 0.7  # share of the kills that wait until the app answers; the others hit it while it starts, too
AT_ONCE = 40  # jobs that wait from the start; the others come as the kills go on
WEIGHTS = {"app": 20, "redis": 22, "comfyui": 20, "trainer": 18, "worker": 20}
AWAY = (httpx.TransportError, Refused, TimeoutError)


@dataclass
class Report:
    """What happened."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    longest_still: float = 0.0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main() -> int:
    """Do it; return 0 when all is as promised."""
    options = _arguments()
    with tempfile.TemporaryDirectory(prefix="isengard-chaos-") as folder:
        report = run(Path(folder).resolve(), options)
    ended = Counter(job["status"] for job in report.jobs.values())
    attempts = sum(job["attempt"] for job in report.jobs.values())
    print(f"{len(report.jobs)} jobs, {dict(ended)}, {attempts} attempts, {report.seconds:.0f} s")
    print(f"{report.kills.total()} kills: {dict(report.kills)}")
    print(f"the longest that a job stood still in its turn: {report.longest_still:.1f} s")
    return verdict(report.wrong, "passed: 0 lost, 0 done twice, 0 stuck over 60 s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="default: 100")
    parser.add_argument("--comfyui", type=int, default=150, help="pictures by ComfyUI (default: 150)")
    parser.add_argument("--pictures", type=int, default=42, help="pictures by the embedded engine (default: 42)")
    parser.add_argument("--trainings", type=int, default=8, help="trainings of 24 steps (default: 8)")
    parser.add_argument("--pause", type=float, default=7.0, help="longest pause between two kills (default: 7 s)")
    parser.add_argument("--seed", type=int, default=1, help="of victims and moments (default: 1)")
    parser.add_argument("--limit", type=float, default=2400, help="seconds after which it is given up (default: 2400)")
    options = parser.parse_args()
    options.steps, options.step_seconds, options.size, options.real = 8, 0.05, 64, False
    return options


def run(folder: Path, options: argparse.Namespace) -> Report:
    """Start, submit, kill, wait, count. ``folder`` must be empty."""
    volume = folder / "volume"
    comfy.place_model(volume / "comfyui" / "models" / comfy.CHECKPOINT, real=False)
    environment = comfy.environment(folder, options) | {"ISENGARD_WORKER_THREADS": "2"}
    report, started = Report(), time.monotonic()
    with (
        KeptAlive(volume, environment) as app,
        KeptAlive(volume, environment, "worker", "--worker-only") as worker,
    ):
        done = threading.Event()
        killer = threading.Thread(target=_kill, args=(app, worker, volume, options, report, done), daemon=True)
        killer.start()
        rest = Rest(app.url)
        _submit(rest, options, report)
        _follow(rest, options.limit - (time.monotonic() - started), report, killer.is_alive)
        done.set()
        killer.join()
        app.await_health()
        _count(rest, volume, report)
        if report.kills.total() < options.kills:
            report.wrong.append(f"only {report.kills.total()} kills of {options.kills}: the jobs ended before")
    report.wrong += [f"a child outlived its app: {name}" for name in _left(volume)]
    report.seconds = time.monotonic() - started
    return report


# --- the load --------------------------------------------------------------------------------


def _submit(rest: Rest, options: argparse.Namespace, report: Report) -> None:
    """Send every job until it is taken, with a key of its own, as a client should."""
    character = _insist(lambda: rest.post("/api/characters/sample", headers={"Idempotency-Key": "sample"}))["id"]
    training = {"steps": 24, "batch_size": 1, "save_every": 4, "sample_every": 1000}
    wanted: list[tuple[str, dict[str, Any]]] = [
        *[("training", {"character_id": character, "config": training})] * options.trainings,
        *[
            ("generation", {"prompt": f"a house, number {n}", "base_model": comfy.BASE, "steps": 8, "seed": n})
            for n in range(options.comfyui)
        ],
        *[
            ("generation", {"prompt": f"a man, number {n}", "base_model": "pocket", "steps": 4, "seed": n})
            for n in range(options.pictures)
        ],
    ]
    random.Random(options.seed).shuffle(wanted)
    for number, (kind, asked) in enumerate(wanted):
        while report.kills.total() < options.kills * (number - AT_ONCE) / len(wanted):
            time.sleep(0.1)  # so that kills never meet an idle house
        job = _insist(
            lambda kind=kind, asked=asked, number=number: rest.post(
                f"/api/{kind}", json=asked, headers={"Idempotency-Key": f"job-{number}"}
            )
        )
        report.jobs[job["id"]] = job
    print(f"  {len(report.jobs)} jobs are taken", flush=True)


def _insist(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 180
    while True:
        try:
            return ask()
        except AWAY as error:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0 if "within a minute" in str(error) else 0.3)


# --- the killer ------------------------------------------------------------------------------


def _kill(
    app: KeptAlive,
    worker: KeptAlive,
    volume: Path,
    options: argparse.Namespace,
    report: Report,
    done: threading.Event,
) -> None:
    dice = random.Random(options.seed)
    victims: dict[str, Callable[[], bool]] = {
        "app": app.kill,
        "worker": worker.kill,
        "redis": lambda: _kill_one(volume, lambda line: "valkey-server" in line[0]),
        "comfyui": lambda: _kill_one(volume, lambda line: "--base-directory" in line),
        "trainer": lambda: _kill_one(volume, lambda line: "plugins.diffusers.engine" in line),
    }
    while report.kills.total() < options.kills and not done.wait(dice.uniform(0.5, options.pause)):
        if dice.random() < ANSWERING:
            app.await_health()
        name = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if victims[name]():
            report.kills[name] += 1
            if report.kills.total() % 10 == 0:
                print(f"  {report.kills.total()} kills: {dict(report.kills)}", flush=True)


def _kill_one(volume: Path, is_it: Callable[[list[str]], bool]) -> bool:
    for process in _ours(volume):
        try:
            if is_it(process.cmdline() or [""]):
                process.kill()
                return True
        except psutil.Error:
            continue
    return False


def _ours(volume: Path) -> list[psutil.Process]:
    """Return the processes that have this volume in their environment, or in the title that Valkey gives itself."""
    found = []
    for process in psutil.process_iter():
        try:
            titled = "valkey" in process.name() and f"{volume}/" in " ".join(process.cmdline())
            ours = titled or process.environ().get("VOLUME_ROOT") == str(volume)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    random.shuffle(found)
    return found


def _left(volume: Path) -> list[str]:
    psutil.wait_procs(_ours(volume), 10)
    return [" ".join(process.cmdline())[:120] for process in _ours(volume)]


# --- watching and counting -------------------------------------------------------------------


def _follow(rest: Rest, limit: float, report: Report, killing: Callable[[], bool]) -> None:
    """Look at all jobs until they have ended; note how long a running one told nothing new."""
    deadline, told = time.monotonic() + limit, {}
    while time.monotonic() < deadline:
        for job in _all(rest):
            report.jobs[job["id"]] = job
            state = (job["status"], job["attempt"], job["current_step"], job["message"])
            before, since = told.get(job["id"], (None, time.monotonic()))
            if state != before or job["status"] in FINAL or job["status"] == "queued":
                since = time.monotonic()
            told[job["id"]] = (state, since)
            report.longest_still = max(report.longest_still, time.monotonic() - since)
        live = sum(job["status"] not in FINAL for job in report.jobs.values())
        if not live:
            return
        time.sleep(0.5)
    report.wrong.append(f"{live} jobs had not ended after {limit:.0f} s; kills go on: {killing()}")


def _all(rest: Rest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        after = {"cursor": cursor} if cursor else {}
        page = _insist(lambda after=after: rest.get("/api/jobs", params={"limit": 200, **after}))
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            return found


def _count(rest: Rest, volume: Path, report: Report) -> None:
    known = {job["id"] for job in _all(rest)}
    report.wrong += [f"{name} is not known any more" for name in report.jobs if name not in known]
    report.wrong += [f"{name} was made by nobody" for name in known if name not in report.jobs]
    for name, job in report.jobs.items():
        if job["status"] != "completed":
            report.wrong.append(f"{name} ended {job['status']}: {(job['error'] or {}).get('message')}")
        elif job["type"] == "generation":
            files = sorted((volume / "outputs" / name).glob("[0-9]*.png"))
            if len(files) != 1 or len(job["outputs"]) != 1:
                report.wrong.append(f"{name} has {len(files)} pictures")
    made = Counter(lora["job_id"] for lora in _insist(lambda: rest.get("/api/loras", params={"limit": 200}))["items"])
    for name in (name for name, job in report.jobs.items() if job["type"] == "training"):
        if made[name] != 1:
            report.wrong.append(f"{name} made {made[name]} LoRAs")
    if report.longest_still > STUCK_SECONDS:
        report.wrong.append(f"a job stood still for {report.longest_still:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
