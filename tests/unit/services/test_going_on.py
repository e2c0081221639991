"""Checkpoints and trainings that go on from a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from isengard.domain.base import new_id
from isengard.domain.character import Character
from isengard.domain.lora import Lora
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import InvalidInput, NotFound
from isengard.services.house import Isengard
from plugins.diffusers.models import unet_shapes

TARGETS = (".to_q", ".to_k", ".to_v", ".to_out.0", ".ff.net.0.proj", ".ff.net.2", ".proj_in", ".proj_out")


@pytest.fixture
def whole(project_root: Path, tmp_path: Path) -> Callable[..., Path]:
    """A LoRA file of every layer that the pocket model's presets train."""

    def make(rank: int = 4) -> Path:
        shapes = unet_shapes(project_root / "plugins" / "diffusers" / "pocket")
        tensors = {}
        for name, shape in shapes.items():
            layer = name.removesuffix(".weight")
            if name.endswith(".weight") and layer.endswith(TARGETS):
                flat = "lora_unet_" + layer.replace(".", "_")
                tensors[f"{flat}.lora_down.weight"] = np.zeros((rank, *shape[1:]), np.float32)
                tensors[f"{flat}.lora_up.weight"] = np.zeros((shape[0], rank, *[1] * len(shape[2:])), np.float32)
                tensors[f"{flat}.alpha"] = np.float32(rank)[()].reshape(())
        path = tmp_path / f"whole-{rank}.safetensors"
        save_file({key: np.asarray(value) for key, value in tensors.items()}, path)
        return path

    return make


@pytest.fixture
def version(house: Isengard, pictured: Character, whole: Callable[..., Path]) -> Lora:
    lora = Lora(id=new_id("lora"), character_id=pictured.id, character_name="Zara", version="", base_model="pocket")
    return house.loras.shelf.add(whole(), lora.model_copy(update={"rank": 4, "alpha": 2, "steps": 300}))


def asked(character: Character, version: Lora, **config: object) -> TrainingRequest:
    named = TrainingConfig.model_validate(config)
    return TrainingRequest(character_id=character.id, config=named, start_from=version.id)


def test_rank_alpha_and_base_follow_from_the_version(house: Isengard, pictured: Character, version: Lora) -> None:
    request = house.training.plan(asked(pictured, version)).request
    assert (request.config.base_model, request.config.lora_rank, request.config.lora_alpha) == ("pocket", 4, 2)
    assert request.start_from == version.id
    assert house.preflight.look(asked(pictured, version, steps=10)).request.start_from == version.id


@pytest.mark.parametrize(
    ("config", "words"),
    [({"lora_rank": 8}, "has rank 4"), ({"base_model": "sdxl"}, "cannot go on on another base model")],
)
def test_what_the_version_fixes_cannot_be_changed(
    house: Isengard, pictured: Character, version: Lora, config: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as told:
        house.training.submit(asked(pictured, version, **config))
    assert told.value.hint


def test_a_version_of_other_layers_is_refused_before_a_job(
    house: Isengard, pictured: Character, shelve: Callable[..., Lora]
) -> None:
    with pytest.raises(InvalidInput, match="other layers"):
        house.training.submit(asked(pictured, shelve(pictured), lora_rank=4))
    assert house.jobs.list().total == 0


def test_a_version_that_is_gone_is_told(house: Isengard, pictured: Character, version: Lora) -> None:
    house.loras.delete(version.id)
    with pytest.raises(NotFound):
        house.training.submit(asked(pictured, version))


# --- checkpoints -------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(house: Isengard, version: Lora, whole: Callable[..., Path]) -> Lora:
    draft = version.model_copy(update={"job_id": "train-1", "tag_frequency": {"zvka": 1}, "trigger_word": "zvka"})
    return house.loras.shelf.keep_checkpoint(whole(), draft, 100)


def test_a_checkpoint_becomes_a_version_that_says_what_it_is(house: Isengard, checkpoint: Lora, version: Lora) -> None:
    assert house.checkpoints.of_job("train-1") == [checkpoint]
    made = house.checkpoints.make_version(checkpoint.id, "key")
    assert house.checkpoints.make_version(checkpoint.id, "key") == made
    assert (made.version, made.from_checkpoint, made.steps, made.checkpoint) == ("v2", 100, 100, None)
    assert house.loras.shelf.newest(version.character_id) == made
    with safe_open(house.loras.file(made.id), "np") as file:
        told = file.metadata()
    assert (told["ss_steps"], told["ss_output_name"], told["trigger_word"]) == ("100", "Zara", "zvka")
    assert house.loras.shelf.of_job("train-1") is None
    house.checkpoints.delete(checkpoint.id)
    assert house.checkpoints.of_job("train-1") == []
    assert house.loras.file(made.id).exists()


def test_only_checkpoints_that_were_looked_at_may_be_tidied_up(
    house: Isengard, checkpoint: Lora, runtime: object
) -> None:
    (rule,) = [one for one in house.system.watch.clean_up.policies() if one.id == "checkpoints"]
    assert rule.count == 0
    house.checkpoints.of_job("train-1")
    (rule,) = [one for one in house.system.watch.clean_up.policies() if one.id == "checkpoints"]
    assert rule.count == 1


@pytest.mark.parametrize("job_id", ["*", "..", "../..", "train-*", ""])
def test_a_training_is_named_exactly(house: Isengard, checkpoint: Lora, job_id: str) -> None:
    with pytest.raises(NotFound):
        house.checkpoints.of_job(job_id)


def test_a_version_is_no_checkpoint(house: Isengard, version: Lora, checkpoint: Lora) -> None:
    with pytest.raises(NotFound):
        house.checkpoints.make_version(version.id)
    with pytest.raises(InvalidInput):
        house.loras.delete(checkpoint.id)
