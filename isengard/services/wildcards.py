"""Wildcards: ``{a|b}`` chooses one of the words, ``__name__`` one line of a list kept on the volume."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from isengard.domain.base import Value
from isengard.domain.request import MAX_PROMPT_CHARS, GenerationRequest
from isengard.domain.shot import SEEDS
from isengard.errors import InvalidInput, NotFound
from isengard.infra.storage import Storage

MAX_LIST_CHARS = 200_000
MAX_DEPTH = 8  # lists may name lists
_CHOICE = re.compile(r"(?<!\\)\{([^{}]*)\}")
_LIST = re.compile(r"__([a-z0-9][a-z0-9.-]*(?:_[a-z0-9.-]+)*)__")


class WordList(Value):
    """A list of words, one choice a line."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Wildcards:
    """The same prompt and seed give the same words, as long as the lists stay the same."""

    storage: Storage

    def names(self) -> list[str]:
        """Return the names of all lists."""
        return sorted(path.stem for path in self.storage.wildcards.glob("*.txt"))

    def get(self, name: str) -> WordList:
        """Return a list; raise NotFound."""
        try:
            text = self.storage.wildcard(name).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            known = ", ".join(f"__{one}__" for one in self.names()) or "none yet"
            raise NotFound(f"There is no list of words '{name}'.", f"Lists that are here: {known}.") from error
        lines = (line.strip() for line in text.splitlines())
        return WordList(name=name, lines=tuple(line for line in lines if line and not line.startswith("#")))

    def save(self, name: str, text: str) -> WordList:
        """Make or change a list; raise InvalidInput when it is empty or far too long."""
        if not text.strip():
            raise InvalidInput("The list is empty.", "Write one choice a line.")
        if len(text) > MAX_LIST_CHARS:
            raise InvalidInput(f"The list has {len(text)} characters.", f"At most {MAX_LIST_CHARS} are taken.")
        if not _LIST.fullmatch(f"__{name}__"):
            raise InvalidInput(
                f"'{name}' cannot name a list.", "Use small letters, digits, - and _, such as hair_colour."
            )
        self.storage.write_bytes(self.storage.wildcard(name), text.encode())
        return self.get(name)

    def delete(self, name: str) -> None:
        """Delete a list."""
        self.get(name)
        self.storage.remove(self.storage.wildcard(name))

    def chosen(self, request: GenerationRequest) -> GenerationRequest:
        """Return the request with every choice made: one for each picture, by its seed."""
        texts = request.prompts or (request.prompt,) * request.count
        seed = request.seed or 0
        made = tuple(self._resolved(text, (seed + n) % SEEDS) for n, text in enumerate(texts))
        negative = self._resolved(request.negative_prompt, seed)
        if request.grid:
            return request.model_copy(update={"prompt": made[0], "negative_prompt": negative})
        same = set(made) == {request.prompt}
        return request.model_copy(update={"prompts": () if same else made, "negative_prompt": negative})

    def _resolved(self, text: str, seed: int) -> str:
        rng = random.Random(seed)
        for _ in range(MAX_DEPTH):
            named = _LIST.sub(lambda found: rng.choice(self._lines(found[1])), text)
            chosen = _CHOICE.sub(lambda found: rng.choice(found[1].split("|")).strip(), named)
            if chosen == text:
                break
            text = chosen
        text = text.replace("\\{", "{").replace("\\}", "}")
        if len(text) > MAX_PROMPT_CHARS:
            raise InvalidInput(
                f"With its choices made, the prompt has {len(text)} characters; {MAX_PROMPT_CHARS} are taken.",
                "Use shorter lists.",
            )
        return text

    def _lines(self, name: str) -> tuple[str, ...]:
        lines = self.get(name).lines
        if not lines:
            raise InvalidInput(f"The list '{name}' has no words.", "Write one choice a line.")
        return lines
