"""Pictures by clicking and by keys: zips and folders, crops, held out, captions as a table, consent."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page


def images(rest: httpx.Client, character: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = rest.get(f"/api/characters/{character['id']}/images").json()["items"]
    return listed


def opened(visit: Callable[..., Page], character: dict[str, Any], **options: Any) -> Page:
    page = visit(f"/?tab=characters&character={character['id']}", **options)
    page.wait_for_selector("#pictures-grid .isg-tile")
    return page


def test_a_zip_gives_a_line_for_each_file_in_it(
    visit: Callable[..., Page], character: dict[str, Any], project_root: Path, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    with zipfile.ZipFile(tmp_path / "set.zip", "w") as made:
        made.write(project_root / "tests/photos/collins.jpg", "set/collins.jpg")
        made.writestr("set/collins.txt", "ohwx person in a space suit")
        made.writestr("set/notes.pdf", "%PDF")
        made.writestr("__MACOSX/set/._collins.jpg", "fork")
    page = opened(visit, character)
    page.set_input_files("#pictures-input", tmp_path / "set.zip")
    lines = page.locator("#pictures-verdicts .isg-verdict")
    expect(lines).to_have_count(3)
    expect(lines.nth(0)).to_contain_text("1 picture added, 1 refused")
    expect(lines.nth(1)).to_contain_text("collins.jpg")
    expect(lines.nth(2)).to_have_attribute("data-verdict", "refused")
    tile = page.locator("#pictures-grid .isg-tile").nth(2)
    expect(tile.locator("textarea")).to_have_value("ohwx person in a space suit")


def test_a_folder_comes_with_its_captions_and_without_its_junk(
    visit: Callable[..., Page], character: dict[str, Any], project_root: Path, tmp_path: Path, rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("ardern", "collins"):
        (folder / f"{name}.jpg").write_bytes((project_root / f"tests/photos/{name}.jpg").read_bytes())
        (folder / f"{name}.txt").write_text(f"ohwx person, {name}")
    (folder / ".DS_Store").write_bytes(b"junk")
    page = opened(visit, character)
    page.set_input_files("#pictures-folder", folder)
    expect(page.locator("#pictures-verdicts [data-verdict=taken]")).to_have_count(2)
    expect(page.locator("#pictures-verdicts .isg-verdict")).to_have_count(2)
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(4)
    assert {image["caption"] for image in images(rest, character)} >= {"ohwx person, ardern", "ohwx person, collins"}
    page.click("#pictures-undo")  # one drop is one step
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(2)


def test_a_picture_is_cropped_by_pointer_and_by_keys(
    visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    page = opened(visit, character)
    page.get_by_role("button", name="Crop hopper.jpg").click()
    corner = page.locator("#crop-editor .isg-corner.se")
    page.wait_for_function("document.querySelector('#crop-editor img')?.naturalWidth > 0")
    box = corner.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 80, y - 100, steps=4)
    page.mouse.up()
    page.click("#crop-save")
    expect(page.locator("#crop-editor")).to_have_count(0)
    expect(page.locator("#pictures-grid .isg-tile").first).to_contain_text("cropped")
    crop = images(rest, character)[0]["crop"]
    assert (crop["left"], crop["top"]) == (0, 0)
    assert crop["width"] < 341
    page.get_by_role("button", name="Crop hopper.jpg").click()
    page.wait_for_selector("#crop-editor .isg-crop:focus")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    page.select_option("#crop-shape", "1")
    page.click("#crop-save")
    expect(page.locator("#crop-editor")).to_have_count(0)
    moved = images(rest, character)[0]["crop"]
    assert moved["left"] > 0
    assert moved["top"] > 0
    assert abs(moved["width"] - moved["height"]) <= 1
    page.get_by_role("button", name="Crop hopper.jpg").click()
    page.click("#crop-whole")
    expect(page.locator("#pictures-grid .isg-tile").first).not_to_contain_text("cropped")
    assert images(rest, character)[0]["crop"] is None


def test_a_picture_is_held_out_and_let_in_again(
    visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    page = opened(visit, character)
    page.get_by_role("button", name="Hold out obama.jpg").click()
    expect(page.locator(".isg-tile.held-out")).to_have_count(1)
    expect(page.locator(".isg-pictures-bar h3")).to_have_text("2 pictures, 1 held out")
    assert [image["held_out"] for image in images(rest, character)] == [False, True]
    page.get_by_role("button", name="Train on obama.jpg").click()
    expect(page.locator(".isg-tile.held-out")).to_have_count(0)


def test_captions_are_edited_as_a_table(
    visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    first, second = images(rest, character)
    texts = {first["id"]: "ohxw person, smiling", second["id"]: "ohxw person, outdoors"}
    rest.put(f"/api/characters/{character['id']}/captions", json={"captions": texts})
    page = opened(visit, character, viewport={"width": 390, "height": 844})
    page.click("#pictures-captions")
    table = page.locator("#caption-table")
    expect(table.locator(".isg-chip").first).to_contain_text("ohxw person2")
    page.fill("#caption-find", "ohxw")
    expect(table).to_contain_text("2 captions would change")
    page.fill("#caption-replace", "ohwx")
    page.click("#caption-do-replace")
    expect(table).to_contain_text("2 captions changed")
    page.fill("#caption-prefix", "a photo of ")
    page.click("#caption-do-affix")
    expect(table.locator("textarea").first).to_have_value("a photo of ohwx person, smiling")
    table.locator(".isg-chip", has_text="outdoors").click()
    expect(table.locator("textarea")).to_have_count(1)
    table.locator(".isg-chip", has_text="outdoors").click()
    page.click("#caption-undo")
    expect(table.locator("textarea").first).to_have_value("ohwx person, smiling")
    table.locator("textarea").first.fill("by hand")
    table.locator("textarea").first.blur()
    expect(table).to_contain_text("Saved")
    assert images(rest, character)[0]["caption"] == "by hand"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_consent_is_asked_once_before_training(
    visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    page = opened(visit, character)
    page.click("#character-train")
    page.click("#consent-form-save")
    expect(page.locator("#consent-form [role=alert]")).to_contain_text("Nothing is chosen yet")
    page.get_by_text("It is me").click()
    page.fill("#consent-by", "Grace Field")
    page.click("#consent-form-save")
    expect(page.locator("#training-plan")).to_contain_text("Hopper")
    record = rest.get(f"/api/characters/{character['id']}").json()["consent_record"]
    assert (record["kind"], record["by"]) == ("self", "Grace Field")
    page.click("#tab-characters-button")
    expect(page.locator(".isg-facts").first).to_contain_text("It is me (stated by Grace Field")
    page.click("#character-train")
    expect(page.locator("#consent-form")).to_have_count(0)
    expect(page.locator("#training-plan")).to_be_visible()
