"""Each check of pictures by the Dataset Doctor: what it says, and when it says nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from isengard.domain.dataset import Crop
from tests.unit.services.patients import CLEAN, ROW, embedding, face, picture, report, the


def test_a_clean_set_is_ready() -> None:
    found = report()
    assert (found.verdict, found.findings) == ("ready", ())
    assert found.person is not None
    assert (found.person.agreeing, found.person.disagreeing) == (12, 0)
    assert found.person.lowest_score > 0.7
    assert [(size.width, size.height, size.pictures) for size in found.buckets] == [(512, 512, 12)]
    assert sum(found.variety["pose"].values()) == 12


def test_no_face_can_be_removed() -> None:
    faceless = dataclasses.replace(picture(20), faces=())
    finding = the("no_face", report(faceless))
    assert finding.fix is not None
    assert (finding.fix.action, finding.fix.image_ids) == ("remove", ("img-020",))


def test_of_several_faces_the_person_is_kept() -> None:
    person, other = face(20, box=(600, 300, 150, 200)), face(21, person=2, box=(100, 200, 220, 280))
    finding = the("several_faces", report(picture(20, other, person)))
    assert finding.fix is not None
    assert finding.fix.crop is not None
    assert finding.fix.crop.left >= 320
    assert finding.fix.crop.left < 600 - 0.4 * 150
    assert [item.note for item in finding.evidence] == ["someone else", ""]


def test_faces_too_close_for_a_crop_can_only_be_removed() -> None:
    person, other = face(20, box=(400, 300, 200, 260)), face(21, person=2, box=(550, 300, 200, 260))
    finding = the("several_faces", report(picture(20, person, other)))
    assert finding.fix is not None
    assert finding.fix.action == "remove"


def test_a_small_face_is_cropped_closer() -> None:
    finding = the("small_face", report(picture(20, face(20, box=(1500, 700, 100, 130)), size=(3000, 3000))))
    assert finding.fix is not None
    crop = finding.fix.crop
    assert crop is not None
    assert crop.left < 1500
    assert crop.top < 700
    assert crop.left + crop.width > 1600
    assert crop.top + crop.height > 830
    assert 130 / crop.height > 0.25


def test_a_face_of_too_few_pixels_cannot_be_helped() -> None:
    finding = the("small_face", report(picture(20, face(20, box=(250, 200, 50, 65)), size=(600, 600))))
    assert finding.fix is not None
    assert finding.fix.action == "remove"


@pytest.mark.parametrize("box", [(0, 250, 150, 260), (850, 250, 170, 260), (400, 800, 200, 260), (400, -60, 200, 260)])
def test_a_face_at_the_edge_is_cut(box: tuple[float, ...]) -> None:
    assert the("cut_face", report(picture(20, face(20, box=box)))).fix is not None


def test_a_crop_that_cuts_the_face_is_taken_back() -> None:
    cropped = picture(20, face(20, box=(0, 250, 150, 260)), crop=Crop(left=300, top=0, width=700, height=1000))
    finding = the("cut_face", report(cropped))
    assert finding.fix is not None
    assert (finding.fix.action, finding.fix.crop) == ("crop", None)


def test_a_square_that_misses_the_face_is_set_right() -> None:
    off = picture(20, face(20, box=(1500, 250, 200, 260)), size=(2000, 1000))
    assert report(off).findings == ()  # a trainer with buckets keeps all of it
    finding = the("training_cut", report(off, square=True))
    assert finding.fix is not None
    assert finding.fix.crop == Crop(left=1000, top=0, width=1000, height=1000)


def test_a_blurred_face_is_named_with_its_measure() -> None:
    assert "20" in the("blurred_face", report(picture(20, face(20, sharpness=20.4)))).reason


def test_another_person_stops_the_training() -> None:
    found = report(picture(20, face(20, person=2)))
    assert the("other_person", found).severity == "stop"
    assert found.verdict == "not_ready"
    assert found.person is not None
    assert found.person.disagreeing == 1


def test_somebody_who_looks_alike_is_unlike_the_others() -> None:
    own = np.asarray(embedding(1, np.random.default_rng(1)))
    other = np.asarray(embedding(2, np.random.default_rng(2)))
    between = 0.62 * own + 0.8 * other
    alike = face(20, embedding=tuple((between / np.linalg.norm(between)).tolist()))
    assert the("unsure_person", report(picture(20, alike))).severity == "note"


def test_photographs_say_who_it_is_not_the_many_pictures_made_of_them() -> None:
    real = CLEAN[:4]
    made = [picture(n, face(n, person=2), source="synthetic") for n in range(30, 42)]
    found = report(*made, clean=real)
    assert found.person is not None
    assert found.person.agreeing == 4
    assert [finding.kind for finding in found.findings].count("other_person") == 12
    assert "mixed_people" not in {finding.kind for finding in found.findings}


def test_several_people_are_one_finding() -> None:
    pictures = [picture(n, face(n, person=n % 6)) for n in range(12)]
    kinds = [finding.kind for finding in report(clean=pictures).findings]
    assert kinds.count("mixed_people") == 1
    assert "other_person" not in kinds


def test_two_pictures_of_two_people() -> None:
    found = report(clean=[picture(n, face(n, person=n)) for n in (1, 2)])
    assert [finding.kind for finding in found.findings] == ["mixed_people", "too_few"]


def test_drawings_without_faces_are_one_finding() -> None:
    found = report(clean=[dataclasses.replace(picture(n), faces=()) for n in range(12)])
    assert the("faces_unknown", found).severity == "warn"
    assert found.person is None


def test_without_a_face_model_the_report_says_so() -> None:
    assert "not looked at" in the("faces_unknown", report(analyzer=None)).title


def test_copies_leave_the_largest() -> None:
    bits = "f" * 32
    small, large, near = (
        picture(20, size=(600, 600), fingerprint=bits),
        picture(21, size=(900, 900), fingerprint=bits),
        picture(22, size=(700, 700), fingerprint="f" * 31 + "8"),
    )
    finding = the("near_duplicate", report(small, large, near))
    assert finding.fix is not None
    assert finding.fix.image_ids == ("img-020", "img-022")
    assert the("duplicate", report(small, large)).fix is not None


def test_too_few_and_too_many() -> None:
    assert the("too_few", report(clean=CLEAN[:6])).severity == "warn"
    assert the("too_many", report(clean=[picture(n) for n in range(64)])).severity == "note"


def test_few_pixels_depend_on_the_base_model() -> None:
    little = picture(20, face(20, box=(120, 75, 60, 98)), size=(300, 300))
    assert the("low_resolution", report(little)).evidence[0].note == "300 x 300"
    smaller = ROW.model_copy(update={"resolution": 256})
    assert report(little, row=smaller).findings == ()


def test_what_is_alike_everywhere_is_said() -> None:
    one = CLEAN[0].look
    same = [dataclasses.replace(p, look=one) for p in CLEAN]
    assert {f.kind for f in report(clean=same).findings} == {"same_background", "same_light"}
    turned = [picture(n, dataclasses.replace(face(n), landmarks=face(1).landmarks)) for n in range(12)]
    assert {f.kind for f in report(clean=turned).findings} == {"same_pose", "same_framing", "same_expression"}
