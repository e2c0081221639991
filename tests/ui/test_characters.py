"""Characters by clicking: making, changing, pictures with a verdict on each, deleting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page

NASTY = '<img src=x onerror="window.broken=1"><b>Zara</b>'


def test_a_bad_trigger_word_is_explained_and_nothing_typed_is_lost(visit: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = visit()
    page.click("#character-new")
    page.fill("#character-name", "Zara")
    page.fill("#character-trigger", "dog")
    page.click("#character-form-save")
    trouble = page.locator("#character-form [role=alert]")
    expect(trouble).to_contain_text("ordinary word")
    expect(trouble).to_contain_text("Choose a rare word")
    page.fill("#character-trigger", "zvka person")
    page.select_option("#character-consent", "self")
    page.click("#character-form-save")
    expect(page.locator("#character-open")).to_contain_text("Zara")
    expect(page.locator(".isg-facts").first).to_contain_text("zvka person")


def test_every_file_gets_its_own_verdict(
    visit: Callable[..., Page], character: dict[str, Any], project_root: Path, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    garbage = tmp_path / "moving.gif"
    garbage.write_bytes(b"GIF89a no picture at all")
    page = visit(f"/?tab=characters&character={character['id']}")
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(2)
    page.set_input_files("#pictures-input", [project_root / "tests/photos/ardern.jpg", garbage])
    verdicts = page.locator("#pictures-verdicts .isg-verdict")
    expect(verdicts.nth(0)).to_have_attribute("data-verdict", "taken")
    expect(verdicts.nth(1)).to_have_attribute("data-verdict", "refused")
    expect(verdicts.nth(1)).to_contain_text("Use JPEG")
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(3)


def test_captions_are_saved_and_pictures_removed_and_brought_back(
    visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    page = visit(f"/?tab=characters&character={character['id']}")
    tile = page.locator("#pictures-grid .isg-tile").first
    tile.locator("textarea").fill("ohwx person in uniform")
    tile.locator("textarea").blur()
    expect(tile).to_contain_text("Saved")
    images = rest.get(f"/api/characters/{character['id']}/images").json()["items"]
    assert "ohwx person in uniform" in {image["caption"] for image in images}
    tile.get_by_role("button", name="Remove").click()
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(1)
    expect(page.locator("#pictures-undo")).to_have_attribute("title", "Removed hopper.jpg")
    page.click("#pictures-undo")
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(2)
    expect(tile.locator("textarea")).to_have_value("ohwx person in uniform")
    page.click("#pictures-redo")
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(1)
    expect(page.locator("#pictures-redo")).to_be_disabled()


def test_deleting_asks_first(visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = visit(f"/?tab=characters&character={character['id']}")
    page.click("#character-delete")
    page.keyboard.press("Escape")
    assert rest.get(f"/api/characters/{character['id']}").is_success
    page.click("#character-delete")
    page.click("#confirm-yes")
    expect(page.locator("#character-open")).to_have_count(0)
    assert rest.get(f"/api/characters/{character['id']}").status_code == httpx.codes.NOT_FOUND


def test_names_are_text_and_never_markup(visit: Callable[..., Page], rest: httpx.Client, project_root: Path) -> None:
    from playwright.sync_api import expect

    made = rest.post("/api/characters", json={"name": NASTY, "trigger_word": "zvka", "description": NASTY}).json()
    photo = (project_root / "tests/photos/collins.jpg").read_bytes()
    rest.post(f"/api/characters/{made['id']}/images", files={"files": ("collins.jpg", photo)}).raise_for_status()
    page = visit(f"/?tab=characters&character={made['id']}")
    expect(page.locator("#character-open h2")).to_have_text(NASTY)
    page.click("#characters-back")
    expect(page.locator(f".isg-card[data-id={made['id']}]")).to_contain_text("<b>Zara</b>")
    page.locator(f".isg-card[data-id={made['id']}]").click()
    page.click("#character-train")
    expect(page.locator("#consent-form h2")).to_contain_text("<b>Zara</b>")
    page.get_by_text("Nobody: a fictional character").click()
    page.click("#consent-form-save")
    expect(page.locator("#training-plan")).to_contain_text("<b>Zara</b>")
    assert page.evaluate("window.broken") is None


def test_a_second_browser_sees_a_new_character(visit: Callable[..., Page], character: dict[str, Any]) -> None:
    from playwright.sync_api import expect

    page = visit("/")
    expect(page.locator(f".isg-card[data-id={character['id']}]")).to_contain_text("2 pictures")
