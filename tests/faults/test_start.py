"""What a person reads when Isengard cannot start, or starts without its queue."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from own_app import ROOT, OwnApp


def start(tmp_path: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {
        **os.environ,
        "VOLUME_ROOT": str(tmp_path / "volume"),
        "ISENGARD_LOG_DIR": str(tmp_path / "logs"),
        "ISENGARD_TMP_DIR": str(tmp_path / "tmp"),
        **environment,
    }
    command = [sys.executable, str(ROOT / "app.py"), *options]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_a_taken_port_is_told_with_another_to_try(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = start(tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_volume_that_takes_no_writes_is_told(tmp_path: Path) -> None:
    done = start(tmp_path, "--port", "0", VOLUME_ROOT="/proc/isengard")
    assert done.returncode == 1
    assert "/proc/isengard" in done.stderr
    assert "VOLUME_ROOT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        ((), {"USE_REDIS": "true"}, "REDIS_URL"),
        ((), {"PORT": "many"}, "PORT"),
        (("--share",), {"ISENGARD_NO_PASSWORD": "true"}, "ISENGARD_NO_PASSWORD"),
    ],
)
def test_settings_that_cannot_work_are_told(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    done = (
        start(tmp_path, "--port", "0", *options, **environment)
        if "PORT" not in environment
        else start(tmp_path, **environment)
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_redis_it_starts_and_says_what_is_missing(tmp_path: Path) -> None:
    with (
        OwnApp(tmp_path / "volume", REDIS_URL="redis://127.0.0.1:1/0") as app,
        httpx.Client(base_url=app.url, timeout=30, trust_env=False) as client,
    ):
        ready = client.get("/health/ready", timeout=30)
        assert ready.status_code == 503
        assert not ready.json()["parts"]["queue"]["ok"]
        assert "REDIS_URL" in ready.json()["parts"]["queue"]["hint"]
        figures = client.get("/metrics", timeout=60).text
        assert "isengard_ready 0.0" in figures
        assert "isengard_volume_free_bytes" in figures
        made = client.post("/api/characters", json={"name": "Still", "trigger_word": "st1ll"}, timeout=30)
        assert made.status_code == 201  # disk needs no queue
        asked = client.post("/api/generation", json={"prompt": "a man"}, timeout=30)
        assert asked.status_code == 503
        assert asked.json()["hint"]
