"""The shot catalogue: balanced, the same for the same seed, and in words that fit its templates."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from isengard.domain.catalogue import Catalogue, Sizes, attempts
from isengard.domain.synthetic import SyntheticConfig
from isengard.errors import InvalidInput
from isengard.infra.shots import Catalogues

CATALOGUE = Catalogue(
    templates=("a photo of {trigger_word}, {expression}, in {setting}",),
    axes={"setting": ("a park", "a cafe", "a library"), "expression": ("neutral expression", "smiling")},
)
SIZES = Sizes(wanted=12, rounds=3, references=5)


@pytest.mark.parametrize("count", [1, 5, 7, 50])
@pytest.mark.parametrize("family", ["pocket", "sdxl"])
def test_every_value_is_shown_as_often_as_any_other(count: int, family: str, project_root: Path) -> None:
    catalogue = Catalogues(project_root / "sota" / "shots.yml").of_family(family)
    shots = list(itertools.islice(catalogue.shots(7), count))
    for axis, values in catalogue.axes.items():
        seen = Counter(shot[axis] for shot in shots)
        assert max(seen.values()) - min(seen[value] for value in values) <= 1


def test_a_seed_decides_everything() -> None:
    assert attempts(CATALOGUE, "zvka", SIZES, 42) == attempts(CATALOGUE, "zvka", SIZES, 42)
    assert attempts(CATALOGUE, "zvka", SIZES, 42) != attempts(CATALOGUE, "zvka", SIZES, 43)


def test_each_round_tries_the_same_shots_with_new_seeds_and_other_references() -> None:
    first, second, third = attempts(CATALOGUE, "zvka", SIZES, 42)
    assert [one.shot for one in first] == [one.shot for one in second] == [one.shot for one in third]
    seeds = [one.seed for one in (*first, *second, *third)]
    assert seeds == list(range(42, 42 + 36))
    assert first[0].reference != second[0].reference
    assert len({one.key("basis") for one in (*first, *second, *third)}) == 36


def test_an_id_follows_from_what_the_picture_is_made_of() -> None:
    one = attempts(CATALOGUE, "zvka", SIZES, 42)[0][0]
    assert one.key("basis") == one.model_copy(update={"index": 99, "slot": 4, "caption": "other"}).key("basis")
    assert one.key("basis") != one.key("another basis")
    assert one.key("basis") != one.model_copy(update={"prompt": "other"}).key("basis")


def test_a_prompt_names_the_trigger_word_and_the_shot_and_leaves_the_ordinary_unsaid() -> None:
    for one in attempts(CATALOGUE, "zvka person", SIZES, 42)[0]:
        assert one.prompt.startswith("a photo of zvka person, ")
        assert one.shot["setting"] in one.prompt
        assert "neutral" not in one.prompt
        assert one.caption == one.prompt


def test_a_persons_templates_take_the_place_of_the_catalogues() -> None:
    own = CATALOGUE.with_templates(["{trigger_word} in {setting}", "{trigger_word}, {expression}"])
    first = attempts(own, "zvka", SIZES, 42)[0]
    assert first[0].prompt.startswith("zvka in ")
    assert not first[1].prompt.startswith("zvka in ")
    with pytest.raises(InvalidInput, match="moon"):
        CATALOGUE.with_templates(["{trigger_word} on the {moon}"])


@pytest.mark.parametrize(
    "template", ["a person in {setting}", "{trigger_word} in {}", "{trigger_word", "{trigger_word.x}"]
)
def test_a_template_that_cannot_be_filled_is_refused_at_the_door(template: str) -> None:
    with pytest.raises(ValidationError):
        SyntheticConfig(prompt_templates=(template,))


def test_the_plans_defaults_stand() -> None:
    config = SyntheticConfig()
    assert (config.target_count, config.similarity_threshold, config.min_sharpness) == (50, 0.7, 0.3)
    assert (config.use_controlnet, config.seed_start, config.dry_run) == (True, 42, False)


def test_a_catalogue_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "shots.yml").write_text("photo: {templates: ['{trigger_word} {moon}'], axes: {}}")
    with pytest.raises(InvalidInput, match=r"shots\.yml"):
        Catalogues(tmp_path / "shots.yml").of_family("sdxl")
