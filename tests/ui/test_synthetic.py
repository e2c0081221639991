"""Synthetic expansion by clicking: from the toggle to a training on what was accepted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

EXPANDED_MS = 240_000
TRAINED_MS = 400_000
REFERENCES = (1, 2, 3, 4, 8)
STEPS = 4


@pytest.fixture
def zuri(url: str, project_root: Path) -> str:
    """A drawn character with five captioned pictures."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        new = {"name": "Zuri five", "trigger_word": "zuvra person", "consent": "fictional"}
        made = client.post("/api/characters", json=new).json()
        paths = [
            project_root / "isengard" / "sample" / f"zuri-{number:02d}.{suffix}"
            for number in REFERENCES
            for suffix in ("jpg", "txt")
        ]
        files: list[Any] = [("files", (path.name, path.read_bytes())) for path in paths]
        client.post(f"/api/characters/{made['id']}/images", files=files).raise_for_status()
        return str(made["id"])


def set_slider(slider: Locator, value: float) -> None:
    slider.evaluate("(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value)


@pytest.mark.slow
def test_from_the_toggle_to_a_training(visit: Callable[..., Page], zuri: str) -> None:
    from playwright.sync_api import expect

    page = visit(f"/?tab=characters&character={zuri}")
    expect(page.locator("#synthetic-form")).to_have_count(0)
    page.locator("#synthetic-toggle").check()
    set_slider(page.locator("#synthetic-count"), 5)
    page.locator("#synthetic-dry").check()
    page.click("#synthetic-start")
    card = page.locator("#synthetic .isg-job")
    expect(card).to_have_attribute("data-status", "completed", timeout=EXPANDED_MS)
    expect(card).to_contain_text("5 of 5 accepted")
    expect(page.locator("#synthetic-stats")).to_contain_text("5 accepted")
    tiles = page.locator("#synthetic-grid .isg-tile")
    passed = page.locator("#synthetic-grid .isg-tile[data-passed='true']")
    expect(passed).to_have_count(5)

    set_slider(page.locator("#synthetic-min_sharpness"), 1)
    expect(page.locator("#synthetic-stats")).to_contain_text("0 accepted")
    expect(passed).to_have_count(0)
    tiles.first.locator(".isg-thumb").focus()
    page.keyboard.press("k")
    expect(page.locator("#synthetic-stats")).to_contain_text("1 accepted")
    expect(passed.first).to_contain_text("Kept by hand")
    set_slider(page.locator("#synthetic-min_sharpness"), 0.3)
    expect(page.locator("#synthetic-stats")).to_contain_text("5 accepted")
    passed.last.get_by_role("button", name="Reject", exact=True).click()
    expect(page.locator("#synthetic-stats")).to_contain_text("4 accepted")
    page.click("#synthetic-accepted")
    expect(tiles).to_have_count(4)

    page.reload(wait_until="commit")
    expect(page.locator("#synthetic-stats")).to_contain_text("1 by hand")
    page.click("#synthetic-use")
    expect(page.locator("#pictures-grid .isg-tile")).to_have_count(len(REFERENCES) + 4)
    expect(page.locator("#synthetic-use")).to_be_disabled()

    page.click("#character-train")
    page.get_by_label("Quick").check()
    page.get_by_role("button", name="Advanced settings").first.click()
    page.locator("#training-steps").get_by_role("textbox").fill(str(STEPS))
    page.keyboard.press("Tab")
    expect(page.locator("#training-plan")).to_contain_text(f"{STEPS} steps on {len(REFERENCES) + 4} pictures")
    page.click("#training-start")
    training = page.locator("#training-view .isg-job")
    expect(training).to_have_attribute("data-status", re.compile("queued|running|completed"))
    expect(training).to_have_attribute("data-status", "completed", timeout=TRAINED_MS)
