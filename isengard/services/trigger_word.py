"""What makes a good trigger word: rare enough that the base model has no picture of it yet."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from isengard.errors import InvalidInput

_ALLOWED = re.compile(r"[^\W_][\w '-]*\Z")
_WORD = re.compile(r"[^\W_]+")


@cache
def ordinary_words() -> frozenset[str]:
    """Return common English words and first names: a trigger of these alone would drag their meaning along."""
    text = (Path(__file__).parent / "ordinary_words.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def checked_trigger(text: str) -> str:
    """Return the trigger word with single spaces; raise InvalidInput when it cannot serve."""
    trigger = " ".join(text.split())
    if not _ALLOWED.match(trigger):
        raise InvalidInput(
            "A trigger word has letters and digits only, with spaces or hyphens between.",
            "Use something like 'ohwx person' or 'zvka'.",
        )
    words = _WORD.findall(trigger.lower())
    if len(trigger) < 2 or all(word in ordinary_words() or len(word) < 2 for word in words):
        raise InvalidInput(
            f"'{trigger}' is an ordinary word: the base model already has pictures of it.",
            "Choose a rare word, alone or before an ordinary one, such as 'ohwx' or 'ohwx person'.",
        )
    return trigger
