"""The Training tab by clicking, with the pocket model: presets, preflight, the running training, several in a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

TRAINED_MS = 300_000  # mostly the engine's start, on a machine that does other things too
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def form(visit: Callable[..., Page], character: dict[str, Any], rest: httpx.Client) -> Page:
    """The tab with the character chosen, as 'Train' in the Characters tab does it."""
    rest.put(f"/api/characters/{character['id']}/consent", json={"kind": "self"}).raise_for_status()
    page = visit(f"/?tab=characters&character={character['id']}")
    page.click("#character-train")
    page.wait_for_selector("#training-plan")
    return page


@pytest.fixture
def start(rest: httpx.Client, character: dict[str, Any]) -> Iterator[Callable[..., dict[str, Any]]]:
    """Queue a training of the character."""
    started: list[str] = []

    def queue(**config: object) -> dict[str, Any]:
        wanted = {"steps": 3000, "batch_size": 1, "sample_every": 3000, "save_every": 3000, **config}
        body = {"character_id": character["id"], "config": wanted}
        made: dict[str, Any] = rest.post("/api/training", json=body).raise_for_status().json()
        started.append(made["id"])
        return made

    yield queue
    for job_id in started:  # a test that failed must not keep the worker from the next one
        rest.post(f"/api/jobs/{job_id}/cancel")


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#training-{name}").get_by_role("textbox")


def test_a_preset_says_what_it_does_and_who_says_so(form: Page) -> None:
    from playwright.sync_api import expect

    said = form.locator("#training-origin")
    expect(said).to_contain_text("400 steps: 33 for each of 2 pictures")
    expect(said).to_contain_text("Source:")
    expect(said).to_contain_text("Confidence: medium")
    form.get_by_label("Best").check()
    expect(said).to_contain_text("700 steps")
    expect(said).to_contain_text("Confidence: low")
    expect(form.locator("#training-plan")).to_contain_text("700 steps on 2 pictures of Hopper")


def test_the_plan_follows_the_fields_and_invents_no_time(form: Page) -> None:
    from playwright.sync_api import expect

    plan = form.locator("#training-plan")
    expect(plan).to_have_attribute("data-verdict", "fits")
    form.get_by_role("button", name="Advanced settings").first.click()
    field(form, "steps").fill("55")
    field(form, "price").fill("0.69")
    form.keyboard.press("Tab")
    expect(plan).to_contain_text("55 steps on 2 pictures")
    expect(plan.locator("[data-resource=cost]")).to_have_count(1)
    plan.get_by_text("What it will take").click()
    expect(plan.locator("[data-resource=memory]")).to_contain_text("Estimated by diffusers")
    expect(plan.get_by_role("meter", name="Main memory")).to_be_visible()
    field(form, "lora-rank").fill("many")
    form.keyboard.press("Tab")
    expect(plan).to_contain_text("Lora rank: ")


def test_only_settings_with_an_effect_are_shown_each_with_its_range(form: Page) -> None:
    from playwright.sync_api import expect

    form.get_by_role("button", name="Advanced settings").first.click()
    expect(form.locator("#training-lora-rank")).to_contain_text("1 to 512.")
    expect(field(form, "lora-rank")).to_have_attribute("placeholder", "16")
    for name in ("optimizer", "weight-bits", "preserve-class", "resolutions"):
        expect(form.locator(f"#training-{name}")).to_be_hidden()
    expect(form.get_by_role("heading", name="Memory and speed")).to_be_hidden()


def test_what_does_not_fit_is_made_to_fit_with_one_click(form: Page, rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    form.get_by_role("button", name="Advanced settings").first.click()
    field(form, "batch-size").fill("64")
    field(form, "resolution").fill("2048")
    form.keyboard.press("Tab")
    plan = form.locator("#training-plan")
    expect(plan).to_have_attribute("data-verdict", "does_not_fit")
    expect(plan).to_contain_text("of main memory")
    form.click("#training-start")
    expect(form.locator(".toast-wrap")).to_contain_text("the budget is")
    form.click("#preflight-apply")
    expect(plan).to_have_attribute("data-verdict", re.compile("fits|tight"))
    assert (field(form, "batch-size").input_value(), field(form, "resolution").input_value()) != ("64", "2048")
    form.click("#training-start")
    card = form.locator("#training-view .isg-job").first
    expect(card).to_have_attribute("data-status", re.compile("queued|running"))
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_have_attribute("data-status", "cancelled")
    for job in rest.get("/api/jobs?status=queued").json()["items"]:
        rest.post(f"/api/jobs/{job['id']}/cancel")


@pytest.mark.slow
def test_a_running_training_is_seen_whole_asked_and_kept(
    visit: Callable[..., Page], contexts: Callable[..., BrowserContext], start: Callable[..., dict[str, Any]]
) -> None:
    from playwright.sync_api import expect

    job = start()
    address = f"/?tab=training&job={job['id']}"
    page, phone = visit(address), visit(address, contexts(viewport=PHONE, color_scheme="dark"))
    panel = page.locator(f"[data-training={job['id']}]")
    for words in ("Loss 0.", "Learning rate", "steps a second", "left"):
        expect(panel.locator(".isg-figures")).to_contain_text(re.compile(words + "|s a step"), timeout=TRAINED_MS)
    expect(panel.locator("#training-loss svg")).to_have_attribute("aria-label", re.compile(r"Loss after \d+ steps"))
    _log_is_told(panel)
    page.click("#training-save-now")
    expect(panel.get_by_role("log")).to_contain_text("Saved a checkpoint", timeout=TRAINED_MS)
    page.click("#training-sample-now")
    sample = panel.locator("[data-step] img")
    expect(sample).to_have_count(1, timeout=TRAINED_MS)

    page.reload(wait_until="commit")
    expect(sample).to_be_visible()
    expect(panel.locator("#training-loss polyline.mean")).to_be_visible()
    expect(phone.locator("[data-step] img")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    panel.get_by_role("button", name="Stop and keep").click()
    expect(panel.locator(".isg-job").first).to_have_attribute("data-status", "completed", timeout=TRAINED_MS)
    expect(phone.locator("#training-now")).to_contain_text("The LoRA is ready.")
    took = re.compile(r"It took .+ GB of main memory \(foretold: 0\.\d GB")
    expect(phone.locator("#training-took")).to_contain_text(took)
    panel.locator("[data-step] button").first.click()
    expect(page.locator("#sample-detail img")).to_be_visible()


def _log_is_told(panel: Locator) -> None:
    from playwright.sync_api import expect

    panel.get_by_text("Log", exact=True).click()
    log = panel.get_by_role("log")
    expect(log).to_contain_text("Loading the model")
    expect(log).to_contain_text("Encoding pictures 2/2")
    expect(log).not_to_contain_text("Encoding pictures 1/2")


@pytest.mark.slow
def test_several_trainings_queue_and_each_can_be_looked_at(
    visit: Callable[..., Page], start: Callable[..., dict[str, Any]]
) -> None:
    from playwright.sync_api import expect

    queued = [start() for _ in range(3)]
    page = visit(f"/?tab=training&job={queued[0]['id']}")
    others = page.locator("#training-queue")
    for job in queued[1:]:
        expect(others.locator(f"[data-job={job['id']}]")).to_be_visible()
    second = others.locator(f"[data-job={queued[1]['id']}]")
    second.locator("button.isg-job-title").click()
    expect(page.locator(f"[data-training={queued[1]['id']}]")).to_be_visible()
    expect(others.locator(f"[data-job={queued[0]['id']}]")).to_be_visible()
    for job in queued:
        page.select_option("#training-choose", job["id"])
        card = page.locator(f"[data-training={job['id']}] .isg-job").first
        card.get_by_role("button", name="Cancel").click()
        expect(card).to_have_attribute("data-status", "cancelled")
    expect(others).to_be_hidden()
