"""The page itself: look, size, requests, messages, jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

TABS = ("characters", "training", "image", "models", "video", "system")


@pytest.mark.parametrize("tab", TABS)
def test_a_link_opens_its_tab(visit: Callable[..., Page], tab: str) -> None:
    from playwright.sync_api import expect

    expect(visit(f"/?tab={tab}").locator(f"#tab-{tab}-button")).to_have_attribute("aria-selected", "true")


def test_the_address_follows_the_tab(visit: Callable[..., Page]) -> None:
    page = visit()
    page.click("#tab-image-button")
    page.wait_for_url(re.compile("tab=image"))


def test_dark_follows_the_system(visit: Callable[..., Page]) -> None:
    page = visit(color_scheme="dark")
    light = visit(color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) != light.evaluate(background)


@pytest.mark.parametrize("tab", TABS)
def test_a_phone_needs_no_sideways_scroll(visit: Callable[..., Page], character: dict[str, Any], tab: str) -> None:
    page = visit(f"/?tab={tab}", viewport={"width": 390, "height": 844})
    page.wait_for_selector(f"#tab-{tab}")
    page.wait_for_timeout(800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_is_asked_of_other_hosts(
    contexts: Callable[..., BrowserContext], visit: Callable[..., Page], url: str
) -> None:
    asked: list[str] = []
    context = contexts()
    context.on("request", lambda request: asked.append(request.url))
    page = visit("/", context)
    for tab in TABS:
        page.click(f"#tab-{tab}-button")
        page.wait_for_timeout(200)
    assert [address for address in asked if not address.startswith((url, "data:", "blob:"))] == []


def test_many_tabs_share_one_event_stream(contexts: Callable[..., BrowserContext], visit: Callable[..., Page]) -> None:
    """A browser opens six connections to a host: with a stream in each tab, the seventh tab would hang."""
    streams: list[str] = []
    context = contexts()
    context.on("request", lambda request: streams.append(request.url) if "/api/events" in request.url else None)
    for _ in range(8):
        visit("/?tab=video", context)
    assert len(streams) == 1


def test_a_refusal_says_what_to_do_next(visit: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = visit("/?tab=image")
    page.click("#image-generate")
    toast = page.locator(".toast-wrap")
    expect(toast).to_contain_text("The prompt is empty.")
    expect(toast).to_contain_text("Say what the picture shows")


def test_jobs_are_seen_on_every_tab_and_can_be_cancelled(
    visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client
) -> None:
    from playwright.sync_api import expect

    page = visit("/?tab=video")
    request = {"character_id": character["id"], "config": {"steps": 5000}}
    job = rest.post("/api/training", json=request).json()
    page.click("#jobs-open")
    card = page.locator(f"#drawer-view [data-job={job['id']}]")
    expect(card).to_have_attribute("data-status", "running")
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_have_attribute("data-status", "cancelled")
    expect(card.get_by_role("button", name="Try again")).to_be_visible()
    page.click("#jobs-close")
    expect(page.locator("#drawer-view")).to_be_hidden()


def test_handlers_are_not_offered_to_programs(rest: httpx.Client) -> None:
    for path in ("/gradio_api/info", "/gradio_api/openapi.json"):
        assert rest.get(path).status_code == httpx.codes.NOT_FOUND
