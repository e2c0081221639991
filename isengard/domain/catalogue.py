"""The shot catalogue: what synthetic pictures show, each value of each axis equally often, from a fixed seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field, model_validator

from isengard.domain.base import Value
from isengard.domain.synthetic import TRIGGER, names_in
from isengard.errors import InvalidInput

SEEDS = 2**32
UNSAID = "neutral expression, "  # what is ordinary is left unsaid, as in captions by people


class Catalogue(Value):
    """Axes with their values, and the sentences that name them."""

    templates: tuple[str, ...] = Field(min_length=1)
    axes: dict[str, tuple[str, ...]]
    instruction: str = Field(default="", description="What a model that edits a picture is told.")
    worded: bool = Field(
        default=True, description="Whether the pictures follow words; else captions are the reference's."
    )

    @model_validator(mode="after")
    def _names_its_axes(self) -> Catalogue:
        for template in (*self.templates, self.instruction):
            unknown = names_in(template) - {TRIGGER, *self.axes}
            if unknown:
                msg = f"no axis is called {', '.join(sorted(unknown))}"
                raise ValueError(msg)
        return self

    def with_templates(self, templates: Sequence[str]) -> Catalogue:
        """Return it with a person's own sentences; raise InvalidInput where one names what there is not."""
        if not templates or not self.worded:
            return self
        unknown = {name for template in templates for name in names_in(template)} - {TRIGGER, *self.axes}
        if unknown:
            raise InvalidInput(
                f"A prompt template names {', '.join(sorted(unknown))}, which the shot catalogue does not have.",
                f"Use {TRIGGER}, {', '.join(self.axes)}.",
            )
        return self.model_copy(update={"templates": tuple(templates)})

    def shots(self, seed: int) -> Iterator[dict[str, str]]:
        """Yield shots without end; of any number of them, each value is in as many as any other, give or take one."""
        lanes = {axis: _shuffled(values, f"{seed}:{axis}") for axis, values in self.axes.items()}
        while True:
            yield {axis: next(lane) for axis, lane in lanes.items()}


class Attempt(Value):
    """One picture to make. ``slot`` counts the wanted pictures, ``index`` the attempts of the whole run."""

    index: int
    slot: int
    seed: int
    shot: dict[str, str]
    prompt: str
    caption: str
    instruction: str = ""
    reference: int = Field(default=0, description="Place of the reference it is made from, where the source uses one.")

    def key(self, basis: str) -> str:
        """Return the picture's id: what it is made of, as 20 hex digits."""
        made_of = self.model_dump(exclude={"index", "slot", "caption"}) | {"basis": basis}
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:20]


class Sizes(Value):
    """How many pictures are wanted, how often each is tried, and from how many references."""

    wanted: int
    rounds: int
    references: int


def attempts(catalogue: Catalogue, trigger_word: str, sizes: Sizes, seed: int) -> list[list[Attempt]]:
    """Return all attempts a run may make, a list a round; round n tries each wanted picture for the n-th time.

    A shot that fails is tried again with another seed, so that what is rejected does not unbalance what is accepted.
    """
    stream = catalogue.shots(seed)
    shots = [next(stream) for _ in range(sizes.wanted)]
    return [
        [_attempt(catalogue, trigger_word, sizes, seed, (turn, slot, shots[slot])) for slot in range(sizes.wanted)]
        for turn in range(sizes.rounds)
    ]


def _attempt(
    catalogue: Catalogue, trigger_word: str, sizes: Sizes, seed: int, place: tuple[int, int, dict[str, str]]
) -> Attempt:
    turn, slot, shot = place
    index = turn * sizes.wanted + slot
    words: dict[str, Any] = {**shot, TRIGGER: trigger_word}
    prompt = catalogue.templates[slot % len(catalogue.templates)].format(**words).replace(UNSAID, "")
    return Attempt(
        index=index,
        slot=slot,
        seed=(seed + index) % SEEDS,
        shot=shot,
        prompt=prompt,
        caption=prompt,
        instruction=catalogue.instruction.format(**words),
        reference=(slot + turn) % sizes.references,
    )


def _shuffled(values: Sequence[str], seed: str) -> Iterator[str]:
    rng = random.Random(seed)
    while True:
        yield from rng.sample(values, len(values))
