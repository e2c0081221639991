"""A dataset's shelf with a character on it, and a way to add pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from isengard.domain.base import new_id
from isengard.domain.character import Character
from isengard.domain.dataset import TrainingImage
from isengard.infra import pictures
from isengard.infra.library import CharacterShelf, DatasetShelf
from isengard.infra.storage import Storage

Encoded = Callable[..., bytes]


@pytest.fixture
def people(storage: Storage) -> CharacterShelf:
    return CharacterShelf(storage)


@pytest.fixture
def shelf(people: CharacterShelf) -> DatasetShelf:
    return people.datasets


@pytest.fixture
def zara(people: CharacterShelf) -> str:
    character = Character(id=new_id("char"), name="Zara", trigger_word="zvka")
    people.save(character)
    return character.id


@pytest.fixture
def add(shelf: DatasetShelf, zara: str, encoded: Encoded) -> Callable[..., TrainingImage]:
    """Add a picture of a colour of its own."""

    def one(tint: int = 0, batch: str = "", **fields: object) -> TrainingImage:
        content = encoded(tint=tint)
        checked = pictures.check(content)
        pixels = pictures.pixels_sha256(checked.image)
        names = {"filename": f"{tint}.jpg", "original": f"{tint}.jpg", "curated": f"{pixels[:32]}.png"}
        image = TrainingImage(
            id=new_id("img"), width=96, height=80, bytes=len(content), sha256=str(tint), **names, **fields
        )

        def change(rows: list[TrainingImage]) -> list[TrainingImage]:
            shelf.keep_original(zara, image.original, content)
            shelf.keep_curated(zara, image.curated, pictures.png(checked.image))
            return [*rows, image]

        shelf.edit(zara, f"Added {image.filename}", change, batch)
        return image

    return one
