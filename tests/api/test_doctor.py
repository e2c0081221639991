"""The Dataset Doctor over REST."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from rest import Rest

from tests.api.conftest import upload


@pytest.fixture
def at(rest: Rest, character: dict[str, Any]) -> str:
    """The address of a character with two photographs of two people."""
    upload(rest, character["id"], "obama.jpg")
    return f"/api/characters/{character['id']}"


def test_a_report_names_evidence_reason_and_fix(http: httpx.Client, at: str) -> None:
    answer = http.get(f"{at}/doctor")
    assert answer.status_code == httpx.codes.OK
    report = answer.json()
    assert (report["verdict"], report["pictures"], report["looked_at"]) == ("not_ready", 2, 2)
    kinds = {finding["kind"]: finding for finding in report["findings"]}
    assert {"mixed_people", "too_few", "caption_missing", "consent_missing"} <= set(kinds)
    mixed = kinds["mixed_people"]
    assert len(mixed["evidence"]) == 2
    assert len(mixed["evidence"][0]["box"]) == 4
    assert mixed["reason"]
    assert report["buckets"] == [{"width": 128, "height": 128, "pictures": 2, "enlarged": 0}]


def test_a_fix_is_done_and_undone(http: httpx.Client, at: str) -> None:
    report = http.get(f"{at}/doctor").json()
    bare = next(finding for finding in report["findings"] if finding["kind"] == "caption_missing")
    mended = http.post(f"{at}/doctor/fix", json={"finding": bare["id"]}).json()
    assert "caption_missing" not in {finding["kind"] for finding in mended["findings"]}
    assert {image["caption"] for image in http.get(f"{at}/images").json()["items"]} == {"a photo of grxce person"}
    http.post(f"{at}/undo").raise_for_status()
    assert {image["caption"] for image in http.get(f"{at}/images").json()["items"]} == {""}


def test_ignoring_is_remembered(http: httpx.Client, at: str) -> None:
    few = next(one for one in http.get(f"{at}/doctor").json()["findings"] if one["kind"] == "too_few")
    for ignored in (True, False):
        http.post(f"{at}/doctor/ignore", json={"finding": few["id"], "ignored": ignored}).raise_for_status()
        again = next(one for one in http.get(f"{at}/doctor").json()["findings"] if one["kind"] == "too_few")
        assert again["ignored"] is ignored


def test_what_is_not_there_is_said(http: httpx.Client, at: str) -> None:
    stale = http.post(f"{at}/doctor/fix", json={"finding": "no_face.0123456789ab"})
    assert stale.status_code == httpx.codes.CONFLICT
    assert stale.json()["hint"]
    assert http.get("/api/characters/char-none/doctor").status_code == httpx.codes.NOT_FOUND
    assert http.get(f"{at}/doctor?base_model=none").status_code == httpx.codes.NOT_FOUND
