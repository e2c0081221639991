"""Checks of captions, rights and sizes by the Dataset Doctor, and what ignoring does."""

from __future__ import annotations

import dataclasses
import random

import pytest

from isengard.domain.character import Character
from isengard.domain.checkup import Checkup
from isengard.services.doctor.crops import bucket, trained
from isengard.services.doctor.report import checked
from tests.unit.services.patients import CLEAN, PLACES, ROW, case, picture, report, the


def test_captions_and_their_fixes() -> None:
    def captioned(*texts: str) -> Checkup:
        return report(*(picture(20 + n, caption=text) for n, text in enumerate(texts)))

    assert the("caption_missing", captioned("", "")).fix.captions == {  # type: ignore[union-attr]
        "img-020": "a photo of ohwx person",
        "img-021": "a photo of ohwx person",
    }
    assert the("trigger_missing", captioned("smiling on a boat")).fix.captions == {  # type: ignore[union-attr]
        "img-020": "ohwx person, smiling on a boat"
    }
    assert the("trigger_misspelt", captioned("ohxw person on a boat")).fix.captions == {  # type: ignore[union-attr]
        "img-020": "ohwx person on a boat"
    }
    assert the("trigger_inside", captioned("ohwxperson on a boat")).fix.captions == {  # type: ignore[union-attr]
        "img-020": "ohwx person on a boat"
    }
    assert the("trait_described", captioned("ohwx person with green eyes on a boat")).fix.captions == {  # type: ignore[union-attr]
        "img-020": "ohwx person on a boat"
    }


def test_a_word_in_every_caption() -> None:
    scarfed = [picture(n, caption=f"ohwx person, red scarf, in {PLACES[n % 6]}") for n in range(12)]
    findings = report(clean=scarfed).findings
    assert [finding.title for finding in findings] == ["“red” is in every caption", "“scarf” is in every caption"]


def test_a_trigger_word_inside_other_words_is_a_note() -> None:
    who = Character(id="char-1", name="Ana", trigger_word="zan person", consent="self")
    pictures = [picture(n, caption=f"zan person in {PLACES[n % 6]} of tanzania") for n in range(12)]
    found = [f for f in report(clean=pictures, character=who).findings if f.kind == "trigger_inside"]
    assert [(f.severity, f.fix) for f in found] == [("note", None)]


def test_consent_and_licence() -> None:
    nobody = Character(id="char-1", name="Zara", trigger_word="ohwx person")
    assert the("consent_missing", report(character=nobody)).severity == "stop"
    bound = ROW.model_copy(update={"commercial_use": False})
    assert the("licence", report(row=bound)).severity == "note"
    assert report(row=bound).verdict == "ready"


def test_what_is_ignored_does_not_count() -> None:
    faceless = dataclasses.replace(picture(20), faces=())
    finding = the("no_face", report(faceless))
    again = checked(case([*CLEAN, faceless]), ignored={finding.id})
    assert (again.verdict, again.findings[0].ignored) == ("ready", True)
    moved = dataclasses.replace(faceless, image=faceless.image.model_copy(update={"curated": "other.png"}))
    assert not checked(case([*CLEAN, moved]), ignored={finding.id}).findings[0].ignored


def test_half_a_set_is_not_judged() -> None:
    found = checked(case(CLEAN[:3]), pending=9)
    assert (found.verdict, found.findings, found.looked_at, found.pictures) == ("examining", (), 3, 12)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1000, 1000), (512, 512)), ((1500, 1000), (576, 384)), ((400, 300), (384, 256)), ((90, 700), (64, 640))],
)
def test_buckets_keep_the_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert bucket(case(CLEAN), picture(1, size=size)) == expected


def test_what_is_trained_lies_inside_the_picture() -> None:
    for n in range(40):
        size = (random.Random(n).randint(200, 2000), random.Random(-n).randint(200, 2000))
        for square in (True, False):
            window = trained(case(CLEAN, square=square), picture(1, size=size))
            assert 0 <= window.left <= window.right <= size[0] + 1e-6
            assert 0 <= window.top <= window.bottom <= size[1] + 1e-6
