"""Wildcards: lists on the volume, and the choices that a prompt's seed makes."""

from __future__ import annotations

from typing import Any

import pytest

from isengard.domain.request import MAX_PROMPT_CHARS, GenerationRequest
from isengard.errors import InvalidInput, NotFound
from isengard.infra.storage import Storage
from isengard.services.house import Isengard
from isengard.services.wildcards import MAX_LIST_CHARS, Wildcards


@pytest.fixture
def wildcards(storage: Storage) -> Wildcards:
    return Wildcards(storage)


def prompts(wildcards: Wildcards, prompt: str, seed: int = 1, **fields: Any) -> tuple[str, ...]:
    """What the pictures show once all choices are made."""
    made = wildcards.chosen(GenerationRequest.model_validate({"prompt": prompt, "seed": seed, **fields}))
    return made.prompts or (made.prompt,) * made.count


def test_a_list_is_made_changed_and_deleted(wildcards: Wildcards) -> None:
    assert wildcards.names() == []
    made = wildcards.save("hair", "  red hair \n\n# a remark\nblack hair\n")
    assert made.lines == ("red hair", "black hair")
    assert wildcards.save("hair", "grey hair") == wildcards.get("hair")
    wildcards.save("eye_colour", "green")
    assert wildcards.names() == ["eye_colour", "hair"]
    wildcards.delete("hair")
    assert wildcards.names() == ["eye_colour"]


def test_a_list_that_is_not_there_is_told_with_those_that_are(wildcards: Wildcards) -> None:
    wildcards.save("hair", "red")
    for ask in (wildcards.get, wildcards.delete, lambda name: prompts(wildcards, f"a __{name}__")):
        with pytest.raises(NotFound, match="'hat'") as told:
            ask("hat")
        assert "__hair__" in told.value.hint


@pytest.mark.parametrize("name", ["", "Hair", "a b", "../hair", "_a", "a__b", "a/b", "ä"])
def test_a_name_that_no_prompt_could_use_is_refused(wildcards: Wildcards, name: str) -> None:
    with pytest.raises(InvalidInput):
        wildcards.save(name, "red")
    assert wildcards.names() == []


@pytest.mark.parametrize("text", ["", "  \n ", "x" * (MAX_LIST_CHARS + 1)])
def test_an_empty_or_endless_list_is_refused(wildcards: Wildcards, text: str) -> None:
    with pytest.raises(InvalidInput):
        wildcards.save("hair", text)


def test_a_list_of_remarks_alone_has_no_words(wildcards: Wildcards) -> None:
    wildcards.save("hair", "# nothing yet")
    with pytest.raises(InvalidInput, match="no words"):
        prompts(wildcards, "__hair__")


def test_each_picture_chooses_by_its_own_seed(wildcards: Wildcards) -> None:
    many = prompts(wildcards, "a {red|black} hat", count=40)
    assert set(many) == {"a red hat", "a black hat"}
    assert many == prompts(wildcards, "a {red|black} hat", count=40)
    assert many[7:8] == prompts(wildcards, "a {red|black} hat", seed=8)


def test_lists_and_choices_may_hold_each_other(wildcards: Wildcards) -> None:
    wildcards.save("colour", "{dark|light} red")
    wildcards.save("hair", "__colour__ hair")
    made = set(prompts(wildcards, "{a|one} person with __hair__", count=40))
    assert made == {f"{a} person with {shade} red hair" for a in ("a", "one") for shade in ("dark", "light")}


def test_braces_can_be_meant_as_they_are(wildcards: Wildcards) -> None:
    assert prompts(wildcards, r"a \{red|black\} hat") == ("a {red|black} hat",)


def test_a_list_that_names_itself_comes_to_an_end(wildcards: Wildcards) -> None:
    wildcards.save("loop", "again __loop__")
    assert prompts(wildcards, "__loop__")[0].startswith("again again")
    wildcards.save("loop", "__loop__ __loop__ __loop__ __loop__ and many words more")
    with pytest.raises(InvalidInput, match=str(MAX_PROMPT_CHARS)):
        prompts(wildcards, "__loop__")


def test_a_prompt_without_choices_is_left_alone(wildcards: Wildcards) -> None:
    asked = GenerationRequest(prompt="snake_case, a__b, {", seed=1, count=3)
    assert wildcards.chosen(asked) == asked


def test_a_grid_makes_one_choice_for_all_of_it(wildcards: Wildcards) -> None:
    grid = {"x": {"field": "steps", "values": [1, 2]}}
    asked = GenerationRequest.model_validate({"prompt": "a {red|black} hat", "seed": 3, "grid": grid})
    made = wildcards.chosen(asked)
    assert made.prompts == ()
    assert made.prompt in {"a red hat", "a black hat"}


def test_the_job_keeps_what_was_chosen(house: Isengard) -> None:
    house.wildcards.save("pet", "cat\ndog")
    request = house.generation.submit(GenerationRequest(prompt="a __pet__", negative_prompt="{rain}", seed=2)).request
    assert isinstance(request, GenerationRequest)
    assert request.prompts[0] in {"a cat", "a dog"}
    assert request.negative_prompt == "rain"
