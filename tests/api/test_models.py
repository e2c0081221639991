"""Models over REST: what is here, and downloads as jobs, with a registry and a file server of the test's own."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from own_app import OwnApp
from rest import Rest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "infra"))
from file_server import FileServer  # noqa: E402 - test folders are no packages

CONTENT = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with FileServer({"a.safetensors": CONTENT}) as made:
        yield made


@pytest.fixture(scope="module")
def own(server: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rest, Path]]:
    folder = tmp_path_factory.mktemp("models")
    listed = yaml.safe_load((ROOT / "sota" / "registry.yml").read_text())["models"]
    file = {"path": "a.safetensors", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    source = {"id": "web", "kind": "url", "use": ["images"], "name": server.url, "files": [file]}
    facts = {"id": "tiny", "name": "Tiny", "source": "here", "license": "MIT", "version": "1", "purpose": "tests"}
    huge = source | {"id": "huge", "files": [file | {"path": "b.safetensors", "size": 10**17}]}
    path = folder / "registry.yml"
    path.write_text(json.dumps({"models": [listed[0], facts | {"sources": [source, huge]}]}))
    with OwnApp(folder / "volume", ISENGARD_REGISTRY=str(path)) as app:
        rest = Rest(app.url)
        yield rest, folder / "volume"
        rest.client.close()


def test_a_model_is_downloaded_as_a_job(own: tuple[Rest, Path], server: FileServer) -> None:
    rest, volume = own
    http: httpx.Client = rest.client
    before: dict[str, Any] = rest.get("/api/models/tiny")
    assert not before["downloads"][0]["here"]
    assert not before["row"]["commercial_use"]
    assert server.asked == []  # nothing comes unless it is asked for
    answers = [http.post("/api/models/tiny/download", headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    job = answers[0].json()
    assert job["type"] == "download"
    assert answers[1].json()["id"] == job["id"]
    with http.stream("GET", f"/api/jobs/{job['id']}/events") as events:  # ends with the job
        events.read()
    assert rest.get(f"/api/jobs/{job['id']}")["status"] == "completed"
    assert [found["id"] for found in rest.get("/api/jobs?type=download")["items"]] == [job["id"]]
    assert (volume / "comfyui" / "models" / "a.safetensors").read_bytes() == CONTENT
    assert rest.get("/api/models/tiny")["downloads"][0]["here"]
    again = http.post("/api/models/tiny/download")
    assert again.status_code == 409
    assert "here already" in again.json()["detail"]


def test_what_cannot_be_fetched_is_refused_at_once(own: tuple[Rest, Path]) -> None:
    http: httpx.Client = own[0].client
    assert http.post("/api/models/nobody/download").status_code == 404
    assert http.post("/api/models/pocket/download").status_code == 404
    assert http.post("/api/models/tiny/download", json={"source": "other"}).status_code == 404
    full = http.post("/api/models/tiny/download", json={"source": "huge"})
    assert full.status_code == 507
    assert full.json()["hint"]
