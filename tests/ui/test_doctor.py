"""The Dataset Doctor by clicking: findings with pictures, a fix and its undo, what is ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_report_is_read_mended_and_undone(
    visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    page = visit(f"/?tab=characters&character={character['id']}")
    doctor = page.locator("#doctor")
    expect(doctor).to_have_attribute("data-verdict", "not_ready")
    people = doctor.locator("[data-kind=mixed_people]")
    expect(people).to_contain_text("not the same person")
    expect(people.locator(".isg-evidence img")).to_have_count(2)
    expect(people.locator(".isg-evidence i")).to_have_count(2)  # a frame around each face
    people.locator(".isg-evidence").first.click()
    expect(page.locator("dialog img.isg-large")).to_be_visible()
    page.keyboard.press("Escape")

    page.click("#doctor-all")
    captions = doctor.locator("[data-kind=caption_missing]")
    captions.get_by_role("button", name="Write “a photo of ohwx person”").click()
    expect(captions).to_have_count(0)
    expect(page.locator("#pictures-grid textarea").first).to_have_value("a photo of ohwx person")
    page.click("#doctor-undo")
    expect(captions).to_have_count(1)
    expect(page.locator("#pictures-grid textarea").first).to_have_value("")
    assert {image["caption"] for image in rest.get(f"/api/characters/{character['id']}/images").json()["items"]} == {""}


def test_what_is_ignored_stays_so_after_a_reload(visit: Callable[..., Page], character: dict[str, Any]) -> None:
    from playwright.sync_api import expect

    page = visit(f"/?tab=characters&character={character['id']}")
    page.click("#doctor-all")
    few = page.locator("#doctor [data-kind=too_few]")
    few.get_by_role("button", name="Ignore").click()
    ignored = page.locator("#doctor .isg-ignored")
    expect(ignored).to_contain_text("1 ignored")
    page.reload(wait_until="commit")
    expect(ignored).to_contain_text("1 ignored")
    ignored.locator("summary").click()
    few.get_by_role("button", name="Take seriously again").click()
    expect(ignored).to_have_count(0)


def test_it_looks_again_when_a_caption_changes(visit: Callable[..., Page], character: dict[str, Any]) -> None:
    from playwright.sync_api import expect

    page = visit(f"/?tab=characters&character={character['id']}")
    page.click("#doctor-all")
    expect(page.locator("#doctor [data-kind=trigger_misspelt]")).to_have_count(0)
    page.locator("#pictures-grid textarea").first.fill("ohxw person in uniform")
    page.locator("#pictures-grid textarea").first.blur()
    expect(page.locator("#doctor [data-kind=trigger_misspelt]")).to_contain_text("Only “ohwx person”")
