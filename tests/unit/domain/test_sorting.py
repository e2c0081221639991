"""The filters: one face, identity, sharpness, copies, near-duplicates, and a person's word above them all."""

from __future__ import annotations

from typing import Any

import pytest

from isengard.domain.sorting import alikeness, most_alike, reasons_of, sorted_out
from isengard.domain.synthetic import Manifest, Scores, SyntheticPicture, Thresholds

GOOD = {"faces": 1, "face_edge": 80.0, "similarity": 0.9, "sharpness": 0.6, "copy_score": 0.6, "aesthetic": 0.5}
PRINTS = ("00" * 16, "0f" * 16, "ff" * 16)  # 50 % and 100 % of the bits differ from the first


def picture(key: str = "a", fingerprint: str = PRINTS[0], **changes: Any) -> SyntheticPicture:
    fields = {name: changes.pop(name) for name in ("source", "decision") if name in changes}
    scores = Scores.model_validate({**GOOD, "fingerprint": fingerprint, **changes})
    made = {"run": 0, "index": 0, "slot": 0, "seed": 1, "shot": {}, "prompt": "p", "caption": "c"}
    return SyntheticPicture.model_validate({"id": key, "source": "proto_lora", "scores": scores, **made, **fields})


@pytest.mark.parametrize(
    ("similarity", "passes"), [(0.69, False), (0.7, True), (0.71, True), (0.0, False), (1.0, True)]
)
def test_identity_passes_from_its_threshold_on(similarity: float, passes: bool) -> None:
    assert (reasons_of(picture(similarity=similarity), Thresholds()) == ()) is passes


def test_the_similarity_threshold_is_the_one_that_was_asked_for() -> None:
    found = picture(similarity=0.5)
    assert reasons_of(found, Thresholds(similarity_threshold=0.5)) == ()
    assert reasons_of(found, Thresholds(similarity_threshold=0.51)) == ("not_alike",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"faces": 0, "similarity": None, "sharpness": None, "face_edge": None}, "no_face"),
        ({"faces": 2}, "several_faces"),
        ({"face_edge": 20.0}, "small_face"),
        ({"similarity": 0.1}, "not_alike"),
        ({"copy_score": 0.97}, "copy_of_reference"),
        ({"sharpness": 0.1}, "blurred"),
    ],
)
def test_each_filter_rejects_what_it_is_for_and_nothing_else(changes: dict[str, Any], reason: str) -> None:
    assert reasons_of(picture(**changes), Thresholds()) == (reason,)


def test_the_aesthetic_filter_is_off_until_it_is_asked_for() -> None:
    plain = picture(aesthetic=0.1)
    assert reasons_of(plain, Thresholds()) == ()
    assert reasons_of(plain, Thresholds(min_aesthetic=0.2)) == ("plain",)


def test_a_variation_of_a_reference_is_no_copy_of_it() -> None:
    assert reasons_of(picture(copy_score=1.0, source="augmentation"), Thresholds()) == ()


def test_all_reasons_are_told_the_gravest_first() -> None:
    assert reasons_of(picture(similarity=0.1, sharpness=0.1), Thresholds()) == ("not_alike", "blurred")


def test_of_near_duplicates_the_first_stays() -> None:
    first, second, other = sorted_out([picture("a"), picture("b"), picture("c", PRINTS[1])], Thresholds())
    assert (first.passed, second.passed, other.passed) == (True, False, True)
    assert (second.reasons, second.duplicate_of, second.duplicate_score) == (("near_duplicate",), "a", 1.0)
    assert other.duplicate_score == 0.5


def test_a_rejected_picture_hides_no_other() -> None:
    blurred, same = sorted_out([picture("a", sharpness=0.1), picture("b")], Thresholds())
    assert (blurred.passed, same.passed) == (False, True)


def test_a_person_overrides_every_filter_both_ways() -> None:
    kept, dropped, after = sorted_out(
        [
            picture("a", similarity=0.1, decision="keep"),
            picture("b", PRINTS[1], decision="reject"),
            picture("c", PRINTS[1]),
        ],
        Thresholds(),
    )
    assert (kept.passed, kept.reasons) == (True, ("not_alike",))
    assert (dropped.passed, dropped.reasons) == (False, ())
    assert after.passed, "what a person rejected hides nobody"


def test_new_thresholds_sort_the_same_scores_anew_and_back_again() -> None:
    made = [picture(str(n), f"{n * 0x1111111111111111:032x}", similarity=n / 10) for n in range(10)]
    strict, loose = Thresholds(similarity_threshold=0.8), Thresholds(similarity_threshold=0.4)
    first = sorted_out(made, strict)
    second = sorted_out(first, loose)
    assert sum(one.passed for one in second) > sum(one.passed for one in first) == 2
    assert sorted_out(second, strict) == first


def test_counts_add_up_and_name_each_rejected_picture_once() -> None:
    made = [
        picture("a"),
        picture("b", PRINTS[1], similarity=0.1, sharpness=0.1),
        picture("c", PRINTS[2], faces=2),
        picture("d", "3" * 32, decision="reject"),
    ]
    manifest = Manifest(character_id="char-1", pictures=sorted_out(made, Thresholds()))
    assert manifest.counts == {
        "generated": 4,
        "passed": 1,
        "rejected": 3,
        "rejected_by_reason": {"by_hand": 1, "not_alike": 1, "several_faces": 1},
        "kept_by_hand": 0,
    }


def test_alikeness_is_the_share_of_equal_bits() -> None:
    assert alikeness("00", "00") == 1.0
    assert alikeness("00", "0f") == 0.5
    assert alikeness("00", "") is None
    assert most_alike(["00"], [("a", "0f"), ("b", "01"), ("c", "")]) == (0.875, "b")
    assert most_alike(["00"], []) == (None, None)
