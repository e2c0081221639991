"""The Training tab where AI-Toolkit is: its settings, a GPU that is too small, and a run of its stand-in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.aitoolkit.bench import DOUBLE, place_model, row_of
from tests.ui.conftest import screen_of
from tests.unit.services.large import FLUX, lay_model

if TYPE_CHECKING:
    from playwright.sync_api import Page

GPU = "#!/bin/sh\ncase \"$1\" in *compute-apps*) exit 0 ;; esac\necho 'NVIDIA Test GPU, 24564'\n"
TRAINED_MS = 120_000


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path, chromium: str) -> Iterator[str]:
    """An Isengard with AI-Toolkit's stand-in and a base model; with the parameter "gpu" it finds one of 24 GB."""
    environment = {"ISENGARD_AITOOLKIT_DIR": str(DOUBLE), "ISENGARD_AITOOLKIT_PYTHON": sys.executable}
    models = tmp_path / "volume" / "comfyui" / "models"
    if request.param == "gpu":
        told = tmp_path / "bin" / "nvidia-smi"
        told.parent.mkdir()
        told.write_text(GPU)
        told.chmod(0o755)
        environment |= {"PATH": f"{told.parent}:{os.environ['PATH']}", "ISENGARD_MEMORY_BUDGET_GB": "64"}
        lay_model(models / "flux-dev", FLUX)
    else:
        place_model(models / "sd15", row_of("sd15"))
    with screen_of(tmp_path, **environment) as address:
        yield address


@pytest.fixture
def tab(visit: Callable[..., Page], character: dict[str, Any]) -> Page:
    page = visit("/?tab=training")
    page.wait_for_selector("#training-plan")
    assert character["id"]
    return page


@pytest.mark.parametrize("url", ["gpu"], indirect=True)
def test_a_model_that_is_too_large_is_made_to_fit(tab: Page) -> None:
    from playwright.sync_api import expect

    plan = tab.locator("#training-plan")
    tab.locator("#training-base input").click()
    tab.get_by_role("option", name="FLUX.1-dev").click()
    expect(tab.locator("#training-origin")).to_contain_text("Confidence: high")
    expect(plan).to_contain_text("may not be used commercially")
    tab.get_by_role("button", name="Advanced settings").first.click()
    expect(tab.locator("#training-lora-alpha")).to_be_hidden()
    expect(tab.locator("#training-optimizer input")).to_have_value("As the preset: adamw8bit")
    tab.locator("#training-weight-bits input").click()
    tab.get_by_role("option", name="16").click()
    expect(plan).to_have_attribute("data-verdict", "does_not_fit")
    expect(plan).to_contain_text("NVIDIA Test GPU has 24 GB")
    expect(plan).to_contain_text("With 8-bit weights it fits in 24 GB.")
    tab.click("#preflight-apply")
    expect(tab.locator("#training-weight-bits input")).to_have_value("8")
    expect(plan).to_have_attribute("data-verdict", "fits")
    expect(plan.locator("[data-resource=gpu_memory]")).to_contain_text("the registry's figure")


@pytest.mark.slow
@pytest.mark.parametrize("url", ["cpu"], indirect=True)
def test_what_the_trainer_prints_is_in_the_log(tab: Page, rest: httpx.Client, character: dict[str, Any]) -> None:
    from playwright.sync_api import expect

    rest.put(f"/api/characters/{character['id']}/consent", json={"kind": "fictional"}).raise_for_status()
    config = {"base_model": "sd15", "steps": 40, "save_every": 20, "sample_every": 20, "resolutions": [64]}
    body = {"character_id": character["id"], "config": config}
    made = rest.post("/api/training", json=body)
    assert made.is_success, made.text
    job = made.json()
    panel = tab.locator(f"[data-training={job['id']}]")
    card = panel.locator(".isg-job").first
    expect(card).to_have_attribute("data-status", "completed", timeout=TRAINED_MS)
    expect(panel.locator("[data-step='40'] img").first).to_be_visible()
    panel.get_by_text("Log", exact=True).click()
    expect(panel.get_by_role("log")).to_contain_text("What the trainer printed last")
    expect(panel.get_by_role("log")).to_contain_text("Preparing the pictures")
