"""A running Isengard on a public address: who gets in, and what is open to whom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from own_app import ROOT, OwnApp

PASSWORD = "open sesame"
GRADIO = (
    "/",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/robots.txt",
    "/assets/index.js",
    "/monitoring",
    "/gradio_api/info",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/queue/data?session_hash=x",
    "/gradio_api/startup-events",
)
UNUSED = (
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/run/x"),
    ("POST", "/gradio_api/call/x"),
    ("POST", "/gradio_api/vibe-edit"),
    ("GET", "/gradio_api/file=/etc/passwd"),
    ("GET", "/gradio_api/proxy=http://127.0.0.1"),
    ("GET", "/gradio_api/info"),
    ("GET", "/monitoring"),
    ("POST", "/login/"),
)


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnApp]:
    """As on a rented box: its public name is known, no password was given."""
    with OwnApp(tmp_path_factory.mktemp("pod") / "volume", RUNPOD_POD_ID="abc") as app:
        yield app


@pytest.fixture(scope="module")
def password(pod: OwnApp) -> str:
    found = re.search(r"^Password: (\S+)$", pod.said, re.MULTILINE)
    assert found, pod.said
    return found[1]


@pytest.fixture
def stranger(pod: OwnApp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=pod.url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def owner(pod: OwnApp, password: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=pod.url, timeout=30, trust_env=False, headers={"Authorization": f"Bearer {password}"}
    ) as client:
        until = time.monotonic() + 90
        while client.get("/config").status_code != 200:
            assert time.monotonic() < until, "the screen did not come up"
            time.sleep(0.2)
        yield client


def test_strangers_get_the_log_in_and_a_sign_of_life(stranger: httpx.Client) -> None:
    for path in (*GRADIO, "/api/jobs", "/info", "/metrics", "/health/ready", "/api/events", "/docs", "/openapi.json"):
        assert stranger.get(path).status_code == 401, path
    assert stranger.get("/health").json() == {"status": "ok"}
    assert stranger.get("/login").status_code == 200


def test_the_owner_gets_the_page_but_not_what_gradio_brings_besides(owner: httpx.Client) -> None:
    assert owner.get("/").status_code == 200
    for method, path in UNUSED:
        assert owner.request(method, path).status_code == 404, path


def test_gradio_believes_no_forwarded_host(owner: httpx.Client) -> None:
    lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    assert "evil.example" not in owner.get("/", headers=lies).text
    root = owner.get("/config", headers={"X-Forwarded-Host": f"abc-{owner.base_url.port}.proxy.runpod.net"}).json()[
        "root"
    ]
    assert root == f"https://abc-{owner.base_url.port}.proxy.runpod.net"


def test_the_password_is_not_in_the_logs(pod: OwnApp, owner: httpx.Client, password: str) -> None:
    owner.post("/login", data={"password": password})
    logs = pod.volume.with_name(pod.volume.name + "-logs")
    lines = "".join(path.read_text() for path in logs.rglob("*.log"))
    assert "login.accepted" in lines
    assert password not in lines


def test_a_given_password_is_asked_for_on_loopback_too(tmp_path: Path) -> None:
    with (
        OwnApp(tmp_path / "volume", ISENGARD_PASSWORD=PASSWORD) as app,
        httpx.Client(base_url=app.url, timeout=30, trust_env=False) as client,
    ):
        assert client.get("/api/jobs").status_code == 401
        assert client.get("/api/jobs", headers={"Authorization": f"Bearer {PASSWORD}"}).status_code == 200
        assert PASSWORD not in app.said


def test_a_configured_origin_may_read_and_another_may_not(tmp_path: Path) -> None:
    friend = "https://friend.example"
    with (
        OwnApp(tmp_path / "volume", ISENGARD_CORS_ORIGINS=friend) as app,
        httpx.Client(base_url=app.url, timeout=30, trust_env=False) as client,
    ):
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        answer = client.options("/api/jobs", headers={"Origin": friend, **asked})
        assert answer.headers["access-control-allow-origin"] == friend
        assert "access-control-allow-credentials" not in answer.headers
        assert client.get("/api/jobs", headers={"Origin": friend}).headers["access-control-allow-origin"] == friend
        foreign = client.get("/api/jobs", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in foreign.headers


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., str]:
    """Start an app that must refuse to; return what it says."""

    def run(*arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "app.py"), "--port", "0", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "VOLUME_ROOT": str(tmp_path),
                "ISENGARD_LOG_DIR": str(tmp_path),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        return done.stderr

    return run


def test_a_public_link_without_a_password_is_refused(start: Callable[..., str]) -> None:
    assert "--share without a password" in start("--share", ISENGARD_NO_PASSWORD="true")


def test_a_password_and_none_contradict_each_other(start: Callable[..., str]) -> None:
    assert "both set" in start(ISENGARD_NO_PASSWORD="true", ISENGARD_PASSWORD=PASSWORD)


def test_a_short_password_is_refused(start: Callable[..., str]) -> None:
    assert "fewer than 8" in start(ISENGARD_PASSWORD="1234567")
