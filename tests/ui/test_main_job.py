"""The whole main job, by clicking: sample character, training, pictures; and what a reload and a second browser see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.ui.conftest import screen_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

STEPS = 12
TRAINED_MS = 400_000  # mostly the engine's start, on a machine that does other things too


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[str]:
    """An Isengard that has nothing yet, in place of the one that all tests share."""
    with screen_of(tmp_path_factory.mktemp("fresh")) as address:
        yield address


@pytest.mark.slow
def test_from_nothing_to_a_picture_with_its_settings(visit: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = visit()
    page.click("#sample")
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(12)
    page.click("#character-train")
    expect(page.locator("#tab-training-button")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#training-about")).to_contain_text("It draws")
    page.get_by_label("Quick").check()
    page.get_by_role("button", name="Advanced settings").first.click()
    page.locator("#training-steps").get_by_role("textbox").fill(str(STEPS))
    page.keyboard.press("Tab")
    expect(page.locator("#training-plan")).to_contain_text(f"{STEPS} steps on 12 pictures")
    page.click("#training-start")
    card = page.locator("#training-view .isg-job")
    expect(card).to_have_attribute("data-status", re.compile("queued|running|completed"))

    other = visit("/?tab=training")  # a second browser
    expect(other.locator("#training-view .isg-job")).to_contain_text(f"training, {STEPS} steps")
    page.reload(wait_until="commit")
    expect(page.locator("#training-view .isg-job")).to_contain_text(f"training, {STEPS} steps")

    expect(card).to_have_attribute("data-status", "completed", timeout=TRAINED_MS)
    expect(other.locator("#training-view .isg-job")).to_have_attribute("data-status", "completed")
    expect(page.locator("#training-loss polyline.mean")).to_be_visible()
    expect(page.locator("#training-samples img").first).to_be_visible()
    expect(page.locator("#loras-list .isg-lora")).to_have_count(1)
    page.click("#generate-with-it")
    expect(page.locator("#image-trigger code")).to_have_text("zuvra person")
    page.click("#image-insert")
    expect(page.locator("#image-prompt textarea")).to_have_value("a picture of zuvra person")
    page.click("#image-generate")
    made = page.locator("#making .isg-output")
    expect(made).to_have_count(1, timeout=TRAINED_MS)
    assert made.locator("img").evaluate("async (img) => (await img.decode(), img.naturalWidth)") > 0
    expect(page.locator("#gallery-grid .isg-output")).to_have_count(1)
    other.click("#tab-image-button")
    expect(other.locator("#gallery-grid .isg-output")).to_have_count(1)
    _look_at_the_picture(page)


def _look_at_the_picture(page: Page) -> None:
    """Its settings are told, go back into the form, and it can be deleted."""
    from playwright.sync_api import expect

    page.click("#gallery-grid .isg-output")
    detail = page.locator("#output-detail")
    for words in ("zuvra person", "Likeness", "pocket", "Seed", "Zuri v1 at 1"):
        expect(detail).to_contain_text(words)
    seed = detail.locator("dt", has_text="Seed").locator("xpath=following-sibling::dd").inner_text()
    page.click("#output-again")
    page.locator("#image-advanced > button").click()
    expect(page.locator("#image-seed").get_by_role("textbox")).to_have_value(seed)
    page.click("#gallery-grid .isg-output")
    page.click("#output-delete")
    page.click("#confirm-yes")
    expect(page.locator("#gallery-empty")).to_be_visible()
