"""Takes docs/screenshots: each tab, light and dark, on a desk and on a phone, of an Isengard that made something."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from own_app import ROOT, OwnApp
from playwright.sync_api import Browser, Page, sync_playwright
from rest import Rest

OUT = ROOT / "docs" / "screenshots"
TABS = ("characters", "character", "training", "image", "grid", "video", "models", "system")
WIDTHS = {1280: 900, 390: 844}
SETTLE_MS = 3000  # lazy pictures and the forms' first values


def main() -> int:
    """Make something to look at, unless a running Isengard is named, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running Isengard that has something to show; without it, one is started")
    parser.add_argument("--steps", type=int, help="training steps of the started one (default: the quick preset's)")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url = options.url
        if not url:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = stack.enter_context(OwnApp(Path(folder) / "volume")).url
            fill(Rest(url), options.steps)
        playwright = stack.enter_context(sync_playwright())
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=["--disable-gpu"])
        stack.callback(browser.close)
        take(browser, url)
    return 0


def fill(rest: Rest, steps: int | None) -> None:
    """Train the sample character, draw a comparison grid and four pictures."""
    character = rest.post("/api/characters/sample")
    config: dict[str, Any] = {"preset": "quick"} | ({"steps": steps} if steps else {})
    rest.wait(rest.post("/api/training", json={"character_id": character["id"], "config": config}), _quiet, 3600)
    prompt = f"a picture of {character['trigger_word']} in a garden"
    strengths = {"field": "lora_strength", "values": [0, 0.5, 1]}
    grid = {"x": strengths, "y": {"field": "prompt", "values": ["garden", "library"]}}
    asked = {"character_id": character["id"], "prompt": prompt, "grid": grid}
    rest.wait(rest.post("/api/generation", json=asked), _quiet, 600)
    request = {"character_id": character["id"], "prompt": prompt, "count": 4}
    rest.wait(rest.post("/api/generation", json=request), _quiet, 600)


def _quiet(_job: dict[str, Any]) -> None:
    """Watch without a word."""


def take(browser: Browser, url: str) -> None:
    """Write one file for each tab, scheme and width."""
    OUT.mkdir(parents=True, exist_ok=True)
    newest = Rest(url).get("/api/characters?limit=1")["items"]
    for scheme in ("light", "dark"):
        for width, height in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            for tab in TABS:
                shown = {"grid": "image"}.get(tab, tab)
                if tab == "character" and newest:
                    shown = f"characters&character={newest[0]['id']}"
                page.goto(f"{url}/?tab={shown}", wait_until="commit")
                page.wait_for_selector("#jobs-open")
                page.wait_for_timeout(SETTLE_MS)
                if tab == "grid" and not open_grid(page):
                    continue
                page.screenshot(path=OUT / f"{tab}-{scheme}-{width}.png")
            context.close()
    print(f"{len(list(OUT.glob('*.png')))} pictures in {OUT}")


def open_grid(page: Page) -> bool:
    """Open the newest comparison grid of the gallery; tell whether there is one."""
    cell = page.locator("#gallery-grid .isg-output:has(.corner)").first
    if not cell.count():
        return False
    cell.click()
    page.click("#output-grid")
    page.wait_for_timeout(SETTLE_MS)
    return True


if __name__ == "__main__":
    sys.exit(main())
