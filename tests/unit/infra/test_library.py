"""The library: characters, pictures, LoRA versions and outputs, as they lie on the disk."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from isengard.domain.base import new_id
from isengard.domain.character import Character
from isengard.domain.lora import Lora
from isengard.domain.output import Output
from isengard.errors import InvalidInput, NotFound
from isengard.infra.library import CharacterShelf, LoraShelf, LoraTrash, OutputShelf
from isengard.infra.storage import Storage


@pytest.fixture
def characters(storage: Storage) -> CharacterShelf:
    return CharacterShelf(storage)


@pytest.fixture
def loras(storage: Storage) -> LoraShelf:
    return LoraShelf(storage)


@pytest.fixture
def outputs(storage: Storage) -> OutputShelf:
    return OutputShelf(storage)


@pytest.fixture
def zara(characters: CharacterShelf) -> Character:
    character = Character(id=new_id("char"), name="Zara", trigger_word="zvka")
    characters.save(character)
    return character


def together(*tasks: Callable[[], object]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lora(character_id: str = "char-1", **fields: object) -> Lora:
    return Lora(id=new_id("lora"), character_id=character_id, version="", base_model="pocket", **fields)


def output(storage: Storage, job_id: str, index: int, character_id: str = "char-1") -> Output:
    path = storage.outputs(job_id) / f"{index:03d}.png"
    storage.write_bytes(path, b"png")
    where = {"path": storage.relative(path), "character_id": character_id}
    return Output(id=f"{job_id}.{index}", job_id=job_id, seed=index, width=64, height=64, **where)


# --- characters -------------------------------------------------------------------------------


def test_characters_are_listed_newest_first_page_by_page(characters: CharacterShelf) -> None:
    ids = [new_id("char") for _ in range(5)]
    for identifier in ids:
        characters.save(Character(id=identifier, name="x", trigger_word="zvka"))
    seen: list[str] = []
    cursor = None
    while True:
        page = characters.list(cursor, 2)
        seen += [character.id for character in page.items]
        assert page.total == 5
        cursor = page.next
        if cursor is None:
            break
    assert seen == ids[::-1]


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_page_has_1_to_200_items(characters: CharacterShelf, outputs: OutputShelf, limit: int) -> None:
    with pytest.raises(InvalidInput):
        characters.list(None, limit)
    with pytest.raises(InvalidInput):
        outputs.list(None, None, limit)


def test_an_unknown_character_or_picture_is_not_found(characters: CharacterShelf, zara: Character) -> None:
    for wrong in ("char-none", "../characters", "char-\0"):
        with pytest.raises(NotFound):
            characters.get(wrong)
    with pytest.raises(NotFound):
        characters.datasets.image(zara.id, "img-none")


def test_changes_by_several_threads_do_not_undo_each_other(characters: CharacterShelf, zara: Character) -> None:
    def note(word: str) -> None:
        characters.change(zara.id, lambda old: old.model_copy(update={"description": old.description + word}))

    together(*(lambda w=w: note(w) for w in "abcdef"))
    assert sorted(characters.get(zara.id).description) == list("abcdef")


# --- LoRA versions ---------------------------------------------------------------------------


def test_versions_count_up_and_carry_their_lineage(loras: LoraShelf, tmp_path: Path, storage: Storage) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"tensors")
    first, second = (loras.add(weights, lora(config={"steps": n}, job_id=f"train-{n}")) for n in (1, 2))
    assert (first.version, second.version) == ("v1", "v2")
    assert second.sha256 == hashlib.sha256(b"tensors").hexdigest()
    assert second.bytes == 7
    assert loras.path(second).read_bytes() == b"tensors"
    assert loras.newest("char-1") == second
    assert loras.of_job("train-1") == first
    assert loras.of_job("train-9") is None
    written = json.loads((storage.loras("char-1") / "training_config.json").read_text())
    assert written == {"steps": 2, "version": "v2"}


def test_versions_are_never_overwritten_even_by_many_threads_at_once(loras: LoraShelf, tmp_path: Path) -> None:
    def make(n: int) -> None:
        weights = tmp_path / f"weights-{n}"
        weights.write_bytes(f"tensors {n}".encode())
        loras.add(weights, lora(note=f"tensors {n}"))

    together(*(lambda n=n: make(n) for n in range(8)))
    made = loras.all("char-1")
    assert sorted(one.version for one in made) == [f"v{n}" for n in range(1, 9)]
    assert all(loras.path(one).read_text() == one.note for one in made)


def test_a_failed_copy_leaves_no_version_behind(loras: LoraShelf, tmp_path: Path, storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        loras.add(tmp_path / "gone", lora())
    assert list(storage.loras("char-1").iterdir()) == []


def test_a_version_number_is_not_given_again_after_a_later_one(
    loras: LoraShelf, tmp_path: Path, storage: Storage
) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"x")
    first, _ = (loras.add(weights, lora()) for _ in range(2))
    LoraTrash(storage, loras).put(first)
    assert loras.add(weights, lora()).version == "v3"


def test_weights_without_a_record_and_a_record_without_weights_are_not_listed(
    loras: LoraShelf, tmp_path: Path, storage: Storage
) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"x")
    kept, lost = (loras.add(weights, lora()) for _ in range(2))
    loras.path(lost).unlink()
    storage.write_bytes(storage.loras("char-1") / "v9.safetensors", b"x")
    assert loras.all() == [kept]
    assert loras.list("char-1", None, 10).total == 1


def test_a_lora_can_be_noted_and_deleted(loras: LoraShelf, tmp_path: Path, storage: Storage) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"x")
    one = loras.add(weights, lora())
    loras.save(one.model_copy(update={"note": "the best"}))
    assert loras.get(one.id).note == "the best"
    LoraTrash(storage, loras).put(one)
    with pytest.raises(NotFound):
        loras.get(one.id)


# --- outputs ---------------------------------------------------------------------------------


def test_outputs_are_paged_newest_job_first_through_every_picture(storage: Storage, outputs: OutputShelf) -> None:
    jobs = [new_id("gen") for _ in range(3)]
    for job_id in jobs:
        outputs.save(job_id, [output(storage, job_id, index) for index in range(3)])
    expected = [f"{job_id}.{index}" for job_id in jobs[::-1] for index in range(3)]
    for limit in (1, 2, 4, 9, 50):
        seen: list[str] = []
        page = outputs.list(None, None, limit)
        seen += [o.id for o in page.items]
        while page.next:
            page = outputs.list(None, page.next, limit)
            seen += [o.id for o in page.items]
        assert seen == expected, limit
    assert page.total == 9


def test_a_page_goes_on_after_a_picture_that_was_deleted(storage: Storage, outputs: OutputShelf) -> None:
    job_id = new_id("gen")
    outputs.save(job_id, [output(storage, job_id, index) for index in range(4)])
    page = outputs.list(None, None, 2)
    outputs.delete(page.items[1])
    assert page.next is not None
    assert [o.seed for o in outputs.list(None, page.next, 2).items] == [2, 3]


def test_outputs_of_one_character_are_found(storage: Storage, outputs: OutputShelf) -> None:
    jobs = [new_id("gen") for _ in range(2)]
    for job_id, who in zip(jobs, ("char-1", "char-2"), strict=True):
        outputs.save(job_id, [output(storage, job_id, 0, who)])
    assert [o.job_id for o in outputs.list("char-1", None, 10).items] == [jobs[0]]


def test_pictures_deleted_at_the_same_time_are_all_gone(storage: Storage, outputs: OutputShelf) -> None:
    job_id = new_id("gen")
    made = [output(storage, job_id, index) for index in range(6)]
    outputs.save(job_id, made)
    together(*(lambda o=o: outputs.delete(o) for o in made[:5]))
    assert [o.id for o in outputs.of_job(job_id)] == [made[5].id]
    outputs.delete(made[5])
    assert not storage.outputs(job_id).exists()
    for wrong in (made[5].id, "gen-none.0", "nonsense", "../../x.0"):
        with pytest.raises(NotFound):
            outputs.get(wrong)
