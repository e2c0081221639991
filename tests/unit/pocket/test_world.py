"""The world the pocket model knows: identities, shots and their captions."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from scripts.pocket.captions import caption, full_caption, fully_described
from scripts.pocket.world import HAIR, SETTINGS, STYLES, VOCABULARY, Identity, Shot, as_json, attributes, from_json
from scripts.pocket.world import random_identity as somebody
from scripts.pocket.world import random_shot as somewhere


@pytest.mark.parametrize("seed", range(20))
def test_the_same_seed_gives_the_same_person_in_the_same_place(seed: int) -> None:
    once, again = (_made(random.Random(seed)) for _ in range(2))
    assert once == again


def test_every_attribute_has_a_value_from_the_vocabulary() -> None:
    for seed in range(200):
        for name, value in attributes(*_made(random.Random(seed))).items():
            assert value in VOCABULARY[name]


def test_nobody_wears_what_the_vocabulary_does_not_give_them() -> None:
    for seed in range(200):
        identity, shot = _made(random.Random(seed))
        assert identity.style in STYLES[identity.gender]
        assert not (identity.beard and identity.gender == "woman")
        assert not (shot.garment == "dress" and identity.gender == "man")


def test_a_full_prompt_names_all_that_is_drawn() -> None:
    identity, shot = _made(random.Random(1))
    identity = replace(identity, gender="woman", age="elderly", style="bob", hair="green", glasses="round glasses")
    shot = replace(shot, expression="laughing")
    text = full_caption(shot, fully_described(identity))
    assert text.startswith("a photo of an elderly woman with bob green hair, ")
    for words in ("round glasses", "laughing", shot.setting, shot.light, shot.pose, shot.facing, shot.garment):
        assert words in text


def test_a_named_subject_stands_in_for_the_description() -> None:
    for seed in range(100):
        rng = random.Random(seed)
        identity, shot = _made(rng)
        text = caption(identity, replace(shot, cloth="teal"), rng, subject="zuvra person")
        assert "zuvra person" in text
        assert not any(f"{colour} hair" in text for colour in HAIR)


def test_captions_do_not_name_another_setting() -> None:
    for seed in range(100):
        rng = random.Random(seed)
        identity, shot = _made(rng)
        text = caption(identity, shot, rng)
        assert not [other for other in SETTINGS if other != shot.setting and f" in {other}" in text]


def test_a_record_survives_json() -> None:
    identity, shot = _made(random.Random(3))
    assert from_json(as_json(identity, shot)) == (identity, shot)


def _made(rng: random.Random) -> tuple[Identity, Shot]:
    identity = somebody(rng)
    return identity, somewhere(rng, identity)
