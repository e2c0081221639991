"""The Image tab's form: fields that the base model can use, words, seeds, batches, and what stays away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import save

from tests.ui.conftest import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

Lora = dict[str, Any]


@pytest.fixture
def lora(rest: httpx.Client) -> Lora:
    """A LoRA of the sketching backend's fuller base model."""
    return imported(rest, "zuri", "zuvra person")


def imported(rest: httpx.Client, name: str, trigger: str, base: str = "sd15") -> Lora:
    pair = save({f"unet.{name}.lora_A.weight": np.zeros((4, 8), np.float32)})
    sent = {"files": {"file": (f"{name}.safetensors", pair)}, "data": {"base_model": base, "trigger_word": trigger}}
    made: Lora = rest.post("/api/loras", **sent).raise_for_status().json()
    return made


def image_tab(visit: Callable[..., Page], **options: Any) -> Page:
    """The tab, once the form has its first values."""
    from playwright.sync_api import expect

    page = visit("/?tab=image", **options)
    expect(page.locator("#image-lora-1 input")).not_to_have_value("")
    # Gradio gives a tab that opens its values one frame after it is there: what is typed before would be lost.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page


def unfold(page: Page, name: str) -> None:
    page.locator(f"#image-{name} > button").click()


def choose(page: Page, field: str, option: str) -> None:
    page.locator(f"#image-{field} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def pick_base(page: Page, name: str) -> None:
    choose(page, "lora-1", "No LoRA: the base model alone")
    unfold(page, "advanced")
    choose(page, "base", name)


def jobs(rest: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rest.get("/api/generation", params={"limit": 100}).json()["items"]
    return found


def test_what_the_base_model_cannot_do_is_hidden(visit: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    pick_base(page, "Pocket (draws; for trying and testing)")
    expect(page.locator("#image-sampler")).to_be_visible()
    expect(page.locator("#image-negative")).to_be_visible()
    for hidden in ("scheduler", "workflow", "start"):
        expect(page.locator(f"#image-{hidden}")).to_have_count(0)
    expect(page.locator("#image-start-reason")).to_contain_text("draws from words alone")


def test_what_the_base_model_can_do_is_offered(visit: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    pick_base(page, "Stable Diffusion 1.5")
    for shown in ("scheduler", "workflow", "start", "negative"):
        expect(page.locator(f"#image-{shown}")).to_be_visible()
    expect(page.locator("#image-workflow input")).to_have_value("The base model's own")
    choose(page, "workflow", "Dreamy")
    choose(page, "scheduler", "karras")
    choose(page, "base", "FLUX.1-schnell")
    for hidden in ("scheduler", "workflow", "negative"):
        expect(page.locator(f"#image-{hidden}")).to_have_count(0)


def test_a_prompt_without_the_trigger_word_is_warned_of_and_put_right(visit: Callable[..., Page], lora: Lora) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    choose(page, "lora-1", lora["character_name"] + " " + lora["version"])
    prompt, told = page.locator("#image-prompt textarea"), page.locator("#image-trigger")
    prompt.fill("a walk in a garden")
    expect(told).to_have_class(re.compile("warn"))
    expect(told).to_contain_text("does not say zuvra person")
    page.click("#image-insert")
    expect(prompt).to_have_value("zuvra person, a walk in a garden")
    expect(told).not_to_have_class(re.compile("warn"))
    expect(page.locator("#image-insert")).to_be_hidden()


def test_each_line_becomes_a_job_of_its_own(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    pick_base(page, "Stable Diffusion 1.5")
    page.get_by_label("Each line is a prompt of its own").check()
    page.locator("#image-prompt textarea").fill("batch: a cat\n\nbatch: a dog\nbatch: a bird")
    page.locator("#image-prompt textarea").blur()
    expect(page.locator("#image-generate")).to_have_text("Generate 3 pictures of 3 prompts")
    page.click("#image-generate")
    expect(page.locator(".toast-wrap")).to_contain_text("3 jobs are in the queue")
    made = [job["payload"]["prompt"] for job in jobs(rest)]
    assert {"batch: a cat", "batch: a dog", "batch: a bird"} <= set(made)
    expect(page.locator("#making .isg-making")).to_have_count(3)
    expect(page.locator("#making .isg-output")).to_have_count(3)


def test_a_bad_line_queues_none_of_them(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    pick_base(page, "Stable Diffusion 1.5")
    page.get_by_label("Each line is a prompt of its own").check()
    page.locator("#image-prompt textarea").fill("half: a cat\nhalf: a __nosuchlist__")
    page.click("#image-generate")
    expect(page.locator(".toast-wrap")).to_contain_text("no list of words 'nosuchlist'")
    assert [job for job in jobs(rest) if job["payload"]["prompt"].startswith("half")] == []


def test_a_seed_is_random_or_fixed(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    pick_base(page, "Stable Diffusion 1.5")
    seed = page.locator("#image-seed").get_by_role("textbox")
    expect(seed).to_have_count(0)
    page.locator("#image-prompt textarea").fill("seeds")
    for _ in range(2):
        page.click("#image-generate")
    expect(page.locator("#making .isg-output")).to_have_count(2)
    page.get_by_label("Fixed", exact=True).check()
    expect(seed).to_have_value(re.compile(r"^\d+$"))  # one is drawn for a start
    seed.fill("77")
    for _ in range(2):
        page.click("#image-generate")
    eventually(page, lambda: len(seeds(rest)) == 4)
    assert seeds(rest)[:2] == [77, 77]  # the newest first
    assert len(set(seeds(rest))) == 3


def seeds(rest: httpx.Client) -> list[int]:
    return [job["payload"]["seed"] for job in jobs(rest) if job["payload"]["prompt"] == "seeds"]


def test_a_list_of_words_is_made_used_and_told(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    pick_base(page, "Stable Diffusion 1.5")
    page.locator("#image-prompt textarea").fill("a {tall|short} person with")
    page.click("#lists-open")
    page.click("#list-new")
    page.fill("#list-name", "Hair Colour")
    page.fill("#list-lines", "red hair\nblack hair")
    page.click("#list-form-save")
    expect(page.locator("#list-form [role=alert]")).to_contain_text("small letters")
    page.fill("#list-name", "hair_colour")
    page.click("#list-form-save")
    row = page.locator("[data-list=hair_colour]")
    expect(row).to_contain_text("red hair, black hair")
    row.get_by_role("button", name="Insert").click()
    expect(page.locator("#image-prompt textarea")).to_have_value("a {tall|short} person with __hair_colour__")
    page.click("#image-generate")
    expect(page.locator("#making .isg-making[data-status=completed]")).to_have_count(1)  # its tile stays now
    page.locator("#making .isg-output").click()
    said = re.compile(r"a (tall|short) person with (red|black) hair")
    expect(page.locator("#output-detail")).to_contain_text(said)
    page.keyboard.press("Escape")
    page.click("#lists-open")
    row.get_by_role("button", name="Edit").click()
    page.fill("#list-lines", "grey hair")
    page.click("#list-form-save")
    expect(row).to_contain_text("grey hair")
    row.get_by_role("button", name="Delete").click()
    page.click("#confirm-yes")
    expect(row).to_have_count(0)
    assert "hair_colour" not in rest.get("/api/wildcards").json()


def test_a_backend_that_is_away_is_one_quiet_line(
    visit: Callable[..., Page], rest: httpx.Client, contexts: Any
) -> None:
    from playwright.sync_api import expect

    told = rest.get("/info").json()
    away = {
        "name": "comfyui",
        "kind": "image",
        "available": False,
        "reason": "ComfyUI is not here.",
        "hint": "Run: x y",
        "notes": [],
    }
    told["backends"] = [one for one in told["backends"] if one["name"] != "comfyui"] + [away]
    context = contexts()
    context.route(re.compile(r"//[^/]+/info$"), lambda route: route.fulfill(json=told))
    page = visit("/?tab=image", context)
    line = page.locator("#image-backends [data-backend=comfyui]")
    expect(line).to_have_text("ComfyUI is not here. Run: x y")
    expect(line.locator("code")).to_have_text("x y")
    expect(page.locator("#image-backends p")).to_have_count(1)
    expect(page.locator(".toast-wrap")).not_to_contain_text("ComfyUI")
