"""Characters: names, trigger words, made once, and not deleted under a training's feet."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from isengard.domain.character import Character, CharacterPatch, NewCharacter
from isengard.domain.event import CancelAsked
from isengard.domain.request import TrainingRequest
from isengard.errors import Conflict, InvalidInput, NotFound
from isengard.runtime import Runtime
from isengard.services.house import Isengard
from isengard.services.trigger_word import checked_trigger
from isengard.services.uploads import Upload


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("zvka", "zvka"),
        ("ohwx person", "ohwx person"),
        ("  ohwx \t\n woman ", "ohwx woman"),
        ("OHWX", "OHWX"),
        ("zv-ka", "zv-ka"),
        ("Zoëx9", "Zoëx9"),
        ("чжук", "чжук"),
    ],
)
def test_a_rare_word_is_a_good_trigger(given: str, kept: str) -> None:
    assert checked_trigger(given) == kept


@pytest.mark.parametrize("word", ["person", "Woman", "CAT", "a person", "the cat", "x y", "1", "sarah", " man "])
def test_an_ordinary_word_is_refused_as_a_trigger(word: str) -> None:
    with pytest.raises(InvalidInput, match="is an ordinary word") as told:
        checked_trigger(word)
    assert "ohwx" in told.value.hint


@pytest.mark.parametrize(
    "word", ["", " ", "oh/wx", "<lora:x:1>", "ohwx, person", "ohwx\0", "-ohwx", "(ohwx:1.2)", "oh\u202ewx"]
)
def test_a_trigger_of_other_signs_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match="letters and digits only"):
        checked_trigger(word)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Zara", "Zara"),
        ("  Zara \t the\n Great ", "Zara the Great"),
        ("Za\x00ra\x1b[31m\u202e", "Zara[31m"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("<b>Zara</b>", "<b>Zara</b>"),
        ("ザラ 🦊", "ザラ 🦊"),
    ],
)
def test_a_name_is_for_showing_and_never_for_paths(house: Isengard, runtime: Runtime, given: str, kept: str) -> None:
    made = house.characters.create(NewCharacter(name=given, trigger_word="zvka"))
    assert made.name == kept
    assert house.characters.get(made.id) == made
    assert [path.name for path in runtime.storage.characters().iterdir()] == [f"{made.id}.json"]


@pytest.mark.parametrize("name", [" ", "\x00\x01", "\u200b\u202e\n"])
def test_a_name_without_a_sign_to_show_is_refused(house: Isengard, zara: Character, name: str) -> None:
    with pytest.raises(InvalidInput, match="name is empty"):
        house.characters.create(NewCharacter(name=name, trigger_word="zvka"))
    with pytest.raises(InvalidInput, match="name is empty"):
        house.characters.update(zara.id, CharacterPatch(name=name))
    assert house.characters.list().total == 1


def test_a_key_seen_before_gives_the_earlier_character(house: Isengard) -> None:
    new = NewCharacter(name="Zara", trigger_word="zvka")
    first = house.characters.create(new, "key")
    assert house.characters.create(new, "key") == first
    assert house.characters.create(new).id != first.id
    assert house.characters.list().total == 2


def test_a_key_whose_request_failed_may_be_used_again(
    house: Isengard, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = NewCharacter(name="Zara", trigger_word="zvka")
    with monkeypatch.context() as broken:
        broken.setattr(type(runtime.storage), "write_bytes", lambda *_: (_ for _ in ()).throw(OSError("broken")))
        with pytest.raises(OSError, match="broken"):
            house.characters.create(new, "key")
    assert house.characters.create(new, "key").name == "Zara"


def test_a_key_whose_character_is_deleted_is_refused_in_words(house: Isengard) -> None:
    new = NewCharacter(name="Zara", trigger_word="zvka")
    house.characters.delete(house.characters.create(new, "key").id)
    with pytest.raises(Conflict, match="Idempotency-Key"):
        house.characters.create(new, "key")


def test_only_what_is_given_is_changed(house: Isengard, zara: Character) -> None:
    changed = house.characters.update(zara.id, CharacterPatch(description="Red hair.", consent="self"))
    assert (changed.name, changed.trigger_word) == ("Zara", "zvka person")
    assert (changed.description, changed.consent) == ("Red hair.", "self")
    assert changed.updated_at > zara.updated_at
    assert changed.created_at == zara.created_at
    with pytest.raises(InvalidInput):
        house.characters.update(zara.id, CharacterPatch(trigger_word="cat"))
    assert house.characters.get(zara.id) == changed


def test_an_unknown_character_is_not_found_by_anything(house: Isengard) -> None:
    for wrong in ("char-none", "../../x", ""):
        for ask in (house.characters.get, house.characters.delete, house.datasets.images):
            with pytest.raises(NotFound):
                ask(wrong)
        with pytest.raises(NotFound):
            house.characters.update(wrong, CharacterPatch(name="x"))


def test_a_character_in_training_is_not_deleted(house: Isengard, runtime: Runtime, pictured: Character) -> None:
    job = house.training.submit(TrainingRequest(character_id=pictured.id))
    with pytest.raises(Conflict, match="Zara is being trained"):
        house.characters.delete(pictured.id)
    assert house.characters.get(pictured.id) == pictured
    runtime.queue.record(job.id, CancelAsked())
    house.characters.delete(pictured.id)
    with pytest.raises(NotFound):
        house.characters.get(pictured.id)


def test_the_sample_character_comes_whole(house: Isengard) -> None:
    sample = house.characters.create_sample("key")
    assert (sample.sample, sample.consent, sample.image_count) == (True, "fictional", 12)
    assert checked_trigger(sample.trigger_word) == sample.trigger_word
    assert all(sample.trigger_word in image.caption for image in house.datasets.images(sample.id).items)
    assert house.characters.create_sample("key") == sample
    assert house.characters.list().total == 1


def test_a_sample_that_cannot_be_made_whole_is_not_there_at_all(
    house: Isengard, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("isengard.infra.library.datasets.DatasetShelf.edit", refuse)
        with pytest.raises(OSError, match="No space"):
            house.characters.create_sample()
    assert house.characters.list().total == 0
    assert list(runtime.storage.root.rglob("*.jpg")) == []


def test_the_record_on_disk_is_plain_json(house: Isengard, runtime: Runtime, encoded: Callable[..., bytes]) -> None:
    made = house.characters.create(NewCharacter(name="Zoë", trigger_word="zvka"))
    house.datasets.add(made.id, [Upload("a.jpg", encoded())])
    record = json.loads(runtime.storage.character(made.id).read_text(encoding="utf-8"))
    assert record["name"] == "Zoë"
    assert "image_count" not in record  # counted from what is there
    assert house.characters.get(made.id).image_count == 1
