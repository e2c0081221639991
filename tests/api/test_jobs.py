"""Trainings and generations over REST and SSE, run for real with few steps."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from own_app import OwnApp
from PIL import Image
from rest import Rest

from tests.api.conftest import upload

LIMIT = 120


def quietly(_job: dict[str, Any]) -> None:
    """Nobody watches."""


@pytest.fixture(scope="session")
def trained(rest: Rest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sample character and its finished training of a few steps."""
    made = rest.post("/api/characters/sample")
    wanted = {"steps": 6, "batch_size": 2, "sample_every": 3, "save_every": 3}
    job = rest.post("/api/training", json={"character_id": made["id"], "config": wanted})
    return made, rest.wait(job, quietly, LIMIT)


def events(http: httpx.Client, job_id: str, last: str | None = None) -> Iterator[dict[str, Any]]:
    """Read a job's event stream to its end."""
    headers = {"Last-Event-ID": last} if last else {}
    with http.stream("GET", f"/api/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


def test_a_training_ends_with_a_lora_that_knows_its_past(
    rest: Rest, app: OwnApp, trained: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    character, job = trained
    assert (job["progress"], job["current_step"], job["total_steps"], job["error"]) == (100.0, 6, 6, None)
    assert (app.volume / job["output_path"]).is_file()
    lora = rest.get("/api/loras", params={"character_id": character["id"]})["items"][0]
    assert (lora["job_id"], lora["version"], lora["steps"], lora["image_count"]) == (job["id"], "v1", 6, 12)
    assert lora["correlation_id"] == job["correlation_id"]
    assert len(lora["sha256"]) == len(lora["base_model_sha256"]) == 64
    assert rest.fetch(f"/api/loras/{lora['id']}/file") == (app.volume / job["output_path"]).read_bytes()


def test_the_events_tell_the_whole_story_and_can_be_resumed(
    http: httpx.Client, trained: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    told = list(events(http, trained[1]["id"]))
    kinds = [entry["event"]["kind"] for entry in told]
    assert kinds[0] == "claimed"
    assert kinds[-1] == "completed"
    assert {"metric", "preview", "checkpoint", "weights"} <= set(kinds)
    assert [entry["seq"] for entry in told] == list(range(1, len(told) + 1))
    rest_of_it = list(events(http, trained[1]["id"], told[3]["stream_id"]))
    assert rest_of_it == told[4:]


def test_the_loss_curve_and_the_samples_stay(
    rest: Rest, http: httpx.Client, trained: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    job = trained[1]
    assert [point["step"] for point in rest.get(f"/api/jobs/{job['id']}/loss")["items"]] == [1, 2, 3, 4, 5, 6]
    samples = rest.get(f"/api/training/{job['id']}/previews")["items"]
    assert [sample["step"] for sample in samples] == [3, 6]
    assert Image.open(io.BytesIO(rest.fetch(samples[0]["url"]))).size == (128, 128)
    assert http.get(f"/api/jobs/{job['id']}/files/..%2f..%2fsecret").status_code == 404


def test_pictures_come_with_seed_settings_and_likeness(
    rest: Rest, app: OwnApp, trained: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    character = trained[0]
    asked = {"prompt": f"a photo of {character['trigger_word']} in a park", "character_id": character["id"], "seed": 5}
    job = rest.wait(rest.post("/api/generation", json={**asked, "count": 2}), quietly, LIMIT)
    assert [output["seed"] for output in job["outputs"]] == [5, 6]
    output = job["outputs"][0]
    picture = Image.open(io.BytesIO(rest.fetch(output["url"])))
    assert output["drawn"]
    assert picture.size == (output["width"], output["height"]) == (128, 128)
    assert asked["prompt"] in picture.text["parameters"]
    assert "Seed: 5" in picture.text["parameters"]
    record = json.loads(picture.text["isengard"])
    assert record["correlation_id"] == job["correlation_id"]
    assert record["loras"][0]["version"] == "v1"
    assert (app.volume / output["path"]).is_file()
    listed = rest.get("/api/outputs", params={"character_id": character["id"]})["items"]
    assert {item["id"] for item in job["outputs"]} <= {item["id"] for item in listed}
    again = rest.post("/api/generation", json={k: v for k, v in output["settings"].items() if v is not None})
    same = rest.wait(again, quietly, LIMIT)["outputs"][0]
    assert same["seed"] == 5


def test_a_picture_can_be_deleted(rest: Rest, http: httpx.Client) -> None:
    job = rest.wait(rest.post("/api/generation", json={"prompt": "a woman in a park", "steps": 2}), quietly, LIMIT)
    url = f"/api/outputs/{job['outputs'][0]['id']}"
    assert http.get(f"{url}/file", params={"size": "thumb"}).headers["content-type"] == "image/webp"
    assert http.delete(url).status_code == 204
    assert http.get(f"{url}/file").status_code == 404


def test_cancel_ends_it_and_retry_finishes_it(
    rest: Rest, http: httpx.Client, character: dict[str, Any], train: Callable[..., Any]
) -> None:
    job = train(character["id"], steps=3000, save_every=5)
    seen = events(http, job["id"])
    next(entry for entry in seen if entry["event"]["kind"] == "checkpoint")
    assert http.post(f"/api/training/{job['id']}/cancel").status_code == 202
    assert list(seen)[-1]["status"] == "cancelled"
    assert http.post(f"/api/training/{job['id']}/cancel").status_code == 409
    assert http.post(f"/api/training/{job['id']}/retry").status_code == 202
    resumed = next(e for e in events(http, job["id"]) if e["attempt"] == 2 and e["event"]["kind"] == "metric")
    assert resumed["event"]["step"] > 5
    assert http.post(f"/api/training/{job['id']}/stop").status_code == 202
    done = rest.wait(rest.get(f"/api/training/{job['id']}"), quietly, LIMIT)
    assert done["status"] == "completed"
    assert done["current_step"] >= 5


def test_a_checkpoint_and_samples_are_made_when_asked_for(
    rest: Rest, http: httpx.Client, character: dict[str, Any], train: Callable[..., Any]
) -> None:
    job = train(character["id"], steps=3000, save_every=3000, sample_every=3000)
    seen = events(http, job["id"])
    next(entry for entry in seen if entry["event"]["kind"] == "metric")
    for wish in ("save-now", "sample-now"):
        assert http.post(f"/api/jobs/{job['id']}/{wish}").status_code == 202
    made = set()
    while not {"checkpoint", "preview"} <= made:
        made.add(next(seen)["event"]["kind"])
    assert http.post(f"/api/jobs/{job['id']}/cancel").status_code == 202
    assert list(seen)[-1]["status"] == "cancelled"
    assert http.post(f"/api/jobs/{job['id']}/save-now").status_code == 409


def test_a_queued_job_can_be_cancelled(rest: Rest, http: httpx.Client, character: dict[str, Any], train: Any) -> None:
    jobs = [train(character["id"], steps=2000) for _ in range(4)]
    for job in reversed(jobs):
        http.post(f"/api/jobs/{job['id']}/cancel")
    for job in jobs:
        with pytest.raises(Exception, match="cancelled"):
            rest.wait(rest.get(f"/api/jobs/{job['id']}"), quietly, LIMIT)


def test_the_same_key_makes_one_training(http: httpx.Client, character: dict[str, Any]) -> None:
    sent = {
        "json": {"character_id": character["id"], "config": {"steps": 1}},
        "headers": {"Idempotency-Key": f"train-{character['id']}"},
    }
    first, again = (http.post("/api/training", **sent) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]


def test_a_lora_can_be_taken_elsewhere_and_back(
    rest: Rest, http: httpx.Client, trained: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    lora = rest.get("/api/loras", params={"character_id": trained[0]["id"]})["items"][0]
    file = rest.fetch(f"/api/loras/{lora['id']}/file")
    sent = {"files": {"file": ("mine.safetensors", file)}, "data": {"base_model": "pocket", "trigger_word": "zuvra"}}
    imported = rest.post("/api/loras", **sent)
    assert (imported["character_id"], imported["sha256"]) == ("imported", lora["sha256"])
    assert http.patch(f"/api/loras/{imported['id']}", json={"note": "from afar"}).json()["note"] == "from afar"
    job = rest.post("/api/generation", json={"prompt": "zuvra", "loras": [{"id": imported["id"]}], "steps": 2})
    assert rest.wait(job, quietly, LIMIT)["status"] == "completed"
    assert http.delete(f"/api/loras/{imported['id']}").status_code == 204
    bad = http.post("/api/loras", files={"file": ("x.safetensors", b"\x80\x04 pickle")}, data={"base_model": "pocket"})
    assert bad.status_code == 422


def test_jobs_are_listed_by_kind_and_state(rest: Rest, trained: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found = rest.get("/api/jobs", params={"type": "training", "status": "completed"})["items"]
    assert trained[1]["id"] in [job["id"] for job in found]
    assert {(job["type"], job["status"]) for job in found} == {("training", "completed")}
    mine = rest.get("/api/training", params={"character_id": trained[0]["id"]})["items"]
    assert [job["id"] for job in mine] == [trained[1]["id"]]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/training", {"character_id": "char-nope"}, 404),
        ("/api/training", {"character_id": "HERE", "config": {"steps": -1}}, 422),
        ("/api/training", {"character_id": "HERE", "config": {"learning_rate": "NaN"}}, 422),
        ("/api/training", {"character_id": "HERE", "config": {"base_model": "nope"}}, 404),
        ("/api/training", {"character_id": "HERE", "config": {"base_model": "sdxl"}}, 503),
        ("/api/generation", {"prompt": "   "}, 422),
        ("/api/generation", {"prompt": "x" * 100_000}, 422),
        ("/api/generation", {"prompt": "x", "character_id": "HERE"}, 409),
        ("/api/generation", {"prompt": "x", "loras": [{"id": "lora-nope"}]}, 404),
        ("/api/generation", {"prompt": "x", "width": 100_000}, 422),
        ("/api/generation", {"prompt": "x", "sampler": "magic"}, 422),
    ],
)
def test_bad_requests_are_refused_with_a_hint(
    http: httpx.Client, character: dict[str, Any], path: str, body: dict[str, Any], status: int
) -> None:
    text = json.dumps(body).replace("HERE", character["id"]).replace('"NaN"', "NaN")
    answer = http.post(path, content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert answer.json()["hint"]


def test_a_character_without_pictures_cannot_be_trained(rest: Rest, http: httpx.Client) -> None:
    empty = rest.post("/api/characters", json={"name": "Empty", "trigger_word": "3mpty"})
    answer = http.post("/api/training", json={"character_id": empty["id"]})
    assert answer.status_code == 409
    assert "pictures" in answer.json()["detail"]
    upload(rest, empty["id"], "obama.jpg")


def test_logs_follow_one_request_to_the_picture(app: OwnApp, http: httpx.Client, rest: Rest) -> None:
    sent = {"json": {"prompt": "a man in a park", "steps": 2}, "headers": {"X-Correlation-ID": "my-evening-1"}}
    answer = http.post("/api/generation", **sent)
    assert answer.headers["x-correlation-id"] == answer.json()["correlation_id"] == "my-evening-1"
    done = rest.wait(answer.json(), quietly, LIMIT)
    assert done["outputs"][0]["correlation_id"] == "my-evening-1"
    logs = Path(str(app.volume) + "-logs")
    for service in ("api", "worker"):
        lines = [json.loads(line) for file in (logs / service).glob("*.log") for line in file.read_text().splitlines()]
        mine = [line for line in lines if line["correlation_id"] == "my-evening-1"]
        assert mine, service
        assert set(mine[0]) == {"timestamp", "level", "service", "correlation_id", "logger", "message", "context"}
