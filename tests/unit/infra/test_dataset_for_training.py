"""What a training is given of a dataset: everything but what is held out, as it was at one moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from isengard.domain.dataset import TrainingImage
from isengard.infra.library import DatasetShelf
from isengard.infra.storage import Storage
from tests.unit.infra.test_dataset_shelf import having


def test_what_is_held_out_never_reaches_a_training(
    shelf: DatasetShelf, storage: Storage, zara: str, add: Callable[..., TrainingImage], tmp_path: Path
) -> None:
    kept, secret = add(1, caption="kept"), add(2, caption="secret")
    hidden = shelf.curated(zara, secret).read_bytes()
    shelf.edit(zara, "Held out 2.jpg", having(secret, held_out=True))
    folder = tmp_path / "copy"
    folder.mkdir()
    copies = shelf.copy_for_training(zara, folder)
    assert [(image.id, path.name) for image, path in copies] == [(kept.id, f"{kept.id}.png")]
    trained = [path for place in (folder, storage.dataset_images(zara)) for path in place.iterdir()]
    assert trained
    assert hidden not in [path.read_bytes() for path in trained]
    assert "secret" not in [path.read_text() for path in trained if path.suffix == ".txt"]
    shelf.undo(zara)
    assert len(shelf.copy_for_training(zara, folder)) == 2


def test_the_copy_is_the_pictures_and_captions_of_one_moment(
    shelf: DatasetShelf, zara: str, add: Callable[..., TrainingImage], tmp_path: Path
) -> None:
    images = [add(tint) for tint in range(3)]
    stop = threading.Event()

    def toggle() -> None:
        while not stop.is_set():
            for held_out in (True, False):
                shelf.edit(
                    zara,
                    "Held out 3 pictures",
                    lambda rows, h=held_out: [
                        row.model_copy(update={"held_out": h, "caption": str(h)}) for row in rows
                    ],
                )

    worker = threading.Thread(target=toggle)
    worker.start()
    counts = set()
    for number in range(25):
        folder = tmp_path / str(number)
        folder.mkdir()
        copies = shelf.copy_for_training(zara, folder)
        counts.add(len(copies))
        assert {path.with_suffix(".txt").read_text() for _, path in copies} <= {"False", ""}
    stop.set()
    worker.join()
    assert counts <= {0, len(images)}
