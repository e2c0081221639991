"""The preflight over REST: the same body as a training, and nothing is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from rest import Rest


def test_a_preflight_answers_for_a_trainings_body_and_makes_no_job(rest: Rest, character: dict[str, Any]) -> None:
    before = rest.get("/api/jobs")["total"]
    body = {"character_id": character["id"], "config": {"preset": "quick", "steps": 30}}
    told = rest.post("/api/training/preflight?price_per_hour=0.5", json=body)
    assert told["verdict"] in {"fits", "tight"}
    assert told["request"]["config"]["steps"] == 30
    assert told["request"]["config"]["image_count"] == 1
    assert {estimate["resource"] for estimate in told["estimates"]} >= {"memory", "disk", "time", "cost"}
    assert all(estimate["source"] and estimate["confidence"] for estimate in told["estimates"])
    assert rest.get("/api/jobs")["total"] == before


def test_what_is_wrong_with_a_preflight_is_named(http: httpx.Client, character: dict[str, Any]) -> None:
    body = {"character_id": character["id"], "config": {"optimizer": "prodigy"}}
    answer = http.post("/api/training/preflight", json=body)
    assert answer.status_code == 422
    assert "optimizer" in answer.json()["detail"]
    good = {"character_id": character["id"]}
    assert http.post("/api/training/preflight?price_per_hour=-1", json=good).status_code == 422
    assert http.post("/api/training/preflight", json={"character_id": "char-none"}).status_code == 404


def test_presets_name_their_source_and_settings_are_told(rest: Rest, character: dict[str, Any]) -> None:
    able = rest.get("/api/training/abilities")
    assert "steps" in able["settings"]
    assert set(able["presets"]) == {"quick", "balanced", "best"}
    assert all(preset["source"] and preset["confidence"] for preset in able["presets"].values())
    scaled = rest.get("/api/training/presets", params={"character_id": character["id"]})
    assert scaled["balanced"]["image_count"] == 1


def test_a_training_teaches_the_next_preflight(
    rest: Rest, character: dict[str, Any], train: Callable[..., Any]
) -> None:
    job = rest.wait(train(character["id"], 5), lambda _job: None, 120)
    lora = rest.get("/api/loras", params={"character_id": character["id"]})["items"][0]
    assert lora["job_id"] == job["id"]
    foretold, took = lora["forecast"], lora["measured"]
    assert took["steps"] == 5
    assert took["seconds"] > took["setup_seconds"] > 0
    assert 0.5 * foretold["ram_gb"] < took["peak_ram_gb"] < 3 * foretold["ram_gb"]
    body = {"character_id": character["id"], "config": {"steps": 100, "batch_size": 2}}
    told = rest.post("/api/training/preflight?price_per_hour=1", json=body)
    known = {estimate["resource"]: estimate for estimate in told["estimates"]}
    assert known["time"]["confidence"] == known["memory"]["confidence"] == "measured"
    runs = [one["measured"] or {} for one in rest.get("/api/loras")["items"]]  # other tests' trainings teach it, too
    would = [run["setup_seconds"] + 99 * run["seconds_per_step"] for run in runs if run.get("seconds_per_step")]
    assert min(would) <= known["time"]["needed"] <= max(would)
    assert known["cost"]["needed"] == pytest.approx(known["time"]["needed"] / 3600)
