"""From what was filled in to requests; with the services as the app makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isengard.domain.character import Character
from isengard.domain.lora import Lora
from isengard.domain.request import LoraUse
from isengard.errors import InvalidInput, NotFound
from isengard.services.house import Isengard
from ui.components.compare import FilledAxis
from ui.components.image_form import Filled
from ui.components.image_request import promise, requests_of, triggers

Shelve = Callable[..., Lora]


def filled(
    *uses: tuple[str, float], axes: tuple[FilledAxis, ...] = (), each_line: bool = False, **named: Any
) -> Filled:
    return Filled({"prompt": "a cat", **named}, list(uses), each_line, axes)


def test_an_empty_prompt_is_refused(house: Isengard) -> None:
    for text in ("", "  \n "):
        with pytest.raises(InvalidInput, match="prompt is empty"):
            requests_of(house, filled(prompt=text, each_line=True))


def test_each_line_is_a_request_and_a_bad_one_spoils_all(house: Isengard) -> None:
    made = requests_of(house, filled(prompt="a cat\n\n a dog ", each_line=True, steps="9", count=2))
    assert [(one.prompt, one.steps, one.count) for one in made] == [("a cat", 9, 2), ("a dog", 9, 2)]
    assert [one.prompt for one in requests_of(house, filled(prompt="a cat\na dog"))] == ["a cat\na dog"]
    with pytest.raises(NotFound):
        requests_of(house, filled(prompt="a cat\na __dog__", each_line=True))
    assert house.jobs.list().total == 0


def test_what_the_base_model_has_no_use_for_is_left_out(house: Isengard) -> None:
    hidden = {"scheduler": "karras", "workflow": "w", "denoise": "0.5", "upscale_by": "2"}
    (made,) = requests_of(house, filled(negative_prompt="rain", **hidden))
    assert (made.scheduler, made.workflow, made.denoise, made.upscale_by) == (None, "", None, None)
    assert made.negative_prompt == "rain"


def test_a_picture_to_start_from_is_never_left_out_in_silence(house: Isengard) -> None:
    with pytest.raises(NotFound):
        requests_of(house, filled(init_image="img-gone"))


def test_one_character_stands_for_its_newest_version(house: Isengard, zara: Character) -> None:
    with pytest.raises(InvalidInput, match="no LoRA any more"):
        requests_of(house, filled((f"character:{zara.id}", 0.5)))


def test_loras_are_mixed_at_their_strengths(house: Isengard, zara: Character, shelve: Shelve) -> None:
    first, second = shelve(zara), shelve(zara)
    (made,) = requests_of(house, filled((f"character:{zara.id}", 0.5)))
    assert (made.character_id, made.lora_strength, made.loras) == (zara.id, 0.5, ())
    (made,) = requests_of(house, filled((f"lora:{first.id}", 0.5), (f"character:{zara.id}", 0.7)))
    assert [(use.id, use.strength) for use in made.loras] == [(first.id, 0.5), (second.id, 0.7)]
    assert made.character_id == zara.id


def test_a_grid_of_versions_brings_its_own_base_model(house: Isengard, zara: Character, shelve: Shelve) -> None:
    versions = [shelve(zara).id for _ in range(2)]
    (made,) = requests_of(house, filled(axes=(FilledAxis("lora", "", versions), FilledAxis()), count=4))
    assert made.grid is not None
    assert (made.grid.x.values, made.count) == (tuple(versions), 1)
    replaced = made.model_copy(update={"loras": (LoraUse(id=shelve(zara, "sd15").id),)})
    assert [house.generation.filled(one)[1].id for one in (made, replaced)] == ["pocket", "pocket"]


def test_trigger_words_are_told_once(house: Isengard, zara: Character, shelve: Shelve) -> None:
    pick = f"lora:{shelve(zara).id}"
    house.loras.update(pick.removeprefix("lora:"), _patch("zvka person"))
    assert triggers(house, [pick, "", None, pick]) == ["zvka person"]


def _patch(trigger: str) -> Any:
    from isengard.domain.lora import LoraPatch

    return LoraPatch(trigger_word=trigger)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (filled(), "Generate"),
        (filled(count=3), "Generate 3 pictures"),
        (filled(prompt="a\nb", each_line=True, count=3), "Generate 6 pictures of 2 prompts"),
        (
            filled(axes=(FilledAxis("steps", "1, 2"), FilledAxis("seed", "1, 2, 3")), count=3),
            "Generate a grid of 6 pictures",
        ),
        (filled(axes=(FilledAxis("steps", "1, 2"),), prompt="a\nb", each_line=True), "Generate 2 grids of 2 pictures"),
        (filled(axes=(FilledAxis("steps", ""),)), "Generate"),
    ],
)
def test_the_button_promises_what_will_be_made(what: Filled, said: str) -> None:
    assert promise(what) == said
