"""The app, its engine and its queue are killed in the middle of a training; the training ends all the same."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from own_app import OwnApp
from rest import Rest

LIMIT = 180


def started(rest: Rest, steps: int) -> dict[str, Any]:
    made = rest.post("/api/characters/sample")
    config = {"steps": steps, "batch_size": 2, "save_every": 10, "sample_every": 1000}
    job: dict[str, Any] = rest.post("/api/training", json={"character_id": made["id"], "config": config})
    return job


def steps_done(job: dict[str, Any]) -> bool:
    return bool(job["current_step"] >= 15)


def check_it_ends(rest: Rest, job: dict[str, Any], steps: int) -> None:
    done = rest.until(job, lambda now: now["status"] in {"completed", "failed", "cancelled"}, LIMIT)
    assert done["status"] == "completed", done["error"]
    assert done["attempt"] >= 2
    curve = [point["step"] for point in rest.get(f"/api/jobs/{job['id']}/loss")["items"]]
    assert curve == list(range(1, steps + 1))
    loras = rest.get("/api/loras")["items"]
    assert [lora["job_id"] for lora in loras] == [job["id"]]
    assert loras[0]["measured"]["seconds_before"] > 0  # what was killed took time, too


def children(pid: int, named: str) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # one that has just ended
            if named in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_the_whole_app_is_killed_and_started_again(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    with OwnApp(volume) as app:
        rest = Rest(app.url)
        job = started(rest, 60)
        rest.until(job, steps_done, LIMIT)
        theirs = children(app.pid, "plugins.diffusers.engine") + children(app.pid, "valkey-server")
        assert len(theirs) >= 2
        os.kill(app.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(theirs, timeout=30)
        assert alive == []  # neither engine nor queue outlives its app
    with OwnApp(volume) as app:
        rest = Rest(app.url)
        resumed = rest.until(job, lambda now: now["attempt"] == 2 and now["current_step"] > 0, LIMIT)
        assert resumed["current_step"] > 10  # from a checkpoint, not from the start
        check_it_ends(rest, job, 60)


def test_the_engine_is_killed(tmp_path: Path) -> None:
    with OwnApp(tmp_path / "volume") as app:
        rest = Rest(app.url)
        job = started(rest, 40)
        rest.until(job, steps_done, LIMIT)
        for engine in children(app.pid, "plugins.diffusers.engine"):
            engine.kill()
        waiting = rest.until(job, lambda now: now["status"] == "queued", LIMIT)
        assert waiting["error"]["hint"]
        assert "Trying again" in waiting["message"]
        check_it_ends(rest, job, 40)


def test_asking_twice_for_a_stop_skips_nothing(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    with OwnApp(volume) as app:
        rest = Rest(app.url)
        job = started(rest, 60)
        rest.until(job, steps_done, LIMIT)
        theirs = children(app.pid, "plugins.diffusers.engine") + children(app.pid, "valkey-server")
        for _ in range(3):  # as an impatient person presses Ctrl-C
            os.kill(app.pid, signal.SIGINT)
            time.sleep(0.2)
        app.await_end(30)
        _, alive = psutil.wait_procs(theirs, timeout=30)
        assert alive == []
    with OwnApp(volume) as app:
        again = Rest(app.url).get(f"/api/jobs/{job['id']}")
        assert (again["losses"], again["failures"]) == (0, 0)  # it was handed back, not lost


def test_a_graceful_stop_hands_the_job_back(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    with OwnApp(volume) as app:
        rest = Rest(app.url)
        job = started(rest, 60)
        rest.until(job, steps_done, LIMIT)
    with OwnApp(volume) as app:
        rest = Rest(app.url)
        assert rest.get(f"/api/jobs/{job['id']}")["error"] is None
        resumed = rest.until(job, lambda now: now["attempt"] == 2 and now["current_step"] > 0, LIMIT)
        assert resumed["current_step"] > 15  # from the checkpoint that the stop made, not from that of step 10
        check_it_ends(rest, job, 60)


def test_a_stop_ends_open_streams_in_order(tmp_path: Path) -> None:
    with OwnApp(tmp_path / "volume") as app, httpx.stream("GET", f"{app.url}/api/events", timeout=LIMIT) as events:
        os.kill(app.pid, signal.SIGTERM)
        events.read()  # raises where the stream breaks off
        app.await_end(LIMIT)
        assert "Traceback" not in app.said


def test_a_second_process_takes_jobs_of_the_same_volume(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    with OwnApp(volume, ISENGARD_WORKER_THREADS="1") as app:
        import subprocess
        import sys

        from own_app import ROOT

        environment = {**os.environ, "VOLUME_ROOT": str(volume), "ISENGARD_LOG_DIR": str(tmp_path / "other-logs")}
        command = [sys.executable, str(ROOT / "app.py"), "--worker-only"]
        other = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            rest = Rest(app.url)
            jobs = [rest.post("/api/generation", json={"prompt": f"a man {n}", "steps": 8}) for n in range(6)]
            done = [rest.wait(job, lambda _job: None, LIMIT) for job in jobs]
            assert {job["status"] for job in done} == {"completed"}
            claimed = {
                event["event"]["worker"]
                for job in jobs
                for event in _stored(rest, job["id"])
                if event["event"]["kind"] == "claimed"
            }
            assert any(f"-{other.pid}-" in worker for worker in claimed), claimed
        finally:
            other.terminate()
            other.wait(20)


def _stored(rest: Rest, job_id: str) -> list[dict[str, Any]]:
    import json

    with rest.client.stream("GET", f"/api/jobs/{job_id}/events") as answer:
        return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
