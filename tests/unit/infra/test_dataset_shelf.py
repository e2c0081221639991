"""A dataset on disk: what each edit does to records and files, undo and redo, and what training is given."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from isengard.domain.dataset import TrainingImage
from isengard.errors import Conflict, NotFound
from isengard.infra import pictures
from isengard.infra.library import CharacterShelf, DatasetShelf
from isengard.infra.library.steps import MAX_EDITS
from isengard.infra.storage import Storage

Encoded = Callable[..., bytes]
Change = Callable[[list[TrainingImage]], list[TrainingImage]]


def having(image: TrainingImage, **fields: object) -> Change:
    changed = image.model_copy(update=fields)
    return lambda rows: [changed if row.id == image.id else row for row in rows]


def without(image: TrainingImage) -> Change:
    return lambda rows: [row for row in rows if row.id != image.id]


def files(storage: Storage, character_id: str) -> dict[str, list[str]]:
    """Every file of the dataset by folder, endings only."""
    folders = (storage.dataset_images, storage.dataset_held_out, storage.dataset_removed, storage.uploads)
    listed = {place.__name__.removeprefix("dataset_"): place(character_id) for place in folders}
    return {name: sorted(p.suffix for p in path.iterdir()) if path.is_dir() else [] for name, path in listed.items()}


def test_a_picture_lies_beside_its_caption_and_its_original(
    shelf: DatasetShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage], people: CharacterShelf
) -> None:
    image = add(1, caption="zvka smiling")
    assert shelf.images(zara) == [image]
    assert people.get(zara).image_count == 1
    assert shelf.curated(zara, image).with_suffix(".txt").read_text() == "zvka smiling"
    assert shelf.thumb(zara, image).read_bytes()[8:12] == b"WEBP"
    assert files(storage, zara) == {"images": [".png", ".txt"], "held_out": [], "removed": [], "uploads": [".jpg"]}
    assert json.loads(storage.dataset_metadata(zara).read_text())["version"] == 2


def test_undo_and_redo_bring_records_and_files_back(
    shelf: DatasetShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage]
) -> None:
    first, second = add(1), add(2)
    shelf.edit(zara, "Removed 1.jpg", without(first))
    shelf.edit(zara, "Captioned 2.jpg", having(second, caption="new"))
    assert files(storage, zara)["removed"] == [".png"]
    states = [shelf.images(zara)]
    for _ in range(4):
        shelf.undo(zara)
        states.append(shelf.images(zara))
    assert [len(state) for state in states] == [1, 1, 2, 1, 0]
    assert files(storage, zara)["images"] == []
    with pytest.raises(Conflict, match="nothing to undo"):
        shelf.undo(zara)
    for state in states[-2::-1]:
        shelf.redo(zara)
        assert shelf.images(zara) == state
        for image in state:
            assert shelf.curated(zara, image).with_suffix(".txt").read_text() == image.caption
    with pytest.raises(Conflict, match="nothing to do again"):
        shelf.redo(zara)
    assert shelf.original(zara, first).is_file()


def test_a_new_edit_ends_what_could_be_done_again(
    shelf: DatasetShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage]
) -> None:
    add(1)
    add(2)
    shelf.undo(zara)
    assert shelf.history(zara).redo == "Added 2.jpg"
    add(3)
    history = shelf.history(zara)
    assert (history.undo, history.redo) == ("Added 3.jpg", None)
    assert [line.label for line in history.edits] == ["Added 3.jpg", "Added 1.jpg"]
    assert files(storage, zara)["uploads"] == [".jpg", ".jpg"]  # the second one's is gone


def test_edits_of_one_batch_are_one_step(shelf: DatasetShelf, zara: str, add: Callable[..., TrainingImage]) -> None:
    for tint in range(3):
        add(tint, batch="drop-1")
    add(9, batch="drop-2")
    assert [line.label for line in shelf.history(zara).edits] == ["Added 9.jpg", "Added 3 pictures"]
    shelf.undo(zara)
    shelf.undo(zara)
    assert shelf.images(zara) == []
    shelf.redo(zara)
    assert [image.filename for image in shelf.images(zara)] == ["0.jpg", "1.jpg", "2.jpg"]


def test_an_edit_that_changes_nothing_is_no_step(
    shelf: DatasetShelf, zara: str, add: Callable[..., TrainingImage]
) -> None:
    image = add(1)
    shelf.edit(zara, "Captioned 1.jpg", having(image))
    assert len(shelf.history(zara).edits) == 1


def test_an_edit_that_fails_leaves_everything_as_it_was(
    shelf: DatasetShelf, zara: str, add: Callable[..., TrainingImage]
) -> None:
    image = add(1)

    def refuse(_: list[TrainingImage]) -> list[TrainingImage]:
        raise Conflict("No.", "Never.")

    with pytest.raises(Conflict):
        shelf.edit(zara, "Removed 1.jpg", refuse)
    assert shelf.images(zara) == [image]
    assert len(shelf.history(zara).edits) == 1


def test_forgetting_deletes_what_only_the_history_kept(
    shelf: DatasetShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage]
) -> None:
    first, second = add(1), add(2)
    shelf.edit(zara, "Removed 1.jpg", without(first))
    shelf.forget(zara)
    assert files(storage, zara) == {"images": [".png", ".txt"], "held_out": [], "removed": [], "uploads": [".jpg"]}
    assert shelf.images(zara) == [second]
    assert shelf.history(zara).edits == ()


def test_the_oldest_steps_go_and_their_files_with_them(
    shelf: DatasetShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage]
) -> None:
    first, second = add(1), add(2)
    shelf.edit(zara, "Removed 1.jpg", without(first))
    for number in range(MAX_EDITS):
        shelf.edit(zara, "Captioned 2.jpg", having(second, caption=str(number)))
    assert len(shelf.history(zara).edits) == MAX_EDITS
    assert files(storage, zara)["removed"] == []
    assert files(storage, zara)["uploads"] == [".jpg"]


def test_an_edit_cut_off_before_its_record_never_happened_and_can_be_done_again(
    shelf: DatasetShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add(1)
    real = Storage.write_json

    def die(self: Storage, target: Path, value: object) -> None:
        if target.name == "metadata.json":
            raise KeyboardInterrupt
        real(self, target, value)

    with monkeypatch.context() as cut:
        cut.setattr(Storage, "write_json", die)
        with pytest.raises(KeyboardInterrupt):
            shelf.edit(zara, "Removed 1.jpg", without(image))
    assert shelf.images(zara) == [image]
    assert shelf.curated(zara, image).is_file()
    shelf.redo(zara)
    assert shelf.images(zara) == []
    shelf.undo(zara)
    assert shelf.curated(zara, image).is_file()


def test_an_edit_cut_off_before_its_files_moved_is_finished_by_the_next_reader(
    shelf: DatasetShelf,
    zara: str,
    add: Callable[..., TrainingImage],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    first, second = add(1), add(2)
    with monkeypatch.context() as cut:
        cut.setattr(DatasetShelf, "_settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shelf.edit(zara, "Held out 1.jpg", having(first, held_out=True))
    folder = tmp_path / "copy"
    folder.mkdir()
    copies = shelf.copy_for_training(zara, folder)
    assert [image.id for image, _ in copies] == [second.id]
    assert shelf.curated(zara, shelf.image(zara, first.id)).is_file()


# --- many at once ----------------------------------------------------------------------------


def test_pictures_added_by_several_threads_are_all_there(
    shelf: DatasetShelf, zara: str, add: Callable[..., TrainingImage]
) -> None:
    threads = [threading.Thread(target=add, args=(20 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    images = shelf.images(zara)
    assert sorted(image.filename for image in images) == sorted(f"{20 * n}.jpg" for n in range(6))
    assert all(shelf.curated(zara, image).is_file() and shelf.original(zara, image).is_file() for image in images)


def test_a_deleted_character_leaves_no_picture_anywhere(
    shelf: DatasetShelf, people: CharacterShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage]
) -> None:
    first, _ = add(1), add(2)
    shelf.thumb(zara, first)
    shelf.edit(zara, "Removed 1.jpg", without(first))
    people.delete(zara)
    assert not [p for p in storage.root.rglob("*") if p.suffix in {".jpg", ".png", ".webp", ".json", ".txt"}]
    with pytest.raises(NotFound):
        add(3)
    assert not storage.uploads(zara).exists()


def test_a_set_of_the_first_format_is_read_and_can_be_edited(
    shelf: DatasetShelf, storage: Storage, zara: str, encoded: Encoded
) -> None:
    row = {"id": "img-1", "filename": "a.jpg", "original": "a.jpg", "curated": "a.png", "width": 96, "height": 80}
    row |= {"bytes": 9, "sha256": "0" * 64, "caption": "old", "created_at": "2026-01-01T00:00:00Z"}
    storage.write_json(storage.dataset_metadata(zara), {"version": 1, "images": [row]})
    storage.write_bytes(storage.uploads(zara) / "a.jpg", encoded())
    sink = io.BytesIO()
    pictures.check(encoded()).image.save(sink, "PNG")
    storage.write_bytes(storage.dataset_images(zara) / "a.png", sink.getvalue())
    (image,) = shelf.images(zara)
    shelf.edit(zara, "Captioned a.jpg", having(image, caption="new"))
    assert shelf.curated(zara, image).with_suffix(".txt").read_text() == "new"
    shelf.undo(zara)
    assert shelf.images(zara) == [image]
