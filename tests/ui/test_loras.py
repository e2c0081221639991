"""LoRA versions in the browser: the table, the trash, taking in, comparing, going on."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import save

from plugins.diffusers.models import unet_shapes
from tests.comfyui.unit.test_lora_keys import TAKEN, written
from tests.ui.conftest import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PHONE = {"width": 390, "height": 844}
Lora = dict[str, Any]


@pytest.fixture
def pocket_file(project_root: Path) -> bytes:
    shapes = unet_shapes(project_root / "plugins" / "diffusers" / "pocket")
    name = next(name for name in sorted(shapes) if name.endswith("to_q.weight"))
    rows, columns = shapes[name]
    stem = f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}"
    halves = {"lora_down": np.ones((4, columns)), "lora_up": np.zeros((rows, 4))}
    tensors = {f"{stem}.{half}.weight": value.astype(np.float32) for half, value in halves.items()}
    return save(tensors, {"modelspec.trigger_phrase": "zvka"})


@pytest.fixture
def lora(rest: httpx.Client, pocket_file: bytes) -> Lora:
    """A version of its own for each test."""
    made: Lora = rest.post("/api/loras", files={"file": ("pocket.safetensors", pocket_file)}).raise_for_status().json()
    return made


def row(page: Page, lora: Lora) -> Locator:
    return page.locator(f"#loras-list [data-id={lora['id']}]")


def act(page: Page, lora: Lora, what: str) -> None:
    row(page, lora).get_by_role("button", name=what).click()


def test_a_version_is_renamed_looked_at_and_taken_out(visit: Callable[..., Page], lora: Lora) -> None:
    from playwright.sync_api import expect

    page = visit("/?tab=training")
    act(page, lora, "Name and notes")
    page.fill("#lora-name", "Soft <b>light</b>")
    page.fill("#lora-note", "for portraits")
    page.click("#lora-form-save")
    expect(row(page, lora)).to_contain_text("Soft <b>light</b>")
    expect(row(page, lora)).to_contain_text("for portraits")
    row(page, lora).locator(".isg-link").click()
    expect(page.locator("#lora-detail")).to_contain_text("LoRA for pocket, names as in kohya, rank 4")
    page.keyboard.press("Escape")
    act(page, lora, "Export")
    with page.expect_download() as download:
        page.click("#lora-as-export")
    assert download.value.suggested_filename == "Soft--b-light--b.zip"
    with page.expect_download() as download:
        page.click("#lora-as-file")
    assert download.value.suggested_filename == "Soft--b-light--b.safetensors"


def test_a_deleted_version_comes_back_by_undo_and_from_the_trash(visit: Callable[..., Page], lora: Lora) -> None:
    from playwright.sync_api import expect

    page = visit("/?tab=training")
    act(page, lora, "Delete")
    expect(row(page, lora)).to_have_count(0)
    page.click("#lora-undo")
    expect(row(page, lora)).to_be_visible()
    other = visit("/?tab=training", viewport=PHONE)  # a browser of its own does not hear what another does
    act(other, lora, "Delete")
    other.click("#lora-trash-open")
    trashed = other.locator(f"#lora-trash [data-id={lora['id']}]")
    expect(trashed).to_contain_text("goes for good in 7 days")
    trashed.get_by_role("button", name="Restore").click()
    expect(trashed).to_have_count(0)
    other.keyboard.press("Escape")
    expect(row(other, lora)).to_be_visible()
    act(other, lora, "Delete")
    other.click("#lora-trash-open")
    trashed.get_by_role("button", name=re.compile("for good")).click()
    other.click("#confirm-yes")
    expect(trashed).to_have_count(0)
    assert other.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_an_older_answer_that_comes_late_changes_nothing(visit: Callable[..., Page], lora: Lora) -> None:
    from playwright.sync_api import expect

    late = []
    page = visit("/?tab=training")
    expect(row(page, lora)).to_be_visible()
    page.route("**/api/loras?limit=20", lambda route: late.append((route, route.fetch())), times=1)
    act(page, lora, "Delete")
    eventually(page, lambda: bool(late))
    page.click("#lora-undo")
    expect(row(page, lora)).to_be_visible()  # the newer answer is in, the older one still on its way
    [(route, answer)] = late
    assert lora["id"] not in answer.text()
    route.fulfill(response=answer)
    page.wait_for_timeout(500)
    expect(row(page, lora)).to_be_visible()


def test_the_file_tells_its_base_model_before_it_is_sent(
    visit: Callable[..., Page], tmp_path: Path, pocket_file: bytes
) -> None:
    from playwright.sync_api import expect

    page = visit("/?tab=training")
    page.click("#lora-import-open")
    verdict, base = page.locator("#lora-verdict"), page.locator("#lora-base")
    page.set_input_files("#lora-file", written(tmp_path / "klein.safetensors", TAKEN["flux2"][2]))
    expect(verdict).to_contain_text("LoRA for flux2, names as in diffusers, rank 4, 8 tensors")
    expect(verdict).to_contain_text("does not say which it was trained on")
    expect(base.locator("optgroup").first.locator("option")).to_have_count(2)
    (tmp_path / "evil.safetensors").write_bytes(pickle.dumps({"weight": [1.0] * 50}))
    page.set_input_files("#lora-file", tmp_path / "evil.safetensors")
    expect(verdict).to_contain_text("a pickle")
    page.click("#lora-import-save")
    expect(page.locator("#lora-import [role=alert]")).to_contain_text("can run programs when it is opened")
    (tmp_path / "mine.safetensors").write_bytes(pocket_file)
    page.set_input_files("#lora-file", tmp_path / "mine.safetensors")
    expect(verdict).to_contain_text("The base model below follows from the file.")
    expect(base).to_have_value("pocket")
    expect(page.locator("#lora-import-trigger")).to_have_value("zvka")
    page.click("#lora-import-save")
    expect(page.locator("#lora-import")).to_have_count(0)
    expect(page.locator("#loras-list tr").first).to_contain_text("mine")


def test_versions_are_drawn_side_by_side(visit: Callable[..., Page], rest: httpx.Client) -> None:
    from playwright.sync_api import expect

    pair = save({"unet.x.lora_A.weight": np.zeros((4, 8), np.float32)})
    sent = {"data": {"base_model": "sd15", "trigger_word": "zvka"}}
    first, second = (
        rest.post("/api/loras", files={"file": (f"{name}.safetensors", pair)}, **sent).raise_for_status().json()
        for name in ("one", "two")
    )
    page = visit("/?tab=training")
    act(page, second, "Compare")
    form = page.locator("#lora-compare")
    expect(form.locator("#compare-prompts")).to_have_value("a photo of zvka")
    for box in form.locator(".isg-ticks input").all():
        box.set_checked(box.get_attribute("value") in {first["id"], second["id"]})
    form.locator("#compare-prompts").fill("a photo of zvka\na drawing of zvka")
    form.locator("#compare-draw").click()
    expect(form.locator("#compare-result .isg-output")).to_have_count(4)
    expect(form.locator("#compare-result th[scope=col] span")).to_have_text(
        [re.compile("two v"), re.compile("one v")], use_inner_text=True
    )
    expect(form.locator("#compare-result .isg-judged button")).to_have_count(0)
    for box in form.locator(".isg-ticks input").all():
        box.uncheck()
    form.locator("#compare-draw").click()
    expect(page.locator("#isg-toasts")).to_contain_text("One alone cannot be compared.")


def test_continue_fills_the_form(visit: Callable[..., Page], character: Lora, lora: Lora) -> None:
    from playwright.sync_api import expect

    page = visit("/?tab=training")
    expect(page.locator("#training-start-from input")).to_have_value("Nothing: a new LoRA")
    act(page, lora, "Continue training")
    expect(page.locator("#training-start-from input")).to_have_value(re.compile(r"^pocket v\d+$"))
    expect(page.locator("#training-base input")).to_have_value(re.compile("^Pocket"))
