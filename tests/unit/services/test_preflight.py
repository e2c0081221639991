"""The preflight oracle: estimates with their sources, verdicts, what would fit, and what earlier runs teach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isengard.domain.character import Character
from isengard.domain.lora import Lora
from isengard.domain.preflight import Estimate, Forecast, Measured, Preflight
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import Conflict, OutOfMemory, OutOfVram
from isengard.infra.machine import machine_name
from isengard.runtime import Runtime
from isengard.services.house import Isengard
from tests.unit.services.large import FLUX, SDXL, put_gpu, put_model


def training(character: Character, **config: object) -> TrainingRequest:
    return TrainingRequest(character_id=character.id, config=TrainingConfig.model_validate(config))


def one(report: Preflight, resource: str) -> Estimate:
    return next(estimate for estimate in report.estimates if estimate.resource == resource)


@pytest.fixture
def flux(house: Isengard, runtime: Runtime, pictured: Character, tmp_path: Path) -> TrainingRequest:
    """A training on FLUX.1-dev at its full precision and size."""
    put_model(house, runtime, "flux-dev", FLUX, tmp_path / "aitoolkit")
    wishes = {"weight_bits": 16, "text_encoder_bits": 16, "resolutions": [1024]}
    return training(pictured, base_model="flux-dev", preset="best", **wishes)


# --- verdicts --------------------------------------------------------------------------------


def test_what_fits_says_so_with_source_and_confidence(house: Isengard, pictured: Character) -> None:
    report = house.preflight.look(training(pictured))
    assert report.verdict == "fits"
    assert report.request.config.image_count == 1
    assert report.suggestion is None
    memory = one(report, "memory")
    assert memory.needed
    assert 0.5 < memory.needed < 2
    assert memory.available == 16
    assert "Estimated by diffusers" in memory.source
    assert all(estimate.source and estimate.confidence for estimate in report.estimates)
    assert {estimate.resource for estimate in report.estimates} == {"memory", "disk", "time"}
    assert house.jobs.list().total == 0


def test_a_gpu_that_is_too_small_gets_the_nearest_setting_that_fits(
    house: Isengard, flux: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_gpu(house, monkeypatch, 24)
    report = house.preflight.look(flux)
    assert report.verdict == "does_not_fit"
    assert "GPU memory" in report.reason
    assert "NVIDIA Test has 24 GB" in report.reason
    with pytest.raises(OutOfVram):
        house.training.submit(flux)
    assert report.suggestion
    assert report.suggestion.text.endswith("fits in 24 GB.")
    assert report.suggestion.changes["weight_bits"] == 8
    assert report.suggestion.request.config.preset == "best"
    assert house.preflight.look(report.suggestion.request).verdict in {"fits", "tight"}
    assert house.training.submit(report.suggestion.request).status == "queued"


def test_a_smaller_gpu_gets_smaller_pictures_too(
    house: Isengard, flux: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_gpu(house, monkeypatch, 16)
    balanced = flux.config.model_copy(update={"preset": "balanced"})
    suggestion = house.preflight.look(flux.model_copy(update={"config": balanced})).suggestion
    assert suggestion
    assert suggestion.text == "768 px with 8-bit weights and captions read once fits in 16 GB."
    assert suggestion.changes["caption_dropout"] == 0


def test_no_change_is_suggested_that_is_not_needed(
    house: Isengard, flux: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_gpu(house, monkeypatch, 33)
    suggestion = house.preflight.look(flux).suggestion
    assert suggestion
    for name in suggestion.changes:
        kept = {**suggestion.changes}
        kept.pop(name)
        config = flux.config.model_copy(update=kept)
        if name != "caption_dropout":  # it only goes along with captions that are read once
            assert house.preflight.look(flux.model_copy(update={"config": config})).verdict == "does_not_fit"


def test_where_no_setting_fits_a_smaller_base_model_is_named(
    house: Isengard, runtime: Runtime, flux: TrainingRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_model(house, runtime, "sdxl", SDXL, tmp_path / "again")
    put_gpu(house, monkeypatch, 24, ram_gb=20)  # the weights pass through main memory, whatever the settings
    suggestion = house.preflight.look(flux).suggestion
    assert suggestion
    assert suggestion.text == "Stable Diffusion XL 1.0 fits."
    assert suggestion.changes == {"base_model": "sdxl"}


def test_what_fits_just_so_is_called_tight(
    house: Isengard, pictured: Character, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = one(house.preflight.look(training(pictured)), "memory").needed or 0
    monkeypatch.setattr(house.preflight.arbiter, "ram_gb", needed / 0.95)
    report = house.preflight.look(training(pictured))
    assert report.verdict == "tight"
    assert "may just not be enough" in report.reason
    assert report.suggestion is None


def test_the_queue_refuses_exactly_what_the_oracle_says_does_not_fit(
    house: Isengard, pictured: Character, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.preflight.arbiter, "ram_gb", 0.3)
    assert house.preflight.look(training(pictured)).verdict == "does_not_fit"
    with pytest.raises(OutOfMemory):
        house.training.submit(training(pictured))


def test_a_full_disk_is_no_reason_for_other_settings(
    house: Isengard, runtime: Runtime, pictured: Character, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.storage, "min_free_gb", 1e9)
    report = house.preflight.look(training(pictured))
    assert (report.verdict, report.suggestion) == ("does_not_fit", None)
    assert "of disk" in report.reason


def test_what_can_never_be_trained_raises_as_the_queue_does(house: Isengard, zara: Character) -> None:
    with pytest.raises(Conflict, match="no pictures"):
        house.preflight.look(training(zara))


# --- time and money --------------------------------------------------------------------------


def test_an_unknown_time_is_not_invented(house: Isengard, pictured: Character) -> None:
    report = house.preflight.look(training(pictured), price_per_hour=0.5)
    for resource in ("time", "cost"):
        estimate = one(report, resource)
        assert (estimate.needed, estimate.confidence) == (None, "unknown")
    assert "Nothing was trained" in one(report, "time").source


@pytest.fixture
def ran(house: Isengard, shelve: Callable[..., Lora], pictured: Character) -> Callable[..., None]:
    """Put a LoRA on the shelf whose training was measured."""

    def put(config: dict[str, object], machine: str = "", foretold_gb: float = 1.0, **took: float) -> None:
        lora = shelve(pictured)
        named = {"machine": machine or machine_name(None), "seconds": 100, "setup_seconds": 10, **took}
        changes = {
            "config": {"base_model": "pocket", "batch_size": 8, "resolution": 128, **config},
            "measured": Measured.model_validate(named),
            "forecast": Forecast(ram_gb=foretold_gb),
        }
        house.loras.shelf.save(lora.model_copy(update=changes))

    return put


def test_time_and_cost_come_from_runs_on_this_machine(
    house: Isengard, pictured: Character, ran: Callable[..., None]
) -> None:
    ran({}, seconds_per_step=2.0)
    report = house.preflight.look(training(pictured, steps=101, batch_size=8), price_per_hour=3.6)
    time = one(report, "time")
    assert time.needed == pytest.approx(10 + 100 * 2.0)
    assert time.confidence == "measured"
    assert one(report, "cost").needed == pytest.approx(3.6 * 210 / 3600)


def test_the_settings_price_counts_where_no_other_is_told(
    house: Isengard, pictured: Character, ran: Callable[..., None]
) -> None:
    ran({}, seconds_per_step=2.0)
    priced = replace(house.preflight, price_per_hour=3600.0)
    assert one(priced.look(training(pictured, steps=101, batch_size=8)), "cost").needed == pytest.approx(210)
    assert one(priced.look(training(pictured, steps=101, batch_size=8), 7200), "cost").needed == pytest.approx(420)


def test_other_sizes_are_scaled_and_trusted_less(
    house: Isengard, pictured: Character, ran: Callable[..., None]
) -> None:
    ran({"batch_size": 4}, seconds_per_step=1.0)
    time = one(house.preflight.look(training(pictured, steps=101, batch_size=8)), "time")
    assert time.needed == pytest.approx(10 + 100 * 2.0)
    assert time.confidence == "low"
    assert "scaled" in time.source


def test_runs_on_another_machine_teach_nothing(house: Isengard, pictured: Character, ran: Callable[..., None]) -> None:
    ran({}, machine="NVIDIA Other", seconds_per_step=2.0, peak_ram_gb=9.0)
    report = house.preflight.look(training(pictured))
    assert one(report, "time").needed is None
    assert one(report, "memory").confidence == "low"


def test_a_run_that_took_more_than_foretold_raises_the_estimate(
    house: Isengard, pictured: Character, ran: Callable[..., None]
) -> None:
    before = one(house.preflight.look(training(pictured)), "memory").needed or 0
    ran({}, seconds_per_step=1.0, foretold_gb=1.0, peak_ram_gb=1.5)
    memory = one(house.preflight.look(training(pictured)), "memory")
    assert memory.needed == pytest.approx(1.5 * before)
    assert memory.confidence == "measured"
    ran({}, seconds_per_step=1.0, foretold_gb=1.0, peak_ram_gb=0.4)
    ran({}, seconds_per_step=1.0, foretold_gb=1.0, peak_ram_gb=0.4)
    assert one(house.preflight.look(training(pictured)), "memory").needed == pytest.approx(before)


# --- presets and settings --------------------------------------------------------------------


def test_steps_follow_the_number_of_pictures_within_limits(house: Isengard, pictured: Character) -> None:
    few = house.training.presets("pocket", pictured.id)
    assert {name: config.steps for name, config in few.items()} == {"quick": 200, "balanced": 400, "best": 700}
    assert few["quick"].image_count == 1
    base = house.training.choice.for_training("pocket")
    for images, steps in ((15, 495), (1000, 660)):
        request = training(pictured, image_count=images)
        assert house.training.plugins.training_for(base).defaults(request, base).config.steps == steps


def test_only_settings_with_an_effect_are_offered(
    house: Isengard, flux: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    pocket = house.training.abilities("pocket")
    assert "optimizer" not in pocket.settings
    assert {"steps", "lora_rank", "seed"} <= pocket.settings
    assert pocket.presets["balanced"].source
    on_cpu = house.training.abilities("flux-dev").settings
    put_gpu(house, monkeypatch, 24)
    on_gpu = house.training.abilities("flux-dev").settings
    assert on_gpu - on_cpu == {"weight_bits", "text_encoder_bits", "low_vram", "layer_offloading", "precision"}
    assert not {"lora_alpha", "train_text_encoder"} & on_gpu
    assert flux.config.base_model == "flux-dev"
