"""The drawings of the pocket world: deterministic, one person each, of the size asked for."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

pytest.importorskip("skia", reason="skia-python is needed only to train the pocket model: scripts/setup train")

import numpy as np

from scripts.pocket.drawing import draw
from scripts.pocket.sample import TRAINING, ZURI
from scripts.pocket.world import LIGHTS, SETTINGS, STYLES, random_identity, random_shot


def test_the_same_arguments_give_the_same_pixels() -> None:
    rng = random.Random(4)
    identity = random_identity(rng)
    shot = random_shot(rng, identity)
    once, again = draw(identity, shot), draw(identity, shot)
    assert once.shape == (128, 128, 3)
    assert once.dtype == np.uint8
    assert np.array_equal(once, again)


def test_every_setting_light_and_style_looks_different() -> None:
    shot = replace(random_shot(random.Random(5), ZURI), setting="a park", light="natural light")
    for field, values in (("setting", SETTINGS), ("light", LIGHTS)):
        assert _all_differ([draw(ZURI, replace(shot, **{field: value})) for value in values])
    assert _all_differ([draw(replace(ZURI, style=style), shot) for style in STYLES["woman"]])


def test_a_larger_picture_is_the_same_drawing() -> None:
    shot = random_shot(random.Random(6), ZURI)
    small = draw(ZURI, shot).astype(float)
    large = draw(ZURI, shot, scale=2).astype(float)
    assert np.abs(large.reshape(128, 2, 128, 2, 3).mean((1, 3)) - small).mean() < 3


def test_the_sample_character_has_twelve_shots() -> None:
    assert len(TRAINING.strip().splitlines()) == 12


def _all_differ(pictures: list[np.ndarray]) -> bool:
    return len({picture.tobytes() for picture in pictures}) == len(pictures)
