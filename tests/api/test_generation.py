"""Generation over REST beyond a prompt: abilities, wildcards, grids, pictures to start from."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from PIL import Image
from rest import Rest

LIMIT = 180


def quietly(_job: dict[str, Any]) -> None:
    """Nobody watches."""


def test_abilities_tell_what_the_pocket_model_can_do(rest: Rest, http: httpx.Client) -> None:
    able = rest.get("/api/generation/abilities", params={"base_model": "pocket"})
    assert able["tasks"] == ["txt2img"]
    assert (able["schedulers"], able["workflows"], able["negative_prompt"]) == ([], [], True)
    assert "euler" in able["samplers"]
    assert rest.get("/api/generation/abilities") == able
    for wrong in ({"base_model": "nope"}, {"base_model": "pocket", "workflow": "nope"}):
        answer = http.get("/api/generation/abilities", params=wrong)
        assert (answer.status_code, bool(answer.json()["hint"])) == (404, True)


def test_lists_of_words_are_kept_and_used(rest: Rest, http: httpx.Client) -> None:
    assert http.put("/api/wildcards/place", json={"text": "park\nforest"}).json()["lines"] == ["park", "forest"]
    assert "place" in rest.get("/api/wildcards")
    job = rest.post("/api/generation", json={"prompt": "a {man|woman} in a __place__", "count": 3, "steps": 2})
    asked = job["payload"]["prompts"]
    assert set(asked) <= {f"a {who} in a {place}" for who in ("man", "woman") for place in ("park", "forest")}
    done = rest.wait(job, quietly, LIMIT)
    assert [(output["prompt"], output["settings"]["prompt"]) for output in done["outputs"]] == [(a, a) for a in asked]
    assert http.put("/api/wildcards/No Name", json={"text": "x"}).status_code == 422
    assert http.delete("/api/wildcards/place").status_code == 204
    assert http.get("/api/wildcards/place").status_code == 404
    assert http.post("/api/generation", json={"prompt": "a __place__"}).status_code == 404


def test_a_grid_is_a_job_whose_pictures_know_their_cells(rest: Rest, http: httpx.Client) -> None:
    grid = {"x": {"field": "steps", "values": [1, 2]}, "y": {"field": "prompt", "values": ["man", "woman"]}}
    job = rest.post("/api/generation", json={"prompt": "a man in a park", "seed": 9, "grid": grid})
    assert job["title"] == "Grid of 4 pictures: a man in a park"
    done = rest.wait(job, quietly, LIMIT)
    assert [output["cell"] for output in done["outputs"]] == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert {output["seed"] for output in done["outputs"]} == {9}
    told = [(output["settings"]["steps"], output["prompt"]) for output in done["outputs"]]
    assert told == [(1, "a man in a park"), (2, "a man in a park"), (1, "a woman in a park"), (2, "a woman in a park")]
    found = rest.get(f"/api/grids/{job['id']}")
    assert [found["grid"]["x"], found["grid"]["y"]] == [grid["x"], grid["y"]]
    whole = Image.open(io.BytesIO(rest.fetch(found["url"])))
    assert whole.format == "JPEG"
    assert whole.width > 2 * done["outputs"][0]["width"]
    gone = done["outputs"][1]["id"]
    assert http.delete(f"/api/outputs/{gone}").status_code == 204
    assert gone not in [output["id"] for output in rest.get(f"/api/grids/{job['id']}")["outputs"]]


def test_a_job_without_a_grid_has_none(rest: Rest, http: httpx.Client) -> None:
    done = rest.wait(rest.post("/api/generation", json={"prompt": "a man", "steps": 1}), quietly, LIMIT)
    for path in (f"/api/grids/{done['id']}", f"/api/grids/{done['id']}/file", "/api/grids/gen-nope"):
        assert http.get(path).status_code == 404


def test_a_picture_to_start_from_is_kept_once_and_checked(http: httpx.Client) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (96, 128), "teal").save(buffer, "PNG")
    sent = [http.post("/api/generation/images", files={"file": ("a.png", buffer.getvalue())}) for _ in range(2)]
    first, again = (answer.json() for answer in sent)
    assert {answer.status_code for answer in sent} == {201}
    assert first == again
    assert (first["width"], first["height"]) == (96, 128)
    assert Image.open(io.BytesIO(http.get(first["url"]).content)).size == (96, 128)
    assert http.post("/api/generation/images", files={"file": ("a.png", b"no picture")}).status_code == 422
    assert http.get("/api/generation/images/img-nope").status_code == 404
    refused = http.post("/api/generation", json={"prompt": "x", "base_model": "pocket", "init_image": first["id"]})
    assert refused.status_code == 422
    assert "cannot start from a picture" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"scheduler": "karras"}, 422),
        ({"workflow": "nope"}, 404),
        ({"denoise": 0.5}, 422),
        ({"init_image": "img-nope"}, 404),
        ({"init_image": "../../etc/passwd"}, 404),
        ({"count": 2, "prompts": ["one"]}, 422),
        ({"grid": {"x": {"field": "steps", "values": []}}}, 422),
        ({"grid": {"x": {"field": "nope", "values": [1]}}}, 422),
        ({"grid": {"x": {"field": "sampler", "values": ["euler", "magic"]}}}, 422),
        ({"grid": {"x": {"field": "lora", "values": ["lora-nope"]}}}, 404),
        ({"grid": {"x": {"field": "lora_strength", "values": [1]}}}, 422),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_hint(
    rest: Rest, http: httpx.Client, fields: dict[str, Any], status: int
) -> None:
    before = rest.get("/api/generation")["total"]
    answer = http.post("/api/generation", json={"prompt": "x", "base_model": "pocket", **fields})
    assert answer.status_code == status, answer.text
    assert answer.json()["hint"]
    assert rest.get("/api/generation")["total"] == before
