"""Uploads: a verdict for each file, captions beside pictures, and nothing half-taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from isengard.domain.character import Character
from isengard.errors import DiskFull, InvalidInput, NotFound
from isengard.infra.storage import Storage
from isengard.services import intake
from isengard.services.house import Isengard
from isengard.services.uploads import Upload

Encoded = Callable[..., bytes]


def captions(house: Isengard, character: Character) -> dict[str, str]:
    return {image.filename: image.caption for image in house.datasets.images(character.id).items}


def test_each_file_gets_its_verdict(house: Isengard, zara: Character, encoded: Encoded) -> None:
    report = house.datasets.add(
        zara.id,
        [
            Upload("good.jpg", encoded()),
            Upload("broken.jpg", encoded()[:300]),
            Upload("notes.pdf", b"%PDF-1.7"),
            Upload("small.png", encoded("PNG", (20, 20))),
            Upload("wide.png", encoded("PNG", (900, 100))),
            Upload("also good.png", encoded("PNG")),
        ],
    )
    assert [image.filename for image in report.uploaded] == ["good.jpg", "also good.png"]
    assert [rejected.filename for rejected in report.rejected] == ["broken.jpg", "notes.pdf", "small.png", "wide.png"]
    assert all(rejected.detail and rejected.hint for rejected in report.rejected)
    assert house.characters.get(zara.id).image_count == 2


def test_an_upload_of_which_nothing_can_be_used_is_an_error(house: Isengard, zara: Character) -> None:
    with pytest.raises(InvalidInput, match=r"x\.jpg: This is not a picture"):
        house.datasets.add(zara.id, [Upload("x.jpg", b"no"), Upload("y.jpg", b"no")])
    with pytest.raises(InvalidInput, match="No picture came in"):
        house.datasets.add(zara.id, [])


def test_the_same_picture_is_not_taken_twice(house: Isengard, zara: Character, encoded: Encoded) -> None:
    report = house.datasets.add(zara.id, [Upload("a.jpg", encoded()), Upload("b.jpg", encoded())])
    assert [rejected.detail for rejected in report.rejected] == ["This picture is here already, as a.jpg."]
    with pytest.raises(InvalidInput, match="here already"):
        house.datasets.add(zara.id, [Upload("c.jpg", encoded())])
    assert len(house.datasets.images(zara.id).items) == 1


def test_an_oversized_file_is_refused_with_both_sizes(house: Isengard, zara: Character, encoded: Encoded) -> None:
    large = encoded() + bytes(2 * 2**20)
    with pytest.raises(InvalidInput, match="has more than 1 MB"):
        house.datasets.add(zara.id, [Upload("a.jpg", large)])


def test_a_character_has_a_largest_number_of_pictures(
    house: Isengard, zara: Character, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_IMAGES", 2)
    report = house.datasets.add(zara.id, [Upload(f"{n}.jpg", encoded(tint=50 * n)) for n in range(3)])
    assert len(report.uploaded) == 2
    assert "at most 2 pictures" in report.rejected[0].detail


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("a\x00b\n\u202e.jpg", "ab.jpg"),
        ("", "picture"),
        ("/", "picture"),
        ("x" * 300 + ".jpg", "x" * 120),
        ("ザラ.jpg", "ザラ.jpg"),
    ],
    ids=ascii,
)
def test_a_file_name_is_made_fit_for_showing(
    house: Isengard, zara: Character, encoded: Encoded, given: str, shown: str
) -> None:
    (image,) = house.datasets.add(zara.id, [Upload(given, encoded())]).uploaded
    assert image.filename == shown
    assert house.datasets.file(zara.id, image.id, "full").is_file()


# --- captions --------------------------------------------------------------------------------


def test_a_text_file_named_like_its_picture_is_its_caption(house: Isengard, zara: Character, encoded: Encoded) -> None:
    report = house.datasets.add(
        zara.id,
        [
            Upload("One.TXT", "\ufeffzvka person,\n  smiling ".encode()),
            Upload("one.jpg", encoded()),
            Upload("two.jpg", encoded(tint=9)),
        ],
    )
    assert report.captions == 1
    assert report.rejected == ()
    assert report.uploaded[0].caption == "zvka person, smiling"
    assert captions(house, zara) == {"one.jpg": "zvka person, smiling", "two.jpg": ""}


def test_captions_may_follow_later_and_alone(house: Isengard, pictured: Character) -> None:
    report = house.datasets.add(pictured.id, [Upload("zara.txt", b"zvka person outdoors")])
    assert (report.uploaded, report.captions) == ((), 1)
    assert captions(house, pictured) == {"zara.jpg": "zvka person outdoors"}


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 2001, b"bell \x07"])
def test_a_caption_that_is_no_short_plain_text_is_refused(house: Isengard, pictured: Character, content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"zara\.txt: The caption is not short plain text"):
        house.datasets.add(pictured.id, [Upload("zara.txt", content)])
    assert captions(house, pictured) == {"zara.jpg": ""}


def test_a_caption_without_a_picture_is_told(house: Isengard, zara: Character, encoded: Encoded) -> None:
    report = house.datasets.add(zara.id, [Upload("a.jpg", encoded()), Upload("b.txt", b"lost")])
    assert [(r.filename, r.detail) for r in report.rejected] == [("b.txt", "There is no picture of the same name.")]


def test_a_caption_is_changed_by_hand(house: Isengard, pictured: Character) -> None:
    (image,) = house.datasets.images(pictured.id).items
    assert house.datasets.caption(pictured.id, image.id, " zvka  person\nsmiling ").caption == "zvka person smiling"
    with pytest.raises(InvalidInput):
        house.datasets.caption(pictured.id, image.id, "x" * 2001)
    assert captions(house, pictured) == {"zara.jpg": "zvka person smiling"}


# --- files -----------------------------------------------------------------------------------


def test_pictures_are_served_small_and_full_and_vanish_when_removed(house: Isengard, pictured: Character) -> None:
    (image,) = house.datasets.images(pictured.id).items
    full, thumb = (house.datasets.file(pictured.id, image.id, size) for size in ("full", "thumb"))
    with Image.open(full) as shown, Image.open(thumb) as small:
        assert (shown.format, small.format) == ("PNG", "WEBP")
    house.datasets.remove(pictured.id, [image.id])
    assert not full.exists()
    with pytest.raises(NotFound):
        house.datasets.image(pictured.id, image.id)
    with pytest.raises(NotFound):
        house.datasets.remove(pictured.id, [image.id])
    with pytest.raises(NotFound):
        house.datasets.file(pictured.id, image.id, "full")


def test_a_full_volume_takes_no_picture_and_keeps_what_it_has(
    house: Isengard, pictured: Character, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(path.name for path in house.datasets.storage.root.rglob("*") if path.is_file())
    real = Path.write_bytes

    def refuse(path: Path, content: bytes) -> int:
        real(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", refuse)
        with pytest.raises(DiskFull):
            house.datasets.add(pictured.id, [Upload("new.jpg", encoded(tint=77))])
    assert sorted(path.name for path in house.datasets.storage.root.rglob("*") if path.is_file()) == before
    monkeypatch.setattr(Storage, "free_gb", lambda _: -1.0)
    with pytest.raises(DiskFull):
        house.datasets.add(pictured.id, [Upload("new.jpg", encoded(tint=77))])


def test_an_upload_that_is_sent_again_with_its_key_gets_the_same_verdict(
    house: Isengard, zara: Character, encoded: Callable[..., bytes]
) -> None:
    files = [Upload("a.jpg", encoded()), Upload("b.jpg", b"no picture")]
    first = house.datasets.add(zara.id, files, "key-1")
    assert (len(first.uploaded), len(first.rejected)) == (1, 1)
    assert house.datasets.add(zara.id, files, "key-1") == first
    with pytest.raises(InvalidInput, match="already"):
        house.datasets.add(zara.id, files[:1], "key-2")


def test_a_refused_upload_may_be_sent_again_with_its_key(
    house: Isengard, zara: Character, encoded: Callable[..., bytes]
) -> None:
    with pytest.raises(InvalidInput):
        house.datasets.add(zara.id, [Upload("a.jpg", b"no")], "key-1")
    assert len(house.datasets.add(zara.id, [Upload("a.jpg", encoded())], "key-1").uploaded) == 1
