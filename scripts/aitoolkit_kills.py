"""Trainings while AI-Toolkit or the whole Isengard is killed ten times at random moments: each goes on where it was.

Starts an Isengard of its own on a new volume. Its trainer is the stand-in of the tests, or with --real the AI-Toolkit
that ISENGARD_AITOOLKIT_DIR and ISENGARD_AITOOLKIT_PYTHON name, with a tiny model that the tests make.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from own_app import ROOT, OwnApp, StartFailed
from rest import FINAL, Refused, Rest
from verdict import verdict

sys.path.insert(0, str(ROOT))
from tests.aitoolkit.bench import DOUBLE, place_model, row_of

BASE = "kills-sd15"
KILLS_OF_A_JOB = 2  # the third attempt is the last that comes by itself


@dataclass
class Loss:
    """One kill: what was killed at which step, and where the training went on."""

    what: str
    step: int
    resumed: int = -1

    @property
    def steps(self) -> int:
        """Return how many steps were lost."""
        return self.step - self.resumed


@dataclass
class Report:
    """What happened; times in seconds."""

    jobs: int = 0
    completed: int = 0
    kills: list[Loss] = field(default_factory=list)
    longest_gap: float = 0.0  # between the losses of neighbouring steps
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def wrong(self, options: argparse.Namespace) -> list[str]:
        """Return what is not as promised, in words."""
        found = list(self.failures)
        if self.completed != self.jobs:
            found.append(f"{self.completed} of {self.jobs} trainings completed")
        if len(self.kills) < options.kills:
            found.append(f"{len(self.kills)} kills, not {options.kills}")
        found += [
            f"{one.what} was killed at step {one.step} and it went on at {one.resumed}: {one.steps} steps lost"
            for one in self.kills
            if one.steps > options.save_every
        ]
        if not options.real and self.longest_gap > 0.1:  # the stand-in's curve falls by at most 0.04 a step
            found.append(f"the loss leaps by {self.longest_gap:.2f} between two steps")
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
    lost = [one.steps for one in report.kills]
    print(
        f"{report.jobs} trainings, {report.completed} completed, {len(report.kills)} kills; steps lost by a kill: "
        f"{max(lost, default=0)} at most with a checkpoint every {options.save_every}; every step of every curve once, "
        f"largest change of the loss from one to the next {report.longest_gap:.3f}; {report.seconds:.0f} s in all"
    )
    return verdict(report.wrong(options))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="in all, of trainer and app in turn (default: 10)")
    parser.add_argument("--steps", type=int, default=120, help="steps of a training (default: 120)")
    parser.add_argument("--save-every", type=int, default=10, help="steps between checkpoints (default: 10)")
    parser.add_argument("--step-seconds", type=float, default=0.1, help="of the stand-in (default: 0.1)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills (default: 1)")
    parser.add_argument("--real", action="store_true", help="a real AI-Toolkit in place of the stand-in")
    parser.add_argument("--limit", type=float, default=1800, help="seconds after which it is given up (default: 1800)")
    return parser.parse_args()


def run(folder: Path, options: argparse.Namespace) -> Report:
    """Train and kill until there were enough kills, then let it end; ``folder`` must be empty."""
    report, moments = Report(), random.Random(options.seed)
    started = time.monotonic()
    house = House(folder, options)
    try:
        while len(report.kills) < options.kills:
            kills = min(KILLS_OF_A_JOB, options.kills - len(report.kills))
            _train(house, [moments.randrange(3, options.steps - 3) for _ in range(kills)], report)
    finally:
        house.end()
    report.seconds = time.monotonic() - started
    return report


class House:
    """The app, which is started again after it was killed."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.options = options
        self.volume = folder / "volume"
        self.deadline = time.monotonic() + options.limit
        self._environment = environment(folder, options)
        place_base(self.volume / "comfyui" / "models" / BASE, real=options.real)
        self._start()
        self.character = self.rest.post("/api/characters/sample")["id"]

    def _start(self) -> None:
        self._stack = contextlib.ExitStack()
        self.app = self._stack.enter_context(OwnApp(self.volume, **self._environment))
        self.rest = Rest(self.app.url)

    def kill_app(self) -> None:
        """Kill the app, as the system does, and start it again."""
        os.kill(self.app.pid, 9)
        self._stack.close()
        self._start()

    def kill_trainer(self) -> bool:
        """Kill the trainer; tell whether there was one."""
        found = trainers(self.app.pid)
        for one in found:
            one.kill()
        return bool(found)

    def end(self) -> None:
        """End the app."""
        self._stack.close()


def environment(folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Return the app's environment; writes the registry and the stand-in's plan that it names."""
    content = yaml.safe_load((ROOT / "sota" / "registry.yml").read_text(encoding="utf-8"))
    row = row_of("sd15", BASE).model_dump(mode="json", exclude_defaults=True)
    registry = folder / "registry.yml"
    registry.write_text(yaml.safe_dump({**content, "models": [*content["models"], row]}), encoding="utf-8")
    chosen = {"ISENGARD_REGISTRY": str(registry)}
    if options.real:
        names = ("ISENGARD_AITOOLKIT_DIR", "ISENGARD_AITOOLKIT_PYTHON")
        return chosen | {name: os.environ[name] for name in names if name in os.environ}
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"step_seconds": options.step_seconds, "save_seconds": 0.3}), encoding="utf-8")
    double = {"ISENGARD_AITOOLKIT_DIR": str(DOUBLE), "ISENGARD_AITOOLKIT_PYTHON": sys.executable}
    return chosen | double | {"AITOOLKIT_DOUBLE_PLAN": str(plan)}


def place_base(target: Path, *, real: bool) -> None:
    """Put a base model where the app looks for it; the stand-in never looks into its files."""
    if not real:
        place_model(target, row_of("sd15", BASE))
        return
    from tests.aitoolkit import tiny

    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(tiny.make("sd15", tiny.CACHE))


def trainers(app_pid: int) -> list[psutil.Process]:
    """Return the trainers that this app has started."""
    with contextlib.suppress(psutil.Error):
        return [one for one in psutil.Process(app_pid).children(recursive=True) if _is_trainer(one)]
    return []


def _is_trainer(child: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return child.cmdline()[-1:] != [] and child.cmdline()[-1].endswith("training.yaml")
    return False


# --- one training ----------------------------------------------------------------------------


def _train(house: House, moments: list[int], report: Report) -> None:
    """Train once, killed at these steps, as soon as it has come so far."""
    config = {"base_model": BASE, "steps": house.options.steps, "save_every": house.options.save_every}
    config |= {"sample_every": 10_000, "sample_steps": 2, "resolutions": [64], "lora_rank": 4, "optimizer": "adamw"}
    job = house.rest.post("/api/training", json={"character_id": house.character, "config": config})
    report.jobs += 1
    for moment in sorted(moments):
        what = "trainer" if len(report.kills) % 2 == 0 else "app"
        step = _until_step(house, job["id"], moment)
        if step is None:
            report.failures.append(f"{job['id']} ended before step {moment}")
            return
        attempt = house.rest.get(f"/api/jobs/{job['id']}")["attempt"]
        if what == "app":
            house.kill_app()
        elif not house.kill_trainer():
            report.failures.append(f"{job['id']} has no trainer at step {step}")
            return
        loss = Loss(what, _last_told(house, job["id"]))
        report.kills.append(loss)
        loss.resumed = _resumed(house, job["id"], attempt)
        print(f"  killed the {what} at step {loss.step}: it went on after {loss.resumed}", flush=True)
    _finish(house, job["id"], report)


def _until_step(house: House, job_id: str, step: int) -> int | None:
    while time.monotonic() < house.deadline:
        job = house.rest.get(f"/api/jobs/{job_id}")
        if job["status"] in FINAL:
            return None
        if job["status"] == "running" and job["current_step"] >= step:
            return int(job["current_step"])
        time.sleep(0.02)
    return None


def _curve(house: House, job_id: str) -> list[list[float]]:
    """Return step and loss of every line that the attempts wrote, in order."""
    path = house.volume / "work" / job_id / "loss.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("]")]


def _last_told(house: House, job_id: str) -> int:
    time.sleep(0.5)
    return int(_curve(house, job_id)[-1][0])


def _resumed(house: House, job_id: str, attempt: int) -> int:
    """Wait for the first step of the next attempt; return the step before it."""
    before = len(_curve(house, job_id))
    while time.monotonic() < house.deadline:
        job = house.rest.get(f"/api/jobs/{job_id}")
        curve = _curve(house, job_id)
        if job["attempt"] > attempt and len(curve) > before:
            return int(curve[before][0]) - 1
        if job["status"] == "failed":
            break
        time.sleep(0.1)
    return -10_000


def _finish(house: House, job_id: str, report: Report) -> None:
    job: dict[str, Any] = {}
    while time.monotonic() < house.deadline:
        job = house.rest.get(f"/api/jobs/{job_id}")
        if job["status"] in FINAL:
            break
        time.sleep(0.1)
    if job["status"] != "completed":
        report.failures.append(f"{job_id} is {job['status']}: {(job['error'] or {}).get('message', job['message'])}")
        return
    report.completed += 1
    points = house.rest.get(f"/api/jobs/{job_id}/loss")["items"]
    if [point["step"] for point in points] != list(range(1, house.options.steps + 1)):
        report.failures.append(f"the loss curve of {job_id} lacks steps or has some twice")
    losses = [point["loss"] for point in points]
    gaps = [abs(one - other) for one, other in itertools.pairwise(losses)]
    report.longest_gap = max(report.longest_gap, *gaps)
    if not (house.volume / job["output_path"]).is_file():
        report.failures.append(f"{job_id} has no file")


if __name__ == "__main__":
    sys.exit(main())
