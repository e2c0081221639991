"""Deleted LoRAs come back as they were, whatever broke a move off, and go for good after a week."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from isengard.domain.base import new_id, utc_now
from isengard.domain.lora import Lora
from isengard.errors import Conflict, NotFound
from isengard.infra.library import LoraShelf, LoraTrash
from isengard.infra.library.lora_trash import KEPT
from isengard.infra.storage import Storage


class Broken(Exception):
    """The machine went down."""


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "volume")
    made.prepare()
    return made


@pytest.fixture
def shelf(storage: Storage) -> LoraShelf:
    return LoraShelf(storage)


@pytest.fixture
def trash(storage: Storage, shelf: LoraShelf) -> LoraTrash:
    return LoraTrash(storage, shelf)


@pytest.fixture
def lora(shelf: LoraShelf, tmp_path: Path) -> Lora:
    (tmp_path / "weights").write_bytes(b"tensors")
    (tmp_path / "sample.webp").write_bytes(b"picture")
    made = Lora(id=new_id("lora"), character_id="char-1", character_name="Zara", version="", base_model="pocket")
    return shelf.add(tmp_path / "weights", made, samples=[tmp_path / "sample.webp"])


def test_what_is_restored_is_what_was_deleted(shelf: LoraShelf, trash: LoraTrash, lora: Lora, storage: Storage) -> None:
    trash.put(lora)
    assert shelf.all() == []
    (deleted,) = trash.list()
    assert deleted.deleted_at is not None
    assert trash.restore(lora.id) == lora
    assert shelf.all() == [lora]
    assert shelf.path(lora).read_bytes() == b"tensors"
    assert [path.read_bytes() for path in shelf.samples(lora)] == [b"picture"]
    assert trash.list() == []
    assert not storage.trashed_lora(lora.id).exists()


def test_the_number_of_a_deleted_version_stays_its_own(
    shelf: LoraShelf, trash: LoraTrash, lora: Lora, tmp_path: Path
) -> None:
    trash.put(lora)
    again = shelf.add(tmp_path / "weights", lora.model_copy(update={"id": new_id("lora")}))
    assert again.version == "v2"
    trash.restore(lora.id)
    assert [one.version for one in shelf.all()] == ["v2", "v1"]
    trash.put(lora)
    trash.remove(lora.id)
    assert shelf.add(tmp_path / "weights", lora.model_copy(update={"id": new_id("lora")})).version == "v3"


@pytest.mark.parametrize("step", range(9))
@pytest.mark.parametrize("move", ["put", "restore"])
def test_a_move_that_is_broken_off_loses_nothing_and_can_be_repeated(
    shelf: LoraShelf, trash: LoraTrash, lora: Lora, monkeypatch: pytest.MonkeyPatch, step: int, move: str
) -> None:
    if move == "restore":
        trash.put(lora)
    count = 0

    def breaking(kept: object) -> object:
        def call(*arguments: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count > step:
                raise Broken
            return kept(*arguments, **named)  # type: ignore[operator]

        return call

    with monkeypatch.context() as patch:
        for name in ("write_bytes", "publish", "remove"):
            patch.setattr(Storage, name, breaking(getattr(Storage, name)))
        patch.setattr(Path, "unlink", breaking(Path.unlink))
        try:
            trash.put(lora) if move == "put" else trash.restore(lora.id)
        except Broken:
            assert count > step
    there, deleted = shelf.all(), trash.list()
    assert len(there) + len(deleted) == 1
    if there:
        trash.put(lora)
    assert trash.restore(lora.id) == lora
    assert [path.read_bytes() for path in shelf.samples(lora)] == [b"picture"]


def test_what_was_deleted_a_week_ago_is_gone(trash: LoraTrash, lora: Lora, storage: Storage) -> None:
    trash.put(lora)
    record = storage.trashed_lora(lora.id) / "lora.json"
    old = json.loads(record.read_text()) | {"deleted_at": (utc_now() - KEPT + timedelta(minutes=1)).isoformat()}
    record.write_text(json.dumps(old))
    assert len(trash.list()) == 1
    record.write_text(json.dumps(old | {"deleted_at": (utc_now() - KEPT).isoformat()}))
    assert trash.list() == []
    with pytest.raises(NotFound):
        trash.restore(lora.id)


def test_a_place_that_is_taken_is_not_written_over(
    shelf: LoraShelf, trash: LoraTrash, lora: Lora, storage: Storage
) -> None:
    trash.put(lora)
    storage.write_bytes(shelf.path(lora), b"another")
    with pytest.raises(Conflict):
        trash.restore(lora.id)
    assert len(trash.list()) == 1
    assert shelf.path(lora).read_bytes() == b"another"


# --- checkpoints -------------------------------------------------------------------------------


def test_checkpoints_are_found_by_their_training_and_never_listed_as_versions(
    shelf: LoraShelf, lora: Lora, tmp_path: Path
) -> None:
    draft = lora.model_copy(update={"job_id": "train-1"})
    for step, content in ((20, b"later"), (10, b"early"), (20, b"again")):
        (tmp_path / "weights").write_bytes(content)
        shelf.keep_checkpoint(tmp_path / "weights", draft, step)
        (tmp_path / "weights").unlink()
    early, later = shelf.checkpoints("train-1")
    assert (early.id, early.label, early.steps) == ("train-1.step-10", "Zara step 10", 10)
    assert shelf.path(later).read_bytes() == b"again"
    assert shelf.get("train-1.step-20") == later
    assert early.sha256 != later.sha256
    assert shelf.all() == [lora]
    shelf.delete_checkpoint(early)
    shelf.delete_checkpoint(later)
    assert shelf.checkpoints("train-1") == []
    assert not shelf.path(later).parent.exists()
    with pytest.raises(NotFound):
        shelf.get("train-1.step-20")


@pytest.mark.parametrize("name", ["../x.step-1", "train-1.step--1", "train-1.step-", "*.step-1", ""])
def test_an_id_that_is_no_checkpoint_s_is_not_found(shelf: LoraShelf, name: str) -> None:
    with pytest.raises(NotFound):
        shelf.get(name)
