"""Characters and pictures over REST."""

from __future__ import annotations

import io
import time
from typing import Any

import httpx
import pytest
from PIL import Image
from rest import Rest

from tests.api.conftest import PHOTOS


def picture(kind: str = "PNG", size: tuple[int, int] = (96, 96), **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, "teal").save(sink, kind, **options)
    return sink.getvalue()


def test_a_character_is_made_changed_listed_and_deleted(rest: Rest, http: httpx.Client) -> None:
    made = rest.post("/api/characters", json={"name": " Zara ", "trigger_word": "ohwx  person", "consent": "self"})
    assert (made["name"], made["trigger_word"], made["image_count"]) == ("Zara", "ohwx person", 0)
    url = f"/api/characters/{made['id']}"
    assert http.patch(url, json={"description": "tall"}).json()["description"] == "tall"
    assert made["id"] in [item["id"] for item in rest.get("/api/characters")["items"]]
    assert http.delete(url).status_code == 204
    assert http.get(url).status_code == 404


def test_the_sample_character_comes_with_captioned_pictures(rest: Rest) -> None:
    made = rest.post("/api/characters/sample")
    images = rest.get(f"/api/characters/{made['id']}/images")["items"]
    assert made["sample"]
    assert len(images) == made["image_count"] == 12
    assert all(made["trigger_word"] in image["caption"] for image in images)


def test_the_same_key_makes_one_character(rest: Rest, http: httpx.Client) -> None:
    sent = {"json": {"name": "Once", "trigger_word": "0nce"}, "headers": {"Idempotency-Key": "key-1"}}
    first, again = http.post("/api/characters", **sent).json(), http.post("/api/characters", **sent).json()
    assert first["id"] == again["id"]


def test_pages_hold_every_character_once(rest: Rest) -> None:
    for number in range(5):
        rest.post("/api/characters", json={"name": f"P{number}", "trigger_word": f"p{number}gx"})
    seen: list[str] = []
    cursor = None
    while True:
        page = rest.get("/api/characters", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == page["total"]


def test_each_file_gets_its_own_verdict(rest: Rest, character: dict[str, Any]) -> None:
    gif = io.BytesIO()
    frames = [Image.new("P", (80, 80), n) for n in range(3)]
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    files = [
        ("files", ("collins.jpg", (PHOTOS / "collins.jpg").read_bytes(), "image/jpeg")),
        ("files", ("hopper.jpg", (PHOTOS / "hopper.jpg").read_bytes(), "image/jpeg")),
        ("files", ("cut.jpg", (PHOTOS / "ardern.jpg").read_bytes()[:9000], "image/jpeg")),
        ("files", ("moving.gif", gif.getvalue(), "image/gif")),
        ("files", ("notes.pdf", b"%PDF-1.7 nothing", "application/pdf")),
        ("files", ("wide.png", picture(size=(1000, 100)), "image/png")),
        ("files", ("../../etc/passwd.png", picture(), "image/png")),
        ("files", ("collins.txt", b"a photo of grxce person in a space suit", "text/plain")),
    ]
    report = rest.post(f"/api/characters/{character['id']}/images", files=files)
    assert [image["filename"] for image in report["uploaded"]] == ["collins.jpg", "passwd.png"]
    assert report["uploaded"][0]["caption"] == "a photo of grxce person in a space suit"
    assert report["captions"] == 1
    refused = {item["filename"]: item for item in report["rejected"]}
    assert set(refused) == {"hopper.jpg", "cut.jpg", "moving.gif", "notes.pdf", "wide.png"}
    assert all(item["detail"] and item["hint"] for item in refused.values())


def test_when_nothing_was_taken_it_is_an_error(http: httpx.Client, character: dict[str, Any]) -> None:
    answer = http.post(f"/api/characters/{character['id']}/images", files=[("files", ("a.txt", b"x", "text/plain"))])
    assert answer.status_code == 422
    assert answer.json()["hint"]


def test_a_photograph_loses_where_it_was_taken(rest: Rest, character: dict[str, Any]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    taken = picture("JPEG", (200, 100), exif=exif)
    report = rest.post(f"/api/characters/{character['id']}/images", files=[("files", ("x.jpg", taken, "image/jpeg"))])
    image = report["uploaded"][0]
    assert (image["width"], image["height"]) == (100, 200)
    served = Image.open(io.BytesIO(rest.fetch(f"/api/characters/{character['id']}/images/{image['id']}/file")))
    assert served.size == (100, 200)
    assert not dict(served.getexif())


def test_captions_and_removal(rest: Rest, http: httpx.Client, character: dict[str, Any]) -> None:
    image = rest.get(f"/api/characters/{character['id']}/images")["items"][0]
    url = f"/api/characters/{character['id']}/images/{image['id']}"
    assert http.patch(url, json={"caption": " in  uniform "}).json()["caption"] == "in uniform"
    assert http.patch(url, json={"caption": "x" * 3000}).status_code == 422
    assert http.get(f"{url}/file", params={"size": "thumb"}).headers["content-type"] == "image/webp"
    assert http.delete(url).status_code == 204
    assert rest.get(f"/api/characters/{character['id']}")["image_count"] == 0
    assert http.post(f"/api/characters/{character['id']}/undo").json()["redo"] == "Removed hopper.jpg"
    assert http.get(url).json()["caption"] == "in uniform"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "A", "trigger_word": "woman"},
        {"name": "A", "trigger_word": "../etc"},
        {"name": "A", "trigger_word": ""},
        {"name": "\x00\x01", "trigger_word": "ohwx"},
        {"name": "A" * 200, "trigger_word": "ohwx"},
        {"name": "A", "trigger_word": "ohwx", "surprise": 1},
        {"name": "A", "trigger_word": "ohwx", "consent": "whatever"},
    ],
)
def test_bad_characters_are_refused_with_a_hint(http: httpx.Client, body: dict[str, Any]) -> None:
    answer = http.post("/api/characters", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert answer.json()["hint"]


@pytest.mark.parametrize("identifier", ["char-nope", "..%2f..%2fetc", "%00", "a" * 300])
def test_unknown_ids_are_not_found(http: httpx.Client, identifier: str) -> None:
    while http.get("/").status_code == 503:  # the page is being built; what leads out of /api is the page's to answer
        time.sleep(0.2)
    assert http.get(f"/api/characters/{identifier}").status_code == 404
