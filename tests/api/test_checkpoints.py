"""Checkpoints over REST: kept as the training goes, drawn side by side, made a version, gone on from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from rest import Rest

LIMIT = 300


def quietly(_job: dict[str, Any]) -> None:
    """Look on without a word."""


@pytest.fixture(scope="module")
def training(rest: Rest) -> dict[str, Any]:
    """A training of the sample character with checkpoints at steps 2 and 4 of 6."""
    character = rest.post("/api/characters/sample")
    config = {"steps": 6, "save_every": 2, "sample_every": 6, "batch_size": 2, "lora_rank": 4}
    job = rest.post("/api/training", json={"character_id": character["id"], "config": config})
    ended: dict[str, Any] = rest.wait(job, quietly, LIMIT)
    return ended


def test_what_was_learnt_on_the_way_is_kept(rest: Rest, http: httpx.Client, training: dict[str, Any]) -> None:
    kept = rest.get("/api/checkpoints", params={"job_id": training["id"]})["items"]
    assert [one["checkpoint"] for one in kept] == [2, 4]
    assert [one["version"] for one in kept] == ["step 2", "step 4"]
    assert len({one["sha256"] for one in kept}) == 2
    assert http.get("/api/checkpoints", params={"job_id": "*"}).status_code == 404
    assert http.delete(f"/api/loras/{kept[0]['id']}").status_code == 422
    assert http.post("/api/checkpoints/train-none.step-2/version").status_code == 404


def test_the_version_carries_samples_and_tags(rest: Rest, training: dict[str, Any]) -> None:
    (version,) = rest.get("/api/loras", params={"character_id": training["character_id"]})["items"]
    assert version["tag_frequency"]
    (name,) = rest.get(f"/api/loras/{version['id']}/samples")["items"]
    assert len(rest.fetch(f"/api/loras/{version['id']}/samples/{name}")) > 500


def test_checkpoints_are_drawn_side_by_side_and_the_chosen_one_goes_on(
    rest: Rest, http: httpx.Client, training: dict[str, Any], train: Callable[..., Any]
) -> None:
    kept = rest.get("/api/checkpoints", params={"job_id": training["id"]})["items"]
    (version,) = rest.get("/api/loras", params={"character_id": training["character_id"]})["items"]
    ids = [kept[0]["id"], kept[1]["id"], version["id"]]
    asked = {
        "prompt": "a photo of zuvra person",
        "base_model": "pocket",
        "steps": 2,
        "seed": 1,
        "loras": [{"id": ids[0], "strength": 1}],
        "grid": {"x": {"field": "lora", "values": ids}},
    }
    drawn = rest.wait(rest.post("/api/generation", json=asked), quietly, LIMIT)
    pictures = [rest.fetch(output["url"]) for output in drawn["outputs"]]
    assert len(set(pictures)) == 3

    made = rest.post(f"/api/checkpoints/{ids[1]}/version")
    assert (made["version"], made["steps"], made["from_checkpoint"]) == ("v2", 4, 4)
    more = {"steps": 2, "batch_size": 2, "sample_every": 100}
    request = {"character_id": training["character_id"], "config": more, "start_from": made["id"]}
    rest.wait(rest.post("/api/training", json=request), quietly, LIMIT)
    newest = rest.get("/api/loras", params={"character_id": training["character_id"]})["items"][0]
    assert (newest["parent_id"], newest["parent_label"], newest["steps_before"]) == (made["id"], "Zuri v2", 4)
    assert (newest["rank"], newest["version"]) == (4, "v3")
    assert http.delete(f"/api/checkpoints/{ids[0]}").status_code == 204
    assert http.get(f"/api/loras/{ids[0]}").status_code == 404
