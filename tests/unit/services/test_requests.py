"""Trainings and generations: what is filled in, and what is refused before it becomes a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isengard.domain.character import Character
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, LoraUse, TrainingConfig, TrainingRequest
from isengard.errors import BackendUnavailable, Conflict, DiskFull, InvalidInput, NotFound, OutOfMemory
from isengard.observability import request_context
from isengard.runtime import Runtime
from isengard.services.house import Isengard

Shelve = Callable[..., Lora]

FILLED = {"base_model", "steps", "learning_rate", "lora_rank", "lora_alpha", "batch_size", "resolution", "save_every"}


def training(character: Character, **config: object) -> TrainingRequest:
    return TrainingRequest(character_id=character.id, config=TrainingConfig.model_validate(config))


# --- training --------------------------------------------------------------------------------


def test_a_training_is_queued_with_every_field_filled(house: Isengard, pictured: Character) -> None:
    with request_context("api", "corr-7"):
        job = house.training.submit(training(pictured, steps=10))
    assert isinstance(job.request, TrainingRequest)
    config = job.request.config
    assert config.base_model == "pocket"
    assert config.steps == 10
    assert None not in config.model_dump(include=FILLED).values()
    assert (job.status, job.correlation_id, job.character_id) == ("queued", "corr-7", pictured.id)
    assert job.title == "Zara: training, 10 steps"
    assert house.jobs.get(job.id) == job


def test_what_a_person_chose_is_kept(house: Isengard, pictured: Character) -> None:
    chosen = {"steps": 7, "learning_rate": 0.003, "lora_rank": 2, "lora_alpha": 5.0, "batch_size": 2, "seed": 9}
    config = house.training.plan(training(pictured, **chosen)).request.config
    assert config.model_dump(include=set(chosen)) == chosen


def test_a_setting_without_effect_is_refused(house: Isengard, pictured: Character) -> None:
    with pytest.raises(InvalidInput, match="optimizer"):
        house.training.submit(training(pictured, optimizer="adamw8bit"))
    assert house.jobs.list().total == 0


def test_every_preset_is_whole_and_they_differ(house: Isengard) -> None:
    presets = house.training.presets()
    assert set(presets) == {"quick", "balanced", "best"}
    assert len({config.steps for config in presets.values()}) == 3
    assert all(None not in config.model_dump(include=FILLED).values() for config in presets.values())


def test_a_plan_tells_what_it_will_take_and_advises(house: Isengard, pictured: Character) -> None:
    plan = house.training.plan(training(pictured))
    assert plan.base_model.id == "pocket"
    assert plan.needs.ram_gb > 0
    assert any("few" in said for said in plan.advice)
    assert house.jobs.list().total == 0


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"base_model": "no-such-model"}, NotFound, "no-such-model"),
        ({"base_model": "yunet-sface"}, NotFound, "not a base model"),
        ({"base_model": "flux-schnell"}, BackendUnavailable, "Nothing here can train"),
    ],
)
def test_a_base_model_that_cannot_be_trained_here_is_refused(
    house: Isengard, pictured: Character, config: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        house.training.submit(training(pictured, **config))
    assert house.jobs.list().total == 0


def test_a_training_without_pictures_is_refused_with_what_to_do(house: Isengard, zara: Character) -> None:
    with pytest.raises(Conflict, match="Zara has no pictures yet") as told:
        house.training.submit(training(zara))
    assert "Add" in told.value.hint


def test_a_training_of_nobody_is_refused(house: Isengard) -> None:
    with pytest.raises(NotFound):
        house.training.submit(TrainingRequest(character_id="char-none"))


def test_a_training_that_can_never_fit_is_refused(
    house: Isengard, runtime: Runtime, pictured: Character, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as small:
        small.setattr(house.training.arbiter, "ram_gb", 0.1)
        with pytest.raises(OutOfMemory):
            house.training.submit(training(pictured))
    monkeypatch.setattr(runtime.storage, "min_free_gb", 1e9)
    with pytest.raises(DiskFull):
        house.training.submit(training(pictured))
    assert house.jobs.list().total == 0


def test_a_key_seen_before_gives_the_earlier_job(house: Isengard, pictured: Character) -> None:
    jobs = [house.training.submit(training(pictured), "key") for _ in range(2)]
    assert jobs[0] == jobs[1]
    pictures = [house.generation.submit(GenerationRequest(prompt="a cat"), "key") for _ in range(2)]
    assert pictures[0] == pictures[1]  # although each would have drawn a seed of its own
    assert house.jobs.list().total == 2


# --- generation ------------------------------------------------------------------------------


def test_a_generation_is_queued_with_every_field_filled(house: Isengard) -> None:
    job = house.generation.submit(GenerationRequest(prompt="a cat" * 30, count=4))
    request = job.request
    assert isinstance(request, GenerationRequest)
    assert request.base_model == "pocket"
    wanted = {"prompt", "base_model", "width", "height", "steps", "guidance_scale", "sampler", "seed"}
    assert None not in request.model_dump(include=wanted).values()
    assert job.title.startswith("4 pictures: a cat")
    assert len(job.title) <= 75


def test_a_seed_is_drawn_anew_unless_it_is_given(house: Isengard) -> None:
    seeds = {house.generation.filled(GenerationRequest(prompt="a cat"))[0].seed for _ in range(5)}
    assert len(seeds) == 5
    assert house.generation.filled(GenerationRequest(prompt="a cat", seed=0))[0].seed == 0


def test_a_character_stands_for_its_newest_lora(house: Isengard, zara: Character, shelve: Shelve) -> None:
    shelve(zara)
    newest = shelve(zara)
    asked = GenerationRequest(prompt="zvka person", character_id=zara.id, lora_strength=0.7)
    request, base = house.generation.filled(asked)
    assert request.loras == (LoraUse(id=newest.id, strength=0.7),)
    assert base.id == "pocket"
    assert house.generation.submit(asked).character_id == zara.id


def test_a_character_without_a_lora_is_refused_with_what_to_do(house: Isengard, zara: Character) -> None:
    with pytest.raises(Conflict, match="Zara has no LoRA yet") as told:
        house.generation.submit(GenerationRequest(prompt="zvka", character_id=zara.id))
    assert "Train one" in told.value.hint


def test_a_lora_of_another_family_is_refused(house: Isengard, zara: Character, shelve: Shelve) -> None:
    other = shelve(zara, base_model="sd15")
    with pytest.raises(InvalidInput, match=r"trained on sd15; it does not fit Pocket") as told:
        house.generation.submit(GenerationRequest(prompt="zvka", base_model="pocket", loras=(LoraUse(id=other.id),)))
    assert "sd15" in told.value.hint


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"base_model": "no-such-model"}, NotFound, "no-such-model"),
        ({"base_model": "yunet-sface"}, NotFound, "not a base model"),
        ({"base_model": "sdxl"}, BackendUnavailable, "Nothing here can generate"),
        ({"loras": ({"id": "lora-none"},)}, NotFound, "no such LoRA"),
        ({"character_id": "char-none"}, NotFound, "no such character"),
        ({"sampler": "magic"}, InvalidInput, "no sampler 'magic'"),
    ],
)
def test_a_generation_that_cannot_run_is_refused(
    house: Isengard, fields: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        house.generation.submit(GenerationRequest.model_validate({"prompt": "a cat", **fields}))
    assert house.jobs.list().total == 0


def test_a_lora_file_is_taken_in_only_when_it_fits(house: Isengard, weights: Path, tmp_path: Path) -> None:
    taken = house.loras.add(weights, "From\x00 a friend", "pocket", "zvka", "key")
    assert (taken.label, taken.trigger_word) == ("From a friend v1", "zvka")
    assert house.loras.file(taken.id).read_bytes() == weights.read_bytes()
    assert house.loras.add(weights, "x", "pocket", "zvka", "key") == taken
    wrong = tmp_path / "wrong.safetensors"
    for content in (b"", b"pickle", bytes(100), weights.read_bytes().replace(b"lora_A", b"lora_X")):
        wrong.write_bytes(content)
        with pytest.raises(InvalidInput):
            house.loras.add(wrong, "x", "pocket", "zvka")
    assert house.loras.list().total == 1
