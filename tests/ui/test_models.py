"""The Models tab: what is here, what it may be used for, and a download by clicking."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

ROOT = Path(__file__).resolve().parents[2]
CONTENT = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app whose registry has the embedded model, one that a server of ours gives, and one not for commerce."""
    sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "unit" / "infra")]
    from file_server import FileServer
    from own_app import OwnApp

    folder = tmp_path_factory.mktemp("models")
    facts = {"source": "here", "license": "MIT", "commercial_use": True, "version": "1", "purpose": "For tests"}
    with FileServer({f"{name}.safetensors": CONTENT for name in ("tiny", "quick")}) as server:

        def served(name: str) -> dict[str, object]:
            sha256 = hashlib.sha256(CONTENT).hexdigest()
            file = {"path": f"{name}.safetensors", "size": len(CONTENT), "sha256": sha256}
            source = {"id": "web", "kind": "url", "use": ["images"], "name": server.url, "files": [file]}
            return {"id": name, "name": name.capitalize(), **facts, "sources": [source]}

        free = {"id": "study", "name": "Study", **facts, "license": "Research only", "commercial_use": False}
        embedded = yaml.safe_load((ROOT / "sota" / "registry.yml").read_text())["models"][0]
        registry = folder / "registry.yml"
        registry.write_text(json.dumps({"models": [embedded, served("tiny"), served("quick"), free]}))
        with OwnApp(folder / "volume", ISENGARD_REGISTRY=str(registry)) as app:
            until = time.monotonic() + 90
            while httpx.get(app.url, timeout=30, trust_env=False).status_code != httpx.codes.OK:
                assert time.monotonic() < until, "the screen did not come up"
                time.sleep(0.2)
            yield app.url


@pytest.fixture
def page(shop: str, visit: Callable[..., Page]) -> Page:
    return visit(f"{shop}/?tab=models")


def test_a_model_is_fetched_by_clicking(page: Page) -> None:
    from playwright.sync_api import expect

    card = page.locator("[data-model=tiny]")
    expect(card).to_contain_text("Not here")
    card.get_by_role("button", name=re.compile("Download Tiny")).click()
    expect(card.locator("[data-source=web]")).to_contain_text("Here")
    expect(card.get_by_role("button", name=re.compile("Download Tiny"))).to_have_count(0)
    page.click("#jobs-open")
    expect(page.locator("#drawer-view [data-status=completed]").first).to_contain_text("Tiny")


def test_a_download_that_ended_before_it_was_heard_of_is_shown(
    shop: str, visit: Callable[..., Page], contexts: Callable[..., BrowserContext]
) -> None:
    from playwright.sync_api import expect

    def answered_late(route: Route) -> None:
        answer = route.fetch()
        address = f"{shop}/api/jobs/{answer.json()['id']}"
        until = time.monotonic() + 30
        while httpx.get(address, timeout=30, trust_env=False).json()["status"] != "completed":
            assert time.monotonic() < until, "the download did not end"
            time.sleep(0.05)
        route.fulfill(response=answer)

    context = contexts()
    context.route("**/api/events", lambda route: route.abort())
    context.route("**/api/models/quick/download", answered_late)
    page = visit(f"{shop}/?tab=models", context)
    card = page.locator("[data-model=quick]")
    card.get_by_role("button", name=re.compile("Download Quick")).click()
    expect(card.locator("[data-source=web]")).to_contain_text("Here")


def test_what_is_not_for_commerce_is_marked_and_can_be_hidden(page: Page) -> None:
    from playwright.sync_api import expect

    card = page.locator("[data-model=study]")
    expect(card).to_contain_text("Not for commercial use")
    page.check("#models-commercial")
    expect(card).to_be_hidden()
    expect(page.locator("[data-model=tiny]")).to_be_visible()
    page.reload(wait_until="commit")
    expect(page.locator("[data-model=study]")).to_be_hidden()
