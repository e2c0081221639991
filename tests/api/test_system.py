"""The house itself over REST: health, info, metrics, documentation, refusals."""

from __future__ import annotations

import re

import httpx
import pytest
from rest import Rest


def test_it_is_healthy_and_ready(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "ok"}
    ready = http.get("/health/ready")
    assert ready.status_code == 200, ready.text
    parts = ready.json()["parts"]
    assert set(parts) == {"volume", "room", "queue", "redis", "events", "workers", "care", "watch", "backends"}
    assert [name for name, part in parts.items() if not part["ok"]] == []


def test_info_says_what_works_here(rest: Rest) -> None:
    told = rest.get("/info")
    assert told["capabilities"]["video"] == "scaffold_only"
    assert "pocket" in told["capabilities"]["training"]
    assert all(backend["available"] or backend["reason"] for backend in told["backends"])


def test_metrics_are_prometheus_text(http: httpx.Client) -> None:
    text = http.get("/metrics").text
    assert re.search(r'^isengard_jobs\{status="queued",type="training"\} \d', text, re.MULTILINE)
    assert "isengard_workers_alive 2.0" in text


def test_metrics_answer_what_an_owner_asks(http: httpx.Client) -> None:
    text = http.get("/metrics").text
    for name in ("ready 1.0", "paused 0.0", "queue_oldest_seconds", "backup_age_seconds -1.0", "volume_limit_bytes"):
        assert f"\nisengard_{name}" in text


def test_the_owner_sees_room_rules_messages_and_costs(rest: Rest, http: httpx.Client) -> None:
    told = rest.get("/api/system", params={"fresh": True})
    assert told["well"]
    assert told["storage"]["used_bytes"] == sum(kind["bytes"] for kind in told["storage"]["kinds"])
    assert {rule["id"] for rule in told["clean_up"]} >= {"cache", "rejected", "checkpoints", "trash"}
    assert rest.post("/api/system/clean-up/cache")["id"] == "cache"
    assert http.post("/api/system/clean-up/everything").status_code == 404
    assert told["alerts"]["on"] is False
    refused = http.post("/api/system/alerts/test")
    assert refused.status_code == 409
    assert "ISENGARD_WEBHOOK_URL" in refused.json()["hint"]


def test_models_say_what_is_missing_and_under_which_licence(rest: Rest, http: httpx.Client) -> None:
    models = {model["row"]["id"]: model for model in rest.get("/api/models")["items"]}
    assert models["pocket"]["can_train"]
    assert not models["flux-dev"]["installed"]
    assert models["flux-dev"]["reason"]
    assert not models["flux-dev"]["row"]["commercial_use"]
    assert http.post("/api/models/nobody/download").status_code == 404


@pytest.mark.parametrize("path", ["/api/video", "/api/video/generate", "/api/video/x/y"])
def test_video_is_not_built_yet(http: httpx.Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = http.request(method, path)
        assert answer.status_code == 501
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_route_is_described(http: httpx.Client) -> None:
    schema = http.get("/openapi.json").json()
    operations = [
        (f"{verb} {path}", told)
        for path, verbs in schema["paths"].items()
        for verb, told in verbs.items()
        if not path.startswith("/api/video")
    ]
    assert len(operations) > 40
    assert [name for name, told in operations if not told.get("description")] == []
    page = http.get("/docs").text
    assert "/api/training" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="https?:', page)


def test_other_sites_cannot_send_for_you(http: httpx.Client) -> None:
    for site in ("cross-site", "same-site"):
        answer = http.post("/api/characters/sample", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
        assert answer.json()["hint"]


def test_no_other_origin_may_read(http: httpx.Client) -> None:
    for path in ("/health", "/api/jobs", "/config"):
        answer = http.get(path, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers


def test_a_huge_body_is_refused_before_it_is_read(http: httpx.Client) -> None:
    answer = http.post("/api/generation", content=b"x" * (3 * 2**20), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
