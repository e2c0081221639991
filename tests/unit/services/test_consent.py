"""Whose face it is: asked once, recorded, and needed before a training that could make a likeness."""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.domain.character import STATEMENTS, Character, CharacterPatch, ConsentStatement, NewCharacter
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import Conflict
from isengard.runtime import Runtime
from isengard.services.consent import require_consent
from isengard.services.house import Isengard
from isengard.services.uploads import Upload
from tests.unit.services.large import SDXL, put_gpu, put_model

PHOTOS = Path(__file__).parents[2] / "photos"


@pytest.fixture
def nobody(house: Isengard) -> Character:
    """A character with a photograph, of which nobody has said whose face it is."""
    made = house.characters.create(NewCharacter(name="Nobody", trigger_word="zvka"))
    house.datasets.add(made.id, [Upload("hopper.jpg", (PHOTOS / "hopper.jpg").read_bytes())])
    return made


def test_consent_is_recorded_with_who_when_and_the_words(house: Isengard, nobody: Character) -> None:
    assert nobody.consent_record is None
    stated = house.characters.state_consent(
        nobody.id, ConsentStatement(kind="with_permission", by="Sam Field", note="by mail of 3 May")
    )
    record = house.characters.get(nobody.id).consent_record
    assert record == stated.consent_record
    assert record is not None
    assert (record.kind, record.by, record.note) == ("with_permission", "Sam Field", "by mail of 3 May")
    assert record.statement == STATEMENTS["with_permission"]
    assert record.stated_at >= nobody.created_at
    assert house.characters.update(nobody.id, CharacterPatch(consent="with_permission")).consent_record == record
    assert house.characters.update(nobody.id, CharacterPatch(consent="self")).consent_record != record


def test_a_consent_given_with_the_character_is_recorded_too(house: Isengard) -> None:
    made = house.characters.create(NewCharacter(name="Me", trigger_word="zvka", consent="self"))
    assert made.consent_record is not None
    assert made.consent_record.statement == STATEMENTS["self"]


def test_training_a_real_base_model_needs_consent(house: Isengard, nobody: Character) -> None:
    real = house.models.choice.registry.get("sdxl")
    pocket = house.models.choice.registry.get("pocket")
    with pytest.raises(Conflict, match="Nobody has said yet whose face Nobody has") as told:
        require_consent(nobody, real)
    assert "PUT /api/characters" in told.value.hint
    require_consent(nobody, pocket)
    house.characters.state_consent(nobody.id, ConsentStatement(kind="self"))
    require_consent(house.characters.get(nobody.id), real)


def test_a_training_is_refused_for_want_of_consent_and_the_plan_says_so(
    house: Isengard, runtime: Runtime, nobody: Character, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_model(house, runtime, "sdxl", SDXL, tmp_path / "aitoolkit")
    put_gpu(house, monkeypatch, 48)
    request = TrainingRequest(character_id=nobody.id, config=TrainingConfig(base_model="sdxl"))
    assert any("whose face" in advice for advice in house.training.plan(request).advice)
    with pytest.raises(Conflict, match="whose face"):
        house.training.submit(request)
    assert house.jobs.list().total == 0
    house.characters.state_consent(nobody.id, ConsentStatement(kind="self"))
    assert house.training.submit(request).status == "queued"
