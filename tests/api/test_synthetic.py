"""Synthetic pictures over REST: the plan's own commands, thresholds, decisions, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from own_app import OwnApp
from rest import Rest

from tests.api.conftest import upload

AS_CURL_SENDS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}  # curl -d


@pytest.fixture(scope="module")
def known(app: OwnApp, rest: Rest) -> str:
    """The plan's char-001, with one photograph."""
    record = {"id": "char-001", "name": "Grace", "trigger_word": "grxce person"}
    (app.volume / "characters" / "char-001.json").write_text(json.dumps(record))
    upload(rest, "char-001", "hopper.jpg")
    return "char-001"


@pytest.fixture(scope="module")
def expanded(rest: Rest, http: httpx.Client, known: str) -> dict[str, Any]:
    """What the plan's dry-run command makes."""
    body = '{"target_count": 10, "dry_run": true}'
    answer = http.post(f"/api/characters/{known}/synthetic", content=body, headers=AS_CURL_SENDS)
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    assert (job["type"], job["status"], job["character_id"]) == ("synthetic", "queued", known)
    done: dict[str, Any] = rest.wait(job, lambda _: None, 240)
    return done


def test_the_plans_dry_run_commands_work_as_written(app: OwnApp, expanded: dict[str, Any]) -> None:
    assert expanded["status"] == "completed"
    assert expanded["message"].startswith("10 of 10 accepted")
    assert expanded["output_path"] == "synthetic/char-001"
    folder = app.volume / "synthetic" / "char-001"
    assert len(list((folder / "images").glob("*.png"))) == 10
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["counts"]["passed"] == 10
    assert manifest["counts"]["generated"] == len(manifest["pictures"])
    assert manifest["runs"][0]["config"]["seed_start"] == 42
    for picture in manifest["pictures"]:
        assert {"faces", "similarity", "sharpness", "copy_score"} <= picture["scores"].keys()


def test_moved_thresholds_sort_at_once_and_a_persons_word_counts_more(
    rest: Rest, http: httpx.Client, known: str, expanded: dict[str, Any]
) -> None:
    url = f"/api/characters/{known}/synthetic"
    strict = http.patch(url, json={"min_sharpness": 1.0}).json()
    assert strict["counts"]["passed"] == 0
    first = strict["pictures"][0]
    kept = http.patch(f"{url}/{first['id']}", json={"decision": "keep"}).json()
    assert kept["counts"]["passed"] == 1
    assert http.get(f"{url}/{first['id']}/file?size=thumb").headers["content-type"] == "image/webp"
    back = http.patch(url, json={"min_sharpness": 0.3}).json()
    assert back["counts"]["passed"] >= 10
    again = http.patch(f"{url}/{first['id']}", json={"decision": None}).json()
    assert again["pictures"][0]["decision"] is None
    assert rest.get(url)["counts"] == again["counts"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"target_count": 0}, "target_count"),
        ({"similarity_threshold": 1.5}, "similarity_threshold"),
        ({"prompt_templates": ["a person in {setting}"]}, "trigger_word"),
        ({"pictures": 5}, "pictures"),
        ({"lora_id": "lora-1", "dry_run": True}, "lora_id"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused_with_the_field(
    http: httpx.Client, known: str, body: dict[str, Any], says: str
) -> None:
    answer = http.post(f"/api/characters/{known}/synthetic", json=body)
    assert answer.status_code == 422
    assert says in answer.text


def test_a_character_without_pictures_and_a_source_that_is_not_here_are_refused_with_what_to_do(
    rest: Rest, http: httpx.Client, known: str
) -> None:
    empty = rest.post("/api/characters", json={"name": "Empty", "trigger_word": "emtpy person"})
    answer = http.post(f"/api/characters/{empty['id']}/synthetic", json={"dry_run": True})
    assert answer.status_code == 409
    assert answer.json()["hint"]
    lacking = http.post(f"/api/characters/{known}/synthetic", json={"source": "face_adapter"})
    assert lacking.status_code == 503
    assert lacking.json()["hint"]
    names = {way["name"]: way["available"] for way in rest.get("/api/characters/synthetic/sources")["items"]}
    assert names["augmentation"]
    assert names["proto_lora"]


def test_unknown_pictures_and_characters_are_not_found(http: httpx.Client, known: str) -> None:
    for path in ("char-none/synthetic", f"{known}/synthetic/none/file"):
        assert http.get(f"/api/characters/{path}").status_code == 404
    assert http.patch(f"/api/characters/{known}/synthetic/none", json={"decision": "keep"}).status_code == 404
