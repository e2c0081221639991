"""What goes back into the form makes the same picture again."""

from __future__ import annotations

from isengard.domain.request import GenerationRequest
from isengard.services.house import Isengard
from ui.components.image_again import _escaped


def test_braces_that_were_drawn_are_no_choice_the_second_time(house: Isengard) -> None:
    drawn = house.wildcards.chosen(GenerationRequest(prompt=r"a \{red|blue\} sign", seed=7))
    words = drawn.prompts[0] if drawn.prompts else drawn.prompt
    assert words == "a {red|blue} sign"
    again = house.wildcards.chosen(GenerationRequest(prompt=_escaped(words), seed=7))
    assert again.prompts == (words,)
