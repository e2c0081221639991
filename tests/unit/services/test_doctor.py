"""The Dataset Doctor on real pictures: reports, fixes that undo takes back, and what a person ignores."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFilter, ImageOps

from isengard.domain.character import Character, NewCharacter
from isengard.domain.checkup import Checkup, Finding
from isengard.errors import BackendUnavailable, Conflict, NotFound
from isengard.runtime import Runtime
from isengard.services.house import Isengard
from isengard.services.intake import Upload

PHOTOS = Path(__file__).parents[2] / "photos"
SAMPLE = Path(__file__).parents[3] / "isengard" / "sample"


def jpeg(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.convert("RGB").save(sink, "JPEG", quality=92)
    return sink.getvalue()


@pytest.fixture
def sample(house: Isengard) -> Character:
    return house.characters.create_sample()


def add(
    house: Isengard, character: Character, name: str, image: Image.Image, caption: str = "zuvra person by day"
) -> str:
    files = [Upload(f"{name}.jpg", jpeg(image)), Upload(f"{name}.txt", caption.encode())]
    return house.datasets.add(character.id, files).uploaded[0].id


def of(kind: str, report: Checkup) -> Finding:
    (finding,) = (one for one in report.findings if one.kind == kind)
    return finding


def names(house: Isengard, character: Character) -> set[str]:
    return {image.filename for image in house.datasets.images(character.id).items}


def test_the_sample_character_is_ready(house: Isengard, sample: Character) -> None:
    report = house.doctor.report(sample.id)
    assert (report.verdict, report.findings, report.looked_at) == ("ready", (), 12)
    assert report.base_model == "pocket"
    assert report.person is not None
    assert report.person.median_score > 0.9
    assert report.person.backend == "yunet-sface"


def test_another_person_is_removed_and_brought_back(house: Isengard, sample: Character) -> None:
    add(house, sample, "stranger", Image.open(PHOTOS / "obama.jpg"))
    finding = of("other_person", house.doctor.report(sample.id))
    assert [one.filename for one in finding.evidence] == ["stranger.jpg"]
    assert finding.evidence[0].box is not None
    assert house.doctor.fix(sample.id, finding.id).verdict == "ready"
    assert "stranger.jpg" not in names(house, sample)
    house.datasets.undo(sample.id)
    assert "stranger.jpg" in names(house, sample)
    assert of("other_person", house.doctor.report(sample.id)).id == finding.id


def test_captions_are_mended_in_one_step(house: Isengard, sample: Character) -> None:
    images = house.datasets.images(sample.id).items
    before = {image.id: image.caption for image in images}
    slips = {image.id: image.caption.replace("zuvra", "zurva") for image in images[:3]}
    house.datasets.captions.set(sample.id, slips)
    finding = of("trigger_misspelt", house.doctor.report(sample.id))
    assert house.doctor.fix(sample.id, finding.id).verdict == "ready"
    assert {image.id: image.caption for image in house.datasets.images(sample.id).items} == before
    house.datasets.undo(sample.id)
    assert sum("zurva" in image.caption for image in house.datasets.images(sample.id).items) == 3


def test_a_square_is_set_around_the_face_and_taken_back(house: Isengard, sample: Character) -> None:
    drawn = Image.open(SAMPLE / "zuri-02.jpg")
    wide = ImageOps.mirror(drawn).filter(ImageFilter.GaussianBlur(20)).resize((1400, 512))
    wide.paste(drawn, (0, 0))
    image_id = add(house, sample, "panorama", wide)
    house.datasets.remove(
        sample.id, [i.id for i in house.datasets.images(sample.id).items if i.filename == "zuri-02.jpg"]
    )
    finding = of("training_cut", house.doctor.report(sample.id))
    report = house.doctor.fix(sample.id, finding.id)
    assert "training_cut" not in {one.kind for one in report.findings}
    crop = house.datasets.image(sample.id, image_id).crop
    assert crop is not None
    assert (crop.left, crop.top, crop.width, crop.height) == (pytest.approx(15, abs=15), 0, 512, 512)
    house.datasets.undo(sample.id)
    assert house.datasets.image(sample.id, image_id).crop is None


def test_what_is_ignored_stays_ignored_until_it_changes(house: Isengard, sample: Character) -> None:
    image_id = add(house, sample, "sky", Image.linear_gradient("L").resize((600, 600)))
    finding = of("no_face", house.doctor.report(sample.id))
    report = house.doctor.ignore(sample.id, finding.id)
    assert (report.verdict, of("no_face", report).ignored) == ("ready", True)
    assert of("no_face", house.doctor.report(sample.id)).ignored
    assert not of("no_face", house.doctor.ignore(sample.id, finding.id, ignored=False)).ignored
    house.doctor.ignore(sample.id, finding.id)
    house.datasets.remove(sample.id, [image_id])
    assert house.doctor.report(sample.id).findings == ()


def test_a_finding_that_is_gone_is_refused(house: Isengard, sample: Character) -> None:
    with pytest.raises(Conflict, match="not there any more"):
        house.doctor.fix(sample.id, "no_face.0123456789ab")
    with pytest.raises(Conflict, match="not there any more"):
        house.doctor.ignore(sample.id, "no_face.0123456789ab")


def test_what_no_click_can_mend_says_what_to_do(house: Isengard) -> None:
    few = house.characters.create(NewCharacter(name="Few", trigger_word="qzxva person", consent="self"))
    add(house, few, "one", Image.open(PHOTOS / "obama.jpg"), "qzxva person on a stage")
    finding = of("too_few", house.doctor.report(few.id))
    with pytest.raises(Conflict) as refused:
        house.doctor.fix(few.id, finding.id)
    assert "15 to 30" in refused.value.hint


def test_a_large_set_is_examined_in_parts(house: Isengard, sample: Character) -> None:
    first = house.doctor.report(sample.id, patience=-1)
    assert (first.verdict, first.looked_at, first.pictures, first.findings) == ("examining", 0, 12, ())
    assert house.doctor.report(sample.id).verdict == "ready"
    assert house.doctor.report(sample.id, patience=-1).verdict == "ready"  # all of it is known now


def test_held_out_pictures_are_none_of_its_business(house: Isengard, sample: Character) -> None:
    image_id = add(house, sample, "stranger", Image.open(PHOTOS / "obama.jpg"))
    house.datasets.hold_out(sample.id, [image_id], held_out=True)
    assert house.doctor.report(sample.id).findings == ()


def test_a_file_that_was_lost_is_named(house: Isengard, runtime: Runtime, sample: Character) -> None:
    image = house.datasets.images(sample.id).items[3]
    house.datasets.file(sample.id, image.id, "full").unlink()
    finding = of("unreadable", house.doctor.report(sample.id))
    assert finding.evidence[0].filename == image.filename
    assert "not there" in finding.reason


def test_the_resolution_is_that_of_the_base_model(house: Isengard, sample: Character) -> None:
    report = house.doctor.report(sample.id, "sdxl")
    assert {finding.kind for finding in report.findings} == {"low_resolution"}
    assert report.resolution == 1024
    with pytest.raises(NotFound):
        house.doctor.report(sample.id, "no-such-model")


def test_a_broken_face_model_does_not_break_the_report(
    house: Isengard, sample: Character, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = house.doctor.plugins.face_analyzer()
    trouble = BackendUnavailable("The face model is damaged.", "Install it again.")
    monkeypatch.setattr(type(analyzer), "faces_of", lambda _self, images: iter([trouble] * len(images)))
    report = house.doctor.report(sample.id)
    assert of("faces_unknown", report).severity == "warn"
    assert report.person is None
