"""Pictures in the making, comparison grids, and pictures that others start from."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image

from tests.ui.test_image_form import choose, image_tab, imported, pick_base, unfold

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIMIT_MS = 180_000


def fill(page: Page, field: str, text: str) -> None:
    box = page.locator(f"#image-{field}").get_by_role("textbox")
    box.fill(text)
    box.blur()


def drawn(page: Page, rest: httpx.Client, prompt: str, **settings: Any) -> dict[str, Any]:
    """Draw a picture over REST; return it, once the page's gallery shows it."""
    from playwright.sync_api import expect

    asked = {"prompt": prompt, "base_model": "sd15", **settings}
    job = rest.post("/api/generation", json=asked).raise_for_status().json()
    expect(page.locator(f"#gallery-grid [data-id='{job['id']}.0']")).to_be_visible()
    made: dict[str, Any] = rest.get(f"/api/outputs/{job['id']}.0").json()
    return made


def test_a_grid_is_promised_drawn_and_found_again(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    pick_base(page, "Stable Diffusion 1.5")
    page.locator("#image-prompt textarea").fill("a garden with a hat")
    unfold(page, "compare")
    choose(page, "grid-x", "Steps")
    fill(page, "grid-x-values", "4, 8, 12")
    expect(page.locator("#image-grid-note")).to_contain_text("3 columns: 3 pictures")
    choose(page, "grid-y", "Prompt words")
    fill(page, "grid-y-values", "hat, cap, crown")
    expect(page.locator("#image-generate")).to_have_text("Generate a grid of 9 pictures")
    page.click("#image-generate")
    made = page.locator("#making")
    expect(made).to_contain_text("Grid of 9 pictures: a garden with a hat")
    expect(made.locator(".isg-grid .isg-output")).to_have_count(9, timeout=LIMIT_MS)
    expect(made.locator("thead th").nth(2)).to_have_text("Steps12")
    expect(made.locator("tbody th").nth(1)).to_have_text("Wordscap")
    job = rest.get("/api/generation?limit=1").json()["items"][0]
    cell = made.locator("tbody tr").nth(1).locator("td").nth(2).locator(".isg-output")
    expect(cell).to_have_attribute("data-id", f"{job['id']}.5")
    shown = rest.get(f"/api/outputs/{job['id']}.5").json()["settings"]
    assert (shown["steps"], shown["prompt"]) == (12, "a garden with a cap")

    page.reload(wait_until="commit")  # the card is gone, the gallery has them all
    page.locator(f"#gallery-grid [data-id='{job['id']}.5']").click()
    page.click("#output-grid")
    dialog = page.locator("#grid-detail")
    expect(dialog.locator(".isg-output")).to_have_count(9)
    with page.expect_download() as saved:
        dialog.locator("#grid-download").click()
    assert Image.open(saved.value.path()).format == "JPEG"


def test_a_grid_of_lora_versions_is_chosen_from_a_list(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    first, second = imported(rest, "older", "zz"), imported(rest, "newer", "zz")
    page = image_tab(visit)
    page.locator("#image-prompt textarea").fill("zz in a park")
    unfold(page, "compare")
    choose(page, "grid-x", "LoRA version")
    for one in (first, second):
        choose(page, "grid-x-picks", f"{one['character_name']} {one['version']}")
    expect(page.locator("#image-generate")).to_have_text("Generate a grid of 2 pictures")
    page.click("#image-generate")
    made = page.locator("#making .isg-grid")
    expect(made.locator(".isg-output")).to_have_count(2, timeout=LIMIT_MS)
    expect(made.locator("thead th").nth(0)).to_contain_text(first["version"])
    grid = rest.get("/api/generation?limit=1").json()["items"][0]["payload"]["grid"]
    assert grid["x"]["values"] == [first["id"], second["id"]]


def test_a_grid_with_wrong_values_says_so_before_and_after_the_click(visit: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    page.locator("#image-prompt textarea").fill("x")
    unfold(page, "compare")
    choose(page, "grid-x", "Steps")
    fill(page, "grid-x-values", "few, many")
    expect(page.locator("#image-grid-note")).to_contain_text("no list of numbers for Steps")
    page.click("#image-generate")
    expect(page.locator(".toast-wrap")).to_contain_text("no list of numbers for Steps")


def test_a_picture_is_started_from_made_larger_and_left(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    output = drawn(page, rest, "a lake", width=192, height=128)
    page.locator(f"#gallery-grid [data-id='{output['id']}']").click()
    page.click("#output-enlarge")
    expect(page.locator("#start-picture")).to_be_visible()
    expect(page.locator("#image-upscale").get_by_role("textbox")).to_have_value("2.0")
    expect(page.locator("#image-prompt textarea")).to_have_value("a lake")
    expect(page.locator("#image-shape")).to_have_count(0)
    page.reload(wait_until="commit")
    expect(page.locator("#start-picture")).to_be_visible()  # it is in the address
    page.locator(f"#gallery-grid [data-id='{output['id']}']").click()
    page.click("#output-enlarge")
    expect(page.locator("#image-upscale").get_by_role("textbox")).to_have_value("2.0")
    fill(page, "denoise", "0.25")
    page.click("#image-generate")
    expect(page.locator("#making .isg-making[data-status=completed]")).to_have_count(1)  # its tile stays now
    page.locator("#making .isg-output").click()
    detail = page.locator("#output-detail")
    for words in ("384", output["id"], "0.25", "Upscaled by"):
        expect(detail).to_contain_text(words)
    page.keyboard.press("Escape")
    page.click("#start-remove")
    expect(page.locator("#image-shape")).to_be_visible()
    expect(page.locator("#start-picture")).to_have_count(0)
    page.click("#image-generate")
    expect(page.locator("#making .isg-making")).to_have_count(2)
    newest = rest.get("/api/generation?limit=1").json()["items"][0]["payload"]
    assert (newest["init_image"], newest["denoise"], newest["upscale_by"]) == (None, None, None)


def test_a_picture_is_sent_to_start_from(visit: Callable[..., Page], rest: httpx.Client, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    sent = tmp_path / "holiday.png"
    Image.new("RGB", (160, 240), "teal").save(sent)
    page = image_tab(visit)
    pick_base(page, "Stable Diffusion 1.5")
    page.locator("#image-prompt textarea").fill("a beach")
    unfold(page, "start")
    page.set_input_files("#start-file", sent)
    expect(page.locator("#start-picture")).to_be_visible()
    page.click("#image-generate")
    page.locator("#making .isg-output").click()
    expect(page.locator("#output-detail")).to_contain_text(re.compile("160 .* 240"))
    garbage = tmp_path / "garbage.png"
    garbage.write_bytes(b"no picture")
    page.keyboard.press("Escape")
    page.click("#start-remove")
    page.set_input_files("#start-file", garbage)
    expect(page.locator("#isg-toasts")).to_contain_text("Use JPEG")


def test_all_settings_come_back(visit: Callable[..., Page], rest: httpx.Client, project_root: Path) -> None:
    from playwright.sync_api import expect

    buffer = io.BytesIO()
    Image.new("RGB", (128, 192), "olive").save(buffer, "PNG")
    start = rest.post("/api/generation/images", files={"file": ("a.png", buffer.getvalue())}).json()
    page = image_tab(visit)
    settings = {
        "negative_prompt": "rain",
        "steps": 11,
        "guidance_scale": 3.5,
        "sampler": "heun",
        "scheduler": "karras",
        "seed": 123,
        "workflow": "dreamy",
        "init_image": start["id"],
        "denoise": 0.4,
        "upscale_by": 1.5,
    }
    output = drawn(page, rest, "a {tree}", **settings)
    page.locator(f"#gallery-grid [data-id='{output['id']}']").click()
    page.click("#output-again")
    unfold(page, "advanced")
    expect(page.locator("#image-seed").get_by_role("textbox")).to_have_value("123")
    expect(page.locator("#image-workflow input")).to_have_value("Dreamy")
    expect(page.locator("#image-scheduler input")).to_have_value("karras")
    expect(page.locator("#start-picture")).to_be_visible()
    page.click("#image-generate")
    expect(page.locator("#making .isg-making").nth(1)).to_be_visible()
    again = rest.get("/api/generation?limit=1").json()["items"][0]["payload"]
    wanted = {**settings, "prompt": "a tree", "width": 192, "height": 288}
    assert {name: again[name] for name in wanted} == wanted


def test_a_seed_is_taken_from_a_picture(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    output = drawn(page, rest, "a hill", seed=4711)
    page.locator(f"#gallery-grid [data-id='{output['id']}']").click()
    page.click("#output-seed")
    unfold(page, "advanced")
    expect(page.locator("#image-seed").get_by_role("textbox")).to_have_value("4711")


def test_many_are_queued_and_the_page_tells_how_many_wait(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    page = image_tab(visit)
    for number in range(12):
        rest.post("/api/generation", json={"prompt": f"many {number}", "base_model": "sd15", "count": 20})
    expect(page.locator("#making-rest")).to_be_visible()
    expect(page.locator("#making-rest")).to_contain_text("wait in the queue")
    expect(page.locator("#making .isg-making[data-status=running]").first).to_be_visible()
    for job in rest.get("/api/generation?limit=100").json()["items"]:
        if job["status"] in ("queued", "running"):
            rest.post(f"/api/jobs/{job['id']}/cancel")
    expect(page.locator("#making-rest")).to_be_hidden()
