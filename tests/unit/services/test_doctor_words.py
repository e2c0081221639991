"""Words of captions: slips in the trigger word, permanent traits, and captions that are put right."""

from __future__ import annotations

import pytest

from isengard.services.doctor.words import (
    Trigger,
    content_words,
    slips,
    traits,
    with_trigger,
    without_traits,
    without_word,
)

OHWX = Trigger("ohwx person")
ZUVRA = Trigger("zuvra person")


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [
        ("ohwx", "ohwx", 0),
        ("ohxw", "ohwx", 1),
        ("ohw", "ohwx", 1),
        ("ohwxx", "ohwx", 1),
        ("dog", "ohwx", 4),
        ("", "ab", 2),
    ],
)
def test_slips_are_letters_added_left_out_changed_or_swapped(one: str, other: str, number: int) -> None:
    assert slips(one, other) == number


@pytest.mark.parametrize(
    ("caption", "fault"),
    [
        ("a photo of ohwx person in a park", None),
        ("OHWX Person, smiling", None),
        ("ohwx_person, smiling", None),
        ("a photo of ohxw person in a park", "misspelt"),
        ("a photo of ohw person", "misspelt"),
        ("ohwx smiling", "misspelt"),
        ("a photo of ohwxs", "inside"),
        ("a photo of ohwxperson", "inside"),
        ("a photo of a woman in a park", "missing"),
        ("", "missing"),
    ],
)
def test_what_is_wrong_with_the_trigger_word(caption: str, fault: str | None) -> None:
    assert OHWX.fault(caption) == fault


@pytest.mark.parametrize(
    ("caption", "mended"),
    [
        ("a photo of ohxw person in a park", "a photo of ohwx person in a park"),
        ("a photo of ohwxperson, smiling", "a photo of ohwx person, smiling"),
        ("ohwx smiling", "ohwx person smiling"),
        ("a photo of a woman in a park", "a photo of ohwx person in a park"),
        ("portrait of the man, smiling", "portrait of ohwx person, smiling"),
        ("smiling, in a park", "ohwx person, smiling, in a park"),
        ("a photo of ohwx person", "a photo of ohwx person"),
    ],
)
def test_a_trigger_word_is_put_right(caption: str, mended: str) -> None:
    assert with_trigger(OHWX, caption) == mended
    assert OHWX.fault(mended) is None


def test_ordinary_words_are_no_misspelling() -> None:
    short = Trigger("anja")
    assert short.fault("a photo of a ninja in a park") == "missing"
    assert short.longer_words("a banjax") == ["banjax"]
    assert Trigger("qz").longer_words("an aqzan") == []  # too short to mean anything


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("zuvra person with long blonde hair, smiling", ["long blonde hair"]),
        ("zuvra person, green eyes and freckles", ["green eyes", "freckles"]),
        ("a young woman in a park", ["young"]),
        ("a 35 year old man with a short beard", ["35 year old", "a short beard"]),
        ("zuvra person wearing a black jacket in an old building, natural light", []),
        ("zuvra person in front of a green wall, hair tied back", []),
        ("zuvra person with pale skin", ["pale skin"]),
    ],
)
def test_permanent_traits_are_found_and_clothes_are_not(caption: str, found: list[str]) -> None:
    assert traits(caption) == found


@pytest.mark.parametrize(
    ("caption", "left"),
    [
        ("zuvra person with long blonde hair, smiling", "zuvra person, smiling"),
        ("zuvra person with green eyes and freckles, in a park", "zuvra person, in a park"),
        ("zuvra person, curly red hair, smiling", "zuvra person, smiling"),
        ("a young woman in a park", "a woman in a park"),
        ("zuvra person smiling, freckles", "zuvra person smiling"),
    ],
)
def test_traits_are_taken_out_and_the_rest_reads_well(caption: str, left: str) -> None:
    assert without_traits(caption) == left
    assert traits(left) == []


@pytest.mark.parametrize(
    ("caption", "left"),
    [
        ("zuvra person in a studio, smiling", "zuvra person, smiling"),
        ("zuvra person, red scarf, smiling", "zuvra person, red, smiling"),
        ("scarf, zuvra person", "zuvra person"),
    ],
)
def test_a_word_goes_with_what_led_to_it(caption: str, left: str) -> None:
    assert without_word(caption, "studio" if "studio" in caption else "scarf") == left


def test_words_of_any_picture_are_not_content() -> None:
    assert content_words("a photo of zuvra person wearing a red scarf, natural light, facing forward") == [
        "zuvra",
        "red",
        "scarf",
    ]
