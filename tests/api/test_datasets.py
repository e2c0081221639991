"""Pictures over REST: zips, crops, holding out, captions, consent, and undo of all of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image
from rest import Rest

from tests.api.conftest import PHOTOS, upload


@pytest.fixture
def at(rest: Rest, character: dict[str, Any]) -> str:
    """The address of a character with three photographs."""
    upload(rest, character["id"], "collins.jpg", "obama.jpg")
    return f"/api/characters/{character['id']}"


def images(http: httpx.Client, at: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = http.get(f"{at}/images").json()["items"]
    return listed


def test_a_zip_is_taken_and_undone_as_one(http: httpx.Client, at: str) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        made.write(PHOTOS / "ardern.jpg", "set/ardern.jpg")
        made.writestr("set/ardern.txt", "a photo of grxce person, smiling")
        made.writestr("../../evil.jpg", b"no picture")
    sent = http.post(f"{at}/images", files=[("files", ("set.zip", sink.getvalue(), "application/zip"))])
    assert sent.status_code == 201
    report = sent.json()
    assert [(i["filename"], i["caption"]) for i in report["uploaded"]] == [
        ("ardern.jpg", "a photo of grxce person, smiling")
    ]
    assert [r["filename"] for r in report["rejected"]] == ["evil.jpg"]
    assert http.post(f"{at}/undo").json()["redo"] == "Added ardern.jpg"
    assert len(images(http, at)) == 3


def test_uploads_of_one_batch_are_one_step(http: httpx.Client, rest: Rest) -> None:
    made = rest.post("/api/characters", json={"name": "Batch", "trigger_word": "b4tch"})
    for name in ("hopper.jpg", "obama.jpg"):
        photo = ("files", (name, (PHOTOS / name).read_bytes(), "image/jpeg"))
        rest.post(f"/api/characters/{made['id']}/images?batch=drop-7", files=[photo])
    history = http.get(f"/api/characters/{made['id']}/history").json()
    assert [(line["label"], line["pictures"], line["done"]) for line in history["edits"]] == [
        ("Added 2 pictures", 2, True)
    ]


def test_a_crop_is_seen_and_taken_back(http: httpx.Client, at: str) -> None:
    image = images(http, at)[0]
    url = f"{at}/images/{image['id']}"
    area = {"left": 10, "top": 20, "width": 150, "height": 180}
    assert http.put(f"{url}/crop", json=area).json()["crop"] == area
    answer = http.get(f"{url}/file")
    assert Image.open(io.BytesIO(answer.content)).size == (150, 180)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "immutable" in http.get(f"{url}/file", params={"v": "x"}).headers["cache-control"]
    whole = Image.open(io.BytesIO(http.get(f"{url}/file", params={"size": "whole"}).content))
    assert whole.size == (image["width"], image["height"])
    assert http.put(f"{url}/crop", json={**area, "left": 9000}).status_code == 422
    assert http.put(f"{url}/crop", json={**area, "left": -1}).status_code == 422
    assert http.delete(f"{url}/crop").json()["crop"] is None
    assert http.post(f"{at}/undo").json()["undo"] == "Cropped hopper.jpg"
    assert http.post(f"{at}/redo").json()["undo"] == "Uncropped hopper.jpg"


def test_many_pictures_are_removed_and_brought_back(http: httpx.Client, at: str) -> None:
    before = images(http, at)
    chosen = {"image_ids": [image["id"] for image in before[:2]]}
    history = http.post(f"{at}/images/remove", json=chosen).json()
    assert history["undo"] == "Removed 2 pictures"
    assert len(images(http, at)) == 1
    http.post(f"{at}/undo")
    assert images(http, at) == before
    assert http.post(f"{at}/images/remove", json={"image_ids": ["img-none"]}).status_code == 404
    assert http.post(f"{at}/images/remove", json={"image_ids": []}).status_code == 422
    assert http.delete(f"{at}/history").status_code == 204
    assert http.post(f"{at}/undo").status_code == 409


def test_a_held_out_picture_is_not_trained_on(
    http: httpx.Client, rest: Rest, at: str, train: Callable[..., Any]
) -> None:
    first, second, third = images(http, at)
    changed = http.post(f"{at}/images/hold-out", json={"image_ids": [first["id"]]}).json()
    assert [image["id"] for image in changed] == [first["id"]]
    assert http.patch(f"{at}/images/{second['id']}", json={"held_out": True}).json()["held_out"]
    assert http.get(at).json()["held_out_count"] == 2
    job = rest.wait(train(at.rpartition("/")[2]), lambda _: None, 120)
    (lora,) = rest.get("/api/loras", params={"character_id": job["character_id"]})["items"]
    assert lora["image_count"] == 1
    http.patch(f"{at}/images/{third['id']}", json={"held_out": True})
    refused = http.post("/api/training", json={"character_id": job["character_id"], "config": {"steps": 4}})
    assert refused.status_code == 409


def test_captions_are_edited_as_a_table(http: httpx.Client, at: str) -> None:
    listed = images(http, at)
    table = {image["id"]: f"grxce person, photo {n}" for n, image in enumerate(listed)}
    assert len(http.put(f"{at}/captions", json={"captions": table}).json()["changes"]) == 3
    wanted = {"find": "photo", "replace": "picture", "dry_run": True}
    assert len(http.post(f"{at}/captions/replace", json=wanted).json()["changes"]) == 3
    assert images(http, at)[0]["caption"] == "grxce person, photo 0"
    http.post(f"{at}/captions/affix", json={"prefix": "a photo of "})
    tags = http.get(f"{at}/captions/tags").json()
    assert tags[0]["tag"] == "a photo of grxce person"
    assert tags[0]["count"] == 3
    http.post(f"{at}/undo")
    assert images(http, at)[0]["caption"] == "grxce person, photo 0"


def test_consent_is_stated_and_recorded(http: httpx.Client, at: str) -> None:
    assert http.get(at).json()["consent_record"] is None
    answer = http.put(f"{at}/consent", json={"kind": "with_permission", "by": "Sam Field", "note": "by mail"})
    record = answer.json()["consent_record"]
    assert (record["by"], record["note"], record["kind"]) == ("Sam Field", "by mail", "with_permission")
    assert record["stated_at"]
    assert "permission" in record["statement"]
    assert http.put(f"{at}/consent", json={"kind": "maybe"}).status_code == 422


def test_edits_of_a_character_that_is_not_there_are_404(http: httpx.Client) -> None:
    for method, path in (("POST", "undo"), ("POST", "redo"), ("GET", "history"), ("DELETE", "history")):
        assert http.request(method, f"/api/characters/char-none/{path}").status_code == 404
