"""The fields of the Training tab: what they say, and how what is typed becomes a config and back."""

from __future__ import annotations

import pytest

from isengard.domain.request import TrainingConfig
from ui.components.training_fields import SETTINGS, Setting, filled_in, offers, range_of, spoken, typed

BY_NAME = {one.name: one for one in SETTINGS}


def test_every_field_is_one_of_the_config_and_says_what_it_does() -> None:
    assert set(BY_NAME) <= set(TrainingConfig.model_fields)
    assert len(BY_NAME) == len(SETTINGS)
    for one in SETTINGS:
        assert one.about.endswith(".")
        assert len(one.info) < 110


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("steps", "1 to 100,000."),
        ("learning_rate", "Over 0 to 10."),
        ("ema_decay", "0 to under 1."),
        ("save_every", "1 or more."),
        ("resolution", "64 to 2,048."),
    ],
)
def test_ranges_are_the_configs_own(name: str, words: str) -> None:
    assert range_of(name) == words


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 400),
        ("learning_rate", 0.0001),
        ("resolutions", (512, 768)),
        ("low_vram", False),
        ("gradient_checkpointing", True),
        ("weight_bits", 8),
        ("optimizer", "prodigy"),
        ("caption_dropout", 0.0),
        ("flip", False),
        ("preserve_class", "person"),
    ],
)
def test_what_a_field_is_filled_with_is_read_back(name: str, value: object) -> None:
    one = BY_NAME[name]
    read = typed(one, filled_in(one, value))
    assert getattr(TrainingConfig.model_validate({name: read}), name) == value


@pytest.mark.parametrize("one", SETTINGS, ids=lambda one: one.name)
def test_an_empty_field_leaves_it_to_the_preset(one: Setting) -> None:
    if one.look != "flag":
        assert typed(one, "") is None
        assert typed(one, None) is None


def test_a_choice_offers_the_preset_first_and_every_value() -> None:
    named = offers(BY_NAME["optimizer"], "adamw8bit")
    assert named[0] == ("As the preset: adamw8bit", "")
    assert ("prodigy", "prodigy") in named
    assert [value for _, value in offers(BY_NAME["weight_bits"], "")] == ["", "16", "8", "6", "4", "3"]
    assert [value for _, value in offers(BY_NAME["low_vram"], "off")] == ["", "yes", "no"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), ((), ""), (True, "on"), (False, "off"), (16.0, "16"), (0.0001, "0.0001"), ((512, 768), "512, 768")],
)
def test_values_are_put_into_words(value: object, words: str) -> None:
    assert spoken(value) == words
