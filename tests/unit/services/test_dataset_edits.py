"""Zips, look-alikes, crops, holding out and captions, as the screen and the REST API use them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from isengard.domain.character import Character
from isengard.domain.dataset import Crop, TrainingImage
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import Conflict, InvalidInput, NotFound
from isengard.runtime import Runtime
from isengard.services.captions import Affix, Replacement
from isengard.services.house import Isengard
from isengard.services.uploads import Upload
from isengard.workers.train_lora import TrainLora

PHOTOS = Path(__file__).parents[2] / "photos"
NAMES = ("ardern.jpg", "collins.jpg", "hopper.jpg", "obama.jpg")
Encoded = Callable[..., bytes]


@pytest.fixture
def four(house: Isengard, zara: Character) -> list[TrainingImage]:
    """Four photographs of four people."""
    files = [Upload(name, (PHOTOS / name).read_bytes()) for name in NAMES]
    return list(house.datasets.add(zara.id, files).uploaded)


def zipped(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return sink.getvalue()


def captions(house: Isengard, character: Character) -> list[str]:
    return [image.caption for image in house.datasets.images(character.id).items]


# --- intake ----------------------------------------------------------------------------------


def test_a_zip_gives_each_of_its_files_a_verdict(house: Isengard, zara: Character) -> None:
    photo = {name: (PHOTOS / name).read_bytes() for name in NAMES}
    archive = zipped(
        {
            "set/a/one.jpg": photo["hopper.jpg"],
            "set/a/one.txt": b"zvka in uniform",
            "set/b/one.jpg": photo["obama.jpg"],
            "set/b/one.txt": b"zvka in a suit",
            "__MACOSX/set/._one.jpg": b"fork",
            "set/again.jpg": photo["hopper.jpg"],
            "set/readme.pdf": b"%PDF",
            "set/lost.txt": b"nobody",
        }
    )
    report = house.datasets.add(zara.id, [Upload("set.zip", io.BytesIO(archive))])
    assert [(image.filename, image.caption) for image in report.uploaded] == [
        ("one.jpg", "zvka in uniform"),
        ("one.jpg", "zvka in a suit"),
    ]
    assert {r.filename: r.detail for r in report.rejected} == {
        "again.jpg": "This picture is here already, as one.jpg.",
        "readme.pdf": "This is not a picture that Isengard can read.",
        "lost.txt": "There is no picture of the same name.",
    }
    assert report.captions == 2
    house.datasets.undo(zara.id)  # all of it was one step
    assert house.datasets.images(zara.id).items == ()


def test_a_zip_that_is_none_is_told(house: Isengard, zara: Character) -> None:
    with pytest.raises(InvalidInput, match=r"set\.zip: The zip is damaged"):
        house.datasets.add(zara.id, [Upload("set.zip", b"PK no")])


def test_the_same_pixels_in_another_file_are_here_already(house: Isengard, zara: Character, encoded: Encoded) -> None:
    house.datasets.add(zara.id, [Upload("a.png", encoded("PNG"))])
    with pytest.raises(InvalidInput, match=r"here already, as a\.png"):
        house.datasets.add(zara.id, [Upload("b.webp", encoded("WEBP", lossless=True))])


def test_a_look_alike_is_taken_and_told(house: Isengard, zara: Character, four: list[TrainingImage]) -> None:
    with Image.open(PHOTOS / "hopper.jpg") as photo:
        copy = ImageEnhance.Brightness(photo.convert("RGB").resize((400, 400 * photo.height // photo.width))).enhance(
            1.2
        )
    sink = io.BytesIO()
    copy.save(sink, "JPEG", quality=70)
    report = house.datasets.add(zara.id, [Upload("copy.jpg", sink.getvalue())])
    (notice,) = report.notices
    assert notice.image_id == report.uploaded[0].id
    assert "Looks almost like hopper.jpg" in notice.detail


def test_originals_keep_their_pixels_and_lose_their_metadata(
    house: Isengard, zara: Character, four: list[TrainingImage]
) -> None:
    for image in four:
        path = house.datasets.shelf.datasets.original(zara.id, image)
        given = PHOTOS / image.filename
        with Image.open(path) as kept, Image.open(given) as photo:
            assert kept.tobytes() == photo.tobytes()
            assert not dict(kept.getexif())
        assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
        assert image.sha256 == hashlib.sha256(given.read_bytes()).hexdigest()


# --- crops -----------------------------------------------------------------------------------


def test_a_crop_shows_its_part_and_can_be_taken_back(
    house: Isengard, zara: Character, four: list[TrainingImage]
) -> None:
    image = four[2]
    whole = Image.open(PHOTOS / image.filename).convert("RGB")
    area = Crop(left=40, top=30, width=200, height=160)
    cropped = house.datasets.crop(zara.id, image.id, area)
    assert cropped.crop == area
    with Image.open(house.datasets.file(zara.id, image.id, "full")) as shown:
        assert shown.tobytes() == whole.crop((40, 30, 240, 190)).tobytes()
    with Image.open(house.datasets.file(zara.id, image.id, "whole")) as shown:
        assert shown.tobytes() == whole.tobytes()
    other = house.datasets.crop(zara.id, image.id, Crop(left=0, top=0, width=100, height=100))
    assert other.crop != area
    house.datasets.undo(zara.id)
    assert house.datasets.image(zara.id, image.id) == cropped
    assert house.datasets.crop(zara.id, image.id, None).curated == image.curated
    assert house.datasets.history(zara.id).undo == "Uncropped hopper.jpg"


@pytest.mark.parametrize(
    "area",
    [
        Crop(left=0, top=0, width=20, height=20),
        Crop(left=0, top=0, width=5000, height=200),
        Crop(left=400, top=0, width=300, height=300),
        Crop(left=0, top=0, width=500, height=70),
    ],
)
def test_a_crop_that_cannot_be_is_refused(
    house: Isengard, zara: Character, four: list[TrainingImage], area: Crop
) -> None:
    with pytest.raises(InvalidInput):
        house.datasets.crop(zara.id, four[2].id, area)
    assert house.datasets.image(zara.id, four[2].id).crop is None


# --- held out --------------------------------------------------------------------------------


def trained_on(house: Isengard, runtime: Runtime, character: Character, work: Path) -> list[str]:
    """Hash what the worker's own copy of the dataset holds."""
    handler = TrainLora(runtime.storage, house.characters.shelf, house.loras.shelf, *[None] * 3)  # type: ignore[arg-type]
    items, _ = handler._dataset(house.characters.get(character.id), work)
    files = sorted(path for path in work.rglob("*") if path.is_file())
    assert {item.image for item in items} == {path for path in files if path.suffix == ".png"}
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def test_a_held_out_picture_never_reaches_the_workers_copy(
    house: Isengard, runtime: Runtime, zara: Character, four: list[TrainingImage], tmp_path: Path
) -> None:
    secret = four[1]
    file = hashlib.sha256(house.datasets.file(zara.id, secret.id, "full").read_bytes()).hexdigest()
    work = tmp_path / "work"
    assert file in trained_on(house, runtime, zara, work)
    house.datasets.hold_out(zara.id, [secret.id], held_out=True)
    again = trained_on(house, runtime, zara, work)  # a second attempt in the same folder
    assert file not in again
    assert len(again) == 6  # three pictures, three captions
    assert house.characters.get(zara.id).training_count == 3
    house.datasets.hold_out(zara.id, [secret.id], held_out=False)
    assert file in trained_on(house, runtime, zara, work)


def test_look_alikes_are_held_out_together_even_when_they_come_later(
    house: Isengard, zara: Character, four: list[TrainingImage]
) -> None:
    house.datasets.hold_out(zara.id, [four[2].id], held_out=True)
    with Image.open(PHOTOS / "hopper.jpg") as photo:
        sink = io.BytesIO()
        photo.convert("L").save(sink, "PNG")
    (late,) = house.datasets.add(zara.id, [Upload("grey.png", sink.getvalue())]).uploaded
    assert late.held_out
    changed = house.datasets.hold_out(zara.id, [late.id], held_out=False)
    assert {image.filename for image in changed} == {"grey.png", "hopper.jpg"}


def test_a_character_of_which_all_is_held_out_cannot_be_trained(
    house: Isengard, zara: Character, four: list[TrainingImage]
) -> None:
    house.datasets.hold_out(zara.id, [image.id for image in four], held_out=True)
    with pytest.raises(Conflict, match="no pictures"):
        house.training.plan(TrainingRequest(character_id=zara.id, config=TrainingConfig()))


# --- captions --------------------------------------------------------------------------------


def test_captions_are_found_and_replaced(house: Isengard, zara: Character, four: list[TrainingImage]) -> None:
    table = house.datasets.captions
    texts = ["zvkas and zvka person", "Zvka person, smiling", "nothing", "zvka person"]
    table.set(zara.id, {image.id: text for image, text in zip(four, texts, strict=True)})
    wanted = Replacement(find="zvka", replace=r"zv\1ka")
    dry = table.replace(zara.id, wanted.model_copy(update={"dry_run": True}))
    assert len(dry.changes) == 3
    assert captions(house, zara) == texts
    assert table.replace(zara.id, wanted) == dry
    assert captions(house, zara) == [r"zvkas and zv\1ka person", r"zv\1ka person, smiling", "nothing", r"zv\1ka person"]
    house.datasets.undo(zara.id)
    only = Replacement(find="ZVKA", replace="x", whole_words=False, image_ids=(four[0].id,))
    table.replace(zara.id, only)
    assert captions(house, zara) == ["xs and x person", *texts[1:]]
    assert table.replace(zara.id, Replacement(find="Nothing", match_case=True)).changes == ()


def test_a_prefix_is_added_once(house: Isengard, zara: Character, four: list[TrainingImage]) -> None:
    table = house.datasets.captions
    table.set(zara.id, {four[0].id: "a photo of zvka, smiling"})
    table.affix(zara.id, Affix(prefix="a photo of zvka, ", suffix=", studio"))
    assert captions(house, zara) == ["a photo of zvka, smiling, studio", *["a photo of zvka, studio"] * 3]
    assert table.affix(zara.id, Affix(prefix="a photo of zvka, ", suffix=", studio")).changes == ()


def test_tags_are_counted(house: Isengard, zara: Character, four: list[TrainingImage]) -> None:
    table = house.datasets.captions
    table.set(zara.id, {four[0].id: "zvka, park, park", four[1].id: "zvka , beach", four[2].id: ""})
    counted = [(tag.tag, tag.count, len(tag.image_ids)) for tag in table.tags(zara.id)]
    assert counted == [("zvka", 2, 2), ("beach", 1, 1), ("park", 1, 1)]


def test_captions_that_are_too_long_or_of_nobody_change_nothing(
    house: Isengard, zara: Character, four: list[TrainingImage]
) -> None:
    table = house.datasets.captions
    with pytest.raises(NotFound):
        table.set(zara.id, {four[0].id: "new", "img-none": "x"})
    with pytest.raises(InvalidInput):
        table.set(zara.id, {four[0].id: "new", four[1].id: "x" * 2001})
    assert captions(house, zara) == [""] * 4
